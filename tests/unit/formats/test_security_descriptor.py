import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.security import from_sddl
from winimagetools.formats.security_descriptor import (
    ADMINISTRATORS,
    CREATOR_OWNER,
    SYSTEM,
    Ace,
    allow,
    dacl_of,
    descriptor,
    inherited_descriptor,
    private_descriptor,
    sid,
)

USERS = sid("S-1-5-32-545")
EVERYONE = sid("S-1-1-0")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("S-1-5-18", "010100000000000512000000"),
        ("S-1-5-32-544", "01020000000000052000000020020000"),
        ("S-1-5-32-545", "01020000000000052000000021020000"),
        ("S-1-1-0", "010100000000000100000000"),
        ("S-1-3-0", "010100000000000300000000"),
        (
            "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
            "010600000000000550000000b589fb381984c2cb5c6c236d5700776ec0026487",
        ),
    ],
)
def test_sids_are_packed(text: str, data: str) -> None:
    """Sub-authorities are little-endian, the authority big-endian."""
    assert sid(text).hex() == data


@pytest.mark.parametrize("text", ["", "S-1-5", "S-2-5-18", "BA", "S-1-x-18"])
def test_other_texts_are_no_sids(text: str) -> None:
    """ValueError for all of them."""
    with pytest.raises(ValueError):
        sid(text)


def test_private_descriptor_of_a_file_byte_for_byte() -> None:
    """Control 0x9004 (self-relative, protected, DACL), two entries, owner, group."""
    assert private_descriptor(is_dir=False).hex() == (
        "01000490480000005800000000000000"  # revision, control, offsets of owner and group
        "14000000"  # offset of the DACL
        "0200340002000000"  # ACL revision 2, 0x34 bytes, two entries
        "00001400ff011f00010100000000000512000000"  # SYSTEM
        "00001800ff011f0001020000000000052000000020020000"  # Administrators
        "01020000000000052000000020020000"  # owner
        "010100000000000512000000"  # group
    )


