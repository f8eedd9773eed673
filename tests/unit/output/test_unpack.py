"""A wrapped disk is read in one pass; the beginning of one."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from winimagetools.errors import DiskFullError, MediaError
from winimagetools.files.sparse import CHUNK
from winimagetools.output import unpack as unpacking
from winimagetools.output.image_files import ImageFiles
from winimagetools.output.unpack import beginning, passes, unpack

DISK = bytes(range(256)) * 20 + bytes(3 << 20)


def in_tar(*files: bytes) -> bytes:
    """An archive with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number, data in enumerate(files):
            member = tarfile.TarInfo(f"{number}.raw")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def in_zip(data: bytes) -> bytes:
    """An archive with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("win.raw", data)
    return out.getvalue()


WRAP: dict[str, Callable[[bytes], bytes]] = {
    "tar": in_tar,
    "zip": in_zip,
    "gz": lambda data: gzip.compress(data, 1),
}


def wrapped(folder: Path, formats: Sequence[str], data: bytes = DISK) -> Path:
    """A disk in these layers, made by the standard library."""
    for kind in formats:
        data = WRAP[kind](data)
    path = folder / ".".join(["win.raw", *formats])
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return [item.name for item in folder.iterdir()]


def ignore(_: int) -> None:
    """No progress."""


@pytest.mark.parametrize(
    ("layers", "data"),
    [
        ((), DISK),
        (("gz",), gzip.compress(DISK, 1)),
        (("tar",), in_tar(DISK)),
        (("tar", "gz"), gzip.compress(in_tar(DISK), 1)),
        (("gz", "tar"), in_tar(gzip.compress(DISK, 1))),
    ],
    ids=["plain", "gz", "tar", "tar.gz", "gz.tar"],
)
def test_what_is_inside(tmp_path: Path, layers: tuple[str, ...], data: bytes) -> None:
    """Whatever the order of the layers."""
    path = tmp_path / "wrapped"
    path.write_bytes(data)
    assert beginning(path, layers, 1 << 20) == DISK[: 1 << 20]


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar"), in_tar(DISK)[:100]],
    ids=["empty", "none", "gz", "cut"],
)
@pytest.mark.parametrize("layers", [("tar", "gz"), ("zip",), ("tar",)])
def test_nothing(tmp_path: Path, layers: tuple[str, ...], data: bytes) -> None:
    """Another wrapping, or a damaged one."""
    path = tmp_path / "wrapped"
    path.write_bytes(data)
    assert beginning(path, layers, 512) == b""


@pytest.mark.parametrize(
    ("formats", "runs"),
    [
        (["gz"], [["gz"]]),
        (["tar", "gz"], [["tar", "gz"]]),
        (["gz", "tar"], [["gz", "tar"]]),
        (["tar", "gz", "zip"], [["tar", "gz", "zip"]]),
        (["zip", "tar"], [["zip", "tar"]]),
        (["gz", "zip", "tar"], [["gz", "zip", "tar"]]),
        (["zip", "gz"], [["gz"], ["zip"]]),
        (["zip", "tar", "gz"], [["tar", "gz"], ["zip"]]),
        (["zip", "zip"], [["zip"], ["zip"]]),
        ([], []),
    ],
)
def test_a_chain_is_cut_where_a_zip_cannot_be_read(
    formats: list[str], runs: list[list[str]]
) -> None:
    """A zip begins at its end, and what was compressed can only be read forwards."""
    assert passes(formats) == runs


ONE_PASS = [
    ("gz",),
    ("tar",),
    ("zip",),
    ("tar", "gz"),
    ("gz", "tar"),
    ("zip", "tar"),
    ("tar", "gz", "zip"),
    ("gz", "zip", "tar"),
]


@pytest.mark.parametrize("formats", ONE_PASS, ids=".".join)
def test_one_pass_makes_one_file_with_holes(tmp_path: Path, formats: tuple[str, ...]) -> None:
    """Nothing else lies in the folder at any moment."""
    path = wrapped(tmp_path, formats)
    out = tmp_path / "out"
    out.mkdir()
    seen: set[str] = set()
    reports: list[int] = []

    def watch(done: int) -> None:
        reports.append(done)
        seen.update(names(out))

    made = unpack(path, out, formats, "", watch)
    assert made == out / "win.raw"
    assert made.read_bytes() == DISK
    assert seen == {"win.raw"}
    assert len(reports) == -(-len(DISK) // CHUNK)
    assert getattr(made.stat(), "st_blocks", 0) * 512 <= CHUNK + 8192


@pytest.mark.parametrize("formats", [("zip", "gz"), ("zip", "tar", "gz")], ids=".".join)
@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_a_zip_inside_is_a_file_meanwhile(
    tmp_path: Path, formats: tuple[str, ...], damaged: bool
) -> None:
    """It is gone when the disk is there, and when there will be none."""
    path, out = wrapped(tmp_path, formats), tmp_path / "out"
    out.mkdir()
    if damaged:
        path.unlink()
        data = bytearray(in_zip(DISK))
        data[60] ^= 0x40
        for kind in formats[1:]:
            data = bytearray(WRAP[kind](bytes(data)))
        path.write_bytes(data)
        with pytest.raises(MediaError, match="damaged"):
            ImageFiles().decompress(path, out, formats, "")
        assert names(out) == []
        return
    assert ImageFiles().decompress(path, out, formats, "").read_bytes() == DISK
    assert names(out) == ["win.raw"]


def test_tgz(tmp_path: Path) -> None:
    """The short name of a tar in a gz."""
    path = wrapped(tmp_path, ("tar", "gz")).rename(tmp_path / "Win.raw.TGZ")
    made = unpack(path, tmp_path, ("tar", "gz"), "", ignore)
    assert (made.name, made.read_bytes()) == ("Win.raw", DISK)


def cut_in_the_middle(data: bytes) -> bytes:
    """As a transfer that broke off."""
    return data[: len(data) // 2]


def cut_at_the_end(data: bytes) -> bytes:
    """Without the last byte."""
    return data[:-1]


def other_sum(data: bytes) -> bytes:
    """RFC 1952: the check sum is in front of the size, at the end."""
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


@pytest.mark.parametrize("damage", [cut_in_the_middle, cut_at_the_end, other_sum])
@pytest.mark.parametrize("formats", [("gz",), ("tar", "gz"), ("gz", "tar", "gz")], ids=".".join)
def test_the_end_of_a_chain_counts(
    tmp_path: Path, damage: Callable[[bytes], bytes], formats: tuple[str, ...]
) -> None:
    """Also behind the tar, where the disk is complete already: one error, nothing left."""
    path, out = wrapped(tmp_path, formats), tmp_path / "out"
    out.mkdir()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MediaError, match=r"win\.raw\S* is damaged or of another kind") as caught:
        unpack(path, out, formats, "", ignore)
    assert caught.value.hint == "Copy or download it again, and compare its checksum."
    assert names(out) == []


@pytest.mark.parametrize("formats", [("tar",), ("tar", "gz")], ids=".".join)
@pytest.mark.parametrize("files", [(), (DISK, b"more")], ids=["none", "two"])
def test_a_tar_with_another_number_of_files(
    tmp_path: Path, formats: tuple[str, ...], files: tuple[bytes, ...]
) -> None:
    """Which of them is the disk cannot be known."""
    path = tmp_path / ".".join(["win.raw", *formats])
    data = in_tar(*files)
    path.write_bytes(gzip.compress(data) if "gz" in formats else data)
    with pytest.raises(MediaError, match=f"holds {len(files)} files instead of one"):
        unpack(path, tmp_path, formats, "", ignore)
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle."""

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    path = wrapped(tmp_path, ("tar", "gz"))
    with pytest.raises(KeyboardInterrupt):
        unpack(path, tmp_path, ("tar", "gz"), "", stop)
    assert list(tmp_path.iterdir()) == [path]


