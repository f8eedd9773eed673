"""Reading PE files: machine, product version, certificate table."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import pe
from fixtures.virtio_pe import sign
from winimagetools.formats.pe import PeFile, read_pe
from winimagetools.model import Architecture, WindowsVersion

VERSION = WindowsVersion(10, 0, 20348, 587)
PLAIN = pe.image(Architecture.AMD64, VERSION, "ntdll.dll")
SIGNED = sign(PLAIN, [b"message1", b"message2"])
_HEADER = 64
_OPTIONAL = _HEADER + 24
_DIRECTORIES = _OPTIONAL + 112
_RESOURCES, _CERTIFICATES = _DIRECTORIES + 2 * 8, _DIRECTORIES + 4 * 8
_ROOT = 512
"""Where the resources of the plain file begin; they are at address 0x1000 in memory."""
_FOLDER = 0x80000000
_FIXED_INFO = struct.pack("<I", 0xFEEF04BD)


def changed(image: bytes, position: int, *numbers: int, kind: str = "I") -> bytes:
    """``image`` with numbers of a ``struct`` kind at ``position``."""
    copy = bytearray(image)
    struct.pack_into(f"<{len(numbers)}{kind}", copy, position, *numbers)
    return bytes(copy)


@pytest.mark.parametrize("architecture", pe.MACHINES)
def test_plain_file(architecture: Architecture) -> None:
    """Machine type and all four numbers of the version, in 32-bit and 64-bit files."""
    assert read_pe(pe.image(architecture, VERSION, "ntdll.dll")) == PeFile(architecture, VERSION)


def test_large_numbers() -> None:
    """Each number of a version has 16 bits."""
    version = WindowsVersion(65535, 32768, 65534, 1)
    assert read_pe(pe.image(Architecture.X86, version, "a.dll")) == PeFile(
        Architecture.X86, version
    )


def test_product_not_file_version() -> None:
    """A file of another version than the Windows it belongs to tells that of Windows."""
    image = changed(PLAIN, PLAIN.index(_FIXED_INFO) + 8, 1 << 16, 2)
    assert read_pe(image) == PeFile(Architecture.AMD64, VERSION)


def test_signed_file() -> None:
    """Every PKCS #7 message of the certificate table, in order."""
    assert read_pe(SIGNED) == PeFile(Architecture.AMD64, VERSION, (b"message1", b"message2"))


@pytest.mark.parametrize("data", [b"", b"MZ", b"MZ" + bytes(62), b"PE\0\0" + bytes(600)])
def test_not_pe(data: bytes) -> None:
    """What has no PE header is no PE file."""
    assert read_pe(data) is None


@pytest.mark.parametrize("length", [_HEADER + 6, _OPTIONAL, _DIRECTORIES - 1, _CERTIFICATES])
def test_cut_off_in_the_headers(length: int) -> None:
    """Half a header is none."""
    assert read_pe(PLAIN[:length]) is None


def test_unknown_machine() -> None:
    """A machine Windows does not run on is told as none."""
    assert read_pe(changed(PLAIN, _HEADER + 4, 0x0EBC, kind="H")) == PeFile(None, VERSION)


def test_other_entry_kinds_are_skipped() -> None:
    """Entries that are no PKCS #7 message do not count."""
    found = read_pe(changed(SIGNED, len(PLAIN) + 6, 1, kind="H"))
    assert found is not None
    assert found.certificates == (b"message2",)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (13, (b"messa", b"message2")),  # entries begin at multiples of eight
        (32, (b"message1" + SIGNED[-16:],)),
        (33, ()),
        (8, ()),
        (0, ()),
    ],
)
def test_length_of_an_entry(length: int, expected: tuple[bytes, ...]) -> None:
    """An entry that is empty or goes on behind the table ends it."""
    found = read_pe(changed(SIGNED, len(PLAIN), length) + bytes(8))
    assert found is not None
    assert found.certificates == expected


def test_a_table_that_is_cut_off() -> None:
    """Entries that are not wholly in the file do not count."""
    found = read_pe(SIGNED[:-1])
    assert found is not None
    assert found.certificates == (b"message1",)


