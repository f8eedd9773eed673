"""Values in files on disk: get, set, remove, booleans, and the atomic write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from winimagetools import ini
from winimagetools.errors import IniValueError, RequestError
from winimagetools.files.access import Access
from winimagetools.ini import (
    get_ini_file_value,
    remove_ini_file_value,
    set_ini_file_value,
    to_boolean,
    write_atomically,
)

# Booleans


@pytest.mark.parametrize("text", ["True", "true", "TRUE", " tRuE\t", "\0true\0"])
def test_true(text: str) -> None:
    """The word True in any case, blanks and NULs around it, as .NET reads it."""
    assert to_boolean(text) is True


@pytest.mark.parametrize("text", ["False", "false", "FALSE", "\u00a0false "])
def test_false(text: str) -> None:
    """The word False in any case."""
    assert to_boolean(text) is False


@pytest.mark.parametrize("text", ["", " ", "1", "0", "yes", "no", "on", "$true", "True;", "t rue"])
def test_no_boolean(text: str) -> None:
    """Everything else is an error, which is also a ValueError."""
    with pytest.raises(ValueError, match="is neither True nor False") as caught:
        to_boolean(text)
    assert isinstance(caught.value, IniValueError)
    assert caught.value.exit_code == 2


# Files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file."""
    path = tmp_path / "a.ini"
    path.write_bytes(b"[DEFAULT]\na=1\nb=true\nc=maybe\n[vm]\na=2\n")
    return path


def test_get_from_a_file(path: Path) -> None:
    """The section is DEFAULT unless another one is named; a string path works too."""
    assert get_ini_file_value(path, "a") == "1"
    assert get_ini_file_value(str(path), "a", "vm") == "2"


def test_get_missing_gives_the_default(path: Path) -> None:
    """A missing key or section has the default, an empty text when there is none."""
    assert get_ini_file_value(path, "x") == ""
    assert get_ini_file_value(path, "x", default="d") == "d"
    assert get_ini_file_value(path, "a", "nowhere", "d") == "d"
    assert get_ini_file_value(path, "x", default=False) == "False"


def test_get_as_boolean(path: Path) -> None:
    """A boolean comes from the file, else from the default, which may be a text."""
    assert get_ini_file_value(path, "b", as_boolean=True) is True
    assert get_ini_file_value(path, "x", default=True, as_boolean=True) is True
    assert get_ini_file_value(path, "x", default="FALSE", as_boolean=True) is False


@pytest.mark.parametrize("key", ["a", "c", "missing"])
def test_get_as_boolean_refuses(path: Path, key: str) -> None:
    """Other texts, and a missing key without a default, are errors that name the key."""
    with pytest.raises(IniValueError, match=rf"\[DEFAULT\] {key} in .*a\.ini: "):
        get_ini_file_value(path, key, as_boolean=True)


def test_set_and_remove_in_a_file(path: Path) -> None:
    """The file on disk changes in the one line and nothing else is left in the folder."""
    set_ini_file_value(path, "a", "D:\\", "vm")
    set_ini_file_value(path, "b", False)
    remove_ini_file_value(path, "c")
    assert path.read_bytes() == b"[DEFAULT]\na=1\nb=False\n[vm]\na=D:\\\n"
    assert list(path.parent.iterdir()) == [path]


def test_set_to_the_same_value_does_not_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that already says so is not replaced."""
    written: list[Path] = []
    monkeypatch.setattr(ini, "write_atomically", lambda target, _: written.append(target))
    set_ini_file_value(path, "a", 1)
    assert written == []
    set_ini_file_value(path, "a", 2)
    assert written == [path]


@pytest.mark.parametrize("name", ["missing.ini", "."])
def test_missing_file(tmp_path: Path, name: str) -> None:
    """A file that does not exist, or is a folder, is refused by all three functions."""
    path = tmp_path / name
    message = "does not exist" if name == "missing.ini" else "cannot be read"
    with pytest.raises(RequestError, match=message):
        get_ini_file_value(path, "a", default="d")
    with pytest.raises(RequestError, match=message):
        set_ini_file_value(path, "a", "1")
    with pytest.raises(RequestError, match=message):
        remove_ini_file_value(path, "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")],
)
def test_an_unreadable_file_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    """The message ends in the words of the system, or of the error where it has none."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    path = tmp_path / "a.ini"
    with pytest.raises(RequestError) as caught:
        get_ini_file_value(path, "a")
    assert caught.value.message == f"The ini file {path} cannot be read: {reason}."


@pytest.mark.skipif(os.name == "nt", reason="file modes are a POSIX matter")
def test_mode_and_link_are_kept(path: Path) -> None:
    """An edited file keeps its mode, and a symbolic link to it stays a link."""
    path.chmod(0o640)
    link = path.with_name("link.ini")
    link.symlink_to(path.name)
    set_ini_file_value(link, "a", "9")
    assert link.is_symlink()
    assert get_ini_file_value(path, "a") == "9"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="file modes are a POSIX matter")
def test_a_private_file_never_has_a_wider_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in it cannot be read while it is written, whatever the umask."""
    modes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: modes.append(os.fstat(handle).st_mode & 0o777))
    path.chmod(0o600)
    old = os.umask(0)
    try:
        set_ini_file_value(path, "a", "9")
        path.chmod(0o666)
        set_ini_file_value(path, "a", "8")
    finally:
        os.umask(old)
    assert modes == [0o600, 0o600]
    assert path.stat().st_mode & 0o777 == 0o666


@pytest.mark.skipif(os.name == "nt", reason="file owners are a POSIX matter")
def test_the_owner_of_a_file_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root does not take the configuration of a user away by changing a value in it."""
    asked: list[tuple[str, int, int]] = []
    status = path.stat()
    monkeypatch.setattr(ini, "access_of", lambda _: Access(0o600, 4711, status.st_gid))
    monkeypatch.setattr(os, "chown", lambda name, *ids: asked.append((Path(name).name[:6], *ids)))
    set_ini_file_value(path, "a", "9")
    assert asked == [(".a.ini", 4711, -1)]


def test_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old file is whole and no temporary one stays."""
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestError, match=r"a\.ini cannot be written: No space left on device"):
        set_ini_file_value(path, "a", "9")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_on_the_disk_before_it_gets_its_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power failure there is the old file or all of the new one."""
    lengths: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: lengths.append(os.fstat(handle).st_size))
    ini.write_atomically(path, b"x" * 100)
    assert lengths == [100]
    assert path.read_bytes() == b"x" * 100


def test_interrupted_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while writing goes on as it is and leaves nothing behind."""

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        set_ini_file_value(path, "a", "9")
    assert get_ini_file_value(path, "a") == "1"
    assert list(path.parent.iterdir()) == [path]


def test_write_into_a_missing_folder(tmp_path: Path) -> None:
    """A folder that does not exist is one clear error."""
    with pytest.raises(RequestError, match="cannot be written"):
        ini.write_atomically(tmp_path / "none" / "a.ini", b"")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_files_are_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Not a pipe, nor a device such as ``/dev/null``, which root could replace for everybody."""
    place = tmp_path / "config.ini"
    make(place)
    with pytest.raises(RequestError, match=r"config.ini cannot be written: it is no file"):
        write_atomically(place, b"[a]")
    assert not place.is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["config.ini"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    """Lead nowhere."""
    (tmp_path / "config.ini").symlink_to("other.ini")
    (tmp_path / "other.ini").symlink_to("config.ini")
    with pytest.raises(RequestError, match=r"config.ini cannot be written: "):
        write_atomically(tmp_path / "config.ini", b"[a]")
