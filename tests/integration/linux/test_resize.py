"""Finished disks made smaller, larger, and freed of what they do not use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dissect.target import Target

from fixtures.boot_proof import Firmware, boot
from fixtures.finished_disks import HandMade, make_disk
from winimagetools.checks.ntfs.volume import check_volume
from winimagetools.checks.result import State
from winimagetools.cli.main import main
from winimagetools.errors import BuildError, MediaError, RequestError
from winimagetools.files.copy import copy_file
from winimagetools.formats.partitions import table_writes
from winimagetools.host.linux import clusters, finished, resize
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.existing_disk import ExistingDisk, open_existing, part_of
from winimagetools.host.linux.finished import optimize_image, shrink_image
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout
from winimagetools.output.convert import QEMU_IMG, convert
from winimagetools.run import Tool, run
from winimagetools.workflows.check import check_offline_image

SFDISK = Tool("sfdisk", "fdisk", "read the table")
NTFSFIX = Tool("ntfsfix", "ntfs-3g", "check the volume")
SECRET = b"Pa55w0rd of somebody, long gone. "
MakeDisk = Callable[[str], HandMade]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> MakeDisk:
    """Makes each layout once, with a Windows partition of 600 MiB; not to be changed."""
    made: dict[str, HandMade] = {}

    def make(layout: str) -> HandMade:
        if layout not in made:
            path = tmp_path_factory.mktemp(layout) / "disk.raw"
            made[layout] = make_disk(path, layout, install_wim, windows_size=600 * MIB)
        return made[layout]

    return make


def copied(made: HandMade, folder: Path) -> Path:
    """A copy that may be changed."""
    path = folder / "disk.raw"
    copy_file(made.path, path)
    return path


def table(path: Path) -> dict[str, object]:
    """The table as sfdisk reads it, without what has to change."""
    found: dict[str, object] = json.loads(run(SFDISK, ["--json", path]))["partitiontable"]
    found.pop("device")
    found.pop("lastlba", None)
    return found


def contents(path: Path) -> dict[str, str]:
    """Every file an independent reader finds, with its SHA-256."""
    target = Target.open(path)
    found = {}
    for root, _, files in target.fs.walk("sysvol"):
        for name in files:
            item = target.fs.path(root, name)
            if not name.startswith("$") and not item.is_symlink():
                found[f"{root}/{name}".lower()] = hashlib.sha256(item.read_bytes()).hexdigest()
    return found


def sound(path: Path) -> None:
    """No check fails that is about the disk, and the volume is clean."""
    results = {item.name: item for item in check_offline_image(path).results}
    for name in ("partitions", "volume", "boot files", "boot store", "Windows", "registry"):
        assert results[name].state is State.OK, results[name]
    with open_existing(path, read_only=True) as disk:
        assert check_volume(part_of(disk.image.read, disk.windows), disk.windows.size) == ()


@pytest.mark.parametrize("layout", ["uefi", "bios", "bios-system", "recovery-behind", "data"])
def test_shrink(layout: str, original: MakeDisk, tmp_path: Path) -> None:
    """Smaller disk, every file as it was, all identifiers kept, partitions behind moved."""
    made = original(layout)
    path = copied(made, tmp_path)
    path.chmod(0o640)
    before, old = contents(path), table(path)
    shrink_image(path, 20 * MIB)
    assert path.stat().st_size < made.plan.size - 400 * MIB
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["disk.raw"]
    sound(path)
    assert contents(path) == before
    new = table(path)
    rows, old_rows = new.pop("partitions"), old.pop("partitions")
    assert isinstance(rows, list) and isinstance(old_rows, list)
    assert new == old
    moving = {"start", "size"}
    assert [{k: v for k, v in row.items() if k not in {*moving, "node"}} for row in rows] == [
        {k: v for k, v in row.items() if k not in {*moving, "node"}} for row in old_rows
    ]
    with open_existing(path, read_only=True) as disk:
        facts = disk.facts()
        assert 20 * MIB <= facts.volume.free < 40 * MIB
        for part, was in zip(facts.partitions, made.plan.partitions, strict=True):
            if part.role != "Windows":
                assert disk.image.read(part.start, part.size) == was_in(made, was.start, was.size)
    firmware: Firmware = "uefi" if made.plan.layout is DiskLayout.UEFI else "bios"
    report = boot(path, "raw", firmware)
    assert report.proved, report.console


def was_in(made: HandMade, start: int, size: int) -> bytes:
    """A range of the original."""
    with made.path.open("rb") as file:
        file.seek(start)
        return file.read(size)


@pytest.mark.parametrize("container", [each for each in DiskFormat if each is not DiskFormat.RAW])
def test_shrink_in_every_container(
    container: DiskFormat, original: MakeDisk, tmp_path: Path
) -> None:
    """The container stays what it is, and comes out whole."""
    path = tmp_path / f"disk.{container.extension}"
    convert(original("uefi").path, path, container, False)
    before = contents(path)
    assert main(["shrink", str(path), "--free-space", "30MB"]) == 0
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    sound(path)
    assert contents(path) == before
    information = json.loads(run(QEMU_IMG, ["info", "--output=json", path]))
    assert information["format"] == container.qemu_name
    assert information["virtual-size"] < 200 * MIB
    if container in (DiskFormat.QCOW2, DiskFormat.VHDX):
        run(QEMU_IMG, ["check", path])


def test_shrink_twice(original: MakeDisk, tmp_path: Path) -> None:
    """There is nothing left to take away, and it says so."""
    path = copied(original("uefi"), tmp_path)
    shrink_image(path, 50 * MIB)
    size = path.stat().st_size
    shrink_image(path, 60 * MIB)
    assert path.stat().st_size == size
    sound(path)


def test_a_partition_behind_windows_on_an_mbr_disk(original: MakeDisk, tmp_path: Path) -> None:
    """Refused with the reason; nothing is changed or left."""
    path = copied(original("bios-recovery"), tmp_path)
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(MediaError, match=r"Behind the Windows partition .* lies partition 3"):
        shrink_image(path, 0)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [item.name for item in tmp_path.iterdir()] == ["disk.raw"]


def test_windows_re_learns_where_its_partition_went(original: MakeDisk, tmp_path: Path) -> None:
    """The offset in ReAgent.xml follows, everything else in it stays."""
    made = original("recovery-behind")
    path = copied(made, tmp_path)
    start = made.plan.partitions[-1].start
    text = f'<WinreLocation path="\\Recovery" id="0" offset="{start}" guid="{{x}}"/> offset="77"'
    with open_existing(path, read_only=False) as disk:
        disk.tree.write_bytes(resize.RE_AGENT, text.encode())
    shrink_image(path, 20 * MIB)
    with open_existing(path, read_only=True) as disk:
        moved = disk.facts().partitions[-1].start
        expected = text.replace(str(start), str(moved))
        assert moved < start and disk.tree.read_bytes(resize.RE_AGENT) == expected.encode()


@pytest.mark.parametrize("collapse", [True, False], ids=["in place", "copied"])
@pytest.mark.parametrize("layout", ["uefi", "bios", "recovery-behind"])
def test_extend(
    layout: str,
    collapse: bool,
    original: MakeDisk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Windows fills the larger disk; files, identifiers and other partitions are kept."""
    if not collapse:
        monkeypatch.setattr(resize, "_collapse", lambda *_: False)
    made = original(layout)
    path, disks = copied(made, tmp_path), LinuxDisks()
    before, old = contents(path), table(path)
    disks.resize(path, 2 * GIB)
    with disks.open(path) as disk:
        disks.extend_windows(disk)
        assert isinstance(disk, ExistingDisk)
        assert disk.tree.exists("Windows/System32/ntdll.dll")
        disk.tree.write_bytes("Windows/after.txt", b"after")
    assert path.stat().st_size == 2 * GIB
    assert [item.name for item in tmp_path.iterdir()] == ["disk.raw"]
    sound(path)
    after = contents(path)
    assert after.pop(next(name for name in after if name.endswith("after.txt")))
    assert after == before
    assert table(path)["id"] == old["id"]
    with open_existing(path, read_only=True) as disk:
        facts = disk.facts()
        assert facts.volume.size > 1400 * MIB
        last = max(part.start + part.size for part in facts.partitions)
        assert 2 * GIB - last <= 2 * MIB
    firmware: Firmware = "uefi" if made.plan.layout is DiskLayout.UEFI else "bios"
    assert boot(path, "raw", firmware).proved


