"""A disk of a Linux host: when its file appears, when it is removed, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import BuildError, RequestError
from winimagetools.formats.partition_table import plan_partitions
from winimagetools.host.linux import disks
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout


def test_a_table_that_is_not_as_planned_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sfdisk reads back counts, not what it was told."""
    monkeypatch.setattr(
        disks, "run", lambda *_: '{"partitiontable": {"label": "gpt", "id": "x", "partitions": []}}'
    )
    plan = plan_partitions(GIB, DiskLayout.BIOS)
    with pytest.raises(BuildError, match="label is gpt instead of dos"):
        disks.check_table(Path("disk.raw"), plan)


def test_a_staged_disk_is_no_file_yet(tmp_path: Path) -> None:
    """Tree and EFI folder lie in a private folder beside it that is gone afterwards."""
    path = tmp_path / "disk.raw"
    with LinuxDisks().create(path, 2 * GIB, DiskLayout.UEFI) as disk:
        assert isinstance(disk, LinuxDisk)
        assert (disk.path, disk.layout, disk.plan.size) == (path, DiskLayout.UEFI, 2 * GIB)
        assert disk.work.parent == tmp_path
        assert disk.esp.is_dir()
        disk.tree.write_bytes("Windows/file", b"x")
        assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_is_removed_when_the_build_fails_after_it_was_finished(tmp_path: Path) -> None:
    """Leaving with an error leaves nothing."""
    path = tmp_path / "disk.raw"
    with (
        pytest.raises(KeyboardInterrupt),
        LinuxDisks().create(path, 2 * GIB, DiskLayout.BIOS) as disk,
    ):
        disk.path.write_bytes(b"finished")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_existing_disk_is_not_overwritten(tmp_path: Path) -> None:
    """It is left as it was."""
    path = tmp_path / "disk.raw"
    path.write_bytes(b"older")
    with (
        pytest.raises(RequestError, match="exists already"),
        LinuxDisks().create(path, 2 * GIB, DiskLayout.BIOS),
    ):
        raise AssertionError("must not begin")
    assert path.read_bytes() == b"older"


def test_a_disk_that_is_too_small_leaves_nothing(tmp_path: Path) -> None:
    """Refused before the first file is made."""
    with (
        pytest.raises(RequestError, match="too small"),
        LinuxDisks().create(tmp_path / "disk.raw", MIB, DiskLayout.BIOS),
    ):
        raise AssertionError("must not begin")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_being_made_is_not_extended(tmp_path: Path) -> None:
    """Its Windows partition fills it already."""
    here = LinuxDisks()
    with (
        here.create(tmp_path / "disk.raw", 2 * GIB, DiskLayout.BIOS) as disk,
        pytest.raises(BuildError, match="is not finished"),
    ):
        here.extend_windows(disk)


def test_what_a_linux_host_opens_and_changes() -> None:
    """It looks into every container, and changes RAW."""
    here = LinuxDisks()
    assert all(here.opens(each) for each in DiskFormat)
    assert [each for each in DiskFormat if here.changes(each)] == [DiskFormat.RAW]


def test_a_disk_is_copied_with_its_holes(tmp_path: Path) -> None:
    """The copy has the same bytes."""
    (tmp_path / "a").write_bytes(b"data" + bytes(MIB) + b"more")
    LinuxDisks().copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
