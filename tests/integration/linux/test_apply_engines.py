"""Both engines write the same volume."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fixtures import odd_tree, windows_tree
from fixtures.filetree import Bulk, FileTree
from tests.integration.linux.apply_engines import (
    WIMLIB,
    both,
    described,
    extract_parallel,
    only_parallel,
    size_in_use,
)
from tests.integration.linux.test_apply import bulky_wim, make_disk, make_volume
from tests.integration.linux.test_containers import mounted
from tests.ntfs import check_file
from winimagetools.errors import DiskFullError, Interrupted, MediaError
from winimagetools.files import sparse
from winimagetools.formats.ntfs_used import read_used
from winimagetools.host.linux.apply import parallel
from winimagetools.host.linux.apply.parallel import Job, apply_parallel
from winimagetools.host.linux.disk import WimSource
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import GIB, MIB
from winimagetools.run import run
from winimagetools.stamp import Stamp

__all__ = ["bulky_wim"]
KILLS = 8


@pytest.fixture(scope="module", params=["none", "LZX", "XPRESS"])
def odd_wim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The odd tree, packed in each way."""
    folder = tmp_path_factory.mktemp("odd")
    plain = odd_tree.write(folder / "plain.wim", odd_tree.build(800, 200, 40))
    run(WIMLIB, ["export", plain, "1", folder / "odd.wim", f"--compress={request.param}"])
    return folder / "odd.wim"


def stage(tree: StagedTree) -> None:
    """What a build does to an image: add, replace, take away."""
    tree.write_bytes(r"Windows\small.dll", b"another one")
    tree.write_bytes(r"sizes\65536.bin", b"x" * 70_000)
    tree.write_bytes(r"UnattendResources\deep\er\Logon.ps1", b"logon" * 1000)
    tree.write_bytes("Unattend.xml", b"<u/>")
    tree.write_bytes("bootmgr", b"boot" * 999)
    tree.write_bytes(r"Boot\BCD", b"bcd" * 4000)
    tree.write_bytes(r"empty\file", b"")
    tree.remove(r"links\3")
    tree.remove(r"names\größe.txt")


@pytest.mark.parametrize("staged", [False, True])
def test_both_write_the_same(odd_wim: Path, tmp_path: Path, staged: bool) -> None:
    """And what they write is sound."""
    found = []
    for name, extract in both():
        folder = tmp_path / name
        folder.mkdir()
        volume, disk = size_in_use(folder / "volume"), make_disk(folder, odd_wim)
        if staged:
            stage(disk.tree)
        extract(disk, volume)
        assert check_file(volume, fresh=True) == ()
        found.append(described(volume, folder / "back.wim", times=not staged))
    assert found[0] == found[1]


def test_more_than_any_image_has(tmp_path: Path) -> None:
    """10,000 names in a folder, 900 of a file, 200 streams: equal, and sound."""
    wim = odd_tree.write(tmp_path / "odd.wim", odd_tree.build(10_000, 900, 200))
    found = []
    for name, extract in both():
        folder = tmp_path / name
        folder.mkdir()
        volume, disk = make_volume(folder / "volume", 128 * MIB), make_disk(folder, wim)
        extract(disk, volume)
        assert check_file(volume, fresh=True) == ()
        found.append(described(volume, folder / "back.wim"))
    assert found[0] == found[1]


def test_a_wim_is_read_where_it_lies(odd_wim: Path, tmp_path: Path) -> None:
    """Out of the file that holds it; the one that shows it is only what it is called."""
    holder = tmp_path / "x.iso"
    holder.write_bytes(bytes(6144) + odd_wim.read_bytes() + b"behind it")
    found = []
    for source in (
        WimSource(odd_wim, 1),
        WimSource(tmp_path / "missing.wim", 1, inside=(holder, 6144)),
    ):
        folder = tmp_path / source.path.stem
        folder.mkdir()
        volume, disk = size_in_use(folder / "volume"), make_disk(folder, odd_wim)
        disk.source = source
        only_parallel(disk, volume)
        found.append(described(volume, folder / "back.wim"))
    assert found[0] == found[1]


