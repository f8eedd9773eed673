"""Security descriptors, reparse points and object ids: indexes over all files."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct, iter_unpack, unpack_from

from winimagetools.checks.ntfs.files import FIRST_FILE, File
from winimagetools.checks.ntfs.indexes import IndexEntry, IndexReader, Order
from winimagetools.checks.ntfs.records import Attribute
from winimagetools.checks.ntfs.report import Report
from winimagetools.checks.ntfs.source import Volume
from winimagetools.checks.ntfs.table import NUMBER

SECURE_RECORD, EXTEND_RECORD = 9, 11
_PLACE = Struct("<IIQI")
_BLOCK = 0x40000
"""``$SDS`` has each 256 KiB twice, one after the other."""
_SMALLEST = 20 + 20
_MASK = 0xFFFFFFFF


def numbers(key: bytes) -> tuple[int, ...]:
    """Order of a key of 32-bit numbers. Raises ValueError."""
    if not key or len(key) % 4:
        raise ValueError(f"{len(key)} bytes are no 32-bit numbers")
    return tuple(number for (number,) in iter_unpack("<I", key))


def _by_hash(key: bytes) -> tuple[int, ...]:
    return numbers(key[:8])


def _named(file: File, name: str) -> list[Attribute]:
    return file.indexes.get(name.encode("utf-16-le"), [])


def read_index(
    volume: Volume, file: File, name: str, order: Order, report: Report
) -> list[IndexEntry]:
    """The entries of a named index of a file; empty without it."""
    parts = _named(file, name)
    return IndexReader(volume, parts, order, report, name).entries() if parts else []


def descriptor_hash(descriptor: bytes) -> int:
    """The hash of a security descriptor in ``$Secure``: rotate by 3 bits and add."""
    value = 0
    for (word,) in iter_unpack("<I", descriptor[: len(descriptor) & ~3]):
        value = (word + (value << 3 & _MASK | value >> 29)) & _MASK
    return value


def check_security(
    volume: Volume, files: Mapping[int, File], stream: bytearray, report: Report
) -> None:
    """Compare ``$SDS``, its two indexes and the numbers that files have.

    Args:
        volume: where it is.
        files: everything.
        stream: content of ``$SDS``.
        report: gets what is wrong.
    """
    secure = files[SECURE_RECORD]
    found = _descriptors(stream, report)
    by_id = {
        int.from_bytes(entry.key, "little"): entry.data
        for entry in read_index(volume, secure, "$SII", numbers, report)
    }
    by_hash = {
        entry.key: entry.data for entry in read_index(volume, secure, "$SDH", _by_hash, report)
    }
    for number, place in found.items():
        if by_id.pop(number, None) != place or by_hash.pop(place[:8], b"")[:20] != place:
            report.add("security indexes", f"Descriptor {number} is not in the indexes as it is.")
    for _ in (*by_id, *by_hash):
        report.add("security indexes", "An index has a security descriptor that is not there.")
    for number, file in files.items():
        if file.security not in found and (file.security or number >= FIRST_FILE + 3):
            report.add(
                "security numbers",
                f"Record {number} has security descriptor {file.security}, which is not there.",
            )


def _descriptors(stream: bytearray, report: Report) -> dict[int, bytes]:
    """Places of all descriptors by their number: hash, number, offset, length."""
    found: dict[int, bytes] = {}
    for start in range(0, len(stream), 2 * _BLOCK):
        at = start
        while at + 20 <= min(start + _BLOCK, len(stream)):
            head = bytes(stream[at : at + 20])
            value, number, offset, length = _PLACE.unpack(head)
            if not length:
                break
            data = bytes(stream[at + 20 : at + length])
            if offset != at or length < _SMALLEST or at + length > len(stream):
                report.add("security descriptors", f"The entry at {at} of $SDS is broken.")
                break
            if descriptor_hash(data) != value or not is_descriptor(data) or number in found:
                report.add("security descriptors", f"Security descriptor {number} is broken.")
            if stream[at + _BLOCK : at + _BLOCK + length] != stream[at : at + length]:
                report.add("security mirror", f"The copy of descriptor {number} differs.")
            found[number] = head
            at += length + 15 & ~15
    return found


def is_descriptor(data: bytes) -> bool:
    """Whether the parts of a self-relative descriptor are where it says ([MS-DTYP] 2.4.6)."""
    revision, _, control, owner, group, system, discretionary = unpack_from("<BBHIIII", data)
    if revision != 1 or not control & 0x8000:
        return False
    sids = [place for place in (owner, group) if place]
    lists = [place for place in (system, discretionary) if place]
    return all(
        place + 8 <= len(data) and place + 8 + 4 * data[place + 1] <= len(data) for place in sids
    ) and all(_is_list(data, place) for place in lists)


def _is_list(data: bytes, at: int) -> bool:
    if at + 8 > len(data):
        return False
    _, size, count = unpack_from("<HHH", data, at)
    place, end = at + 8, at + size
    for _ in range(count):
        if place + 4 > end:
            return False
        place += max(unpack_from("<H", data, place + 2)[0], 4)
    return bool(place <= end <= len(data))


def check_reparse_points(
    volume: Volume, files: Mapping[int, File], index: File | None, report: Report
) -> None:
    """Compare ``$Extend/$Reparse`` with the files that have a reparse point."""
    entries = read_index(volume, index, "$R", numbers, report) if index else []
    found = {unpack_from("<IQ", entry.key) for entry in entries if len(entry.key) == 12}
    wanted = {
        (file.tag, number | file.sequence << 48) for number, file in files.items() if file.tag
    }
    for _, reference in found - wanted:
        report.add("reparse index", f"It has record {reference & NUMBER} with a wrong tag.")
    for _, reference in wanted - found:
        report.add("reparse index", f"Record {reference & NUMBER} is not in it.")
    if len(found) != len(entries):
        report.add("reparse index", "It has broken keys.")


def check_object_ids(
    volume: Volume, files: Mapping[int, File], index: File | None, report: Report
) -> None:
    """Compare ``$Extend/$ObjId`` with the files that have an object id."""
    entries = read_index(volume, index, "$O", numbers, report) if index else []
    found = {(entry.key, int.from_bytes(entry.data[:8], "little")) for entry in entries}
    wanted = {
        (file.object_id, number | file.sequence << 48)
        for number, file in files.items()
        if file.object_id
    }
    for _, reference in found - wanted:
        report.add("object ids", f"The index has another id for record {reference & NUMBER}.")
    for _, reference in wanted - found:
        report.add("object ids", f"The id of record {reference & NUMBER} is not in the index.")
