from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from winimagetools.errors import CommandError, DiskFullError
from winimagetools.files.space import build_bytes, free_bytes, room_for, space_problem
from winimagetools.model import GIB, MIB


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


@pytest.mark.parametrize(
    ("copied", "converted", "needed"),
    [(0, False, 10), (5, False, 15), (0, True, 20), (5, True, 20), (12, True, 22)],
)
def test_what_a_build_needs_at_its_fullest(copied: int, converted: bool, needed: int) -> None:
    """The copy of a WIM is gone before the disk is converted."""
    assert build_bytes(10, copied=copied, converted=converted) == needed


def test_too_little_room_is_one_sentence(tmp_path: Path) -> None:
    """It is this machine that lacks something; just enough is enough."""
    assert space_problem(tmp_path, 3 * GIB, 3 * GIB) is None
    problem = space_problem(tmp_path, 3 * GIB, 512 * MIB)
    assert problem is not None
    assert problem.message == (
        f"The build needs about 3.0 GiB in {tmp_path}, which has only 512.0 MiB left."
    )
    assert problem.host


def test_the_room_there_is_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for where nobody says how much it is."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20))
    assert space_problem(tmp_path / "new", 20) is None
    assert space_problem(tmp_path / "new", 21) is not None


@pytest.mark.parametrize("name", ["", "no/such/file"])
def test_free_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What an ordinary user may still write; for a new file the nearest folder above counts."""
    usage = {tmp_path: SimpleNamespace(total=100, used=70, free=20)}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage[folder])
    assert free_bytes(tmp_path / name) == 20
