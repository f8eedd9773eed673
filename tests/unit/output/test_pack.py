from __future__ import annotations

import gzip
import io
import os
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
import pyzipper
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import MediaError, RequestError
from winimagetools.files import sparse
from winimagetools.output import pack
from winimagetools.output.unpack import passes, unpack

PASSWORD = "correct horse ü"
_NOISE = random.Random(2).randbytes(100_000)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk image with data and holes whose time is known."""
    path = tmp_path / "windows.raw"
    with path.open("wb") as file:
        file.write(_NOISE)
        file.seek(5 * sparse.CHUNK)
        file.write(_NOISE[::-1])
        file.truncate(7 * sparse.CHUNK + 3)
    return path


def _ignore(_: int) -> None:
    pass


def _pack(image: Path, *formats: str, password: str = "") -> Path:
    return pack.pack(image, formats, password, _ignore)


@pytest.mark.parametrize(
    ("formats", "runs"),
    [
        (["gz"], [["gz"]]),
        (["tar", "gz"], [["tar", "gz"]]),
        (["zip", "gz"], [["zip", "gz"]]),
        (["gz", "tar"], [["gz"], ["tar"]]),
        (["zip", "tar", "gz"], [["zip"], ["tar", "gz"]]),
        ([], []),
    ],
)
def test_a_chain_is_cut_before_each_tar(formats: list[str], runs: list[list[str]]) -> None:
    """A tar has to know the size of its file before the file."""
    assert pack.stages(formats) == runs


def test_gzip_is_one_member_with_the_base_name(image: Path) -> None:
    """Readers that know only one member get everything; no folder is stored."""
    packed = _pack(image, "gz").read_bytes()
    assert gzip.decompress(packed) == image.read_bytes()
    assert packed[:4] == b"\x1f\x8b\x08\x08"
    assert packed[10:22] == b"windows.raw\0"
    assert int.from_bytes(packed[4:8], "little") == int(image.stat().st_mtime)
    assert int.from_bytes(packed[-4:], "little") == image.stat().st_size
    assert packed.count(b"\x1f\x8b\x08\x08") == 1


@given(st.lists(st.one_of(st.binary(max_size=99), st.integers(0, 9000)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_gzip_agrees_with_pythons(pieces: list[bytes | int]) -> None:
    """Whatever is written, gzip of the standard library reads it back."""
    out = io.BytesIO()

    class Sink:
        write = staticmethod(out.write)

        def write_zeros(self, count: int) -> None:
            out.write(bytes(count))

    with pack.GzipWriter(Sink(), "café ☃.raw", 5) as layer:
        for piece in pieces:
            if isinstance(piece, int):
                layer.write_zeros(piece)
            else:
                layer.write(piece)
    assert gzip.decompress(out.getvalue()) == b"".join(bytes(piece) for piece in pieces)


def test_tar_holds_one_plain_file_under_its_base_name(image: Path) -> None:
    """Not a sparse member: MAAS pipes it to dd. The owner of the build is not in it."""
    with tarfile.open(_pack(image, "tar")) as packed:
        (member,) = packed.getmembers()
        assert (member.name, member.type, member.size) == (
            "windows.raw",
            tarfile.REGTYPE,
            image.stat().st_size,
        )
        assert (member.mode, member.uid, member.uname) == (0o644, 0, "")
        content = packed.extractfile(member)
        assert content is not None
        assert content.read() == image.read_bytes()


def test_a_tar_is_padded_to_whole_records_and_keeps_holes(image: Path) -> None:
    """tar(5): two empty blocks, then up to 10240 bytes; holes of the image stay holes."""
    packed = _pack(image, "tar")
    assert packed.stat().st_size % 10240 == 0
    assert packed.stat().st_size >= 512 + image.stat().st_size + 1024
    assert getattr(packed.stat(), "st_blocks", 0) * 512 < 2 * sparse.CHUNK


@pytest.mark.parametrize("size", [0, 1, 512, 8703, 8704, 8705, 9216, 10240])
def test_a_tar_is_as_long_as_others_make_it(tmp_path: Path, size: int) -> None:
    """Two empty blocks at the end, then up to a whole record."""
    path = tmp_path / "disk.raw"
    path.write_bytes(b"x" * size)
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.GNU_FORMAT) as other:
        other.add(path)
    assert _pack(path, "tar").stat().st_size == len(expected.getvalue())


def test_a_tar_of_more_than_8_gib_is_read_by_others(tmp_path: Path) -> None:
    """Its size does not fit the classic field."""
    big = tmp_path / "big.raw"
    with big.open("wb") as file:
        file.truncate(9 << 30)
    if getattr(big.stat(), "st_blocks", 1) * 512 > sparse.CHUNK:
        pytest.skip("needs Windows without holes in files to be left alone")
    with tarfile.open(_pack(big, "tar")) as packed:
        assert [member.size for member in packed] == [9 << 30]


def test_zip_is_read_by_the_standard_library(image: Path) -> None:
    """CRC, size, time, name; deflated."""
    with zipfile.ZipFile(_pack(image, "zip")) as packed:
        (member,) = packed.infolist()
        assert packed.testzip() is None
        assert packed.read(member) == image.read_bytes()
    assert (member.filename, member.compress_type) == ("windows.raw", zipfile.ZIP_DEFLATED)
    assert member.file_size == image.stat().st_size
    assert member.external_attr >> 16 == 0o100644
    assert not member.flag_bits & 1


def test_a_zip_with_a_password_is_aes_256(image: Path) -> None:
    """AE-2, 256 bits; the password opens it and no other does."""
    path = _pack(image, "zip", password=PASSWORD)
    with pyzipper.AESZipFile(path) as packed:
        (member,) = packed.infolist()
        assert (member.wz_aes_version, member.wz_aes_strength) == (2, 3)
        assert packed.read(member, pwd=PASSWORD.encode()) == image.read_bytes()
        with pytest.raises(RuntimeError, match="Bad password"):
            packed.read(member, pwd=b"wrong")
    assert _NOISE[:64] not in path.read_bytes()
    with zipfile.ZipFile(path) as packed:
        (plain,) = packed.infolist()
    assert (plain.compress_type, plain.flag_bits & 1) == (99, 1)  # as pyzipper does not insist
    assert struct.unpack_from("<H", path.read_bytes(), 8) == (99,)


def test_two_encryptions_differ(image: Path) -> None:
    """Each archive has its own salt."""
    first = _pack(image, "zip", password=PASSWORD)
    first = first.rename(first.with_name("first.zip"))
    assert first.read_bytes() != _pack(image, "zip", password=PASSWORD).read_bytes()


@pytest.mark.parametrize(
    "formats", [("tar", "gz"), ("zip", "gz"), ("tar", "zip"), ("gz", "zip"), ("tar", "gz", "zip")]
)
def test_chains_are_written_in_one_pass_and_unwrapped_again(
    image: Path, tmp_path: Path, formats: tuple[str, ...]
) -> None:
    """Each layer names what is in it; unwrapping leads back to the image."""
    path = _pack(image, *formats, password=PASSWORD)
    assert path.name == ".".join(["windows.raw", *formats])
    assert sorted(tmp_path.iterdir()) == [image, path]
    folder = tmp_path / "out"
    folder.mkdir()
    for run in passes(formats):
        path = unpack(path, folder, run, PASSWORD, _ignore)
    assert path == folder / "windows.raw"
    assert path.read_bytes() == image.read_bytes()


def test_unwrapping_makes_holes_again(image: Path, tmp_path: Path) -> None:
    """The image comes out as sparse as it was."""
    (tmp_path / "out").mkdir()
    made = unpack(_pack(image, "gz"), tmp_path / "out", ["gz"], "", _ignore)
    assert getattr(made.stat(), "st_blocks", 0) * 512 < 4 * sparse.CHUNK


def test_progress_counts_the_source(image: Path) -> None:
    """Holes are counted too; the last report is the size of the image."""
    reports: list[int] = []
    pack.pack(image, ["gz"], "", reports.append)
    assert reports == sorted(reports)
    assert reports[-1] == image.stat().st_size


def test_existing_files_are_not_overwritten(image: Path, tmp_path: Path) -> None:
    """Neither by wrapping nor by unwrapping."""
    path = _pack(image, "gz")
    with pytest.raises(RequestError, match="exists already"):
        _pack(image, "gz")
    with pytest.raises(RequestError, match="exists already"):
        unpack(path, tmp_path, ["gz"], "", _ignore)


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="files have no mode here")
@pytest.mark.parametrize("formats", [["zip"], ["tar", "gz"]])
def test_an_archive_is_private(image: Path, formats: list[str]) -> None:
    """What is packed and what is unpacked holds a password; only the owner reads it."""
    packed = pack.pack(image, formats, "", lambda _: None)
    assert packed.stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_no_half_archive(image: Path, tmp_path: Path) -> None:
    """The source stays, what was begun goes."""

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack.pack(image, ["tar", "gz"], "", stop)
    assert list(tmp_path.iterdir()) == [image]


def test_a_name_without_the_suffix_is_refused(image: Path, tmp_path: Path) -> None:
    """Only the suffix tells what the result is to be called."""
    with pytest.raises(RequestError, match=r"does not end in \.gz"):
        unpack(image, tmp_path, ["gz"], "", _ignore)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [(kind, damage) for kind in ("gz", "tar", "zip") for damage in ("other", "cut")]
    + [("gz", "flipped"), ("zip", "flipped")],  # a tar has no checksum for its content
)
def test_damaged_archives_are_media_errors(
    image: Path, tmp_path: Path, kind: str, damage: str
) -> None:
    """Another kind of file, a cut one, a flipped bit: one sentence, nothing left behind."""
    packed = _pack(image, kind)
    content = bytearray(packed.read_bytes())
    if damage == "other":
        content = bytearray(b"not an archive at all" * 100)
    elif damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[50_000] ^= 0x40
    packed.write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(MediaError, match="damaged"):
        unpack(packed, tmp_path / "out", [kind], "", _ignore)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_said_so(image: Path, tmp_path: Path, password: str) -> None:
    """The message names the option and not the password."""
    packed = _pack(image, "zip", password=PASSWORD)
    (tmp_path / "out").mkdir()
    with pytest.raises(MediaError, match="zip_password") as caught:
        unpack(packed, tmp_path / "out", ["zip"], password, _ignore)
    assert PASSWORD not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def _zip_crypto(content: bytes, password: bytes) -> bytes:
    """A zip as the PowerShell tools make it: stored, ZipCrypto (APPNOTE.TXT, 6.1)."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(key: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), key ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    encrypted, crc = bytearray(), zlib.crc32(content)
    for byte in bytes(11) + bytes([crc >> 24]) + content:
        mask = (keys[2] & 0xFFFF) | 2
        encrypted.append(byte ^ (mask * (mask ^ 1) >> 8 & 0xFF))
        update(byte)
    sizes = (crc, len(encrypted), len(content), 5)
    common = struct.pack("<HHHIIIIHH", 20, 1, 0, 0x21 << 16, *sizes, 0)
    local = b"PK\3\4" + common + b"a.raw" + encrypted
    entry = b"PK\1\2\x14\0" + common + bytes(14) + b"a.raw"
    return local + entry + struct.pack("<4s4HIIH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)


def test_an_archive_of_the_old_tool_opens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ZipCrypto is still read, with a warning that it is slow."""
    (tmp_path / "a.raw.zip").write_bytes(_zip_crypto(b"old image" * 50, b"test"))
    made = unpack(tmp_path / "a.raw.zip", tmp_path, ["zip"], "test", _ignore)
    assert made.read_bytes() == b"old image" * 50
    assert "encrypted in the old way" in caplog.text


def test_an_archive_with_two_files_is_refused(tmp_path: Path) -> None:
    """Which of them is the disk cannot be known."""
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.raw", b"a")
        packed.writestr("b.raw", b"b")
    with pytest.raises(MediaError, match="holds 2 files"):
        unpack(path, tmp_path, ["zip"], "", _ignore)
    assert list(tmp_path.iterdir()) == [path]
