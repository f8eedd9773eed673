"""The list of options: complete, with the PowerShell tools' names, sections and defaults."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from winimagetools.errors import Problem, RequestError
from winimagetools.settings.declaration import Kind, Origin
from winimagetools.settings.options import OPTIONS, SECTION_OF, SECTIONS, WindowsImageConfig

FLAGS = {
    "DEFAULT": "force install_maas_hooks gold_image install_net_3_5 enable_administrator_account "
    "shrink_image_to_minimum_size+ enable_custom_wallpaper+ disable_first_logon_animation "
    "compress_qcow2 zero_unused_volume_sectors extra_packages_ignore_errors "
    "enable_shutdown_without_logon enable_ping_requests enable_ipv6_eui64 enable_active_mode",
    "vm": "disable_secure_boot",
    "updates": "install_updates purge_updates clean_updates_offline clean_updates_online+",
    "sysprep": "run_sysprep+ disable_swap persist_drivers_install+",
    "cloudbase_init": "beta_release cloudbase_init_use_local_system cloudbase_init_delayed_start",
}
"""The booleans of each section; a plus marks those that are True by default."""

EMPTY = {
    "DEFAULT": "product_key extra_features extra_capabilities compression_format zip_password "
    "gold_image_path vmware_tools_path custom_resources_path custom_scripts_path wallpaper_path "
    "wallpaper_solid_color extra_packages",
    "drivers": "virtio_iso_path virtio_base_path drivers_path",
    "custom": "time_zone ntp_servers",
    "virtio_qemu_guest_agent": "url checksum",
    "cloudbase_init": "msi_path cloudbase_init_config_path cloudbase_init_unattended_config_path",
}
"""The options of each section that are not set by default."""

OTHERS = {
    ("DEFAULT", "wim_file_path"): r"D:\Sources\install.wim",
    ("DEFAULT", "image_name"): "Windows Server 2012 R2 SERVERSTANDARD",
    ("DEFAULT", "image_path"): "win-image.vhdx",
    ("DEFAULT", "virtual_disk_format"): "VHDX",
    ("DEFAULT", "image_type"): "HYPER-V",
    ("DEFAULT", "disk_layout"): "BIOS",
    ("vm", "administrator_password"): "Pa$$w0rd",
    ("vm", "external_switch"): "external",
    ("vm", "cpu_count"): 1,
    ("vm", "ram_size"): 2147483648,
    ("vm", "disk_size"): 42949672960,
    ("custom", "install_qemu_ga"): "False",
    ("virtio_qemu_guest_agent", "source"): "web",
    ("sysprep", "unattend_xml_path"): "UnattendTemplate.xml",
    ("cloudbase_init", "serial_logging_port"): "COM1",
}


OURS = {
    ("DEFAULT", "vhd_subformat"): "dynamic",
    ("DEFAULT", "apply_engine"): "auto",
    ("vm", "accel"): "auto",
    ("vm", "silent_minutes"): 60,
    ("vm", "vm_minutes"): 1440,
    ("vm", "vnc_socket"): "",
    ("vm", "boot_authority"): "auto",
    ("vm", "discard_failed"): False,
}
"""Options the PowerShell tools do not have; their defaults change nothing."""


def _expected() -> dict[tuple[str, str], object]:
    flags = {(s, n.rstrip("+")): n[-1] == "+" for s, ns in FLAGS.items() for n in ns.split()}
    empty = {(s, n): "" for s, names in EMPTY.items() for n in names.split()}
    return {**flags, **empty, **OTHERS, **OURS}


def test_options_are_those_of_the_powershell_tools() -> None:
    """All options with their sections and defaults, a few of ours, and no other one."""
    declared = {(option.section, option.name): option.default for option in OPTIONS}
    assert declared == _expected()
    assert len(OPTIONS) == 63 + len(OURS)


def test_attributes_have_the_defaults() -> None:
    """A configuration made of nothing has every default as an attribute, of its type."""
    config = WindowsImageConfig()
    for option in OPTIONS:
        assert getattr(config, option.name) == option.default
        assert type(getattr(config, option.name)) is type(option.default)


def test_sections_stand_together() -> None:
    """The sections come in the order of the PowerShell tools' file, each in one piece."""
    first = ("DEFAULT", "vm", "drivers", "custom", "virtio_qemu_guest_agent")
    assert SECTIONS[:5] == first
    assert SECTIONS[5:] == ("updates", "sysprep", "cloudbase_init")
    order = [SECTIONS.index(option.section) for option in OPTIONS]
    assert order == sorted(order)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_described(option: object) -> None:
    """A description is made of whole sentences, in ASCII, on one paragraph."""
    text = getattr(option, "help", "")
    assert len(text) > 20
    assert text[-1] == "."
    assert text[0].isupper() or text.startswith("default_kms_key")
    assert text.isascii()
    assert "\n" not in text
    assert "  " not in text


def test_kinds() -> None:
    """Sizes accept units, counts do not, words are texts."""
    kinds = {option.name: option.kind for option in OPTIONS}
    assert [name for name, kind in kinds.items() if kind is Kind.SIZE] == ["ram_size", "disk_size"]
    assert [name for name, kind in kinds.items() if kind is Kind.COUNT] == [
        "cpu_count",
        "silent_minutes",
        "vm_minutes",
    ]
    assert kinds["install_qemu_ga"] is Kind.TEXT


