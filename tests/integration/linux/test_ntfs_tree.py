"""Files in an NTFS volume that is not mounted: read, changed, and read by others."""

from __future__ import annotations

import ctypes
import os
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dissect.ntfs import NTFS

from winimagetools.errors import BuildError, DiskFullError
from winimagetools.formats.security_descriptor import inherited_descriptor, private_descriptor
from winimagetools.host.linux import libntfs, libwim, wof
from winimagetools.host.linux.libntfs import Range
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.ntfs_tree import NtfsTree
from winimagetools.model import MIB
from winimagetools.run import Tool, run

MKNTFS = Tool("mkntfs", "ntfs-3g", "format")
NTFSFIX = Tool("ntfsfix", "ntfs-3g", "check the volume")
SIZE = 24 * MIB
START = 3 * MIB
"""Where the volume begins in the file."""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file with an empty volume somewhere inside."""
    volume, path = tmp_path / "volume", tmp_path / "disk"
    with volume.open("wb") as file:
        file.truncate(SIZE)
    run(MKNTFS, ["-q", "-F", "-f", volume])
    path.write_bytes(bytes(START) + volume.read_bytes() + b"behind")
    volume.unlink()
    return path


@contextmanager
def opened(disk: Path, *, read_only: bool = False) -> Iterator[NtfsVolume]:
    """The volume in the file."""
    handle = os.open(disk, os.O_RDONLY if read_only else os.O_RDWR)

    def write(at: int, data: bytes) -> None:
        os.pwrite(handle, data, START + at)

    def read(at: int, length: int) -> bytes:
        return os.pread(handle, length, START + at)

    try:
        with NtfsVolume(Range("disk", SIZE, read, None if read_only else write)) as volume:
            yield volume
    finally:
        os.close(handle)


def independent(disk: Path) -> NTFS:
    """The volume for a reader that is not ours."""
    with disk.open("rb") as file:
        file.seek(START)
        (disk.with_suffix(".volume")).write_bytes(file.read(SIZE))
    return NTFS(disk.with_suffix(".volume").open("rb"))


def content(volume: NTFS, path: str) -> bytes:
    """A file as that reader has it."""
    data: bytes = volume.mft.get(path).open().read()
    return data


def test_what_is_written_is_there(disk: Path, tmp_path: Path) -> None:
    """Files of all sizes, folders, names: an independent reader and ntfsfix agree."""
    source, files = random.Random(1), {}
    for size in (0, 1, 700, 5000, 300_000, 3 * MIB + 5):
        files[f"Folder/größe 日本/{size}.bin"] = source.randbytes(size)
    host = tmp_path / "host"
    (host / "deep" / "er").mkdir(parents=True)
    (host / "deep" / "er" / "note.txt").write_bytes(b"note")
    (host / "empty").mkdir()
    with opened(disk) as volume:
        tree = NtfsTree(volume)
        for name, data in files.items():
            tree.write_bytes(name.replace("/", "\\"), data)
        tree.copy_in(host, "FOLDER/copied")
        tree.copy_in(host / "deep" / "er" / "note.txt", "folder/Copied.txt")
        assert tree.list_dir("FOLDER") == ["Copied.txt", "copied", "größe 日本"]
        assert tree.list_dir("folder/GRÖSSE 日本") == []  # ß is not SS
        assert tree.list_dir("folder/GRÖßE 日本") == sorted(Path(name).name for name in files)
        assert tree.is_dir("folder/copied/EMPTY") and not tree.is_dir("folder/copied.txt")
    with opened(disk, read_only=True) as volume:
        for name, data in files.items():
            assert NtfsTree(volume).read_bytes(name.replace("größe", "GRÖßE")) == data
            assert NtfsTree(volume).size(name) == len(data)
    other = independent(disk)
    for name, data in files.items():
        assert content(other, name) == data
    assert content(other, "Folder/copied/deep/er/note.txt") == b"note"
    assert "processed successfully" in run(NTFSFIX, ["-n", disk.with_suffix(".volume")])
    assert disk.read_bytes()[:START] == bytes(START) and disk.read_bytes()[-6:] == b"behind"


def test_replacing_and_removing(disk: Path) -> None:
    """Shorter content leaves nothing behind; folders go with all they hold; names come back."""
    with opened(disk) as volume:
        tree = NtfsTree(volume)
        tree.write_bytes("a/file", b"long" * 50_000)
        tree.write_bytes("A/FILE", b"short")
        tree.write_bytes("a/b/c/deep", b"x")
        tree.write_bytes("a/b/other", b"y")
        with tree.edit("a/file") as local:
            assert local.read_bytes() == b"short"
            local.write_bytes(b"edited")
        with pytest.raises(ValueError, match="stop"), tree.edit("a/file") as local:
            local.write_bytes(b"lost")
            raise ValueError("stop")
        tree.remove("A/B")
        tree.remove("a/nothing")
        assert (tree.list_dir("a"), tree.exists("a/b/other")) == (["file"], False)
        tree.write_bytes("a/B/again", b"z")
    other = independent(disk)
    assert content(other, "a/file") == b"edited"
    assert content(other, "a/B/again") == b"z"
    assert [str(name) for name in other.mft.get("a").listdir()] == ["B", "file"]


def test_descriptors_and_attributes(disk: Path) -> None:
    """New files inherit, what holds passwords is private, what is replaced keeps its own."""
    with opened(disk) as volume:
        tree = NtfsTree(volume)
        tree.write_bytes("plain/file", b"x")
        tree.write_bytes(r"UnattendResources\sub\config.ini", b"x")
        root = volume.security("")
        assert volume.security("plain") == inherited_descriptor(root, is_dir=True)
        parent = volume.security("plain")
        assert volume.security("plain/file") == inherited_descriptor(parent, is_dir=False)
        for path, is_dir in (("UnattendResources/sub", True), ("UnattendResources", True)):
            assert volume.security(path) == private_descriptor(is_dir=is_dir)
        private = private_descriptor(is_dir=False)
        assert volume.security("unattendresources/SUB/config.ini") == private
        volume.set_security("plain/file", private)
        volume.set_attributes("plain/file", 0x7)
        tree.write_bytes("Plain/FILE", b"other")
        assert volume.security("plain/file") == private
        assert volume.attributes("plain/file") & 0x7 == 0x7


def test_a_file_with_several_names(disk: Path) -> None:
    """What is written goes to one name; the others keep their content, as in WinSxS."""
    with opened(disk) as volume:
        tree, library = NtfsTree(volume), libntfs.load()
        tree.write_bytes("store/driver.sys", b"old")
        library.ntfs_link.argtypes = [
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_uint8,
        ]
        name = "driver.sys".encode("utf-16-le")
        with volume._inode("") as root, volume._inode("store/driver.sys") as inode:
            assert library.ntfs_link(inode, root, name, len(name) // 2) == 0
        assert volume.names("driver.sys") == 2
        volume.set_security("driver.sys", private_descriptor(is_dir=False))
        tree.write_bytes("driver.sys", b"new")
        assert (tree.read_bytes("driver.sys"), tree.read_bytes("store/driver.sys")) == (
            b"new",
            b"old",
        )
        assert volume.security("driver.sys") == private_descriptor(is_dir=False)
        assert volume.names("store/driver.sys") == 1
    assert content(independent(disk), "driver.sys") == b"new"


def test_what_cannot_be_done(disk: Path) -> None:
    """One clear error each, and the volume stays whole."""
    with opened(disk) as volume:
        tree = NtfsTree(volume)
        tree.write_bytes("folder/file", b"x")
        with pytest.raises(BuildError, match="it is a folder"):
            tree.write_bytes("folder", b"x")
        with pytest.raises(BuildError, match="is in the way"):
            tree.write_bytes("folder/file/below", b"x")
        with pytest.raises(FileNotFoundError, match="There is no nothing"):
            tree.read_bytes("nothing")
        with pytest.raises(BuildError, match="cannot be put into a Windows volume"):
            tree.write_bytes("a:b", b"x")
        with pytest.raises(DiskFullError, match="Could not write big"):
            tree.write_bytes("big", bytes(2 * SIZE))
        tree.remove("big")
    with (
        opened(disk, read_only=True) as volume,
        pytest.raises(BuildError, match="opened for reading only"),
    ):
        NtfsTree(volume).remove("folder")
    independent(disk)
    assert "processed successfully" in run(NTFSFIX, ["-n", disk.with_suffix(".volume")])


def compressed(data: bytes, kind: int, chunk: int) -> bytes:
    """The stream Windows keeps for a compressed file, made with libwim's compressor."""
    library = libwim.load().handle
    library.wimlib_create_compressor.argtypes = [
        ctypes.c_int,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.POINTER(ctypes.c_void_p),
    ]
    library.wimlib_compress.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
    ]
    library.wimlib_compress.restype = ctypes.c_size_t
    handle = ctypes.c_void_p()
    assert library.wimlib_create_compressor(kind, chunk, 0, ctypes.byref(handle)) == 0
    packed = []
    for at in range(0, len(data), chunk):
        part = data[at : at + chunk]
        out = ctypes.create_string_buffer(chunk)
        size = library.wimlib_compress(part, len(part), out, len(part) - 1, handle)
        packed.append(out.raw[:size] if size else part)
    ends, at = [], 0
    for part in packed[:-1]:
        at += len(part)
        ends.append(at)
    return struct.pack(f"<{len(ends)}I", *ends) + b"".join(packed)


