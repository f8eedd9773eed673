"""Kinds of options: how their texts are read, and what the declarations say."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import IniValueError
from winimagetools.settings.declaration import (
    Kind,
    Option,
    declarations,
    expand_temp,
    option,
    parse_count,
    parse_size,
)

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("42949672960", 40 * GIB),
        (" 4294967296 ", 4 * GIB),
        ("4GB", 4 * GIB),
        ("40 GiB", 40 * GIB),
        ("40g", 40 * GIB),
        ("2048 MB", 2 * GIB),
        ("2048mib", 2 * GIB),
        ("512KB", 512 * 1024),
        ("1TB", 1024 * GIB),
        ("1.5GB", 3 * GIB // 2),
        ("0.5K", 512),
        ("100B", 100),
    ],
)
def test_size(text: str, size: int) -> None:
    """Bytes, or a number with a unit that counts in steps of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0GB", "-1", "4 GBs", "GB", "4,5GB", "1e9", "0x10", "4 0GB", "1.5", "0.3K"),
        *("5IB", "$size", "٤GB", "1" * 16, "1.GB"),
    ],
)
def test_no_size(text: str) -> None:
    """Anything else is refused with the way to write it."""
    with pytest.raises(IniValueError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.message
    assert "40GB" in caught.value.hint


@settings(max_examples=80)
@given(st.integers(1, 1024), st.sampled_from([("KB", 1), ("MiB", 2), ("g", 3), ("TB", 4)]))
def test_sizes_are_exact(number: int, unit: tuple[str, int]) -> None:
    """No size loses a byte, however large."""
    word, power = unit
    assert parse_size(f"{number} {word}") == number * 1024**power


@pytest.mark.parametrize(
    "text", ["16777216TB", "1025TB", "999999999999999TB", "999999999999999.9T"]
)
def test_sizes_beyond_reason(text: str) -> None:
    """More than any container or machine takes is refused here, not by the file system."""
    with pytest.raises(IniValueError, match="is more than 1024 TB"):
        parse_size(text)
    assert parse_size("1024TB") == 1 << 50


@pytest.mark.parametrize("text", ["a\udcffb", "\ud800", "\udfff"])
def test_bytes_that_are_no_text(text: str) -> None:
    """Undecodable bytes of a command line and halves of characters end here."""
    for kind in Kind:
        with pytest.raises(IniValueError, match="holds bytes that are no text"):
            Option("x", "DEFAULT", kind, "", "").parse(text)


@pytest.mark.parametrize(("text", "count"), [("1", 1), (" 16 ", 16), ("007", 7)])
def test_count(text: str, count: int) -> None:
    """A count is a whole number above zero."""
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "four", "4GB", "٤", "1" * 10])
def test_no_count(text: str) -> None:
    """Anything else is no count."""
    with pytest.raises(IniValueError, match="is not a whole number above zero"):
        parse_count(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"${ENV:TEMP}\win-image.vhdx", ("win-image.vhdx",)),
        (r"${env:tmp}\a\b.raw", ("a", "b.raw")),
        ("${ENV:TEMP}/b.raw", ("b.raw",)),
        ("${ENV:TEMP}", ()),
    ],
)
def test_temp_is_expanded(text: str, parts: tuple[str, ...]) -> None:
    """PowerShell's word for the temporary folder means ours at the start of a text."""
    assert expand_temp(text) == str(Path(tempfile.gettempdir(), *parts))


@pytest.mark.parametrize(
    "text",
    [
        *("", "Pa$$w0rd", "$image.ImageName", "${isoDriveLetter}:\\Sources"),
        *("x${ENV:TEMP}\\a", "${ENV:TEMPLATES}\\a", "${ENV:TEMP}x"),
    ],
)
def test_other_texts_stay(text: str) -> None:
    """Every other text is taken literally."""
    assert expand_temp(text) == text


@dataclass(frozen=True)
class _Example:
    flag: bool = option(True, help="A flag.")
    count: int = option(2, "vm", help="A count.", guest=True)
    size: int = option(4, "vm", help="A size.", size=True)
    text: str = option(lambda: "made", "custom", help="A text.", secret=True)
    other: int = 0


def test_declarations() -> None:
    """Fields made with option() are listed in order, their kind follows from the default."""
    assert declarations(_Example) == (
        Option("flag", "DEFAULT", Kind.BOOLEAN, True, "A flag."),
        Option("count", "vm", Kind.COUNT, 2, "A count.", guest=True),
        Option("size", "vm", Kind.SIZE, 4, "A size."),
        Option("text", "custom", Kind.TEXT, "made", "A text.", secret=True),
    )
    assert repr(_Example()) == "_Example(flag=True, count=2, size=4, other=0)"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("flag", "false", False), ("count", "3", 3), ("size", "3K", 3072), ("text", "x", "x")],
)
def test_parse_follows_the_kind(name: str, text: str, value: object) -> None:
    """Each kind has its reader."""
    by_name = {declared.name: declared for declared in declarations(_Example)}
    assert by_name[name].parse(text) == value
