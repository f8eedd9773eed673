"""How NTFS compares names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.files.upcase import UPPER_CASE, fold


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_folding_keeps_length_and_is_stable(name: str) -> None:
    """NTFS folds letter by letter, so the length stays and folding twice changes nothing."""
    assert len(fold(name)) == len(name)
    assert fold(fold(name)) == fold(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("readme", "README"),
        ("\u00e4\u00e9", "\u00c4\u00c9"),
        ("\u1f80", "\u1f88"),
        ("\u1fb3", "\u1fbc"),
        ("\u00ff", "\u0178"),
    ],
)
def test_one_name(one: str, other: str) -> None:
    """Letters with one capital are one, Greek ones with iota subscript too."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ki", "k\u0131"),
        ("stra\u00dfe", "STRASSE"),
        ("\u017f", "s"),
        ("\u00b5", "\u03bc"),
        ("\u03c2", "\u03c3"),
        ("\u10d0", "\u1c90"),
        ("\U00010428", "\U00010400"),
    ],
)
def test_two_names(one: str, other: str) -> None:
    """What Python takes for one letter, NTFS often tells apart."""
    assert fold(one) != fold(other)


def test_size_of_the_table() -> None:
    """Every letter of the table stands in it."""
    assert len(UPPER_CASE) == 973
    assert all(fold(chr(upper)) == chr(upper) for upper in UPPER_CASE.values())