@pytest.mark.parametrize("count", [0, 2, 3, 4])
def test_few_directories(count: int) -> None:
    """A file without room for a directory has neither it nor those behind it."""
    found = read_pe(changed(SIGNED, _DIRECTORIES - 4, count))
    assert found == PeFile(Architecture.AMD64, VERSION if count > 2 else None)


def test_a_version_elsewhere_is_not_taken() -> None:
    """Only the resource directory says where the version is; programs carry others too."""
    decoy = _FIXED_INFO + struct.pack("<5I", 0x10000, 1, 2, 3, 4)
    image = pe.image(Architecture.AMD64, VERSION, "a.exe", code=decoy * 3)
    assert image.find(_FIXED_INFO) < image.rfind(_FIXED_INFO)
    assert read_pe(image) == PeFile(Architecture.AMD64, VERSION)


def test_the_version_is_found_among_other_resources() -> None:
    """By its type, behind other types, some of which have names instead of numbers."""
    end = len(PLAIN.rstrip(b"\0")) + 8  # the rest of the last section is free
    leaf = struct.unpack_from("<I", PLAIN, _ROOT + 72)
    tree = struct.pack("<12xHH", 1, 2)
    tree += struct.pack("<6I", _FOLDER | 64, 104, 3, 104, 16, _FOLDER | 40)
    for number, child in ((1, _FOLDER | 64), (0x407, 88)):
        tree += struct.pack("<12xHHII", 0, 1, number, child)
    tree += struct.pack("<4I", *leaf, 0, 0, 0)
    image = changed(PLAIN[:end] + tree + PLAIN[end + len(tree) :], _RESOURCES, end + 0x1000 - _ROOT)
    assert len(image) == len(PLAIN)
    assert read_pe(image) == PeFile(Architecture.AMD64, VERSION)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (_RESOURCES, 0),
        (_RESOURCES, 0xFFFFFFF0),
        (_ROOT + 16, 24),
        (_ROOT + 20, 0xFFFFFFFF),
        (PLAIN.index(_FIXED_INFO), 0),
        (PLAIN.index("VS_VERSION_INFO".encode("utf-16-le")), 0),
    ],
)
def test_without_a_usable_version(position: int, value: int) -> None:
    """A resource that is missing, damaged or of another type is no version."""
    assert read_pe(changed(PLAIN, position, value)) == PeFile(Architecture.AMD64)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SIGNED) - 1), st.binary(max_size=8), st.integers(0, len(SIGNED)))
def test_damage(position: int, junk: bytes, length: int) -> None:
    """A damaged or shortened file is read without an exception."""
    data = (SIGNED[:position] + junk + SIGNED[position + len(junk) :])[:length]
    found = read_pe(data)
    assert found is None or all(message in data for message in found.certificates)


@pytest.mark.parametrize("architecture", [Architecture.AMD64, Architecture.X86])
def test_security_version(architecture: Architecture) -> None:
    """The number of a boot manager that firmware compares, beside the version of Windows."""
    image = pe.image(architecture, VERSION, "bootmgfw.efi", security_version=(11, 3))
    assert read_pe(image) == PeFile(architecture, VERSION, security_version="11.3")


def test_a_damaged_security_version() -> None:
    """One that is cut off, or of another size, counts as missing; the file is read all the same."""
    image = pe.image(Architecture.AMD64, VERSION, "bootmgfw.efi", security_version=(7, 1))
    size = image.index(struct.pack("<II", 4, 1200))
    assert read_pe(changed(image, size, 5)) == PeFile(Architecture.AMD64, VERSION)
    name = image.index(pe.SECURITY_VERSION.encode("utf-16-le"))
    assert read_pe(changed(image, name - 2, 3, kind="H")) == PeFile(Architecture.AMD64, VERSION)
    assert read_pe(changed(image, name, 0x42, 0x43, kind="H")) == PeFile(
        Architecture.AMD64, VERSION
    )
