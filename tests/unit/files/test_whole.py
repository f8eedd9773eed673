"""Reading files whole, in bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import MediaError
from winimagetools.files.whole import LARGEST, read_whole
from winimagetools.guest.cloudbase_init import check_config
from winimagetools.guest.wallpaper import read_picture
from winimagetools.host.mounted_tree import MountedTree


def huge(path: Path) -> Path:
    """A file of a terabyte that takes no room."""
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    return path


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_files_within_the_limit(tmp_path: Path, size: int) -> None:
    """The limit itself is read."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * size)
    assert read_whole(path, largest=100) == b"x" * size


def test_files_beyond_the_limit(tmp_path: Path) -> None:
    """They are named; so is a device, which says that it has no length."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * 101)
    with pytest.raises(MediaError, match=r"^The file has more than 100 bytes"):
        read_whole(path, "The file", 100)
    with pytest.raises(MediaError, match=r"^/dev/zero has more than 100 bytes"):
        read_whole(Path("/dev/zero"), largest=100)
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "no")


def test_who_reads_whole(tmp_path: Path) -> None:
    """Files of an image, pictures and configurations are read in bounds."""
    path = huge(tmp_path / "ntdll.dll")
    with pytest.raises(MediaError, match=f"ntdll.dll has more than {LARGEST} bytes"):
        MountedTree(tmp_path).read_bytes("ntdll.dll")
    with pytest.raises(MediaError, match=r"^The wallpaper .*ntdll\.dll has more than"):
        read_picture(path)
    with pytest.raises(MediaError, match=r"ntdll.dll has more than 1048576 bytes"):
        check_config(path, "cloudbase_init_config_path")
