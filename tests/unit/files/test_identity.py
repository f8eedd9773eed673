from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from winimagetools.errors import MediaError
from winimagetools.files.identity import FileIdentity, Watch, identity_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file."""
    file = tmp_path / "install.wim"
    file.write_bytes(b"content")
    return file


def test_an_identity_is_that_of_the_file_a_link_leads_to(path: Path) -> None:
    """Device, number, size and time of the last write."""
    link = path.with_name("link")
    link.symlink_to(path.name)
    status = path.stat()
    assert identity_of(link) == FileIdentity(
        link, status.st_dev, status.st_ino, 7, status.st_mtime_ns
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"inode": 99}, "was replaced by another file"),
        ({"device": 99}, "was replaced by another file"),
        ({"inode": 0}, ""),
        ({"inode": 0, "device": 99}, ""),
        ({"size": 8}, "had 7 bytes and has 8 now"),
        ({"modified": 1}, "was written to"),
    ],
)
def test_what_is_a_difference(path: Path, change: dict[str, Any], said: str) -> None:
    """A number that a file system does not have is not compared."""
    before = identity_of(path)
    assert before.difference(replace(before, **change)) == said


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def _recreate(path: Path) -> None:
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.unlink()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=times)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _overwrite(path: Path) -> None:
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_replace, "was replaced by another file"),
        (_recreate, "was replaced by another file"),
        (_append, "had 7 bytes and has 11 now"),
        (_overwrite, "was written to"),
        (Path.unlink, "cannot be found any more"),
    ],
)
def test_a_file_that_changes_is_named(
    path: Path, change: Callable[[Path], None], said: str
) -> None:
    """Also when it has the same size and time; one that did not change is no error."""
    with Watch([path]) as watch:
        watch.check()
        change(path)
        with pytest.raises(MediaError, match=rf"install\.wim changed while it was used: it {said}"):
            watch.check()


def test_a_link_that_is_turned_elsewhere(path: Path) -> None:
    """What the name leads to counts."""
    link = path.with_name("link")
    link.symlink_to(path.name)
    with Watch([link]) as watch:
        watch.check()
        link.unlink()
        link.symlink_to("other")
        path.with_name("other").write_bytes(b"content")
        with pytest.raises(MediaError, match="was replaced"):
            watch.check()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "sub" / "b").unlink(), r"b changed .* it is gone"),
        (lambda folder: (folder / "sub" / "new").touch(), r"new changed .* it is new"),
        (lambda folder: _append(folder / "a"), r"a changed .* has 5 now"),
        (lambda folder: (folder / "link").unlink(), r"link changed .* it is gone"),
    ],
)
def test_a_folder_whose_content_changes(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    """Files in it that change, go or come; broken links and links to folders are none of it."""
    folder = tmp_path / "drivers"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"a")
    (folder / "sub" / "b").write_bytes(b"b")
    (folder / "broken").symlink_to("nowhere")
    (folder / "link").symlink_to(tmp_path)
    with Watch([folder]) as watch:
        (tmp_path / "not in it").touch()
        watch.check()
        change(folder)
        with pytest.raises(MediaError, match=said):
            watch.check()


def test_what_is_missing_from_the_beginning(tmp_path: Path) -> None:
    """It is told as what it is."""
    with pytest.raises(MediaError, match=r"missing could not be opened: No such file"):
        Watch([tmp_path / "missing"])


def test_what_was_let_go_of_may_change(path: Path) -> None:
    """It is not needed any more."""
    watch = Watch([path, path.parent])
    watch.close()
    path.unlink()
    watch.check()
