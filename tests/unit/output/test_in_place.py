"""Containers made of a raw image without moving its data."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.formats.containers.test_containers import WHOLE, read_disk
from winimagetools.errors import BuildError, DiskFullError
from winimagetools.files import ranges
from winimagetools.files.large import LargeFile
from winimagetools.files.ranges import RangesUnsupportedError
from winimagetools.formats.containers.layout import Layout
from winimagetools.model import GIB, MIB, DiskFormat
from winimagetools.output import become as become_module
from winimagetools.output import in_place
from winimagetools.output.become import become, make_beside, make_in_place
from winimagetools.output.image_files import ImageFiles
from winimagetools.output.raw_disk import RawDisk
from winimagetools.plan import Delivery
from winimagetools.stamp import Stamp

FORMATS = (DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.VMDK, DiskFormat.VHD)
SIZE = 40 * MIB + 1536


STAMP = Stamp(1_700_000_000, b"seed")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk with data at its beginning, in its middle and at its end."""
    path, noise = tmp_path / "disk.raw", random.Random(7)
    with path.open("wb") as file:
        for start, length in ((0, 70_000), (9 * MIB + 4096, MIB), (21 * MIB, 4096)):
            file.seek(start)
            file.write(noise.randbytes(length))
        file.seek(SIZE - 600)
        file.write(noise.randbytes(600))
    return path


def _content(path: Path, layout: Layout) -> bytes:
    parts = in_place.content(layout, RawDisk.of(path))
    return b"".join(part if isinstance(part, bytes) else bytes(part) for part in parts)


def _plan(path: Path, disk_format: DiskFormat) -> Layout:
    return in_place.plan(RawDisk.of(path), disk_format, "disk.x", STAMP)


def _way(name: str, folder: Path) -> in_place.Way:
    way = {"rebuild": in_place.REBUILD, "share": in_place.SHARE}[name]
    if not in_place._works(way, folder):
        pytest.skip(f"needs Linux and a file system that can do it: {name}")
    return way


@pytest.mark.parametrize("disk_format", FORMATS)
def test_the_image_itself_becomes_the_container(raw: Path, disk_format: DiskFormat) -> None:
    """What the file system makes is what the layout says; nothing else is left."""
    way = _way("rebuild", raw.parent)
    layout = _plan(raw, disk_format)
    expected = _content(raw, layout)
    made = raw.with_name("disk.x")
    way.make(RawDisk.of(raw), made, layout)
    assert (made.read_bytes() == expected) is True
    assert len(expected) == layout.size
    assert list(raw.parent.iterdir()) == [made]


@pytest.mark.parametrize("disk_format", FORMATS)
def test_an_empty_disk(tmp_path: Path, disk_format: DiskFormat) -> None:
    """There is nothing to keep but the size."""
    way = _way("rebuild", tmp_path)
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.x"
    with raw.open("wb") as file:
        file.truncate(3 * MIB)
    layout = _plan(raw, disk_format)
    expected = _content(raw, layout)
    way.make(RawDisk.of(raw), made, layout)
    assert (made.read_bytes() == expected) is True