def test_secrets() -> None:
    """Passwords and the product key are secret and do not show in a repr."""
    assert {option.name for option in OPTIONS if option.secret} == {
        *("product_key", "zip_password", "administrator_password")
    }
    config = WindowsImageConfig(product_key="K-K", zip_password="zzz", disk_layout="UEFI")
    shown = repr(config)
    assert "UEFI" in shown
    assert "Origin" not in shown  # its warnings quote the file
    assert not [word for word in ("K-K", "zzz", "Pa$$w0rd") if word in shown]


def test_guest_options() -> None:
    """The guest gets what its scripts ask for."""
    assert {option.name for option in OPTIONS if option.guest} == {
        *("product_key", "gold_image", "vmware_tools_path", "install_net_3_5"),
        *("enable_administrator_account", "disable_first_logon_animation"),
        *("enable_shutdown_without_logon", "enable_ping_requests", "enable_ipv6_eui64"),
        *("enable_active_mode", "install_qemu_ga", "time_zone", "ntp_servers"),
        *("install_updates", "purge_updates", "clean_updates_online"),
        *("disable_swap", "persist_drivers_install", "serial_logging_port"),
        *("cloudbase_init_use_local_system", "cloudbase_init_delayed_start"),
    }


def test_equality_ignores_the_origin() -> None:
    """Two configurations with the same options are equal wherever they came from."""
    assert WindowsImageConfig(origin=Origin(Path("a.ini"))) == WindowsImageConfig()
    assert dataclasses.replace(WindowsImageConfig(), force=True) != WindowsImageConfig()


def test_problem_knows_section_and_line() -> None:
    """A problem with an option carries where it stands."""
    config = WindowsImageConfig(origin=Origin(Path("a.ini"), {"disk_size": 7}))
    assert config.problem("disk_size", "Too small.", "Use 40GB.") == Problem(
        "Too small.", "Use 40GB.", "vm", "disk_size", 7
    )
    assert config.problem("source", "Odd.").line is None
    with pytest.raises(KeyError):
        config.problem("sauce", "No such option.")


def test_every_option_has_a_section() -> None:
    """The map from option to section is complete."""
    assert list(SECTION_OF) == [option.name for option in OPTIONS]


# Paths


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The current folder, and the folder of the configuration file."""
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    return Path.cwd(), beside


def _config(beside: Path) -> WindowsImageConfig:
    return WindowsImageConfig(origin=Origin(beside / "config.ini"))


def test_relative_path_current_folder_first(folders: tuple[Path, Path]) -> None:
    """What exists in both folders is taken from the current one."""
    here, beside = folders
    (here / "a.xml").touch()
    (beside / "a.xml").touch()
    assert _config(beside).resolve_path("a.xml") == here / "a.xml"


def test_relative_path_beside_the_configuration(folders: tuple[Path, Path]) -> None:
    """What exists only beside the configuration file is taken from there."""
    _, beside = folders
    (beside / "a.xml").touch()
    assert _config(beside).resolve_path("a.xml") == beside / "a.xml"


def test_relative_path_of_nothing(folders: tuple[Path, Path]) -> None:
    """What exists nowhere means the current folder, with and without a file."""
    here, beside = folders
    assert _config(beside).resolve_path("new.qcow2") == here / "new.qcow2"
    assert WindowsImageConfig().resolve_path("new.qcow2") == here / "new.qcow2"


def test_relative_path_of_what_will_be_made(folders: tuple[Path, Path]) -> None:
    """An image of an earlier build beside the configuration does not draw the next one there."""
    here, beside = folders
    (beside / "win.qcow2").touch()
    assert _config(beside).resolve_path("win.qcow2", to_be_made=True) == here / "win.qcow2"


def test_the_default_image_is_not_made_in_a_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to the current folder, not to the one everybody's temporary files are in."""
    monkeypatch.chdir(tmp_path)
    config = WindowsImageConfig()
    path = config.resolve_path(config.image_path, to_be_made=True)
    assert path == tmp_path / "win-image.vhdx"


def test_absolute_path_stays(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """An absolute path is not looked for anywhere else."""
    _, beside = folders
    assert _config(beside).resolve_path(str(tmp_path / "x")) == tmp_path / "x"


def test_backslashes_of_a_relative_path(folders: tuple[Path, Path]) -> None:
    r"""``.\Scripts\Win11`` finds the folder on every system."""
    _, beside = folders
    (beside / "Scripts" / "Win11").mkdir(parents=True)
    assert _config(beside).resolve_path(r".\Scripts\Win11") == beside / "Scripts" / "Win11"


@pytest.mark.skipif(os.name == "nt", reason="a backslash is never part of a name on Windows")
def test_windows_paths_and_odd_names_stay(folders: tuple[Path, Path]) -> None:
    """A drive letter is not turned into a folder, an existing odd name is taken as it is."""
    here, beside = folders
    assert _config(beside).resolve_path("D:\\a.wim") == here / "D:\\a.wim"
    (here / "odd\\name").touch()
    assert _config(beside).resolve_path("odd\\name") == here / "odd\\name"


def test_no_path() -> None:
    """An option that is not set has no path: asking for it is a mistake of the caller."""
    with pytest.raises(ValueError, match="not set"):
        WindowsImageConfig().resolve_path("")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://h/windows.iso", "Download the file first, and give its path."),
        ("file:///srv/windows.iso", "Write the path without file://."),
    ],
)
def test_a_url_is_no_path(url: str, hint: str) -> None:
    """Media are not downloaded, and it is said what to do."""
    with pytest.raises(RequestError) as caught:
        WindowsImageConfig().resolve_path(url)
    assert caught.value.message == f"{url} is a URL; media and other files are not downloaded."
    assert caught.value.hint == hint