@pytest.mark.parametrize("container", list(DiskFormat))
@pytest.mark.parametrize("layout", ["uefi", "recovery-behind"])
def test_extend_an_image(
    layout: str, container: DiskFormat, original: MakeDisk, tmp_path: Path
) -> None:
    """Windows fills a disk that was enlarged; files, container and identifiers are kept."""
    path = tmp_path / f"disk.{container.extension}"
    convert(original(layout).path, path, container, False)
    before, argv = contents(path), ["extend", str(path)]
    if container in (DiskFormat.RAW, DiskFormat.QCOW2):
        run(QEMU_IMG, ["resize", "-f", container.qemu_name, path, str(GIB)])
    else:
        argv += ["--size", "1GB"]
    assert main(argv) == 0
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    sound(path)
    assert contents(path) == before
    information = json.loads(run(QEMU_IMG, ["info", "--output=json", path]))
    assert information["format"] == container.qemu_name
    assert 0 <= information["virtual-size"] - GIB < 8 * MIB
    with open_existing(path, read_only=True) as disk:
        parts = disk.facts().partitions
        assert GIB - MIB - (parts[-1].start + parts[-1].size) <= MIB
        others = sum(part.size for part in parts if part.role != "Windows")
        assert disk.facts().volume.size > GIB - others - 6 * MIB
        last = original(layout).plan.partitions[-1]
        if last.name == "recovery":
            assert disk.image.read(parts[-1].start, last.size) == was_in(
                original(layout), last.start, last.size
            )
    modified = path.stat().st_mtime_ns
    assert main(["extend", str(path)]) == 0
    assert path.stat().st_mtime_ns == modified  # there is nothing left to do


