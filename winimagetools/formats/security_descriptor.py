r"""Security descriptors as bytes: making them, and what a new file inherits.

Self-relative descriptors as NTFS stores them, [MS-DTYP] 2.4.6; access control entries
2.4.4; inheritance 2.5.3.4. Only pure functions; :mod:`winimagetools.host.linux.ntfs`
reads and writes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

OBJECT_INHERIT = 0x01
CONTAINER_INHERIT = 0x02
NO_PROPAGATE = 0x04
INHERIT_ONLY = 0x08
INHERITED = 0x10

SE_DACL_PRESENT = 0x0004
SE_DACL_AUTO_INHERITED = 0x0400
SE_DACL_PROTECTED = 0x1000
SE_SELF_RELATIVE = 0x8000

FILE_ALL_ACCESS = 0x001F01FF

_GENERIC = {
    0x10000000: FILE_ALL_ACCESS,
    0x20000000: 0x001200A0,
    0x40000000: 0x00120116,
    0x80000000: 0x00120089,
}
"""GENERIC_ALL, _EXECUTE, _WRITE and _READ and what they mean for files (winnt.h)."""

_SIMPLE_TYPES = {0x00, 0x01, 0x09, 0x0A}
"""Allow and deny, plain and conditional: a mask, a SID, and for the latter more data."""

_HEADER = struct.Struct("<BBHIIII")
_ACL_HEADER = struct.Struct("<BBHHH")
_ACE_HEADER = struct.Struct("<BBHI")
_ACL_REVISION = 2


def sid(text: str) -> bytes:
    """A SID such as ``S-1-5-32-544`` in binary form, [MS-DTYP] 2.4.2.

    Raises:
        ValueError: it does not read ``S-1-`` followed by numbers.
    """
    letter, revision, authority, *rest = text.split("-")
    if (letter, revision) != ("S", "1") or not rest:
        raise ValueError(f"{text!r} is not a SID such as S-1-5-18")
    head = struct.pack(">BB", 1, len(rest)) + int(authority).to_bytes(6, "big")
    return head + struct.pack(f"<{len(rest)}I", *(int(part) for part in rest))


SYSTEM = sid("S-1-5-18")
ADMINISTRATORS = sid("S-1-5-32-544")
CREATOR_OWNER = sid("S-1-3-0")
CREATOR_GROUP = sid("S-1-3-1")


@dataclass(frozen=True)
class Ace:
    """One access control entry.

    Args:
        kind: ACE type: 0 allow, 1 deny, 9 and 10 the same with a condition.
        flags: the inheritance bits above.
        mask: access rights.
        sid: whom it is about, binary.
        condition: bytes that follow the SID, for conditional entries.
    """

    kind: int
    flags: int
    mask: int
    sid: bytes
    condition: bytes = b""

    def pack(self) -> bytes:
        """The entry as it stands in an ACL."""
        body = self.sid + self.condition
        return _ACE_HEADER.pack(self.kind, self.flags, 8 + len(body), self.mask) + body


def allow(who: bytes, mask: int = FILE_ALL_ACCESS, flags: int = 0) -> Ace:
    """An entry that allows ``mask``, by default everything."""
    return Ace(0, flags, mask, who)


def descriptor(
    aces: Iterable[Ace],
    *,
    owner: bytes = ADMINISTRATORS,
    group: bytes = SYSTEM,
    control: int = 0,
) -> bytes:
    """A self-relative security descriptor with a DACL.

    Args:
        aces: entries in the order they apply.
        owner: binary SID.
        group: binary SID.
        control: SE_DACL_PROTECTED or SE_DACL_AUTO_INHERITED, if any.
    """
    packed = [ace.pack() for ace in aces]
    size = _ACL_HEADER.size + sum(len(ace) for ace in packed)
    dacl = _ACL_HEADER.pack(_ACL_REVISION, 0, size, len(packed), 0) + b"".join(packed)
    control |= SE_SELF_RELATIVE | SE_DACL_PRESENT
    owner_at = _HEADER.size + len(dacl)
    head = _HEADER.pack(1, 0, control, owner_at, owner_at + len(owner), 0, _HEADER.size)
    return head + dacl + owner + group


def private_descriptor(*, is_dir: bool) -> bytes:
    """SYSTEM and Administrators may do everything, nobody else anything.

    Protected, so that nothing is inherited from above; a folder hands it on to what is made
    in it later.
    """
    flags = OBJECT_INHERIT | CONTAINER_INHERIT if is_dir else 0
    aces = [allow(SYSTEM, flags=flags), allow(ADMINISTRATORS, flags=flags)]
    return descriptor(aces, control=SE_DACL_PROTECTED)


def dacl_of(data: bytes) -> list[Ace] | None:
    """The DACL of a self-relative descriptor; None when it has none (everything allowed).

    Entries of other types (object ACEs, which file systems do not use) are left out.
    """
    control, offset = _HEADER.unpack_from(data)[2], _HEADER.unpack_from(data)[6]
    if not control & SE_DACL_PRESENT or not offset:
        return None
    count = _ACL_HEADER.unpack_from(data, offset)[3]
    position = offset + _ACL_HEADER.size
    aces = []
    for _ in range(count):
        kind, flags, size, mask = _ACE_HEADER.unpack_from(data, position)
        body = data[position + _ACE_HEADER.size : position + size]
        if kind in _SIMPLE_TYPES:
            length = 8 + 4 * body[1]
            aces.append(Ace(kind, flags, mask, body[:length], body[length:]))
        position += size
    return aces


def inherited_descriptor(
    parent: bytes, *, is_dir: bool, owner: bytes = ADMINISTRATORS, group: bytes = SYSTEM
) -> bytes:
    """What Windows gives a file or folder that an administrator makes below ``parent``.

    A parent with nothing to inherit gives what an administrator's token has as default:
    everything for Administrators and SYSTEM.

    Args:
        parent: the parent folder's self-relative descriptor.
        is_dir: whether the new object is a folder.
        owner: binary SID of its owner.
        group: binary SID of its primary group.
    """
    found = [
        child
        for ace in dacl_of(parent) or ()
        for child in _inherit(ace, is_dir=is_dir, owner=owner, group=group)
    ]
    if not found:
        return descriptor([allow(ADMINISTRATORS), allow(SYSTEM)], owner=owner, group=group)
    return descriptor(found, owner=owner, group=group, control=SE_DACL_AUTO_INHERITED)


def _inherit(ace: Ace, *, is_dir: bool, owner: bytes, group: bytes) -> Sequence[Ace]:
    """The entries a child gets from one entry of its parent: none, one or two.

    An entry with generic rights or CREATOR OWNER that takes effect on a folder and is
    handed on as well becomes two: the effective one with both resolved, and one for the
    children only that keeps them.
    """
    if not ace.flags & (CONTAINER_INHERIT if is_dir else OBJECT_INHERIT):
        return _hand_on(ace) if is_dir else ()
    effective = replace(ace, flags=INHERITED, mask=_map_generic(ace.mask))
    effective = replace(effective, sid=_resolve(ace.sid, owner, group))
    if not is_dir or ace.flags & NO_PROPAGATE:
        return (effective,)
    onward = ace.flags & (OBJECT_INHERIT | CONTAINER_INHERIT) | INHERITED
    if (effective.sid, effective.mask) == (ace.sid, ace.mask):
        return (replace(ace, flags=onward),)
    return (effective, replace(ace, flags=onward | INHERIT_ONLY))


def _hand_on(ace: Ace) -> Sequence[Ace]:
    """An entry for files only passes through a folder without effect on it."""
    if not ace.flags & OBJECT_INHERIT or ace.flags & NO_PROPAGATE:
        return ()
    return (replace(ace, flags=OBJECT_INHERIT | INHERIT_ONLY | INHERITED),)


def _map_generic(mask: int) -> int:
    for generic, specific in _GENERIC.items():
        if mask & generic:
            mask = mask & ~generic | specific
    return mask


def _resolve(who: bytes, owner: bytes, group: bytes) -> bytes:
    return {CREATOR_OWNER: owner, CREATOR_GROUP: group}.get(who, who)
