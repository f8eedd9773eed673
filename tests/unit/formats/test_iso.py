"""Reading ISOs and folders."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pycdlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit import iso_bytes
from tests.unit.iso_bytes import SECTOR, make_iso, rewrite_file_entry
from winimagetools.errors import BuildError, DiskFullError, MediaError
from winimagetools.formats import iso
from winimagetools.formats.iso import FolderTree, IsoTree, is_iso_file, open_source
from winimagetools.plan import SourceTree

FILES = {
    "sources/install.wim": bytes(range(256)) * 40,
    "NetKVM/2k8R2/amd64/netkvm.inf": b"[Version]\r\n",
    "README.TXT": b"read me",
    "empty": b"",
}
PLAIN = {name.upper().replace("NETKVM.", "NET."): data for name, data in FILES.items()}
A, B, C = b"a" * SECTOR, b"b" * SECTOR, b"c" * 100


def udf(folder: Path, descriptors: Callable[[int], bytes], **changes: int) -> bytes:
    """What is read from a UDF file whose descriptors were replaced.

    ``descriptors`` gets the block of file a (2048 bytes); b and c (100 bytes) follow.
    """
    path = make_iso(folder / "x.iso", {"a": A, "b": B, "c": C, "more": bytes(300)})
    with IsoTree(path) as tree:
        first = tree.extents("a")[0].offset
    assert first is not None
    block = first // SECTOR - iso_bytes.partition_start(path)
    rewrite_file_entry(path, 300, descriptors(block), **changes)
    with IsoTree(path) as tree:
        content = tree.read_bytes("more")
        tree.copy_out("more", folder / "copy")
    assert (folder / "copy").read_bytes() == content
    return content


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(MediaError) as caught:
        IsoTree(path)
    return caught.value.message


# --- trees --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", iso_bytes.KINDS)
def test_reads_every_kind_of_iso(tmp_path: Path, kind: str) -> None:
    """All files come with their names and content, from the best tree the ISO has."""
    files = PLAIN if kind == "plain" else FILES
    with open_source(make_iso(tmp_path / "x.iso", files, kind)) as tree:
        assert list(tree.files()) == sorted(files)
        assert {path: tree.read_bytes(path) for path in tree.files()} == files
        assert {path: tree.size(path) for path in tree.files()} == {
            path: len(data) for path, data in files.items()
        }
        assert tree.local_folder("") is None
        assert tree.name == str(tmp_path / "x.iso")


def test_udf_is_preferred(tmp_path: Path) -> None:
    """On media as Microsoft makes them the ISO 9660 tree holds just a README.TXT."""
    iso = pycdlib.PyCdlib()
    iso.new(udf="2.60")
    iso.add_fp(io.BytesIO(b"use UDF"), 7, "/README.TXT;1")
    iso.add_fp(io.BytesIO(b"MZ"), 2, "/HIDDEN.;1", udf_path="/setup.exe")
    iso.rm_hard_link(iso_path="/HIDDEN.;1")
    iso.write(str(tmp_path / "x.iso"))
    iso.close()
    with IsoTree(tmp_path / "x.iso") as tree:
        assert {path: tree.read_bytes(path) for path in tree.files()} == {"setup.exe": b"MZ"}


def test_reads_folders(tmp_path: Path) -> None:
    """A folder is read like an ISO."""
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with open_source(tmp_path) as tree:
        assert list(tree.files()) == sorted(FILES)
        assert {path: tree.read_bytes(path) for path in tree.files()} == FILES
        assert tree.local_folder("netkvm\\2K8R2") == tmp_path / "NetKVM/2k8R2"
        assert tree.local_folder("") == tmp_path
        assert tree.local_folder("nothing") is None


@pytest.mark.parametrize("make", ["iso", "folder"])
def test_is_a_source_tree(tmp_path: Path, make: str) -> None:
    """Look-ups ignore letter case and the kind of slash; missing files are told."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Deep.Txt").write_bytes(b"0123456789")
    tree: SourceTree = FolderTree(tmp_path)
    if make == "iso":
        tree = IsoTree(make_iso(tmp_path / "x.iso", {"a/Deep.Txt": b"0123456789"}))
    assert tree.find("A\\DEEP.TXT") == "a/Deep.Txt"
    assert tree.find("/a/./deep.txt") == "a/Deep.Txt"
    assert tree.find("a") is None
    assert tree.read_bytes("A/deep.txt") == b"0123456789"
    tree.copy_out("A/deep.txt", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"
    with pytest.raises(MediaError, match=r"There is no file a/b in .*"):
        tree.read_bytes("a/b")


@pytest.mark.parametrize("make", ["iso", "folder"])
def test_reads_ranges(tmp_path: Path, make: str) -> None:
    """A range stops at the end of the file."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").write_bytes(b"0123456789")
    source = tmp_path / "f" if make == "folder" else make_iso(tmp_path / "i", {"x": b"0123456789"})
    with open_source(source) as tree:
        assert tree.read_range("x", 3, 4) == b"3456"
        assert tree.read_range("x", 8, 100) == b"89"
        assert tree.read_range("x", 10, 1) == b""
        assert tree.read_range("x", 0, 0) == b""


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    """The exact spelling wins when two names differ in case only."""
    path = make_iso(tmp_path / "x.iso", {"a.txt": b"1", "A.TXT": b"2"}, "rock_ridge")
    with IsoTree(path) as tree:
        assert (tree.read_bytes("a.txt"), tree.read_bytes("A.TXT")) == (b"1", b"2")
        assert tree.find("A.txt") == "A.TXT"


def test_files_that_begin_together(tmp_path: Path) -> None:
    """Files that share their first block keep their own size."""
    path = make_iso(tmp_path / "x.iso", {"A": b"a" * 300, "B": b"b" * 50}, "plain")
    with IsoTree(path) as tree:
        block = (tree.extents("A")[0].offset or 0) // SECTOR
    iso_bytes.move_iso9660_file(path, b"B.;1", block)
    with IsoTree(path) as tree:
        assert (tree.read_bytes("A"), tree.read_bytes("B")) == (b"a" * 300, b"a" * 50)


def test_deep_folders(tmp_path: Path) -> None:
    """Folders that had to be kept elsewhere (Rock Ridge) appear only where they belong."""
    files = {"a/b/c/d/e/f/g/h/i/deep.txt": b"deep", "a/b/c/d/e/f/g/h/other.txt": b"other"}
    with IsoTree(make_iso(tmp_path / "x.iso", files, "rock_ridge")) as tree:
        assert {path: tree.read_bytes(path) for path in tree.files()} == files


def test_deleted_files(tmp_path: Path) -> None:
    """A file that is marked as deleted is not there."""
    path = make_iso(tmp_path / "x.iso", {"first.txt": b"1", "second.txt": b"2"})
    iso_bytes.delete_udf_file(path, "first.txt")
    with IsoTree(path) as tree:
        assert tree.files() == ("second.txt",)


@pytest.mark.parametrize("kind", ["udf", "rock_ridge", "joliet"])
def test_names_outside_ascii(tmp_path: Path, kind: str) -> None:
    """Names in any script are read."""
    name = "Straße/ファイル.txt"
    with IsoTree(make_iso(tmp_path / "x.iso", {name: b"1"}, kind)) as tree:
        assert tree.files() == (name,)
        assert tree.find("STRASSE/ファイル.TXT") == name


def test_folder_links(tmp_path: Path) -> None:
    """Links are followed, but not round in circles."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"1")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "top").write_bytes(b"2")
    try:
        (tmp_path / "tree" / "link").symlink_to(tmp_path / "real", target_is_directory=True)
        (tmp_path / "real" / "up").symlink_to(tmp_path / "tree", target_is_directory=True)
        (tmp_path / "tree" / "dangling").symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("this account may not make links")
    assert FolderTree(tmp_path / "tree").files() == ("link/x", "top")


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, instead of being left out in silence."""
    (tmp_path / "drivers" / "locked").mkdir(parents=True)
    (tmp_path / "drivers" / "x").write_bytes(b"1")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(MediaError, match=r"folder .*locked cannot be read: Permission denied"):
        FolderTree(tmp_path / "drivers")


# --- UDF ranges -----------------------------------------------------------------------------


def test_udf_scattered(tmp_path: Path) -> None:
    """A file in several ranges that do not follow each other is put together in order."""
    content = udf(
        tmp_path,
        lambda at: iso_bytes.short(2048, at + 1) + iso_bytes.short(2048, at),
        new_size=4096,
    )
    assert content == B + A


def test_udf_adjacent_ranges_are_one(tmp_path: Path) -> None:
    """Ranges that follow each other, as in every file over 1 GiB, are copied as one."""
    path = make_iso(tmp_path / "x.iso", {"a": A, "b": B, "more": bytes(300)})
    with IsoTree(path) as tree:
        first = tree.extents("a")[0]
    assert first.offset is not None
    at = first.offset // SECTOR - iso_bytes.partition_start(path)
    pair = iso_bytes.short(2048, at) + iso_bytes.short(2000, at + 1)
    rewrite_file_entry(path, 300, pair, new_size=4048)
    with IsoTree(path) as tree:
        (extent,) = tree.extents("more")
        assert (extent.offset, extent.length) == (first.offset, 4048)


def test_udf_holes(tmp_path: Path) -> None:
    """Ranges without data, and what is missing at the end, read as zeros."""
    content = udf(
        tmp_path,
        lambda at: (
            iso_bytes.short(2048, at) + iso_bytes.short(4096, 0, 2) + iso_bytes.short(2048, at + 1)
        ),
        new_size=10000,
    )
    assert content == A + bytes(4096) + B + bytes(10000 - 8192)


def test_udf_larger_than_4_gib(tmp_path: Path) -> None:
    """A file over 4 GiB, as install.wim of many releases, is read right to its end."""
    path = make_iso(tmp_path / "x.iso", {"more": bytes(300)})
    size, piece = 4_500_000_000, 0x3FFFF800
    first = path.stat().st_size // SECTOR
    start = iso_bytes.partition_start(path)
    descriptors = b"".join(
        iso_bytes.short(min(piece, size - at), first + at // SECTOR - start)
        for at in range(0, size, piece)
    )
    rewrite_file_entry(path, 300, descriptors, new_size=size)
    marks = {0: b"begin", 2**32 - 3: b"middle", size - 5: b"final"}
    os.truncate(path, first * SECTOR + size)
    with path.open("r+b") as stream:
        for at, mark in marks.items():
            stream.seek(first * SECTOR + at)
            stream.write(mark)
    with IsoTree(path) as tree:
        assert tree.size("more") == size
        assert {at: tree.read_range("more", at, len(mark)) for at, mark in marks.items()} == marks
        assert tree.read_range("more", size - 5, 100) == b"final"


def test_udf_long_descriptors(tmp_path: Path) -> None:
    """Long allocation descriptors are understood."""
    assert udf(tmp_path, lambda at: iso_bytes.long(2048, at + 1), kind=1, new_size=2040) == B[:2040]


def test_udf_embedded(tmp_path: Path) -> None:
    """The content may lie inside the file entry."""
    assert udf(tmp_path, lambda _: b"inside", kind=3, new_size=6) == b"inside"


def test_udf_chained_descriptors(tmp_path: Path) -> None:
    """Descriptors that do not fit continue in another block."""
    path = make_iso(tmp_path / "x.iso", {"a": A, "next": bytes(SECTOR), "more": bytes(300)})
    with IsoTree(path) as tree:
        block = (tree.extents("a")[0].offset or 0) // SECTOR
        following = (tree.extents("next")[0].offset or 0) // SECTOR
    start = iso_bytes.partition_start(path)
    chain = iso_bytes.short(1000, block - start) + iso_bytes.short(2048, following - start, 3)
    chain += iso_bytes.short(0, 0)
    rewrite_file_entry(path, 300, chain, new_size=1500)
    more = iso_bytes.allocation_extent(iso_bytes.short(500, block - start))
    with path.open("r+b") as stream:
        stream.seek(following * SECTOR)
        stream.write(more)
    with IsoTree(path) as tree:
        assert tree.read_bytes("more") == b"a" * 1500
    with path.open("r+b") as stream:
        stream.seek(following * SECTOR)
        stream.write(iso_bytes.allocation_extent(chain))
    assert "allocation descriptors form a loop" in refusal(path)


def test_udf_second_partition(tmp_path: Path) -> None:
    """What cannot be read right is refused."""
    with pytest.raises(MediaError, match="a file lies in a second partition"):
        udf(tmp_path, lambda at: iso_bytes.long(300, at, 1), kind=1)


# --- what is refused ------------------------------------------------------------------------


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    """Files that are missing or no ISO are named in the message."""
    assert refusal(tmp_path / "no.iso") == f"{tmp_path / 'no.iso'} does not exist."
    (tmp_path / "x.iso").write_bytes(b"")
    assert "is not an ISO image" in refusal(tmp_path / "x.iso")
    (tmp_path / "x.iso").write_bytes(b"PK\3\4" * 20000)
    assert refusal(tmp_path / "x.iso").startswith(f"{tmp_path / 'x.iso'} is not an ISO image")
    assert not is_iso_file(tmp_path / "x.iso")
    assert not is_iso_file(tmp_path / "no.iso")
    with pytest.raises(MediaError, match="is not a folder"):
        FolderTree(tmp_path / "x.iso")


@pytest.mark.parametrize("kind", iso_bytes.KINDS)
def test_cut_off_iso(tmp_path: Path, kind: str) -> None:
    """An ISO that ends before its files do is refused, wherever it was cut."""
    path = make_iso(tmp_path / "x.iso", PLAIN if kind == "plain" else FILES, kind)
    whole = path.read_bytes()
    assert is_iso_file(path)
    with IsoTree(path) as tree:
        ends = max((e.offset or 0) + e.length for name in tree.files() for e in tree.extents(name))
    for size in (40000, len(whole) // 2, ends - SECTOR, ends - 1):
        path.write_bytes(whole[:size])
        assert (
            refusal(path) == f"{path} is cut off: it ends after {size} bytes, before its files do."
        )


def test_names_that_lead_outside(tmp_path: Path) -> None:
    """Names that would lead out of a folder are refused."""
    path = make_iso(tmp_path / "x.iso", {"aa": b"1"}, "rock_ridge")
    path.write_bytes(path.read_bytes().replace(b"NM\x07\x01\x00aa", b"NM\x07\x01\x00.."))
    assert "the file name '..' is not allowed" in refusal(path)


def only_media_errors(path: Path) -> None:
    """Open and read everything; a MediaError is the only thing that may happen."""
    try:
        with IsoTree(path) as tree:
            for name in tree.files():
                assert len(tree.read_bytes(name)) == tree.size(name)
    except MediaError as error:
        assert error.message.endswith(".")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(iso_bytes.KINDS),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 2047), st.binary(max_size=4)),
        min_size=1,
        max_size=6,
    ),
)
def test_damaged_isos(tmp_path: Path, kind: str, changes: list[tuple[float, int, bytes]]) -> None:
    """Changed bytes in any sector that is used give content or a MediaError, nothing else."""
    whole = tmp_path / kind
    if not whole.exists():
        make_iso(whole, PLAIN if kind == "plain" else FILES, kind)
    data = bytearray(whole.read_bytes())
    used = [at for at in range(0, len(data), SECTOR) if any(data[at : at + SECTOR])]
    for share, offset, piece in changes:
        at = used[int(share * len(used))] + offset
        data[at : at + len(piece)] = piece
    (tmp_path / "x.iso").write_bytes(data)
    only_media_errors(tmp_path / "x.iso")


# --- copying --------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [None, errno.EXDEV, errno.ENOSYS])
def test_copy_reports_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: int | None
) -> None:
    """A copy has the bytes of the file, in the kernel or not, and progress grows to its size."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(problem, "no")

    if problem is not None:
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    data = os.urandom(9 * 1024 * 1024 + 7)
    (tmp_path / "target").write_bytes(b"old" * 10)
    seen: list[int] = []
    with IsoTree(make_iso(tmp_path / "x.iso", {"big": data})) as tree:
        tree.copy_out("big", tmp_path / "target", seen.append)
    assert (tmp_path / "target").read_bytes() == data
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == len(data)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EIO, BuildError)]
)
def test_copy_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[BuildError]
) -> None:
    """A full disk has its own error; half a file never stays."""

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", fail, raising=False)
    path = make_iso(tmp_path / "x.iso", FILES)
    what = r"sources/install\.wim in .*x\.iso"
    with IsoTree(path) as tree, pytest.raises(BuildError, match=what) as caught:
        tree.copy_out("sources/install.wim", tmp_path / "target")
    assert type(caught.value) is kind
    assert not (tmp_path / "target").exists()


