"""Keys that are no options reach the user's scripts inside the image."""

from __future__ import annotations

from pathlib import Path

from winimagetools.config import get_windows_image_config
from winimagetools.formats.ini_document import IniFile
from winimagetools.guest.config import guest_config_text


def guest(folder: Path, text: str) -> IniFile:
    """The guest's copy of a configuration."""
    path = folder / "config.ini"
    path.write_text(text, encoding="utf-8")
    return IniFile(guest_config_text(get_windows_image_config(path)).encode())


def test_own_keys_are_kept(tmp_path: Path) -> None:
    """Own keys in known and in own sections are in the copy, beside the guest's options."""
    document = guest(
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
    document = guest(tmp_path, text)
    own = [entry.key for entry in document.entries() if entry.section.name == "hooks"]  # type: ignore[union-attr]
    assert own == ["kept"]
    assert document.find("DEFAULT", "lost") is None


def test_misspelled_secrets_stay_out(tmp_path: Path) -> None:
    """What probably was meant to be a password does not get into the image."""
    document = guest(tmp_path, "[vm]\nadministrator_pasword=hunter2\n[DEFAULT]\nzip_pass_word=x\n")
    assert b"hunter2" not in document.serialize()
    assert document.find("DEFAULT", "zip_pass_word") is None


def test_options_the_guest_does_not_need_stay_out(tmp_path: Path) -> None:
    """A known option in the wrong section is no key of the user's own."""
    document = guest(tmp_path, "[hooks]\nzip_password=hunter2\nimage_path=/srv/x\n")
    assert b"hunter2" not in document.serialize()
    assert b"/srv/x" not in document.serialize()