def store(volume: NtfsVolume, path: str, data: bytes, stream: bytes, algorithm: int) -> None:
    """Make a file as CompactOS does: no data of its own, a stream, and a reparse point."""
    NtfsTree(volume).write_bytes(path, b"")
    library, name = libntfs.load(), wof.STREAM.encode("utf-16-le")
    library.ntfs_attr_add.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_char_p,
        ctypes.c_uint8,
        ctypes.c_char_p,
        ctypes.c_int64,
    ]
    library.ntfs_set_ntfs_reparse_data.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_int,
    ]
    point = struct.pack("<I2H4I", wof.TAG, 16, 0, 1, 2, 1, algorithm)
    with volume._inode(path) as inode:
        with volume._attribute(inode, libntfs.DATA) as attribute:
            assert library.ntfs_attr_truncate(attribute, len(data)) == 0
        code = library.ntfs_attr_add(inode, libntfs.DATA, name, len(name) // 2, stream, len(stream))
        assert code == 0
        code = library.ntfs_set_ntfs_reparse_data(inode, point, len(point), 0)
        assert code == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize(
    ("algorithm", "kind", "chunk"), [(0, 1, 4096), (1, 2, 32768), (3, 1, 16384)]
)
@pytest.mark.parametrize("size", [100, 32768, 250_001])
def test_files_that_windows_compressed(
    disk: Path, algorithm: int, kind: int, chunk: int, size: int
) -> None:
    """Read in one go and in pieces, and replaced by a plain file with the same descriptor."""
    source = random.Random(size)
    data = b"".join(source.choice((b"text " * 90, source.randbytes(9000))) for _ in range(99))[
        :size
    ]
    with opened(disk) as volume:
        store(volume, "packed", data, compressed(data, kind, chunk), algorithm)
        tree = NtfsTree(volume)
        assert tree.read_bytes("packed") == data
        with tree.open_file("packed") as (length, read):
            assert length == size
            for _ in range(20):
                at, count = source.randrange(size), source.randrange(size)
                assert read(at, count) == data[at : at + count]
        before = volume.security("packed")
        tree.write_bytes("packed", b"plain")
        assert tree.read_bytes("packed") == b"plain"
        assert volume.security("packed") == before
        assert not volume.attributes("packed") & 0x400
    assert content(independent(disk), "packed") == b"plain"


def test_a_compressed_file_that_is_damaged(disk: Path) -> None:
    """Named, with what repairs it."""
    data = bytes(range(256)) * 500
    with opened(disk) as volume:
        store(volume, "packed", data, b"\xff" * 300, 1)
        with pytest.raises(BuildError, match="The compressed file packed is damaged") as caught:
            NtfsTree(volume).read_bytes("packed")
    assert "sfc" in caught.value.hint
