"""Group Policy files, read back by a reader of their own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.policy_reader import read_pol, sz
from winimagetools.formats.policy import PolicyEntry, registry_pol
from winimagetools.plan import RegistryValue

NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-16-le"), max_size=12)


def test_one_entry_byte_for_byte() -> None:
    """The format of [MS-GPREG] 2.2.1."""
    entry = PolicyEntry("K", RegistryValue("n", "REG_DWORD", 258))
    assert registry_pol([entry]) == (
        b"PReg\x01\0\0\0[\0K\0\0\0;\0n\0\0\0;\0\x04\0\0\0;\0\x04\0\0\0;\0\x02\x01\0\0]\0"
    )


@pytest.mark.parametrize(
    ("value", "kind", "data"),
    [
        (RegistryValue("n", "REG_SZ", "ä"), 1, sz("ä")),
        (RegistryValue("n", "REG_EXPAND_SZ", "%x%"), 2, sz("%x%")),
        (RegistryValue("n", "REG_BINARY", b"]\0;\0"), 3, b"]\0;\0"),
        (RegistryValue("n", "REG_MULTI_SZ", ("a", "b")), 7, sz("a") + sz("b") + b"\0\0"),
        (RegistryValue("n", "REG_QWORD", 1), 11, b"\x01\0\0\0\0\0\0\0"),
        (RegistryValue("n", "REG_NONE", b""), 0, b""),
    ],
)
def test_every_kind_of_value(value: RegistryValue, kind: int, data: bytes) -> None:
    """Number and encoding of each registry type."""
    assert read_pol(registry_pol([PolicyEntry(r"A\B", value)])) == [(r"A\B", "n", kind, data)]


def test_data_of_another_kind_is_an_error() -> None:
    """A text is no number."""
    with pytest.raises(ValueError, match="REG_DWORD"):
        registry_pol([PolicyEntry("K", RegistryValue("n", "REG_DWORD", "1"))])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=4))
def test_what_is_written_is_read_back(entries: list[tuple[str, str, str]]) -> None:
    """Any keys, names and texts survive, in order."""
    policy = registry_pol(
        [PolicyEntry(key, RegistryValue(name, "REG_SZ", text)) for key, name, text in entries]
    )
    assert read_pol(policy) == [(key, name, 1, sz(text)) for key, name, text in entries]