def test_a_compression_that_is_not_read(tmp_path: Path) -> None:
    """Windows makes a zip with Deflate64 (method 9) of more than 2 GiB."""
    path = wrapped(tmp_path, ("zip",))
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\1\2")
    struct.pack_into("<H", data, 8, 9)
    struct.pack_into("<H", data, directory + 10, 9)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="packed in a way that is not read") as caught:
        unpack(path, tmp_path, ("zip",), "", ignore)
    assert caught.value.hint == "Unwrap it first: 7z x win.raw.zip"


@pytest.mark.parametrize(
    ("name", "formats", "said"),
    [
        ("win.qcow2", ("tar", "gz"), "win.qcow2 takes up to 3.0 MiB; 10.0 GiB are free in"),
        ("win.raw", ("zip",), "win.raw takes up to 3.0 MiB; 10.0 GiB are free in"),
        ("win.raw", ("gz", "tar"), "How large win.raw gets, gz does not tell; 10.0 GiB are free"),
    ],
)
def test_the_room_is_said_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    formats: tuple[str, ...],
    said: str,
) -> None:
    """In one line, where the format tells."""
    caplog.set_level("INFO")
    monkeypatch.setattr(unpacking, "free_bytes", lambda _: 10 << 30)
    path = wrapped(tmp_path, formats).rename(tmp_path / ".".join([name, *formats]))
    before: list[str] = []
    unpack(path, tmp_path, formats, "", lambda _: before.append(caplog.text))
    assert said in before[0]
    assert len(before[0].splitlines()) == 1