def test_private_descriptor_of_a_folder_is_handed_on() -> None:
    """What is made in it later is just as private."""
    data = private_descriptor(is_dir=True)
    assert data == from_sddl("O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
    child = inherited_descriptor(data, is_dir=False)
    assert child == from_sddl("O:BAG:SYD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)")


def _flags(text: str) -> str:
    """SDDL of a descriptor as the functions here make it."""
    return f"O:BAG:SYD:{text}"


ROOT = (
    "O:TIG:TID:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;FRFX;;;BU)"
    "(A;OICIIO;GA;;;CO)(A;CI;FR;;;AU)(A;OI;FR;;;WD)"
)


@pytest.mark.parametrize(
    ("parent", "is_dir", "child"),
    [
        pytest.param(
            ROOT,
            False,
            "AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;FRFX;;;BU)(A;ID;FA;;;BA)(A;ID;FR;;;WD)",
            id="a file takes entries for objects, CREATOR OWNER becomes its owner",
        ),
        pytest.param(
            ROOT,
            True,
            "AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;FRFX;;;BU)"
            "(A;ID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;CIID;FR;;;AU)(A;OIIOID;FR;;;WD)",
            id="a folder takes entries for containers and hands those for objects on",
        ),
        pytest.param(
            "O:BAG:SYD:P(A;;FA;;;SY)(A;OICIIO;GA;;;BA)",
            True,
            "AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)",
            id="generic rights become two entries, the effective one mapped",
        ),
        pytest.param(
            "O:BAG:SYD:P(A;OICINP;FA;;;SY)(A;OINP;FR;;;BU)(A;CINP;FR;;;AU)",
            True,
            "AI(A;ID;FA;;;SY)(A;ID;FR;;;AU)",
            id="no-propagate ends at the first folder",
        ),
        pytest.param(
            "O:BAG:SYD:P(A;OICINP;FA;;;SY)(A;OINP;FR;;;BU)(A;CINP;FR;;;AU)",
            False,
            "AI(A;ID;FA;;;SY)(A;ID;FR;;;BU)",
            id="no-propagate reaches files",
        ),
        pytest.param(
            "O:BAG:SYD:AI(D;OICIID;FR;;;BU)(A;OICIID;FA;;;SY)",
            True,
            "AI(D;OICIID;FR;;;BU)(A;OICIID;FA;;;SY)",
            id="denials and entries that were inherited themselves go on",
        ),
        pytest.param(
            "O:BAG:SYD:P(A;;FA;;;WD)",
            False,
            "(A;;FA;;;BA)(A;;FA;;;SY)",
            id="nothing to inherit gives the default of an administrator",
        ),
        pytest.param(
            "O:BAG:SYD:P(A;CI;FA;;;WD)",
            False,
            "(A;;FA;;;BA)(A;;FA;;;SY)",
            id="entries for folders only are nothing for a file",
        ),
    ],
)
def test_inheritance(parent: str, is_dir: bool, child: str) -> None:
    """[MS-DTYP] 2.5.3.4, byte for byte."""
    assert inherited_descriptor(from_sddl(parent), is_dir=is_dir) == from_sddl(_flags(child))


@pytest.mark.parametrize(
    ("generic", "mask"),
    [
        (0x10000000, 0x1F01FF),
        (0x20000000, 0x1200A0),
        (0x40000000, 0x120116),
        (0x80000000, 0x120089),
        (0xE0010000, 0x1301BF),
        (0x00120089, 0x120089),
    ],
)
def test_generic_rights_are_mapped_for_files(generic: int, mask: int) -> None:
    """FILE_GENERIC_* of winnt.h; other bits stay. 0xE0010000 is what the root of C: uses."""
    parent = descriptor([allow(USERS, generic, flags=3)])
    assert dacl_of(inherited_descriptor(parent, is_dir=False)) == [Ace(0, 0x10, mask, USERS)]


def owner_of(data: bytes) -> bytes:
    """The owner's SID of a self-relative descriptor."""
    (offset,) = struct.unpack_from("<I", data, 4)
    return data[offset : offset + 8 + 4 * data[offset + 1]]


def test_a_parent_without_dacl_has_nothing_to_inherit() -> None:
    """Everything is allowed there, but not handed on."""
    head = "01000080" + "14000000" + "20000000" + "00000000" * 2
    data = bytes.fromhex(head) + SYSTEM + SYSTEM
    assert dacl_of(data) is None
    assert owner_of(data) == SYSTEM
    expected = from_sddl("O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)")
    assert inherited_descriptor(data, is_dir=True) == expected


def test_conditional_entries_keep_their_condition_and_foreign_types_are_left_out() -> None:
    """An object ACE (type 5) is skipped by its size; a conditional one is copied whole."""
    condition = b"artx\x00\x00\x00\x00"
    foreign = bytes.fromhex("0503180000000000") + bytes(16)
    kept = Ace(9, 3, 0x1200A9, EVERYONE, condition)
    dacl = kept.pack() + foreign
    head = b"\x02\x00" + (8 + len(dacl)).to_bytes(2, "little") + b"\x02\x00\x00\x00"
    data = bytes.fromhex("01000480" + "00000000" * 3 + "14000000") + head + dacl
    child = dacl_of(inherited_descriptor(data, is_dir=False))
    assert child == [Ace(9, 0x10, 0x1200A9, EVERYONE, condition)]


ACES = st.builds(
    Ace,
    kind=st.sampled_from([0, 1]),
    flags=st.integers(0, 31),
    mask=st.integers(0, 2**32 - 1),
    sid=st.sampled_from([SYSTEM, ADMINISTRATORS, USERS, EVERYONE, CREATOR_OWNER]),
)


@given(st.lists(ACES, max_size=8))
def test_reading_gives_what_was_made(aces: list[Ace]) -> None:
    """Packing and unpacking a DACL are inverse."""
    data = descriptor(aces, owner=USERS)
    assert dacl_of(data) == aces
    assert owner_of(data) == USERS


@given(st.lists(ACES, max_size=8), st.booleans())
def test_inherited_entries_are_marked_and_resolved(aces: list[Ace], is_dir: bool) -> None:
    """Effective entries name real accounts and real rights; files hand nothing on."""
    parent = descriptor(aces)
    entries = dacl_of(inherited_descriptor(parent, is_dir=is_dir)) or []
    if entries != [allow(ADMINISTRATORS), allow(SYSTEM)]:
        assert all(ace.flags & 0x10 for ace in entries)
    for ace in entries:
        if not ace.flags & 0x08:
            assert ace.sid != CREATOR_OWNER
            assert not ace.mask & 0xF0000000
        if not is_dir:
            assert not ace.flags & 0x0F
