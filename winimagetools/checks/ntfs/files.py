"""What a file says of itself: names, streams, clusters; each compared with the others."""

from __future__ import annotations

from collections import defaultdict
from struct import Struct
from typing import NamedTuple

from winimagetools.checks.ntfs.records import (
    ALLOCATION,
    BITMAP,
    COMPRESSED,
    DATA,
    HOLE,
    IS_FOLDER,
    NAME,
    OBJECT_ID,
    REPARSE,
    ROOT,
    SPARSE,
    STANDARD,
    Attribute,
    Record,
)
from winimagetools.checks.ntfs.report import Report
from winimagetools.checks.ntfs.source import Volume

FIRST_FILE = 24
"""Records below are files of NTFS itself, or kept for such."""
ROOT_FOLDER, BAD_CLUSTERS = 5, 8
POSIX, WIN32, DOS, WIN32_AND_DOS = range(4)
REPARSE_POINT = 0x400
_STANDARD = Struct("<32xI")
_SECURITY = Struct("<52xI")
NAME_HEAD = Struct("<Q32xqqIIBB")
_NAME_SIZE = 66
_FORBIDDEN = frozenset('"*/:<>?\\|') | {chr(code) for code in range(32)}


class Name(NamedTuple):
    """A name of a file: the reference to its folder, UTF-16LE text and kind of name."""

    parent: int
    text: bytes
    space: int
    allocated: int
    size: int
    attributes: int
    tag: int


class File(NamedTuple):
    """What other structures are compared with.

    Args:
        size: bytes of its unnamed stream.
        allocated: bytes of clusters of that.
        attributes: bits of its standard information.
        security: number of its security descriptor; 0 when it has none.
        tag: of its reparse point, 0 for none.
        object_id: empty for none.
        indexes: attributes of its indexes by name.
    """

    sequence: int
    is_folder: bool
    names: tuple[Name, ...]
    size: int
    allocated: int
    attributes: int
    security: int
    tag: int
    object_id: bytes
    indexes: dict[bytes, list[Attribute]]