@pytest.mark.parametrize("formats", [("tar", "gz"), ("zip",), ("zip", "tar")], ids=".".join)
def test_too_little_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    formats: tuple[str, ...],
) -> None:
    """Refused where it is certain; of a disk with holes it is not, so there it is a warning."""
    monkeypatch.setattr(unpacking, "free_bytes", lambda _: 2 << 20)
    path = wrapped(tmp_path, formats)
    assert unpack(path, tmp_path, formats, "", ignore).read_bytes() == DISK
    assert "win.raw fits only if enough of it is empty: of 3.0 MiB, 2.0 MiB are" in caplog.text
    path = path.rename(tmp_path / ".".join(["win.vhdx", *formats]))
    with pytest.raises(DiskFullError, match=r"takes 3\.0 MiB, and only 2\.0 MiB are free in"):
        unpack(path, tmp_path, formats, "", ignore)
    assert not (tmp_path / "win.vhdx").exists()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("formats", [("tar",), ("tar", "gz")])
def test_a_name_that_would_fill_the_memory(
    kind: bytes, formats: tuple[str, ...], tmp_path: Path
) -> None:
    """Is refused when its length is read, not when the memory is full."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 8 << 30
    data = member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    path = tmp_path / ".".join(["win.raw", *formats])
    path.write_bytes(data if formats == ("tar",) else gzip.compress(data))
    with pytest.raises(MediaError, match="the name of a file in it has 8589934592 bytes"):
        unpack(path, tmp_path, formats, "", lambda _: None)
    assert names(tmp_path) == [path.name]
    assert beginning(path, formats, 100) == b""


def test_a_long_name(tmp_path: Path) -> None:
    """Of a file, as it may be in a tar, is no obstacle."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("ä" * 4000)
        member.size = len(DISK)
        archive.addfile(member, io.BytesIO(DISK))
    (tmp_path / "win.raw.tar").write_bytes(out.getvalue())
    made = unpack(tmp_path / "win.raw.tar", tmp_path, ("tar",), "", lambda _: None)
    assert made.read_bytes() == DISK


@pytest.mark.parametrize("method", [0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_with_other_bytes(method: int, tmp_path: Path) -> None:
    """Wherever one of them is another: the right disk, or one error; nothing is left."""
    disk = bytes(range(256)) * 8
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("win.raw", disk)
    path = tmp_path / "win.raw.zip"
    places = [*range(120), *range(len(out.getvalue()) - 90, len(out.getvalue()))]
    for place in places:
        for value in (0, 0x7F, 0xFF):
            data = bytearray(out.getvalue())
            data[place] = value
            path.write_bytes(data)
            try:
                made = unpack(path, tmp_path, ("zip",), "", lambda _: None)
            except MediaError:
                assert names(tmp_path) == [path.name]
                continue
            assert made.read_bytes() == disk
            made.unlink()
