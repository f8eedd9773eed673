"""The one pass: what comes out of it, and how it ends when it cannot go on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from fixtures import media
from fixtures.security import from_sddl
from fixtures.windows_tree import ADMINISTRATORS_ONLY, WINDOWS_FOLDER
from tests.ntfs import check_file
from winimagetools import run
from winimagetools.errors import BuildError, DiskFullError, Interrupted, MediaError
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.formats.security_descriptor import inherited_descriptor, private_descriptor
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.wimlib import Wim, WimItem, WimLayer
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import MIB, DiskLayout

MKNTFS = run.Tool("mkntfs", "ntfs-3g", "make NTFS volumes")
NTFSFIX = run.Tool("ntfsfix", "ntfs-3g", "check NTFS volumes")
WIMLIB = run.Tool("wimlib-imagex", "wimtools", "read NTFS volumes back")
NOBODY = 65534


def make_volume(path: Path, size: int = 400 * MIB) -> Path:
    """An empty NTFS volume."""
    with path.open("wb") as file:
        file.truncate(size)
    run.run(MKNTFS, ["-F", "-f", "-Q", "-p", "2048", "-H", "255", "-S", "63", path])
    return path


def make_disk(folder: Path, wim: Path) -> LinuxDisk:
    """A disk with the first image of ``wim`` below its tree."""
    plan = PartitionPlan(DiskLayout.UEFI, 400 * MIB, (), uuid.UUID(int=1))
    tree = StagedTree(folder / "overlay")
    disk = LinuxDisk(folder / "disk.raw", plan, folder, tree, folder / "esp")
    tree.attach(WimLayer(Wim(wim), 1))
    disk.source = WimSource(wim, 1)
    return disk


def capture(volume: Path, wim: Path) -> Path:
    """The volume as a WIM, nothing left out (the default leaves out ``$Recycle.Bin``)."""
    wim.with_suffix(".config").touch()
    how = ["--norpfix", "--compress=none", f"--config={wim.with_suffix('.config')}"]
    run.run(WIMLIB, ["capture", volume, wim, *how])
    return wim


def entries(wim: Path) -> dict[str, WimItem]:
    """All entries of the first image by path."""
    with Wim(wim) as opened:
        return {entry.path: entry for entry in opened.iterate(1, recursive=True)}


def contents(wim: Path, folder: Path) -> dict[str, bytes]:
    """All plain files of the first image by path."""
    with Wim(wim) as opened:
        opened.extract_paths(1, ["/"], folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def as_ordinary_user(folder: Path, action: Callable[[], None]) -> None:
    """Run ``action`` in a process without privileges, which owns ``folder``."""
    if os.getuid() != 0:
        action()
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, NOBODY, NOBODY)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder an ordinary user may reach even when the tests run as root."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture(scope="module")
def bulky_wim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WIM with 96 MiB of files, enough for many progress messages."""
    spec = media.MediaSpec(editions=("ServerStandard",), bulk=96 * MIB)
    return media.make(spec, tmp_path_factory.mktemp("bulky"))


def test_an_image_comes_out_as_it_is_in_the_wim(install_wim: Path, tmp_path: Path) -> None:
    """Bytes, descriptors, attributes and short names, read back from the volume, are equal."""
    volume = make_volume(tmp_path / "vol.ntfs")
    extract_volume(make_disk(tmp_path, install_wim), volume)
    back = capture(volume, tmp_path / "back.wim")
    before, after = entries(install_wim), entries(back)
    before.pop("/"), after.pop("/")
    assert after.keys() == before.keys()
    for path, entry in before.items():
        found = after[path]
        assert found.descriptor == entry.descriptor, path
        assert found.short_name == entry.short_name, path
        assert found.attributes == entry.attributes, path
        assert found.size == entry.size, path
    assert contents(back, tmp_path / "b") == contents(install_wim, tmp_path / "a")
    assert "processed successfully" in run.run(NTFSFIX, ["-n", volume])
    assert check_file(volume, fresh=True) == ()


