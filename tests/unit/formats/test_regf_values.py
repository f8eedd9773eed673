"""Reading texts of hives, against the writer of the fixtures and genuine hives."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import regf
from tests.needs import genuine
from winimagetools.errors import MediaError
from winimagetools.formats.regf_values import read_text


def hive() -> bytes:
    """A hive with more keys than one list holds."""
    root = regf.Key("ROOT")
    current = root.make(r"Microsoft\Windows NT\CurrentVersion")
    current.values |= {
        "InstallationType": regf.sz("Server Core"),
        "Short": regf.sz("a"),
        "Ünd": regf.sz("東京"),
        "Path": regf.sz("%x%", regf.REG_EXPAND_SZ),
        "Number": regf.dword(1),
    }
    for number in range(1200):
        root.make(rf"Many\Key{number}").values["n"] = regf.sz(str(number))
    return regf.dump(root)


HIVE = hive()
VERSION = r"Microsoft\Windows NT\CurrentVersion"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (VERSION, "InstallationType", "Server Core"),
        (VERSION.upper(), "installationtype", "Server Core"),
        (VERSION, "Short", "a"),
        (VERSION, "Ünd", "東京"),
        (VERSION, "Path", "%x%"),
        (VERSION, "Number", None),
        (VERSION, "Absent", None),
        (VERSION + r"\Absent\Deeper", "n", None),
        ("Microsoft", "n", None),
        ("", "n", None),
        (r"Many\Key0", "n", "0"),
        (r"many\KEY1199", "N", "1199"),
    ],
)
def test_texts(key: str, value: str, text: str | None) -> None:
    """Texts in any letter case of their names; anything else is not found."""
    assert read_text(HIVE, key, value) == text


@pytest.mark.parametrize("data", [b"", b"regf", b"MZ" * 5000, HIVE[:4096], HIVE[:5000]])
def test_what_is_no_hive(data: bytes) -> None:
    """One clear error."""
    with pytest.raises(MediaError, match="damaged"):
        read_text(data, r"Many\Key1199", "n")


@settings(max_examples=200, deadline=None)
@given(st.integers(4096, len(HIVE) - 8), st.binary(min_size=1, max_size=8))
def test_damaged_hives(at: int, piece: bytes) -> None:
    """Whatever the bytes are: a text, nothing or the one error, and soon."""
    data = HIVE[:at] + piece + HIVE[at + len(piece) :]
    try:
        read_text(data, VERSION, "InstallationType")
    except MediaError:
        return


def test_a_list_that_holds_itself() -> None:
    """Lists of lists are followed once."""
    root = struct.unpack_from("<I", HIVE, 36)[0]
    children = struct.unpack_from("<I", HIVE, 4096 + root + 4 + 28)[0]
    at = 4096 + children + 4
    data = bytearray(HIVE)
    data[at : at + 8] = struct.pack("<2sHI", b"ri", 1, children)
    with pytest.raises(MediaError):
        read_text(bytes(data), "Many", "n")


@pytest.mark.parametrize("name", ["SYSTEM.win7-x86.xz", "SYSTEM.win10-x64.xz"])
def test_genuine_hives(name: str) -> None:
    """What Windows says it is."""
    data = genuine(f"hives/{name}")
    key = r"ControlSet001\Control\ProductOptions"
    assert read_text(data, key, "ProductType") == "WinNT"