def test_what_it_does_not_do_libwim_does(
    install_wim: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A solid medium comes out all the same, and the log says why."""
    caplog.set_level("INFO")
    solid = tmp_path / "install.esd"
    run(WIMLIB, ["export", install_wim, "1", solid, "--solid"])
    volume = make_volume(tmp_path / "volume")
    extract_parallel(make_disk(tmp_path, solid), volume)
    assert check_file(volume, fresh=True) == ()
    assert "libwim applies the image: it is solid or split." in caplog.text


def test_damage_is_told_by_libwim(odd_wim: Path, tmp_path: Path) -> None:
    """A changed byte of a content is found, and the error is the usual one."""
    data = bytearray(odd_wim.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 64):
        data[at] ^= 0x5A
    damaged = tmp_path / "damaged.wim"
    damaged.write_bytes(data)
    with pytest.raises(MediaError, match="is damaged"):
        extract_parallel(make_disk(tmp_path, damaged), make_volume(tmp_path / "volume", 64 * MIB))


def children_of(process: int) -> set[int]:
    """The processes a process has started."""
    with suppress(OSError):
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        return {int(each) for task in tasks for each in task.read_text().split()}
    return set()


def kill_one(after: float) -> threading.Thread:
    """Kill a process that writes a volume, once there are some."""

    def kill() -> None:
        while len(found := children_of(os.getpid())) < 2:
            time.sleep(0.001)
        time.sleep(after)
        os.kill(min(found), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize("after", [0, 0.02])
def test_a_process_that_dies(
    bulky_wim: Path, tmp_path: Path, after: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Libwim does it all again, and nobody is left."""
    caplog.set_level("INFO")
    volume, disk = make_volume(tmp_path / "volume"), make_disk(tmp_path, bulky_wim)
    thread = kill_one(after)
    extract_parallel(disk, volume)
    thread.join()
    assert check_file(volume, fresh=True) == ()
    assert (
        "libwim applies the image; the parallel engine failed: a process that wrote the volume "
        "was ended." in caplog.text
    )
    assert all_end(children_of(os.getpid()))


def test_a_signal_ends_it(bulky_wim: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle raises in the caller; nobody goes on."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted("SIGTERM arrived.")

    def send() -> None:
        while len(children_of(os.getpid())) < 2:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    volume, disk = make_volume(tmp_path / "volume"), make_disk(tmp_path, bulky_wim)
    before = signal.signal(signal.SIGTERM, interrupt)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        with pytest.raises(Interrupted, match="SIGTERM"):
            only_parallel(disk, volume)
    finally:
        signal.signal(signal.SIGTERM, before)
        thread.join()
    assert all_end(children_of(os.getpid()))


def test_it_is_killed(bulky_wim: Path, tmp_path: Path) -> None:
    """Whenever that happens, the processes it has started end too."""
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        volume, disk = make_volume(folder / "volume"), make_disk(folder, bulky_wim)
        child = os.fork()
        if not child:
            with suppress(BaseException):
                only_parallel(disk, volume)
            os._exit(0)
        started: set[int] = set()
        while len(started) < 2 and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
            started |= children_of(child)
        time.sleep(number * 0.6 / KILLS)
        started |= children_of(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert all_end(started)
        shutil.rmtree(folder)


def all_end(processes: set[int]) -> bool:
    """Whether processes end soon."""
    limit = time.monotonic() + 10
    while any(is_alive(each) for each in processes) and time.monotonic() < limit:
        time.sleep(0.01)
    return not any(is_alive(each) for each in processes)


def is_alive(process: int) -> bool:
    """Whether there is such a process, and no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_volume_that_is_too_small(bulky_wim: Path, tmp_path: Path) -> None:
    """The user is told to make the disk larger."""
    with pytest.raises(DiskFullError, match="disk_size"):
        extract_parallel(make_disk(tmp_path, bulky_wim), make_volume(tmp_path / "v", 40 * MIB))


def test_a_volume_with_little_room(
    bulky_wim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1 % free clusters are found where names were to go, and where the table was to grow.

    Nor are metadata that gave their clusters up copied over a content that got them, which
    shows when all contents are there before.
    """
    copy, found, free = parallel._copy, [], []

    def copy_last(*arguments: Any) -> None:
        time.sleep(1)
        copy(*arguments)

    monkeypatch.setattr(parallel, "_copy", copy_last)
    for size in (203 * MIB // 2, 200 * MIB):
        volume = make_volume(tmp_path / "volume", size)
        only_parallel(make_disk(tmp_path, bulky_wim), volume)
        assert check_file(volume, fresh=True) == ()
        used = read_used(volume.read_bytes(), 4096)
        free.append(used.count - used.clusters.bit_count())
        found.append(described(volume, tmp_path / "back.wim"))
    assert free[0] < 203 * MIB // 2 // 4096 // 100
    assert found[0] == found[1]


def test_what_is_written_lies_together(tmp_path: Path) -> None:
    """However many folders there are: an image has no holes between them, and is read fast."""
    tree = FileTree(windows_tree.ROOT_SECURITY, windows_tree.PLAIN_FILE)
    for number in range(2400):  # twelve long names are too many for the record of a folder
        tree.file(f"{number // 12}/{number}{'x' * 60}", Bulk(number, 5000, compressible=True))
    wim = odd_tree.write(tmp_path / "folders.wim", tree)
    volume = make_volume(tmp_path / "volume", GIB)
    only_parallel(make_disk(tmp_path, wim), volume)
    assert check_file(volume, fresh=True) == ()
    with volume.open("rb") as file:
        data = [each for each in sparse.extents(file.fileno()) if each.offset is not None]
    assert sum(each.length for each in data) > 2400 * 5000
    assert len(data) < 12


def test_a_staged_file_that_changes_is_not_delivered(
    install_wim: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is gone when its turn comes is an error, not an empty file."""
    disk = make_disk(tmp_path, install_wim)
    disk.tree.write_bytes(r"Windows\new.dll", b"x" * 5000)
    changes = disk.tree.changes()
    job = Job(
        WimSource(install_wim, 1), disk.tree, changes, tmp_path / "v", 0, 64 * MIB, disk.stamp
    )
    make_volume(tmp_path / "v", 64 * MIB)
    (disk.tree.local / "Windows" / "new.dll").unlink()
    with pytest.raises(OSError, match="No such file"):
        apply_parallel(job)


@pytest.mark.parametrize("kind", ["xfs", "btrfs", "tmpfs", "overlay"])
def test_other_file_systems(odd_wim: Path, tmp_path: Path, kind: str) -> None:
    """The same volume, also where files cannot be written past the page cache."""
    found = []
    for name, folder in (("here", tmp_path / "here"), (kind, tmp_path)):
        (tmp_path / name).mkdir()
        with mounted(name, folder) as place:
            work = place / "work"
            work.mkdir()
            volume, disk = size_in_use(work / "volume"), make_disk(work, odd_wim)
            disk.stamp = Stamp.of(0, "the same")
            only_parallel(disk, volume)
            assert check_file(volume, fresh=True) == ()
            found.append(hashlib.sha256(volume.read_bytes()).digest())
    assert found[0] == found[1]