@pytest.mark.parametrize(
    ("layout", "size", "says"),
    [
        ("uefi", "300MB", "already"),
        ("bios", "3000GB", "smaller than 2 TiB"),
        ("bios-recovery", "2GB", "Behind the Windows partition"),
    ],
)
def test_an_image_that_cannot_be_extended(
    layout: str,
    size: str,
    says: str,
    original: MakeDisk,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One error; nothing is changed or left."""
    path = copied(original(layout), tmp_path)
    before = path.stat().st_mtime_ns
    assert main(["extend", str(path), "--size", size]) in (1, 2)
    assert says in capsys.readouterr().err
    assert path.stat().st_mtime_ns == before
    assert [item.name for item in tmp_path.iterdir()] == ["disk.raw"]


def test_a_volume_smaller_than_its_partition(original: MakeDisk, tmp_path: Path) -> None:
    """As growpart leaves it: the volume follows."""
    path = copied(original("uefi"), tmp_path)
    LinuxDisks().resize(path, GIB)
    with open_existing(path, read_only=True) as disk:
        places = resize.places_in(disk.table, disk.windows, (), GIB)
        writes = table_writes(disk.table, places, GIB, disk.image.read)
    with path.open("r+b") as file:
        for at, data in writes:
            file.seek(at)
            file.write(data)
    assert main(["extend", str(path)]) == 0
    sound(path)
    with open_existing(path, read_only=True) as disk:
        assert disk.facts().volume.size == places[0][2] - 512


def test_a_golden_image_that_is_larger_than_disk_size(original: MakeDisk, tmp_path: Path) -> None:
    """Refused with the size it needs."""
    path = copied(original("uefi"), tmp_path)
    with pytest.raises(RequestError, match="more than disk_size") as caught:
        LinuxDisks().resize(path, 300 * MIB)
    assert caught.value.option == "disk_size"


@pytest.mark.parametrize("container", [DiskFormat.RAW, DiskFormat.QCOW2])
def test_optimize_takes_deleted_secrets_out(
    container: DiskFormat, original: MakeDisk, tmp_path: Path
) -> None:
    """Large and small deleted files are nowhere in the image any more; the others are."""
    raw = copied(original("uefi"), tmp_path)
    with open_existing(raw, read_only=False) as disk:
        for number in range(20):
            disk.tree.write_bytes(f"secret{number}", SECRET * (8000 if number % 2 else 3))
    with open_existing(raw, read_only=False) as disk:
        for number in range(20):
            disk.tree.remove(f"secret{number}")
    before = contents(raw)
    path = raw
    if container is not DiskFormat.RAW:
        path = tmp_path / f"disk.{container.extension}"
        convert(raw, path, container, False)
        assert raw.read_bytes().count(SECRET) > 10_000
        raw.unlink()
    size = path.stat().st_blocks
    LinuxDisks().optimize(path)
    assert path.stat().st_blocks < size
    back = tmp_path / "back.raw"
    run(QEMU_IMG, ["convert", "-O", "raw", path, back])
    assert SECRET not in back.read_bytes()
    sound(path)
    assert contents(path) == before


def test_a_file_system_without_holes(
    original: MakeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not used is overwritten instead."""
    monkeypatch.setattr(clusters, "_PUNCH_HOLE", 0x4000)
    path = copied(original("bios"), tmp_path)
    with open_existing(path, read_only=False) as disk:
        disk.tree.write_bytes("secret", SECRET * 8000)
        disk.tree.remove("secret")
    optimize_image(path)
    assert SECRET not in path.read_bytes()
    sound(path)


def test_a_failure_leaves_the_old_image(
    original: MakeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails, and wherever."""
    path = copied(original("uefi"), tmp_path)
    before = hashlib.sha256(path.read_bytes()).digest()
    for module, name in ((resize, "check_clean"), (finished, "_check")):
        with monkeypatch.context() as patched:

            def fail(*_: object) -> None:
                raise BuildError("no more")

            patched.setattr(module, name, fail)
            with pytest.raises(BuildError, match="no more"):
                shrink_image(path, 0)
        assert hashlib.sha256(path.read_bytes()).digest() == before
        assert [item.name for item in tmp_path.iterdir()] == ["disk.raw"]