def test_copy_into_nowhere(tmp_path: Path) -> None:
    """A destination that cannot be made is named."""
    path = make_iso(tmp_path / "x.iso", FILES)
    message = r"could not be copied to .*target: No such file"
    with IsoTree(path) as tree, pytest.raises(BuildError, match=message):
        tree.copy_out("README.TXT", tmp_path / "no" / "target")


def test_a_medium_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is that of the system."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = make_iso(tmp_path / "x.iso", FILES)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MediaError) as caught:
        IsoTree(path)
    assert caught.value.message == f"{path} could not be opened: Permission denied."


def test_a_medium_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scratched disc or a lost connection is told with the file it hit."""

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    path = make_iso(tmp_path / "x.iso", FILES)
    with IsoTree(path) as tree:
        monkeypatch.setattr(iso, "read_exactly", fail)
        with pytest.raises(MediaError) as caught:
            tree.read_bytes("README.TXT")
    assert caught.value.message == f"README.TXT in {path}: Input/output error."


def test_iso_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    """A medium that ends too early is told, not copied short."""
    path = make_iso(tmp_path / "x.iso", FILES)
    with IsoTree(path) as tree:
        os.truncate(path, 50000)
        with pytest.raises(MediaError, match="ends too early"):
            tree.read_bytes("sources/install.wim")
        with pytest.raises(MediaError, match="ends too early"):
            tree.copy_out("sources/install.wim", tmp_path / "target")
    assert not (tmp_path / "target").exists()