def test_what_was_staged_comes_out_with_the_right_descriptors(
    install_wim: Path, folder: Path
) -> None:
    """Replaced files keep theirs, new ones inherit, private ones are for administrators."""
    wim = Path(shutil.copy(install_wim, folder))
    volume = make_volume(folder / "vol.ntfs")
    hive = r"windows\system32\config\system"

    def build() -> None:
        disk = make_disk(folder, wim)
        tree = disk.tree
        with tree.edit(hive) as path:
            path.write_bytes(path.read_bytes() + b"edited")
        tree.write_bytes(r"UnattendResources\Servicing\a.cmd", b"a")
        tree.write_bytes(r"Windows\Panther\Unattend.xml", b"<u/>")
        tree.write_bytes("Unattend.xml", b"<u/>")
        tree.write_bytes(r"Windows\Drivers\größe\b.sys", b"b")
        tree.write_bytes("bootmgr", b"boot")
        tree.write_bytes("BOOTNXT", b"next")
        tree.write_bytes(r"Boot\BCD", b"bcd")
        tree.remove(r"Windows\Temp")
        extract_volume(disk, volume)

    as_ordinary_user(folder, build)
    assert "processed successfully" in run.run(NTFSFIX, ["-n", volume])
    assert check_file(volume, fresh=True) == ()
    with NtfsVolume(volume) as ntfs:
        system = "Windows/System32/config/SYSTEM"
        assert ntfs.security(system) == from_sddl(ADMINISTRATORS_ONLY)
        assert ntfs.security("Windows") == from_sddl(WINDOWS_FOLDER)
        for path in ("UnattendResources", "UnattendResources/Servicing"):
            assert ntfs.security(path) == private_descriptor(is_dir=True)
        for path in (
            "UnattendResources/Servicing/a.cmd",
            "Windows/Panther/Unattend.xml",
            "Unattend.xml",
        ):
            assert ntfs.security(path) == private_descriptor(is_dir=False)
        drivers = inherited_descriptor(from_sddl(WINDOWS_FOLDER), is_dir=True)
        inner = inherited_descriptor(drivers, is_dir=True)
        assert ntfs.security("Windows/Drivers") == drivers
        assert ntfs.security("Windows/Drivers/größe") == inner
        assert ntfs.security("Windows/Drivers/größe/b.sys") == inherited_descriptor(
            inner, is_dir=False
        )
        assert ntfs.attributes("bootmgr") & 0x7 == 0x7
        assert ntfs.attributes("BOOTNXT") & 0x7 == 0x6
        assert ntfs.attributes("Boot") & 0x7 == 0x6
        assert ntfs.attributes("Boot/BCD") & 0x7 == 0
        assert ntfs.attributes(system) == 0x20
        with pytest.raises(FileNotFoundError):
            ntfs.attributes("Windows/Temp")
    after = contents(capture(volume, folder / "back.wim"), folder / "b")
    before = contents(install_wim, folder / "a")
    assert after.pop("Windows/System32/config/SYSTEM") == (
        before.pop("Windows/System32/config/SYSTEM") + b"edited"
    )
    assert after.pop("Windows/Drivers/größe/b.sys") == b"b"
    added = {"Unattend.xml", "bootmgr", "BOOTNXT", "Boot/BCD", "Windows/Panther/Unattend.xml"}
    assert {path for path in after if path not in before} == {
        *added,
        "UnattendResources/Servicing/a.cmd",
    }
    assert all(after[path] == data for path, data in before.items() if path in after)
    assert {path for path in before if path not in after} == {
        path for path in before if path.startswith("Windows/Temp/")
    }


