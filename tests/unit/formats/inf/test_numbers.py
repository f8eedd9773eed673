"""Numbers in INF files."""

from __future__ import annotations

import pytest

from winimagetools.formats.inf.numbers import read_number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("01", 1),
        ("00000010", 10),
        ("0x00010001", 0x10001),
        ("0X0A", 10),
        ("FF", 255),
        ("0a", 10),
        (" 3 ", 3),
        ("-1", -1),
        ("+0x10", 16),
    ],
)
def test_numbers(text: str, expected: int) -> None:
    """Leading zeros are decimal, ``0x`` and letters are hexadecimal, a sign may come first."""
    assert read_number(text) == expected


@pytest.mark.parametrize("text", ["", "0x", "%BOOT%", "1_0", "٣", "1 2", "auto", "9" * 5000])
def test_no_numbers(text: str) -> None:
    """Anything else is refused, also what Python itself would read."""
    with pytest.raises(ValueError, match="is not a number"):
        read_number(text)