class Files:
    """All files, and the clusters they have.

    Args:
        volume: where they are.
        report: gets what is wrong.
    """

    def __init__(self, volume: Volume, report: Report) -> None:
        self._volume = volume
        self._report = report
        self.found: dict[int, File] = {}
        self.streams: dict[int, list[list[Attribute]]] = {}
        """Those of the files of NTFS itself."""
        self.runs: list[tuple[int, int, int]] = []
        """First cluster, number of clusters and record."""

    def take(self, record: Record) -> None:
        """Check a file and remember what others are compared with."""
        groups: dict[tuple[int, bytes], list[Attribute]] = defaultdict(list)
        single: dict[int, Attribute] = {}
        names: list[Name] = []
        for each in record.attributes:
            if each.kind == NAME:
                names.append(self._name(each))
            else:
                groups[each.kind, each.name].append(each)
                single[each.kind] = each
        for parts in groups.values():
            if parts[0].value is None or len(parts) > 1:
                self._stream(record.number, parts)
        if record.number < FIRST_FILE:
            self.streams[record.number] = list(groups.values())
        self._whole(record, names, groups)
        self.found[record.number] = self._file(record, names, groups, single)

    def _file(
        self,
        record: Record,
        names: list[Name],
        groups: dict[tuple[int, bytes], list[Attribute]],
        single: dict[int, Attribute],
    ) -> File:
        standard = (single[STANDARD].value or b"") if STANDARD in single else b""
        data = groups.get((DATA, b""))
        tag = self._tag(single.get(REPARSE), record.number)
        bits = _STANDARD.unpack_from(standard)[0] if len(standard) >= 48 else 0
        if bool(bits & REPARSE_POINT) != (REPARSE in single):
            self._report.add(
                "reparse points", f"The attributes of record {record.number} do not fit to it."
            )
        return File(
            sequence=record.sequence,
            is_folder=bool(record.flags & IS_FOLDER),
            names=tuple(names),
            size=data[0].size if data else 0,
            allocated=_allocated(data[0]) if data else 0,
            attributes=bits,
            security=_SECURITY.unpack_from(standard)[0] if len(standard) >= 72 else 0,
            tag=tag,
            object_id=((single[OBJECT_ID].value or b"")[:16] if OBJECT_ID in single else b""),
            indexes={
                name: [part for kind in (ROOT, ALLOCATION, BITMAP) for part in groups[kind, name]]
                for kind, name in list(groups)
                if kind == ROOT
            },
        )

    def _tag(self, attribute: Attribute | None, number: int) -> int:
        if attribute is None:
            return 0
        content = self._volume.content([attribute])
        if len(content) < 8 or len(content) - 8 < int.from_bytes(content[4:6], "little"):
            self._report.add("reparse points", f"That of record {number} is cut off.")
        return int.from_bytes(content[:4], "little")

    def _name(self, each: Attribute) -> Name:
        value = each.value or b""
        if len(value) >= _NAME_SIZE:
            parent, allocated, size, bits, tag, letters, space = NAME_HEAD.unpack_from(value)
            if len(value) == _NAME_SIZE + 2 * letters and letters and space <= WIN32_AND_DOS:
                text = value[_NAME_SIZE:]
                if space != POSIX and not _FORBIDDEN.isdisjoint(
                    text.decode("utf-16-le", "replace")
                ):
                    self._report.add("names", f"Record {each.record} has a name Windows forbids.")
                return Name(parent, text, space, allocated, size, bits, tag)
        self._report.add("names", f"A name of record {each.record} is broken.")
        return Name(0, b"", POSIX, 0, 0, 0, 0)

    def _whole(
        self,
        record: Record,
        names: list[Name],
        groups: dict[tuple[int, bytes], list[Attribute]],
    ) -> None:
        """What every file has, once."""
        number = record.number
        if record.links != len(names):
            self._report.add(
                "link counts", f"Record {number} has {len(names)} names and says {record.links}."
            )
        standard = groups.get((STANDARD, b""), [])
        if len(standard) != 1 or len(standard[0].value or b"") not in (48, 72):
            self._report.add("standard information", f"That of record {number} is wrong.")
        if not names and not 12 <= number < FIRST_FILE:
            self._report.add("names", f"Record {number} has no name.")
        is_folder, has_index = bool(record.flags & IS_FOLDER), (ROOT, _I30) in groups
        if is_folder != has_index:
            self._report.add("folders", f"Record {number} is half a folder.")
        if not is_folder and (DATA, b"") not in groups and number >= FIRST_FILE + 3:
            self._report.add("streams", f"Record {number} is a file without content.")
        self._pairs(number, names)

    def _pairs(self, number: int, names: list[Name]) -> None:
        """A short name belongs to a long one in the same folder."""
        long = [name.parent for name in names if name.space == WIN32]
        short = [name.parent for name in names if name.space == DOS]
        if len(short) > 1 or sorted(long) != sorted(short):
            self._report.add("short names", f"Record {number} has a short name without a long one.")

    def _stream(self, number: int, parts: list[Attribute]) -> None:
        first, stored, following = parts[0], 0, 0
        for part in parts:
            if part.value is not None or part.lowest != following:
                self._report.add("runs", f"{first.text} of record {number} has a gap.")
                return
            following = part.highest + 1
            for place, length in part.runs:
                if place != HOLE:
                    stored += length
                    self.runs.append((place, length, number))
        self._sizes(number, first, stored * self._volume.cluster, following * self._volume.cluster)

    def _sizes(self, number: int, first: Attribute, stored: int, allocated: int) -> None:
        shrunk = first.flags & (COMPRESSED | SPARSE)
        if stored != allocated and not shrunk and number != BAD_CLUSTERS:
            self._report.add("runs", f"{first.text} of record {number} has holes.")
        if first.allocated != allocated or (shrunk and first.stored != stored):
            self._report.add("sizes", f"{first.text} of record {number} has other clusters.")
        if not 0 <= first.initialized <= first.size <= allocated:
            self._report.add("sizes", f"The sizes of {first.text} of record {number} do not fit.")


_I30 = "$I30".encode("utf-16-le")


def _allocated(data: Attribute) -> int:
    if data.value is not None:
        return (data.size + 7) & ~7
    return data.stored if data.flags & (COMPRESSED | SPARSE) else data.allocated
