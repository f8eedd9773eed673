"""Records of the master file table and the attributes in them, as bytes.

A record is 1 KiB with a header, attributes one after the other, and two bytes at the end of
each 512 that belong somewhere else: they show whether it was written as a whole.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from winimagetools.checks.ntfs.report import Damage

STANDARD, LIST, NAME, OBJECT_ID, SECURITY = 0x10, 0x20, 0x30, 0x40, 0x50
VOLUME_NAME, VOLUME, DATA, ROOT, ALLOCATION, BITMAP = 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0
REPARSE, EA_INFORMATION, EA, LOGGED = 0xC0, 0xD0, 0xE0, 0x100
TYPES = frozenset((*range(0x10, 0xF0, 0x10), LOGGED))
ALWAYS_RESIDENT = frozenset((STANDARD, NAME, VOLUME_NAME, VOLUME, ROOT, EA_INFORMATION))
COMPRESSED, SPARSE = 0x0001, 0x8000
IN_USE, IS_FOLDER = 1, 2
SECTOR = 512
HOLE = -1
END = 0xFFFFFFFF

_HEADER = Struct("<4sHHQHHHHIIQHHI")
_ATTRIBUTE = Struct("<IIBBHHH")
_RESIDENT = Struct("<IHBB")
_ELSEWHERE = Struct("<qqHB5xqqq")
_TWO = Struct("<HH")
_WORD = Struct("<I")
_LONG = Struct("<q")
_LARGEST_RUN = 8


class Attribute(NamedTuple):
    """An attribute, or the part of one that stands in one record.

    Args:
        kind: its type code.
        name: its name in UTF-16LE.
        value: its content when that stands in the record, else None.
        runs: places of the content: first cluster (:data:`HOLE` for none) and length.
        lowest: number within the attribute of the first cluster of this part.
        highest: of the last one.
        allocated: bytes of clusters, holes included, as the first part says; -1 in others.
        size: bytes of the content.
        initialized: bytes of it that were written; the rest reads as zeros.
        stored: bytes of clusters without holes when compressed or sparse.
        record: number of the record it stands in.
    """

    kind: int
    name: bytes
    flags: int
    instance: int
    value: bytes | None
    runs: tuple[tuple[int, int], ...]
    lowest: int
    highest: int
    allocated: int
    size: int
    initialized: int
    stored: int
    record: int

    @property
    def text(self) -> str:
        """What to call it."""
        label = f"attribute {self.kind:#x}"
        return f"{label} {self.name.decode('utf-16-le', 'replace')!r}" if self.name else label


class Record(NamedTuple):
    """A record that is in use; ``base`` is 0, or refers to the record it continues."""

    number: int
    sequence: int
    links: int
    flags: int
    base: int
    attributes: list[Attribute]


def fix_up(block: bytearray, magic: bytes, what: str) -> None:
    """Put the two bytes at the end of each sector back; in place.

    Raises:
        Damage: it has another mark, or was not written as a whole.
    """
    if block[:4] != magic:
        raise Damage("marks", f"{what} does not begin with {magic.decode()}.")
    at, count = _TWO.unpack_from(block, 4)
    if count != len(block) // SECTOR + 1 or at % 2 or at < 24 or at + 2 * count > SECTOR - 2:
        raise Damage("update sequences", f"{what} has an impossible update sequence.")
    number = block[at : at + 2]
    for place in range(1, count):
        end = SECTOR * place
        if block[end - 2 : end] != number:
            raise Damage("update sequences", f"{what} was not written as a whole.")
        block[end - 2 : end] = block[at + 2 * place : at + 2 * place + 2]


def is_in_use(block: bytes | bytearray) -> bool:
    """Whether a record says that it is used."""
    return bool(block[22] & IN_USE)


def is_misplaced(block: bytes | bytearray, number: int) -> bool:
    """Whether a record says that it is another one.

    Before NTFS 3.1 the fix-ups began where a record has its number now, so it does not say. The
    NTFS driver of Linux (ntfs3, ``MFTRECORD_FIXUP_OFFSET_1``) still writes such records.
    """
    header = _HEADER.unpack_from(block)
    return bool(header[1] >= _HEADER.size and header[-1] != number)


def parse_record(block: bytearray, number: int) -> Record:
    """Read a record that is in use; changes ``block``.

    Raises:
        Damage: it contradicts itself.
    """
    what = f"Record {number}"
    fix_up(block, b"FILE", what)
    (_, _, _, _, sequence, links, first, flags, used, size, base, following, _, own) = (
        _HEADER.unpack_from(block)
    )
    if size != len(block) or used > size or used % 8 or first % 8 or not 48 <= first < used:
        raise Damage("record headers", f"{what} gives impossible lengths.")
    if is_misplaced(block, number):
        raise Damage("record headers", f"{what} says that it is record {own}.")
    if not sequence:
        raise Damage("record headers", f"{what} has no sequence number.")
    attributes = _attributes(block, number, first, used)
    instances = {attribute.instance for attribute in attributes}
    if len(instances) != len(attributes):
        raise Damage("attribute instances", f"{what} has two attributes of one instance number.")
    if instances and max(instances) >= following:
        raise Damage("attribute instances", f"{what} will give an instance number twice.")
    return Record(number, sequence, links, flags, base, attributes)


def _attributes(block: bytearray, number: int, at: int, used: int) -> list[Attribute]:
    found = []
    while _WORD.unpack_from(block, at)[0] != END:
        kind, length, elsewhere, letters, name_at, flags, instance = _ATTRIBUTE.unpack_from(
            block, at
        )
        if length % 8 or length < 24 or at + length > used - 8:
            raise Damage("attribute lengths", f"An attribute of record {number} has a wrong end.")
        if kind not in TYPES:
            raise Damage("attribute types", f"Record {number} has an attribute of type {kind:#x}.")
        if elsewhere > 1 or (letters and not 24 <= name_at <= length - 2 * letters):
            raise Damage("attribute headers", f"Attribute {kind:#x} of record {number} is broken.")
        name = bytes(block[at + name_at : at + name_at + 2 * letters]) if letters else b""
        read = _elsewhere if elsewhere else _resident
        found.append(read(block, at, length, (kind, name, flags, instance), number))
        at += length
        if at > used - 8:
            break
    if at != used - 8:
        raise Damage("record headers", f"The attributes of record {number} end elsewhere.")
    return found


def _resident(
    block: bytearray, at: int, length: int, head: tuple[int, bytes, int, int], number: int
) -> Attribute:
    size, value_at, indexed, _ = _RESIDENT.unpack_from(block, at + 16)
    kind, name, flags, instance = head
    if value_at < 24 + len(name) or value_at + size > length or value_at % 8:
        raise Damage("attribute lengths", f"Attribute {kind:#x} of record {number} overflows.")
    if bool(indexed & 1) != (kind == NAME):
        raise Damage(
            "attribute headers", f"Attribute {kind:#x} of record {number} has a wrong index flag."
        )
    value = bytes(block[at + value_at : at + value_at + size])
    return Attribute(
        kind, name, flags, instance, value, (), 0, -1, len(value), size, size, size, number
    )


def _elsewhere(
    block: bytearray, at: int, length: int, head: tuple[int, bytes, int, int], number: int
) -> Attribute:
    kind, name, flags, instance = head
    if length < 64:
        raise Damage("attribute lengths", f"Attribute {kind:#x} of record {number} is cut off.")
    if kind in ALWAYS_RESIDENT:
        raise Damage(
            "attribute headers", f"Attribute {kind:#x} of record {number} is not in the record."
        )
    lowest, highest, runs_at, _, allocated, size, initialized = _ELSEWHERE.unpack_from(
        block, at + 16
    )
    shrunk = flags & (COMPRESSED | SPARSE) and lowest == 0
    if not (72 if shrunk else 64) + len(name) <= runs_at < length:
        raise Damage("runs", f"Attribute {kind:#x} of record {number} has no list of clusters.")
    runs, count = decode_runs(block, at + runs_at, at + length, f"record {number}")
    if lowest < 0 or count != highest - lowest + 1:
        raise Damage(
            "runs", f"The clusters of attribute {kind:#x} of record {number} are {count}, not "
            f"{highest - lowest + 1}."
        )  # fmt: skip
    if lowest:
        allocated = size = initialized = -1
    stored = _LONG.unpack_from(block, at + 64)[0] if shrunk else allocated
    return Attribute(
        kind, name, flags, instance, None, runs, lowest, highest, allocated, size, initialized,
        stored, number,
    )  # fmt: skip


def decode_runs(
    block: bytes | bytearray, at: int, end: int, what: str
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Places of clusters, and how many there are with holes.

    Raises:
        Damage: the list has no end or is impossible.
    """
    runs, count, place = [], 0, 0
    while at < end and (head := block[at]):
        lengths, places = head & 15, head >> 4
        after = at + 1 + lengths + places
        if not 0 < lengths <= _LARGEST_RUN or places > _LARGEST_RUN or after > end:
            break
        length = int.from_bytes(block[at + 1 : at + 1 + lengths], "little", signed=True)
        if length <= 0:
            break
        if places:
            place += int.from_bytes(block[at + 1 + lengths : after], "little", signed=True)
            if place < 0:
                break
        runs.append((place if places else HOLE, length))
        count += length
        at = after
    else:
        if at < end:
            return tuple(runs), count
    raise Damage("runs", f"A list of clusters of {what} cannot be read.")
