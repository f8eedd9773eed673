"""The room an image needs is known before it is written."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.integration.linux.build import Job
from winimagetools.errors import RequestError
from winimagetools.formats.ntfs_size import NtfsItem, overhead_bytes, volume_bytes
from winimagetools.formats.partition_table import plan_partitions
from winimagetools.formats.wim.editions import read_wim
from winimagetools.host.linux import volume
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.room import check_room
from winimagetools.host.linux.wimlib import Wim, WimLayer
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import MIB, DiskLayout
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "make a WIM")
NTFSINFO = Tool("ntfsinfo", "ntfs-3g", "count free clusters")
SIZE = 100 * MIB


def small_files(folder: Path) -> None:
    """Too large for their records."""
    for number in range(4000):
        (folder / f"a-file-with-a-rather-long-name-{number}.txt").write_bytes(b"x" * 900)


def tiny_files(folder: Path) -> None:
    """In their records, so it is names and records only."""
    for number in range(6000):
        (folder / f"f{number}").write_bytes(b"x" * (number % 300))


def mixed_files(folder: Path) -> None:
    """Of all sizes and lengths of names."""
    chance = random.Random(37)
    for number in range(40):
        below = folder / f"folder-{number}" / ("sub" * chance.randrange(1, 9))
        below.mkdir(parents=True)
        for each in range(chance.randrange(1, 100)):
            name = "n" * chance.randrange(1, 60) + str(each)
            (below / name).write_bytes(b"x" * chance.choice([0, 10, 600, 900, 5000, 20000]))


def linked_files(folder: Path) -> None:
    """With several names, as in the component store."""
    (folder / "system32").mkdir()
    for number in range(1500):
        store = folder / "winsxs" / f"amd64_component-{number}_31bf3856ad364e35_10.0.20348.1"
        store.mkdir(parents=True)
        (store / f"file{number}.dll").write_bytes(b"x" * (number % 20000))
        for name in range(number % 4):
            (folder / "system32" / f"{number}-{name}.dll").hardlink_to(store / f"file{number}.dll")


@pytest.mark.parametrize("make", [small_files, tiny_files, mixed_files, linked_files])
def test_the_count_is_what_a_volume_takes(tmp_path: Path, make: object) -> None:
    """Never less, and hardly more."""
    assert callable(make)
    tree, path, target = tmp_path / "tree", tmp_path / "a.wim", tmp_path / "volume"
    tree.mkdir()
    make(tree)
    run(WIMLIB, ["capture", tree, path, "--compress=none"])
    volume.format_volume(target, MIB, SIZE)
    with Wim(path) as wim:
        items = [
            NtfsItem(
                item.path.strip("/"),
                item.is_dir,
                () if item.is_dir else (item.size,),
                group=item.group,
            )
            for item in wim.iterate(1, "/", recursive=True)
        ]
        wim.extract_to_ntfs(1, target, lambda *_: None)
    told = run(NTFSINFO, ["-f", "-m", target])
    total, free = (
        int(found[1])
        for found in (
            re.search(r"Volume Size in Clusters: (\d+)", told),
            re.search(r"Free Clusters: (\d+)", told),
        )
        if found
    )
    used = (total - free) * 4096
    assert 0.99 < (volume_bytes(items) + overhead_bytes(SIZE)) / used < 1.08


def disk_of(folder: Path, wim: Path, size: int) -> LinuxDisk:
    """A disk with the first image of ``wim`` below its tree."""
    plan = plan_partitions(size, DiskLayout.BIOS)
    tree = StagedTree(folder / "overlay")
    disk = LinuxDisk(folder / "disk.raw", plan, folder, tree, folder / "esp")
    image = read_wim(wim).images[0]
    tree.attach(WimLayer(Wim(wim), 1))
    disk.source = WimSource(wim, 1, image.name, disk_bytes=image.disk_bytes)
    return disk


def test_the_size_that_is_named_will_do(tmp_path: Path, install_wim: Path) -> None:
    """A smaller disk is refused before a volume is written; a build has room for its own files."""
    path = tmp_path / "install.wim"
    path.write_bytes(install_wim.read_bytes())
    many = tmp_path / "many"
    many.mkdir()
    small_files(many)
    (many / "large").write_bytes(bytes(60 * MIB))
    run(WIMLIB, ["update", path, "1", f"--command=add {many} /many"])
    with pytest.raises(RequestError, match=r"files and folders of .* need .* MiB") as caught:
        check_room(disk_of(tmp_path, path, 70 * MIB))
    assert caught.value.option == "disk_size"
    named = re.search(r"at least (\d+)MB", caught.value.hint)
    assert named is not None
    size = int(named[1]) * MIB
    check_room(disk_of(tmp_path, path, size))
    with pytest.raises(RequestError, match="is too small"):
        check_room(disk_of(tmp_path, path, size - 2 * MIB))
    (tmp_path / "job").mkdir()
    options = {"DEFAULT.disk_layout": "BIOS", "vm.disk_size": f"{size // MIB + 8}MB"}
    job = Job(tmp_path / "job", path, options)
    assert job.build("--no-checksum") == 0
