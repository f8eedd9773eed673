from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import NoReturn

import pytest

from tests.files import write_with_hole
from winimagetools.files.copy import copy_file, read_exactly
from winimagetools.files.sparse import CHUNK


@pytest.mark.parametrize("offset", [0, 4096, 1000])
@pytest.mark.parametrize("kernel", ["copies", "refuses"])
def test_copy_moves_the_content_by_the_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, kernel: str
) -> None:
    """With and without the help of the kernel; the room in front reads as zeros."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if kernel == "refuses":
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    content = write_with_hole(tmp_path / "source")
    reached: list[int] = []
    copy_file(tmp_path / "source", tmp_path / "copy", offset=offset, on_progress=reached.append)
    assert (tmp_path / "copy").read_bytes() == bytes(offset) + content
    assert reached == sorted(reached)
    assert 4 * CHUNK < reached[-1] <= len(content)
    assert getattr((tmp_path / "copy").stat(), "st_blocks", 0) * 512 < 4 * CHUNK


class Dripping(io.BytesIO):
    """Gives a byte at a time, as a system call may."""

    def read(self, size: int | None = -1) -> bytes:
        """One byte, or none at the end."""
        return super().read(min(1, size if size is not None and size >= 0 else 1))


@pytest.mark.parametrize(("count", "data"), [(0, b""), (3, b"abc"), (5, b"abcde"), (9, b"abcde")])
def test_reading_goes_on_until_there_is_enough(count: int, data: bytes) -> None:
    """Exactly what was asked for, less only at the end of the file."""
    stream = Dripping(b"abcde")
    assert read_exactly(stream, count) == data
    assert stream.tell() == len(data)


def test_copy_never_overwrites(tmp_path: Path) -> None:
    """A destination that exists stays as it is."""
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "copy").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "source", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"old"


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="files have no mode here")
def test_a_copy_is_private(tmp_path: Path) -> None:
    """A disk image holds the password of its administrator; a link is not followed."""
    (tmp_path / "source").write_bytes(b"new")
    copy_file(tmp_path / "source", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "source", tmp_path / "link")
    assert not (tmp_path / "victim").exists()


def test_copy_reports_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only "cannot share" makes it copy by hand; any other error is passed on."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    (tmp_path / "source").write_bytes(b"new")
    with pytest.raises(OSError, match="No space left"):
        copy_file(tmp_path / "source", tmp_path / "copy")
