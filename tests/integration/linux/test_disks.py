"""Disks as they are finished on Linux, read back with the tools of others and started."""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from fixtures import boot_proof
from tests.files import read_files
from winimagetools.errors import BuildError, CommandError
from winimagetools.files import ranges
from winimagetools.files.ranges import RangesUnsupportedError
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.linux.boot import LinuxBoot
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.media import LinuxMedia
from winimagetools.host.linux.servicing import LinuxServicing
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout
from winimagetools.output.convert import QEMU_IMG
from winimagetools.output.image_files import ImageFiles
from winimagetools.plan import Delivery, DiskFile
from winimagetools.run import Tool, run

SFDISK = Tool("sfdisk", "fdisk", "read the table")
DD = Tool("dd", "coreutils", "cut out a partition")
MCOPY = Tool("mcopy", "mtools", "read the EFI system partition")
MINFO = Tool("minfo", "mtools", "read the EFI system partition")
NTFSINFO = Tool("ntfsinfo", "ntfs-3g", "check the volume")
NTFSFIX = Tool("ntfsfix", "ntfs-3g", "check the volume")
NTFSCAT = Tool("ntfscat", "ntfs-3g", "read the volume")
NTFSCP = Tool("ntfscp", "ntfs-3g", "fill the volume")
SIZE = GIB


@dataclass(frozen=True)
class Finished:
    """A finished disk, what its EFI partition must hold, and its plan."""

    path: Path
    plan: PartitionPlan
    esp: dict[str, bytes]


@pytest.fixture(scope="module", params=list(DiskLayout))
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, install_wim: Path
) -> Finished:
    """A disk with a stand-in Windows on it."""
    folder = tmp_path_factory.mktemp(f"disk{request.param}")
    path, host = folder / "disk.raw", LinuxDisks()
    with (
        LinuxMedia().open_install(install_wim) as media,
        host.create(path, SIZE, request.param) as disk,
    ):
        image = media.images[0]
        disk.tree.write_bytes("Windows/added by the build.txt", b"added")
        LinuxServicing().apply_image(disk, media, image)
        LinuxBoot().create_boot_config(disk, image)
        esp = read_files(disk.esp)
        host.finish(disk)
        plan = disk.plan
    assert [item.name for item in folder.iterdir()] == ["disk.raw"]
    return Finished(path, plan, esp)


