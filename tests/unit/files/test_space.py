from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from winimagetools.errors import CommandError, DiskFullError
from winimagetools.files.space import free_bytes, room_for


def test_a_full_disk_is_named_whoever_found_it(tmp_path: Path) -> None:
    """ENOSPC of this process and of another program both become DiskFullError."""
    full = OSError(errno.ENOSPC, "No space left on device")
    said = CommandError("qemu-img", 1, "error while writing: No space left on device")
    for cause in (full, said):
        with (
            pytest.raises(DiskFullError, match=r"no room left in .* for a\.raw"),
            room_for(tmp_path / "a.raw"),
        ):
            raise cause


def test_a_file_too_large_for_the_file_system(tmp_path: Path) -> None:
    """What FAT and ext4 do not allow is told with the file, too."""
    with (
        pytest.raises(DiskFullError, match=r"does not allow a file as large as a\.raw"),
        room_for(tmp_path / "a.raw"),
    ):
        raise OSError(errno.EFBIG, "File too large")


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), CommandError("qemu-img", 1, "oops")]
)
def test_other_errors_pass_unchanged(tmp_path: Path, error: Exception) -> None:
    """Only a full disk is translated."""
    with pytest.raises(type(error)) as caught, room_for(tmp_path):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("name", ["", "no/such/file"])
def test_free_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What an ordinary user may still write; for a new file the nearest folder above counts."""
    usage = {tmp_path: SimpleNamespace(total=100, used=70, free=20)}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage[folder])
    assert free_bytes(tmp_path / name) == 20