def test_what_has_no_descriptor_inherits_one(
    install_wim: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files that wimlib put into the medium on Linux are not open to everybody."""
    wim, added = Path(shutil.copy(install_wim, tmp_path)), tmp_path / "added"
    (added / "größe").mkdir(parents=True)
    (added / "größe" / "tool.exe").write_bytes(b"tool")
    (added / "größe" / "twin.exe").hardlink_to(added / "größe" / "tool.exe")
    (added / "gone").write_bytes(b"gone")
    run.run(WIMLIB, ["update", wim, "1", f"--command=add {added} /Windows/Added"])
    volume, disk = make_volume(tmp_path / "vol.ntfs"), make_disk(tmp_path, wim)
    disk.tree.remove(r"Windows\Added\gone")
    caplog.set_level("INFO")
    extract_volume(disk, volume)
    assert check_file(volume, fresh=True) == ()
    folder = inherited_descriptor(from_sddl(WINDOWS_FOLDER), is_dir=True)
    below = inherited_descriptor(folder, is_dir=True)
    with NtfsVolume(volume) as ntfs:
        assert ntfs.security("Windows") == from_sddl(WINDOWS_FOLDER)
        assert ntfs.security("Windows/Added") == folder
        assert ntfs.security("Windows/Added/größe") == below
        for name in ("tool.exe", "twin.exe"):
            found = ntfs.security(f"Windows/Added/größe/{name}")
            assert found == inherited_descriptor(below, is_dir=False)
    assert (
        "4 files and folders of the medium have no security descriptor; they get the one a new "
        "file in their folder has." in caplog.text
    )


def test_progress_grows_to_the_total(bulky_wim: Path, tmp_path: Path) -> None:
    """Bytes done never go back and end at the total."""
    seen: list[tuple[int, int]] = []
    with Wim(bulky_wim) as wim:
        wim.extract_to_ntfs(
            1, make_volume(tmp_path / "v"), lambda done, total: seen.append((done, total))
        )
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 96 * MIB


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted("stop"), ValueError("odd")])
def test_an_exception_in_the_progress_callback_stops_it(
    bulky_wim: Path, tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    """It is raised again after libwim has let go of the volume."""
    calls: list[int] = []

    def stop(done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) == 3:
            raise error

    volume = make_volume(tmp_path / "v")
    kind = error if isinstance(error, type) else type(error)
    with Wim(bulky_wim) as wim, pytest.raises(kind):
        wim.extract_to_ntfs(1, volume, stop)
    assert len(calls) == 3
    assert volume.stat().st_blocks * 512 < 60 * MIB


def test_a_signal_stops_it(bulky_wim: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle raises in the caller, and no thread stays behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted("SIGTERM arrived.")

    calls: list[int] = []

    def send(done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    volume = make_volume(tmp_path / "v")
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with Wim(bulky_wim) as wim, pytest.raises(Interrupted, match="SIGTERM"):
            wim.extract_to_ntfs(1, volume, send)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls[-1] < 60 * MIB
    assert not [one for one in threading.enumerate() if one.name.startswith("wimlib")]


def test_a_damaged_wim_is_told_as_such(bulky_wim: Path, tmp_path: Path) -> None:
    """Bytes changed in the middle are found when they are extracted."""
    damaged = Path(shutil.copy(bulky_wim, tmp_path / "damaged.wim"))
    with damaged.open("r+b") as file:
        file.seek(damaged.stat().st_size // 2)
        file.write(b"\xa5" * 4096)
    disk = make_disk(tmp_path, damaged)
    with pytest.raises(MediaError) as caught:
        extract_volume(disk, make_volume(tmp_path / "v"))
    assert caught.value.message == f"{damaged} is damaged: A WIM resource is corrupted."


def test_a_volume_that_is_too_small(bulky_wim: Path, tmp_path: Path) -> None:
    """The user is told to make the disk larger."""
    volume = make_volume(tmp_path / "v", 40 * MIB)
    with pytest.raises(DiskFullError, match="disk_size"):
        extract_volume(make_disk(tmp_path, bulky_wim), volume)


def test_a_file_that_is_no_volume(install_wim: Path, tmp_path: Path) -> None:
    """Neither libwim nor the security pass take it."""
    other = tmp_path / "other"
    other.write_bytes(bytes(MIB))
    with pytest.raises(BuildError, match="other"):
        extract_volume(make_disk(tmp_path, install_wim), other)
    with pytest.raises(BuildError, match="other"):
        NtfsVolume(other)


def test_security_of_what_is_not_there_or_not_valid(tmp_path: Path) -> None:
    """Missing files and broken descriptors are errors, and the volume stays clean."""
    volume = make_volume(tmp_path / "v", 8 * MIB)
    with NtfsVolume(volume) as ntfs:
        with pytest.raises(FileNotFoundError):
            ntfs.security("missing")
        with pytest.raises(BuildError, match="security descriptor"):
            ntfs.set_security("", b"\x01\x00\x04\x80" + bytes(40))
        ntfs.set_security("", private_descriptor(is_dir=True))
        ntfs.set_attributes("", ntfs.attributes("") | 0x20)
    with NtfsVolume(volume) as ntfs:
        assert ntfs.security("") == private_descriptor(is_dir=True)
        assert ntfs.attributes("") & 0x20
    assert "processed successfully" in run.run(NTFSFIX, ["-n", volume])
    assert check_file(volume, fresh=True) == ()
