"""The master file table: every record, and files put together of their records."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from winimagetools.checks.ntfs.records import (
    BITMAP,
    DATA,
    LIST,
    Attribute,
    Record,
    is_in_use,
    parse_record,
)
from winimagetools.checks.ntfs.report import Damage, Report
from winimagetools.checks.ntfs.source import LARGEST_TABLE, Volume

MIRRORED = 4
NUMBER = (1 << 48) - 1
"""The part of a reference to a record that is its number; above is its sequence number."""
_ENTRY = Struct("<IHBBqQH")
_SMALLEST_ENTRY = 26


class Entry(NamedTuple):
    """One line of an attribute list: where a part of an attribute is."""

    kind: int
    name: bytes
    lowest: int
    record: int
    sequence: int
    instance: int


def read_table(volume: Volume, report: Report) -> tuple[bytearray, bytearray]:
    """All records as bytes, and the bitmap of those that are used.

    The first record describes where the table is; its own description may go on in others,
    which always lie in what is known by then.

    Raises:
        Damage: the table cannot be read.
    """
    head = bytearray(volume.read(volume.table * volume.cluster, volume.record))
    first = parse_record(head, 0)
    parts = [each for each in first.attributes if each.kind == DATA and not each.name]
    bitmap = [each for each in first.attributes if each.kind == BITMAP]
    listed = [each for each in first.attributes if each.kind == LIST]
    if not parts or parts[0].value is not None or not bitmap:
        raise Damage("master file table", "The first record does not describe the table.")
    for entry in read_list(volume.content(listed), 0) if listed else ():
        if entry.kind in (DATA, BITMAP) and entry.record:
            table = volume.content(parts, LARGEST_TABLE)
            other = parse_record(_cut(table, entry.record, volume.record), entry.record)
            for each in other.attributes:
                if each.kind == entry.kind and each.lowest == entry.lowest:
                    (parts if entry.kind == DATA else bitmap).append(each)
    table = volume.content(parts, LARGEST_TABLE)
    _check_mirror(volume, table, report)
    if parts[0].size % volume.record:
        report.add("master file table", "The table does not end with a whole record.")
    return table, volume.content(bitmap)


def _cut(table: bytearray, number: int, size: int) -> bytearray:
    block = table[number * size : (number + 1) * size]
    if len(block) < size:
        raise Damage("references", f"Record {number} is behind the end of the table.")
    return block


def _check_mirror(volume: Volume, table: bytearray, report: Report) -> None:
    length = MIRRORED * volume.record
    if volume.read(volume.mirror * volume.cluster, length) != table[:length]:
        report.add("table mirror", "The copy of the first records differs from them.")


def read_list(content: bytes | bytearray, number: int) -> list[Entry]:
    """The lines of an attribute list. Raises Damage."""
    found, at = [], 0
    while at + _SMALLEST_ENTRY <= len(content):
        kind, length, letters, name_at, lowest, place, instance = _ENTRY.unpack_from(content, at)
        if length % 8 or length < _SMALLEST_ENTRY + 2 * letters or at + length > len(content):
            break
        name = bytes(content[at + name_at : at + name_at + 2 * letters])
        found.append(Entry(kind, name, lowest, place & NUMBER, place >> 48, instance))
        at += length
    if at != len(content):
        raise Damage("attribute lists", f"The attribute list of record {number} is broken.")
    return found


def records(
    table: bytearray, volume: Volume, bitmap: bytearray, report: Report
) -> Iterator[Record]:
    """Every record that is used; what is wrong with the others is reported."""
    size, used = volume.record, int.from_bytes(bitmap, "little")
    count = len(table) // size
    if used >> count:
        report.add("record bitmap", "The bitmap marks records behind the end of the table.")
    marks = bin(used | 1 << count)[:2:-1]
    for number in range(count):
        block = table[number * size : (number + 1) * size]
        marked = marks[number] == "1"
        if not is_in_use(block) or block[:4] != b"FILE":
            if marked:
                report.add("record bitmap", f"Record {number} is marked but not used.")
            elif block[:4] not in (b"FILE", b"BAAD", bytes(4)):
                report.add("marks", f"The unused record {number} holds something else.")
            continue
        if not marked:
            report.add("record bitmap", f"Record {number} is used but not marked.")
        try:
            yield parse_record(block, number)
        except Damage as error:
            report.damage(error)


def assemble(found: Iterator[Record], volume: Volume, report: Report) -> Iterator[Record]:
    """Files with the attributes of all their records, those with several records last."""
    bases: list[Record] = []
    extensions: dict[int, Record] = {}
    for record in found:
        if record.base:
            extensions[record.number] = record
        elif record.number and any(each.kind == LIST for each in record.attributes):
            bases.append(record)
        elif not record.number and any(each.kind == LIST for each in record.attributes):
            bases.insert(0, record)
        else:
            yield record
    for base in bases:
        try:
            yield _joined(base, extensions, volume, report)
        except Damage as error:
            report.damage(error)
    for number, left in extensions.items():
        report.add(
            "attribute lists",
            f"Record {number} continues record {left.base & NUMBER}, which does not list it.",
        )


def _joined(base: Record, extensions: dict[int, Record], volume: Volume, report: Report) -> Record:
    listed = [each for each in base.attributes if each.kind == LIST]
    lines = read_list(volume.content(listed), base.number)
    attributes = {_place(each): each for each in base.attributes if each.kind != LIST}
    for number in {line.record for line in lines} - {base.number}:
        record = extensions.pop(number, None)
        if record is None or record.base != base.number | base.sequence << 48:
            report.add(
                "attribute lists",
                f"Record {base.number} lists record {number}, which does not continue it.",
            )
            continue
        attributes |= {_place(each): each for each in record.attributes}
        if any(line.sequence != record.sequence for line in lines if line.record == number):
            report.add("references", f"Record {base.number} lists an older record {number}.")
    wanted = {(line.record, line.instance): line for line in lines}
    for place, each in attributes.items():
        line = wanted.pop(place, None)
        if line is None or line[:3] != (each.kind, each.name, each.lowest):
            report.add("attribute lists", f"Record {base.number} does not list its {each.text}.")
    for line in wanted.values():
        report.add(
            "attribute lists",
            f"Record {base.number} lists an attribute {line.kind:#x} that is not there.",
        )
    if [line[0] for line in lines] != sorted(line[0] for line in lines):
        report.add("attribute lists", f"The list of record {base.number} is out of order.")
    everything = sorted([*listed, *attributes.values()], key=lambda each: (each.kind, each.lowest))
    return base._replace(attributes=everything)


def _place(each: Attribute) -> tuple[int, int]:
    return each.record, each.instance