@pytest.fixture(scope="module")
def windows(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Windows partition cut out of the disk."""
    path = tmp_path_factory.mktemp("windows") / "windows.ntfs"
    part = finished.plan.windows
    place = [f"skip={part.start // MIB}", f"count={part.size // MIB}"]
    run(DD, [f"if={finished.path}", f"of={path}", "bs=1M", *place, "conv=sparse"])
    return path


def test_the_file_has_the_size_of_the_disk_and_holes(finished: Finished) -> None:
    """What nobody wrote takes no room."""
    assert finished.path.stat().st_size == SIZE
    assert finished.path.stat().st_blocks * 512 < 400 * MIB


def test_the_table_is_the_planned_one(finished: Finished) -> None:
    """Read back by sfdisk, compared field by field."""
    table = json.loads(run(SFDISK, ["--json", finished.path]))["partitiontable"]
    parts = [(part["start"] * 512, part["size"] * 512) for part in table["partitions"]]
    assert parts == [(part.start, part.size) for part in finished.plan.partitions]
    if finished.plan.layout is DiskLayout.BIOS:
        assert table["label"] == "dos"
        assert int(table["id"], 16) == finished.plan.signature != 0
        assert [(part["type"], part["bootable"]) for part in table["partitions"]] == [("7", True)]
    else:
        assert table["label"] == "gpt"
        assert uuid.UUID(table["id"]) == finished.plan.disk_guid
        assert [
            (part["type"].lower(), uuid.UUID(part["uuid"])) for part in table["partitions"]
        ] == [(part.type, part.guid) for part in finished.plan.partitions]
        assert [part["name"] for part in table["partitions"]] == [
            "EFI system partition",
            "Microsoft reserved partition",
            "Basic data partition",
        ]


def test_the_bytes_of_the_table(finished: Finished) -> None:
    """MBR signature where the BCD store looks for it; both GPT headers where they belong."""
    with finished.path.open("rb") as file:
        first = file.read(1024)
        file.seek(-512, 2)
        last = file.read(512)
    assert first[510:512] == b"\x55\xaa"
    if finished.plan.layout is DiskLayout.BIOS:
        assert struct.unpack_from("<I", first, 440) == (finished.plan.signature,)
        assert (first[446], first[450]) == (0x80, 0x07)
        assert first[:2] == b"\xeb\x63"  # GRUB's jump
    else:
        assert (first[:440], first[450]) == (bytes(440), 0xEE)
        assert first[512:520] == last[:8] == b"EFI PART"
        guid = finished.plan.disk_guid
        assert guid is not None
        assert first[512 + 56 : 512 + 72] == guid.bytes_le


def test_the_windows_volume_is_clean_and_knows_its_place(finished: Finished, windows: Path) -> None:
    """The NTFS tools find nothing; boot sector and its copy name the partition."""
    assert "processed successfully" in run(NTFSFIX, ["-n", windows])
    information = run(NTFSINFO, ["-m", windows])
    assert "Volume Flags: 0x0000" in information
    assert "Volume Name: OS" in information
    assert "Cluster Size: 4096" in information
    with windows.open("rb") as file:
        first = file.read(512)
        file.seek(-512, 2)
        assert file.read(512) == first
    start, sectors = finished.plan.windows.start // 512, finished.plan.windows.size // 512
    assert struct.unpack_from("<HHI", first, 0x18) == (63, 255, start)
    assert struct.unpack_from("<Q", first, 0x28) == (sectors - 1,)


def test_the_windows_volume_holds_image_and_additions(windows: Path) -> None:
    """Files of both are there."""
    assert run(NTFSCAT, [windows, "Windows/added by the build.txt"]) == "added"
    assert run(NTFSCAT, [windows, "Windows/System32/config/SYSTEM"]).startswith("regf")


def test_the_efi_partition_holds_the_bootread_files(finished: Finished, tmp_path: Path) -> None:
    """Byte for byte, on a FAT32 that knows its place."""
    if finished.plan.layout is DiskLayout.BIOS:
        assert finished.esp == {}
        return
    image = f"{finished.path}@@1048576"
    run(MCOPY, ["-i", image, "-s", "::", tmp_path], env={"MTOOLSRC": "/dev/null"})
    found = {name.upper(): data for name, data in read_files(tmp_path).items()}
    assert found == {name.upper(): data for name, data in finished.esp.items()}
    assert "EFI/BOOT/BOOTX64.EFI" in found
    information = run(MINFO, ["-i", image, "::"])
    assert 'disk type="FAT32   "' in information
    assert "hidden sectors: 2048" in information


def test_firmware_starts_the_disk(finished: Finished) -> None:
    """SeaBIOS and OVMF come to the boot manager, and that finds its BCD store."""
    firmware: boot_proof.Firmware = "bios"
    if finished.plan.layout is DiskLayout.UEFI:
        firmware = "uefi"
    report = boot_proof.boot(finished.path, "raw", firmware)
    assert report.proved, report.console
    assert report.fonts_found


def _fill(disk: LinuxDisk, file: Path) -> None:
    note = disk.work / "note"
    note.write_bytes(b"filled" * 1000)
    run(NTFSCP, [file, note, "note.txt"])


def _small(folder: Path, fill: Callable[[LinuxDisk, Path], None] = _fill) -> Path:
    """A small BIOS disk, filled by ``fill``."""
    host, path = LinuxDisks(fill), folder / "disk.raw"
    with host.create(path, 100 * MIB, DiskLayout.BIOS) as disk:
        host.finish(disk)
    return path


def test_a_file_system_that_cannot_insert_gives_the_same_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied instead; volume, table and holes are right, and the volume file is gone."""

    def refuse(*_: object) -> NoReturn:
        raise RangesUnsupportedError

    for name in ("collapse", "clone"):
        monkeypatch.setattr(ranges, name, refuse)
    path = _small(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_blocks * 512 < 90 * MIB
    run(DD, [f"if={path}", f"of={tmp_path / 'v'}", "bs=1M", "skip=1", "conv=sparse"])
    assert run(NTFSCAT, [tmp_path / "v", "note.txt"]) == "filled" * 1000
    assert "processed successfully" in run(NTFSFIX, ["-n", tmp_path / "v"])


@pytest.mark.parametrize("disk_format", [DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.RAW])
def test_the_container_is_made_at_once(tmp_path: Path, disk_format: DiskFormat) -> None:
    """The disk is never a raw image that is converted; its checksum is known with it."""
    host, path = LinuxDisks(_fill), tmp_path / "disk.raw"
    delivery = Delivery(
        tmp_path / "image", disk_format, (), "image" if disk_format.extension != "raw" else "disk"
    )
    with host.create(path, 100 * MIB, DiskLayout.BIOS) as disk:
        finished = host.finish(disk, delivery)
    made = tmp_path / delivery.disk_name(disk_format)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    assert finished == DiskFile(made, digest, converted=disk_format is not DiskFormat.RAW)
    assert list(tmp_path.iterdir()) == [made]
    raw = tmp_path / "back.raw"
    run(QEMU_IMG, ["convert", "-f", disk_format.qemu_name, "-O", "raw", made, raw])
    assert raw.stat().st_size == 100 * MIB
    run(DD, [f"if={raw}", f"of={tmp_path / 'v'}", "bs=1M", "skip=1", "conv=sparse"])
    assert run(NTFSCAT, [tmp_path / "v", "note.txt"]) == "filled" * 1000


@pytest.mark.parametrize("disk_format", [DiskFormat.RAW, DiskFormat.VHDX])
@pytest.mark.parametrize("compression", [("tar", "gz"), ("zip",)])
def test_an_archive_is_written_at_once(
    tmp_path: Path, disk_format: DiskFormat, compression: tuple[str, ...]
) -> None:
    """What is in it never lies beside it; its checksum is known with it."""
    host, path = LinuxDisks(_fill), tmp_path / "disk.raw"
    delivery = Delivery(tmp_path / "image", disk_format, compression, "image")
    with host.create(path, 100 * MIB, DiskLayout.BIOS) as disk:
        finished = host.finish(disk, delivery)
    made = tmp_path / ".".join([delivery.disk_name(disk_format), *compression])
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    converted = disk_format is not DiskFormat.RAW
    assert finished == DiskFile(made, digest, converted=converted, wrapped=True)
    assert list(tmp_path.iterdir()) == [made]
    (tmp_path / "out").mkdir()
    image = ImageFiles().decompress(made, tmp_path / "out", compression, "")
    raw = tmp_path / "back.raw"
    run(QEMU_IMG, ["convert", "-f", disk_format.qemu_name, "-O", "raw", image, raw])
    assert raw.stat().st_size == 100 * MIB
    run(DD, [f"if={raw}", f"of={tmp_path / 'v'}", "bs=1M", "skip=1", "conv=sparse"])
    assert run(NTFSCAT, [tmp_path / "v", "note.txt"]) == "filled" * 1000


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(Path("x"), DiskFormat.RAW, ("gz", "tar"), "disk"),
        Delivery(Path("x"), DiskFormat.QCOW2, (), "image", compress_qcow2=True),
        Delivery(Path("x"), DiskFormat.VHD, (), "image"),
    ],
)
def test_what_is_made_later_stays_raw_until_then(tmp_path: Path, delivery: Delivery) -> None:
    """A compressed QCOW2, a dynamic VHD, and what takes several passes."""
    host, path = LinuxDisks(_fill), tmp_path / "disk.raw"
    with host.create(path, 100 * MIB, DiskLayout.BIOS) as disk:
        assert host.finish(disk, delivery) == DiskFile(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_dirty_volume_never_becomes_a_disk(tmp_path: Path) -> None:
    """Windows would begin with a repair: refused, and nothing is left."""

    def leave_dirty(_: LinuxDisk, file: Path) -> None:
        run(NTFSFIX, ["-b", file])  # sets the dirty flag for the next chkdsk

    with pytest.raises(BuildError, match="was not left clean"):
        _small(tmp_path, leave_dirty)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_filling_leaves_nothing(tmp_path: Path) -> None:
    """Neither disk nor private folder."""

    def fail(_: LinuxDisk, file: Path) -> None:
        run(NTFSCP, [file, "/nonexistent", "x"])

    with pytest.raises(CommandError, match="ntfscp"):
        _small(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_user_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .mtoolsrc that would make mtools fail is not read."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".mtoolsrc").write_text("this is no valid line\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MTOOLSRC", str(tmp_path / "home" / ".mtoolsrc"))
    host, path = LinuxDisks(_fill), tmp_path / "disk@@7.raw"
    with host.create(path, 500 * MIB, DiskLayout.UEFI) as disk:
        (disk.esp / "größe.txt").write_bytes(b"x")
        host.finish(disk)
    run(MCOPY, ["-i", "disk.raw@@1M", "::/größe.txt", "out"], cwd=_renamed(path), env=_UTF8)
    assert (tmp_path / "out").read_bytes() == b"x"


_UTF8 = {"LC_ALL": "C.UTF-8", "MTOOLSRC": "/dev/null", "HOME": "/dev/null"}


def _renamed(path: Path) -> Path:
    """The folder of ``path``, which is called ``disk.raw`` there from now on."""
    path.rename(path.with_name("disk.raw"))
    return path.parent
