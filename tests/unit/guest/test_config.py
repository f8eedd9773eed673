"""The config.ini in the image: every option that is no secret, and the user's own keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.config import get_windows_image_config
from winimagetools.formats.ini_document import IniFile
from winimagetools.guest.config import guest_config_text
from winimagetools.settings.options import OPTIONS, WindowsImageConfig


def copied(folder: Path, text: str) -> IniFile:
    """The guest's copy of a configuration."""
    path = folder / "config.ini"
    path.write_text(text, encoding="utf-8")
    return IniFile(guest_config_text(get_windows_image_config(path)).encode())


def test_own_keys_are_kept(tmp_path: Path) -> None:
    """Own keys in known and in own sections are in the copy, beside the guest's options."""
    document = copied(
        tmp_path,
        '[default]\nsite=" north "\n[updates]\ninstall_updates=True\nwsus=http://w\n[hooks]\na=1\n',
    )
    assert document.get("DEFAULT", "site") == " north "
    assert document.get("updates", "wsus") == "http://w"
    assert document.get("hooks", "a") == "1"
    assert document.get("updates", "install_updates") == "True"
    names = [section.name.lower() for section in document.sections()]
    assert len(names) == len(set(names))


def test_what_nobody_can_read_is_left_out(tmp_path: Path) -> None:
    """Comments, lines without a value or a section, and second sections are not copied."""
    text = "lost=1\n[hooks]\n# note=x\nword\nkept=2\n[HOOKS]\nlate=3\n"
    document = copied(tmp_path, text)
    own = [entry.key for entry in document.entries() if entry.section.name == "hooks"]  # type: ignore[union-attr]
    assert own == ["kept"]
    assert document.find("DEFAULT", "lost") is None


def test_misspelled_secrets_stay_out(tmp_path: Path) -> None:
    """What probably was meant to be a password does not get into the image."""
    document = copied(tmp_path, "[vm]\nadministrator_pasword=hunter2\n[DEFAULT]\nzip_pass_word=x\n")
    assert b"hunter2" not in document.serialize()
    assert document.find("DEFAULT", "zip_pass_word") is None


def test_options_in_the_wrong_section_are_not_copied(tmp_path: Path) -> None:
    """A known option in the wrong section is no key of the user's own."""
    document = copied(tmp_path, "[hooks]\nzip_password=hunter2\nimage_path=/srv/x\n")
    assert b"hunter2" not in document.serialize()
    assert b"/srv/x" not in document.serialize()


def guest(config: WindowsImageConfig) -> IniFile:
    """The guest's copy, parsed."""
    return IniFile(guest_config_text(config).encode())


def test_guest_file_has_every_option_that_is_no_secret() -> None:
    """Hook scripts read options such as image_type; of the secrets the guest needs the key."""
    config = WindowsImageConfig(
        image_type="KVM", product_key="default_kms_key", time_zone="W. Europe Standard Time"
    )
    document = guest(config)
    names = {entry.key for entry in document.entries() if entry.section}
    assert names == {option.name for option in OPTIONS} - {"administrator_password", "zip_password"}
    for option in OPTIONS:
        if option.name in names:
            value = str(getattr(config, option.name)).rpartition("\\")[2]
            assert document.get(option.section, option.name) == value


def test_guest_file_has_the_time_zone_of_windows() -> None:
    """IANA names are mapped; tzutil knows no others than those of Windows."""
    document = guest(WindowsImageConfig(time_zone="Europe/Berlin"))
    assert document.get("custom", "time_zone") == "W. Europe Standard Time"


def test_guest_file_has_no_credentials_of_addresses() -> None:
    """User, password and query of an address may let somebody in."""
    url = "https://me:hunter2@example.com:8443/agent.msi?sig=hunter2#x"
    text = guest_config_text(WindowsImageConfig(url=url, msi_path="https://[bad/hunter2"))
    assert "url=https://example.com:8443/agent.msi\r\n" in text
    assert "hunter2" not in text


def test_guest_file_ends_lines_as_windows_does() -> None:
    """Every line ends in CR LF, and there are no comments."""
    text = guest_config_text(WindowsImageConfig())
    assert text.count("\n") == text.count("\r\n") == len(text.splitlines())
    assert "#" not in text


def test_guest_file_has_no_secrets() -> None:
    """Passwords are never in it, a product key only when there is one."""
    config = WindowsImageConfig(zip_password="zzz", administrator_password="hunter2")
    text = guest_config_text(config)
    words = ("zzz", "hunter2", "zip_password", "administrator_password", "product_key")
    assert not [word for word in words if word in text]
    with_key = guest(WindowsImageConfig(product_key="AAAAA-BBBBB"))
    assert with_key.get("DEFAULT", "product_key") == "AAAAA-BBBBB"


@pytest.mark.parametrize("path", [r"C:\secret\share\VMware-tools.exe", "/srv/x/VMware-tools.exe"])
def test_guest_file_has_no_paths_of_the_host(path: str) -> None:
    """Of each path the guest learns the last part, of lists too: the same image anywhere."""
    document = guest(
        WindowsImageConfig(
            vmware_tools_path=path, image_path=path, extra_packages=f"{path}, D:\\b\\two.msu"
        )
    )
    assert document.get("DEFAULT", "vmware_tools_path") == "VMware-tools.exe"
    assert document.get("DEFAULT", "image_path") == "VMware-tools.exe"
    assert document.get("updates", "extra_packages") is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("False", "False"),
        ("false", "False"),
        ("", "False"),
        ("True", "True"),
        ("https://user:pw@example.com/a.msi", "True"),
    ],
)
def test_guest_file_has_no_addresses(value: str, wanted: str) -> None:
    """Of the guest agent the guest learns whether it is wanted."""
    document = guest(WindowsImageConfig(install_qemu_ga=value))
    assert document.get("custom", "install_qemu_ga") == wanted
