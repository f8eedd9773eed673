from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from winimagetools.errors import RequestError
from winimagetools.files.access import (
    Access,
    access_of,
    give_access,
    parse_mode,
    private_opener,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "chown"), reason="files have no mode here")


def mode(path: Path) -> int:
    """Its permission bits."""
    return path.stat().st_mode & 0o777


def test_a_private_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    """Whatever the umask of the user is; it is never reached through a link."""
    old = os.umask(0)
    try:
        with open(tmp_path / "file", "xb", opener=private_opener) as file:
            assert os.fstat(file.fileno()).st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic links"):
        open(tmp_path / "link", "wb", opener=private_opener)  # noqa: SIM115


def test_access_is_that_of_a_regular_file(tmp_path: Path) -> None:
    """A link, a folder and nothing have none that could be kept."""
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    assert access_of(tmp_path / "file") == Access(0o640, os.getuid(), os.getgid())
    assert access_of(tmp_path / "link") is None
    assert access_of(tmp_path) is None
    assert access_of(tmp_path / "missing") is None


def test_mode_and_owner_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group and owner one by one, since an ordinary user may only give the former."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _, uid, gid: asked.append((uid, gid)))
    (tmp_path / "file").touch()
    give_access(tmp_path / "file", Access(0o664, 4711, 4712))
    assert asked == [(4711, -1), (-1, 4712)]
    assert mode(tmp_path / "file") == 0o664


def test_rights_of_a_group_that_cannot_be_kept_go_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The builder's own group did not have them."""

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    (tmp_path / "file").touch()
    give_access(tmp_path / "file", Access(0o664, 4711, 4712))
    assert mode(tmp_path / "file") == 0o604


def test_a_file_system_without_modes_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only where more people can read the file than should."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    give_access(tmp_path / "file", Access(0o755))
    assert caplog.text == ""
    give_access(tmp_path / "file", Access(0o600))
    assert "has mode 0755 instead of 0600" in caplog.text


@pytest.mark.parametrize(
    ("text", "value"), [("600", 0o600), ("0640", 0o640), ("0o644", 0o644), (" 444 ", 0o444)]
)
def test_modes(text: str, value: int) -> None:
    """As chmod takes them."""
    assert parse_mode(text) == value


@pytest.mark.parametrize(
    "text", ["", "6", "60", "800", "1600", "4755", "-600", "u=rw", "0x180", "6 0 0", "٦٠٠", "00600"]
)
def test_what_is_no_mode(text: str) -> None:
    """Set-user-ID bits and symbolic modes are of no use to an image."""
    with pytest.raises(RequestError, match="is not the mode of a file"):
        parse_mode(text)


def test_a_mode_its_owner_cannot_read_with(tmp_path: Path) -> None:
    """Nobody would have anything of the image."""
    with pytest.raises(RequestError, match=r"With mode 066 nobody could read the image"):
        parse_mode("066")
