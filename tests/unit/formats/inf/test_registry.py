"""AddReg lines as registry values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import MediaError
from winimagetools.formats.inf.registry import read_addreg
from winimagetools.formats.inf.syntax import InfLine
from winimagetools.plan import RegistryValue


def line(*fields: str) -> InfLine:
    """A line without key."""
    return InfLine("", fields, 7)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            ("HKR", "Parameters", "BusType", "0x00010001", "0x0000000A"),
            ("Parameters", RegistryValue("BusType", "REG_DWORD", 10)),
        ),
        (("hkr", "", "T", "65537", "7"), ("", RegistryValue("T", "REG_DWORD", 7))),
        (
            ("HKR", "", "T", "0x10001", "01", "02", "00", "80"),
            ("", RegistryValue("T", "REG_DWORD", 0x80000201)),
        ),
        (
            ("HKR", "", "T", "0x00010001", "00000010"),
            ("", RegistryValue("T", "REG_DWORD", 10)),
        ),
        (("HKR", "", "T", "0x10001", "FF"), ("", RegistryValue("T", "REG_DWORD", 255))),
        (("HKR", "", "B", "01", "FF", "0x0A"), ("", RegistryValue("B", "REG_BINARY", b"\xff\n"))),
        (("HKR", "", "T", "0x10001", "-1"), ("", RegistryValue("T", "REG_DWORD", 0xFFFFFFFF))),
        (("HKR", "", "T", "0x10001"), ("", RegistryValue("T", "REG_DWORD", 0))),
        (("HKR", "A\\B", "S", "", "text"), ("A\\B", RegistryValue("S", "REG_SZ", "text"))),
        (("HKR", "", "S"), ("", RegistryValue("S", "REG_SZ", ""))),
        (
            ("HKR", "", "F", "0x00020000", "%SystemRoot%\\x"),
            ("", RegistryValue("F", "REG_EXPAND_SZ", "%SystemRoot%\\x")),
        ),
        (
            ("HKR", "", "M", "0x00010000", "a", "", "b"),
            ("", RegistryValue("M", "REG_MULTI_SZ", ("a", "b"))),
        ),
        (("HKR", "", "B", "1", "00", "ff"), ("", RegistryValue("B", "REG_BINARY", b"\0\xff"))),
        (("HKR", "", "N", "0x20001"), ("", RegistryValue("N", "REG_NONE", b""))),
        (
            ("HKR", "", "Q", "0xB0001", "0x100000000"),
            ("", RegistryValue("Q", "REG_QWORD", 1 << 32)),
        ),
        (("HKR", "Key\\", "", "0x00000010"), ("Key", None)),
        (("HKLM", "Software", "x", "", "y"), None),
        (("HKR", "", "Gone", "0x4"), None),
        (("HKR", "", "Old", "0x00010021", "1"), None),
    ],
)
def test_value(fields: tuple[str, ...], expected: tuple[str, RegistryValue | None] | None) -> None:
    """Every kind of value becomes what Windows would write; removals are nothing."""
    assert read_addreg(line(*fields), "x.inf") == expected


@pytest.mark.parametrize(
    "fields",
    [
        ("HKR", "", "x", "flags", "1"),
        ("HKR", "", "x", "0x00010001", "seven"),
        ("HKR", "", "x", "0x00000001", "100"),
        ("HKR", "", "x", "0x00380001", "1"),
    ],
)
def test_nonsense(fields: tuple[str, ...]) -> None:
    """Flags or data that are none are reported with file and line."""
    with pytest.raises(MediaError, match=r"^x\.inf, line 7: "):
        read_addreg(line(*fields), "x.inf")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("HKRhkr01xfF-_ %"), max_size=6), max_size=7))
def test_any_fields(fields: list[str]) -> None:
    """Any fields are a value, nothing, or a MediaError."""
    try:
        found = read_addreg(line(*fields), "x.inf")
    except MediaError:
        return
    assert found is None or isinstance(found[0], str)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_dword_forms_agree(number: int) -> None:
    """A number reads the same in decimal, in hexadecimal and as four bytes."""
    octets = [f"{octet:02x}" for octet in number.to_bytes(4, "little")]
    forms = ([str(number)], [hex(number)], octets)
    read = [read_addreg(line("HKR", "", "x", "0x10001", *form), "x.inf") for form in forms]
    assert read == [("", RegistryValue("x", "REG_DWORD", number))] * 3