@pytest.mark.parametrize("disk_format", FORMATS)
def test_sharing(raw: Path, disk_format: DiskFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same container where ranges are shared; here the sharing is done by copying."""

    def copy(source: int, start: int, length: int, target: int, offset: int) -> None:
        os.pwrite(target, os.pread(source, length, start), offset)

    monkeypatch.setattr(ranges, "clone", copy)
    layout, made = _plan(raw, disk_format), raw.with_name("disk.x")
    expected = _content(raw, layout)
    in_place.share(RawDisk.of(raw), made, layout)
    assert (made.read_bytes() == expected) is True
    assert raw.exists()


def test_sharing_that_fails_leaves_nothing(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is as it was."""

    def refuse(*_: object) -> None:
        raise RangesUnsupportedError

    monkeypatch.setattr(ranges, "clone", refuse)
    with pytest.raises(RangesUnsupportedError):
        in_place.share(RawDisk.of(raw), raw.with_name("disk.x"), _plan(raw, DiskFormat.QCOW2))
    assert list(raw.parent.iterdir()) == [raw]


@pytest.mark.parametrize("disk_format", FORMATS)
def test_the_checksum_is_that_of_the_container(
    raw: Path, disk_format: DiskFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is computed before the container is there, and not again."""
    _way("rebuild", raw.parent)
    files, made = ImageFiles(), raw.with_name("disk.x")
    files.become(raw, made, disk_format, fixed=True, checksum=True)
    expected = hashlib.sha256(made.read_bytes()).hexdigest()
    monkeypatch.setattr("winimagetools.output.image_files.sha256_of", lambda *_: "read again")
    assert files.measure(made, True) == (made.stat().st_size, expected)
    os.utime(made, ns=(1, 1))
    assert files.measure(made, True)[1] == "read again"


def test_without_a_checksum_nothing_is_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants none waits for none."""
    _way("rebuild", raw.parent)
    monkeypatch.setattr(in_place, "content", lambda *_: pytest.fail("the disk was read"))
    assert become(raw, raw.with_name("disk.x"), DiskFormat.QCOW2) == ""


def _qemu_img(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Calls of qemu-img, which does nothing but make the file."""
    calls: list[tuple[object, ...]] = []

    def convert(source: Path, made: Path, *wishes: object, fixed: bool) -> None:
        calls.append((source.name, made.name, *wishes, fixed))
        made.write_bytes(b"made")

    monkeypatch.setattr(become_module, "convert", convert)
    return calls


@pytest.mark.parametrize(
    ("disk_format", "compress", "reason"),
    [
        (DiskFormat.QCOW2, True, "QCOW2 is written by qemu-img: it is compressed."),
        (DiskFormat.VHD, False, "a dynamic VHD has its data between its tables."),
    ],
)
def test_what_cannot_be_made_in_place(
    raw: Path,
    disk_format: DiskFormat,
    compress: bool,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """qemu-img makes it, one line says why, and the image is gone afterwards as well."""
    calls, made = _qemu_img(monkeypatch), raw.with_name("disk.x")
    monkeypatch.setattr("winimagetools.log.LOGGER.propagate", True)
    caplog.set_level("INFO")
    become(raw, made, disk_format, compress=compress)
    assert calls == [("disk.raw", "disk.x", disk_format, compress, False)]
    assert reason in caplog.text
    assert list(raw.parent.iterdir()) == [made]


@pytest.mark.parametrize("disk_format", [item for item in FORMATS if item is not DiskFormat.VHD])
def test_where_the_file_system_cannot_do_it(
    raw: Path,
    disk_format: DiskFormat,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The data is copied to the same bytes, and no probe is left."""

    def refuse(*_: object) -> None:
        raise RangesUnsupportedError

    for name in ("collapse", "clone"):
        monkeypatch.setattr(ranges, name, refuse)
    made, expected = raw.with_name("disk.x"), _content(raw, _plan(raw, disk_format))
    monkeypatch.setattr("winimagetools.log.LOGGER.propagate", True)
    caplog.set_level("INFO")
    sha256 = hashlib.sha256(expected).hexdigest()
    assert become(raw, made, disk_format, checksum=True, stamp=STAMP) == sha256
    assert (made.read_bytes() == expected) is True
    assert f"the file system of {raw.parent} moves no ranges of files" in caplog.text
    assert list(raw.parent.iterdir()) == [made]


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("disk_format", [*FORMATS, DiskFormat.RAW])
def test_beside_a_disk_that_stays(
    raw: Path, disk_format: DiskFormat, shares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes as in place, also in another folder; the disk is not touched."""
    monkeypatch.setattr(in_place, "shares_in", lambda _: shares)
    made = raw.parent / "images" / "disk.x"
    made.parent.mkdir()
    before, status = raw.read_bytes(), raw.stat()
    expected = _content(raw, _plan(raw, disk_format))
    found = make_beside(raw, made, disk_format, fixed=True, checksum=True, stamp=STAMP)
    assert (made.read_bytes() == expected) is True
    assert found in {hashlib.sha256(expected).hexdigest(), ""}
    assert bool(found) is (disk_format is not DiskFormat.RAW or not shares)
    assert (raw.read_bytes() == before) is True
    assert raw.stat().st_mtime_ns == status.st_mtime_ns
    assert (list(made.parent.iterdir()), made.stat().st_mode & 0o777) == ([made], 0o600)
    made.unlink()
    assert make_beside(raw, made, disk_format, fixed=True, stamp=STAMP) == ""
    assert (made.read_bytes() == expected) is True


def test_beside_a_disk_without_room(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of what was begun, and the disk stays."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(in_place, "shares_in", lambda _: False)
    monkeypatch.setattr(LargeFile, "write", full)
    with pytest.raises(DiskFullError):
        make_beside(raw, raw.with_name("disk.x"), DiskFormat.QCOW2)
    assert list(raw.parent.iterdir()) == [raw]


def test_beside_a_disk_by_qemu_img(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot stay in place is read from the disk itself, which stays."""
    calls = _qemu_img(monkeypatch)
    made = raw.with_name("disk.x")
    assert make_beside(raw, made, DiskFormat.QCOW2, compress=True, checksum=True) == ""
    assert calls == [("disk.raw", "disk.x", DiskFormat.QCOW2, True, False)]
    assert sorted(path.name for path in raw.parent.iterdir()) == ["disk.raw", "disk.x"]


def test_another_container_is_never_taken_for_a_raw_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Windows host the disk is a VHDX."""
    source = tmp_path / "disk.vhdx"
    source.write_bytes(b"vhdxfile")
    calls = _qemu_img(monkeypatch)
    become(source, tmp_path / "disk.qcow2", DiskFormat.QCOW2)
    assert calls == [("disk.vhdx", "disk.qcow2", DiskFormat.QCOW2, False, False)]


def test_a_disk_no_vhd_can_hold(tmp_path: Path) -> None:
    """2040 GiB is the most; the image is as it was."""
    raw = tmp_path / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(2041 * GIB)
    with pytest.raises(BuildError, match="A VHD cannot hold a disk of"):
        become(raw, tmp_path / "disk.vhd", DiskFormat.VHD, fixed=True)
    assert list(tmp_path.iterdir()) == [raw]


def test_no_room_for_the_tables(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as such, and nothing has the final name."""
    _way("rebuild", raw.parent)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ranges, "insert", full)
    layout = _plan(raw, DiskFormat.QCOW2)
    monkeypatch.setattr(in_place, "way_for", lambda *_: in_place.REBUILD)
    with pytest.raises(DiskFullError):
        become(raw, raw.with_name("disk.x"), DiskFormat.QCOW2)
    assert layout.room > 0
    assert not raw.with_name("disk.x").exists()


def _two_files(folder: Path, size: int, length: int) -> tuple[RawDisk, bytes]:
    """A disk that is to be joined: a volume with holes, a table before and behind it."""
    noise, start = random.Random(size), 2 * MIB
    volume, rest, content = folder / "volume", folder / "rest", bytearray(size)
    with volume.open("wb") as file:
        file.truncate(length)
        for at in (0, 5 * MIB + 4096, length - 4096 - length % 4096):
            file.seek(at)
            data = noise.randbytes(4096)
            file.write(data)
            content[start + at : start + at + 4096] = data
    with rest.open("wb") as file:
        file.truncate(size)
        for at in (0, MIB, size - 512):
            file.seek(at)
            data = noise.randbytes(512)
            file.write(data)
            content[at : at + 512] = data
    return RawDisk(size, volume, start, length, rest), bytes(content)


@pytest.mark.parametrize("disk_format", [DiskFormat.RAW, *FORMATS])
@pytest.mark.parametrize("way", ["rebuild", "share"])
@pytest.mark.parametrize(("size", "length"), [(20 * MIB, 17 * MIB), (20 * MIB + 1536, 18 * MIB)])
def test_a_disk_that_is_joined_on_the_way(
    tmp_path: Path,
    disk_format: DiskFormat,
    way: str,
    size: int,
    length: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A volume and what is around it become a container in one go, with the right checksum."""
    disk, content = _two_files(tmp_path, size, length)
    chosen = {"rebuild": in_place.REBUILD, "share": in_place.SHARE}[way]
    if way == "rebuild":
        _way(way, tmp_path)
    else:

        def copy(source: int, start: int, length: int, target: int, offset: int) -> None:
            os.pwrite(target, os.pread(source, length, start), offset)

        monkeypatch.setattr(ranges, "clone", copy)
    monkeypatch.setattr(in_place, "way_for", lambda *_: chosen)
    made, single = tmp_path / "disk.x", tmp_path / "single.raw"
    single.write_bytes(content)
    found = make_in_place(disk, made, disk_format, checksum=True)
    assert found == hashlib.sha256(made.read_bytes()).hexdigest()
    assert sorted(tmp_path.iterdir()) == [made, single]
    if disk_format is DiskFormat.RAW:
        assert (made.read_bytes() == content) is True
    else:
        whole = content.ljust(size + -size % WHOLE[disk_format.qemu_name], b"\0")
        assert (read_disk(disk_format.qemu_name, made.read_bytes()) == whole) is True


def test_whether_a_container_will_take_a_second_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known before the build, from the file system and from what is wanted; no probe is left."""
    _way("rebuild", tmp_path)

    def asked(delivery: Delivery, made_as: DiskFormat = DiskFormat.RAW) -> bool:
        return ImageFiles().stays_in_place(made_as, delivery)

    qcow2 = Delivery(tmp_path / "image", DiskFormat.QCOW2, (), "image")
    vhd = replace(qcow2, disk_format=DiskFormat.VHD)
    assert asked(qcow2)
    assert not asked(replace(qcow2, compress_qcow2=True))
    assert not asked(vhd)
    assert asked(replace(vhd, fixed_vhd=True))
    assert not asked(qcow2, DiskFormat.VHDX)
    monkeypatch.setattr(in_place, "_works", lambda *_: False)
    assert not asked(qcow2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_entered(tmp_path: Path) -> None:
    """Lets nothing be made in place; what is wrong with it others say."""
    (tmp_path / "file").touch()
    assert not in_place.works_in(tmp_path / "file" / "folder")
