"""Registry values between records and bytes, and the control sets that edits go to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.formats.registry_values import decode, encode, type_number
from winimagetools.plan import RegistryValue


@pytest.mark.parametrize(
    ("kind", "number", "data", "stored"),
    [
        ("REG_NONE", 0, b"", ""),
        ("REG_SZ", 1, "ab", "610062000000"),
        ("REG_SZ", 1, "", "0000"),
        ("REG_EXPAND_SZ", 2, "é\U0001f600", "e9003dd800de0000"),
        ("REG_BINARY", 3, b"\1\xff\0\0", "01ff0000"),
        ("REG_DWORD", 4, 0x12345678, "78563412"),
        ("REG_MULTI_SZ", 7, ("a", "bc"), "61000000620063000000" + "0000"),
        ("REG_MULTI_SZ", 7, (), "0000"),
        ("REG_QWORD", 11, 1, "0100000000000000"),
        ("REG_TYPE_ffff0012", 0xFFFF0012, b"x", "78"),
    ],
)
def test_encoding_of_each_kind(
    kind: str, number: int, data: str | int | bytes | tuple[str, ...], stored: str
) -> None:
    """Numbers are little-endian, texts UTF-16 with their NUL, lists end in a second NUL."""
    value = RegistryValue("name", kind, data)
    assert encode(value).hex() == stored
    assert type_number(kind) == number
    assert decode("name", number, bytes.fromhex(stored)) == value


@pytest.mark.parametrize(
    ("number", "stored"),
    [(4, "0102"), (1, "6100"), (1, "61"), (7, "61000000"), (7, "6100000000"), (11, "00" * 4)],
    ids=["short number", "no NUL", "odd text", "open list", "odd list", "short long number"],
)
def test_what_does_not_fit_its_kind_stays_bytes(number: int, stored: str) -> None:
    """Odd values of real hives are kept as they are."""
    data = bytes.fromhex(stored)
    value = decode("name", number, data)
    assert value.data == data
    assert type_number(value.kind) == number


@given(st.integers(0, 0xFFFFFFFF) | st.integers(0, 11), st.binary(max_size=40))
def test_decoding_loses_nothing(number: int, data: bytes) -> None:
    """Any stored value comes back byte for byte."""
    value = decode("name", number, data)
    assert type_number(value.kind) == number
    assert encode(value) == data


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(TEXTS.filter(bool)))
def test_text_lists_come_back(texts: list[str]) -> None:
    """Lists of texts survive storing."""
    value = RegistryValue("name", "REG_MULTI_SZ", tuple(texts))
    assert decode("name", 7, encode(value)) == value


@given(TEXTS)
def test_texts_come_back(text: str) -> None:
    """Texts survive storing."""
    value = RegistryValue("name", "REG_SZ", text)
    assert decode("name", 1, encode(value)) == value


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("REG_DWORD", 2**32),
        ("REG_DWORD", -1),
        ("REG_DWORD", "1"),
        ("REG_SZ", 1),
        ("REG_SZ", ("a",)),
        ("REG_MULTI_SZ", "a"),
        ("REG_MULTI_SZ", ("a", "")),
        ("REG_MULTI_SZ", ("a\0b",)),
        ("REG_BINARY", "a"),
    ],
)
def test_data_of_another_kind_is_refused(
    kind: str, data: str | int | bytes | tuple[str, ...]
) -> None:
    """Nothing is guessed: the data must be what the kind asks for."""
    with pytest.raises(ValueError, match="'speed'"):
        encode(RegistryValue("speed", kind, data))


def test_unknown_kind_is_refused() -> None:
    """A misspelled kind is a fault of the caller."""
    with pytest.raises(ValueError, match="REG_STRING is not a kind"):
        type_number("REG_STRING")
