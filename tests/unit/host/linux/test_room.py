"""What is counted before a disk is written: the image, and whatever was added until then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.unit.folder_layer import FolderLayer
from winimagetools.errors import RequestError
from winimagetools.host.linux import room
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.wimlib import WimItem
from winimagetools.model import GIB, MIB, DiskLayout


class FolderWim:
    """What libwim lists of an image, of a folder of this host."""

    opened = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        FolderWim.opened += 1

    def __enter__(self) -> FolderWim:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def iterate(self, _index: int, _path: str, *, recursive: bool) -> Sequence[WimItem]:
        """Everything in the folder."""
        assert recursive
        return [
            WimItem(item.name, f"/{item.relative_to(self.path).as_posix()}", 0x10, 0)
            if item.is_dir()
            else WimItem(
                item.name, f"/{item.relative_to(self.path).as_posix()}", 0, item.stat().st_size
            )
            for item in sorted(self.path.rglob("*"))
        ]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LinuxDisk]:
    """A disk of 100 MiB with an image of 40 MiB below its tree."""
    monkeypatch.setattr(room, "Wim", FolderWim)
    monkeypatch.setattr(FolderWim, "opened", 0)
    image = tmp_path / "image"
    (image / "Windows").mkdir(parents=True)
    (image / "Windows" / "SOFTWARE").write_bytes(bytes(30 * MIB))
    (image / "other").write_bytes(bytes(10 * MIB))
    with LinuxDisks(_never).create(tmp_path / "a.raw", 100 * MIB, DiskLayout.BIOS) as disk:
        disk.tree.attach(FolderLayer(image))
        disk.source = WimSource(image, 1, "Server", disk_bytes=40 * MIB)
        yield disk


def _never(_disk: LinuxDisk, _volume: Path) -> None:
    raise AssertionError("must not be written")


def test_what_is_added_later_is_counted(disk: LinuxDisk) -> None:
    """A disk that the image fits on is refused when it is written with more than fits."""
    room.check_room(disk)
    disk.tree.write_bytes("drivers/large.bin", bytes(60 * MIB))
    with pytest.raises(RequestError, match=r"3 files .* and the 2 that are added") as caught:
        LinuxDisks(_never).finish(disk)
    assert caught.value.option == "disk_size"
    assert not disk.path.exists()


def test_what_is_replaced_is_counted_once(disk: LinuxDisk) -> None:
    """A hive that was edited takes the place of the one in the image."""
    disk.tree.write_bytes(r"Windows\SOFTWARE", bytes(45 * MIB))
    room.check_room(disk)


def test_what_is_removed_is_not_counted(disk: LinuxDisk) -> None:
    """A folder goes with everything in it."""
    disk.tree.remove("Windows")
    disk.tree.write_bytes("large.bin", bytes(65 * MIB))
    room.check_room(disk)
    disk.tree.remove("other")
    disk.tree.write_bytes("larger.bin", bytes(35 * MIB))
    with pytest.raises(RequestError, match="the 2 that are added"):
        room.check_room(disk)


def test_a_large_disk_is_not_counted(tmp_path: Path, disk: LinuxDisk) -> None:
    """Unless what is added is large too."""
    with LinuxDisks(_never).create(tmp_path / "b.raw", 10 * GIB, DiskLayout.BIOS) as large:
        large.source = disk.source
        room.check_room(large)
        assert FolderWim.opened == 0
        with (large.tree.local / "large.bin").open("wb") as file:
            file.truncate(11 * GIB)
        with pytest.raises(RequestError, match="is too small"):
            room.check_room(large)
