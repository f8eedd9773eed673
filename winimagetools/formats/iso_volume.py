"""Where the files of an ISO lie: path -> byte ranges of the ISO file.

pycdlib reads the volume structures and the folders. The byte ranges are worked out
here from the records it found, because pycdlib treats a file as if it were one range,
takes sparse and chained UDF ranges for ordinary data, lets files that begin at the same
block share one length, and shortens files to what is left of an ISO that was cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from winimagetools.errors import MediaError
from winimagetools.files.sparse import Extent
from winimagetools.formats.iso_structures import FIRST_DESCRIPTOR, SECTOR, Structures, TooMuch

_FILE_ENTRY, _EXTENDED_FILE_ENTRY, _ALLOCATION_EXTENT = 261, 266, 258
_MOST_RANGES = 500_000
"""Of all files; those of mastered media have one each, or one for each GiB."""
_MOST_DESCRIPTORS = 100_000
_AGAIN = "Copy or download it again and compare its checksum with the publisher's."


class _Damaged(Exception):
    """The structures contradict themselves; becomes a MediaError."""


def has_iso_signature(stream: BinaryIO) -> bool:
    """Whether an ISO 9660 volume descriptor is where it should be (ECMA-119, 8.1)."""
    stream.seek(FIRST_DESCRIPTOR)
    return stream.read(6)[1:] == b"CD001"


def read_volume(stream: BinaryIO, name: str) -> dict[str, tuple[Extent, ...]]:
    """Every file of an ISO with the ranges its content is in.

    The tree is the UDF one when there is one (Microsoft's ISO 9660 tree holds just a
    README.TXT), else Rock Ridge, else Joliet, else the plain one without ``;1``.

    Args:
        stream: the ISO, opened for reading; must stay open only during the call.
        name: what to call it in messages.

    Raises:
        MediaError: not an ISO, cut off or damaged.
    """
    size = stream.seek(0, 2)
    if not has_iso_signature(stream):
        raise MediaError(
            f"{name} is not an ISO image: it has no ISO 9660 volume descriptor.",
            "Give the path of an ISO file or of a folder.",
        )
    try:
        files = dict(_counted(_read_tree(stream)))
    except TooMuch as error:
        raise MediaError(
            f"{name} is damaged or made to do harm: its folders claim to have more entries than "
            "any medium has.",
            _AGAIN,
        ) from error
    # pycdlib raises struct.error, IndexError, AttributeError and more beside its own
    # exceptions when bytes are not what it expects, so nothing narrower will do.
    except Exception as error:
        raise _explain(stream, name, size, error) from error
    promised = _promised_size(stream)
    if any(_is_cut(extent, size, promised) for extents in files.values() for extent in extents):
        raise _cut_off(name, size)
    return files


def _counted(
    files: Iterator[tuple[str, tuple[Extent, ...]]],
) -> Iterator[tuple[str, tuple[Extent, ...]]]:
    """The files, as long as they are in no more ranges than any medium has."""
    left = _MOST_RANGES
    for name, extents in files:
        left -= len(extents)
        if left < 0:
            raise TooMuch
        yield name, extents


def _is_cut(extent: Extent, size: int, promised: int) -> bool:
    """Whether part of the extent lies behind the end of the ISO.

    pycdlib shortens ISO 9660 files that go over the end so that they stop right at it,
    which is why a file that does so is suspect when the ISO should be longer.
    """
    if extent.offset is None:
        return False
    end = extent.offset + extent.length
    return extent.length < 0 or end > size or (end == size < promised)


def _promised_size(stream: BinaryIO) -> int:
    """Bytes the ISO should have: the volume space size (ECMA-119, 8.4.8)."""
    stream.seek(FIRST_DESCRIPTOR + 80)
    blocks: int = struct.unpack("<I", stream.read(4).ljust(4, b"\0"))[0]
    return blocks * SECTOR


def _read_tree(stream: BinaryIO) -> Iterator[tuple[str, tuple[Extent, ...]]]:
    from pycdlib import PyCdlib  # takes long to import, and not every medium is an ISO

    iso = PyCdlib()
    iso.open_fp(cast(BinaryIO, Structures(stream)))
    try:
        if iso.has_udf():
            start = iso.udf_main_descs.partitions[0].part_start_location
            yield from _walk_udf(iso.get_record(udf_path="/"), "", _UdfFiles(stream, start))
        elif iso.has_rock_ridge():
            yield from _walk_iso9660(iso.get_record(iso_path="/"), "", _rock_ridge_name)
        elif iso.has_joliet():
            yield from _walk_iso9660(iso.get_record(joliet_path="/"), "", _joliet_name)
        else:
            yield from _walk_iso9660(iso.get_record(iso_path="/"), "", _plain_name)
    finally:
        iso.close()


def _explain(stream: BinaryIO, name: str, size: int, error: Exception) -> MediaError:
    if _promised_size(stream) > size:
        return _cut_off(name, size)
    return MediaError(f"{name} is damaged: its folders cannot be read ({error}).", _AGAIN)


def _cut_off(name: str, size: int) -> MediaError:
    return MediaError(
        f"{name} is cut off: it ends after {size} bytes, before its files do.", _AGAIN
    )


def _join(folder: str, name: str) -> str:
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
        raise _Damaged(f"the file name {name!r} is not allowed")
    return f"{folder}{name}"


# --- ISO 9660, Rock Ridge, Joliet -----------------------------------------------------


def _rock_ridge_name(record: Any) -> str:
    if record.rock_ridge is None:
        return _plain_name(record)
    return str(record.rock_ridge.name().decode("utf-8", "replace"))


def _joliet_name(record: Any) -> str:
    return str(record.file_identifier().decode("utf-16-be", "replace")).split(";")[0]


def _plain_name(record: Any) -> str:
    name = str(record.file_identifier().decode("utf-8", "replace"))
    return name if record.is_dir() else name.split(";")[0].rstrip(".")


def _walk_iso9660(folder: Any, path: str, name_of: Any) -> Iterator[tuple[str, tuple[Extent, ...]]]:
    relocation = name_of is _rock_ridge_name
    files: dict[str, list[Extent]] = {}
    for record in folder.children:
        if record.is_dot() or record.is_dotdot() or record.is_symlink():
            continue
        name = _join(path, name_of(record))
        rock_ridge = record.rock_ridge if relocation else None
        if rock_ridge is not None and rock_ridge.child_link_record_exists():
            # Folders deeper than eight levels are kept elsewhere and linked to (RRIP 4.1.5).
            yield from _walk_iso9660(rock_ridge.cl_to_moved_dr, f"{name}/", name_of)
        elif record.is_dir():
            if rock_ridge is None or not rock_ridge.relocated_record():
                yield from _walk_iso9660(record, f"{name}/", name_of)
        else:
            # data_length, not get_data_length(): that is shared by all files at the block.
            # A file over 4 GiB has several records of the same name (ECMA-119, 6.5.1).
            extent = Extent(record.extent_location() * SECTOR, record.data_length)
            files.setdefault(name, []).append(extent)
    for name, extents in files.items():
        yield name, _cut(extents, sum(extent.length for extent in extents))


# --- UDF (ECMA-167 part 4) ------------------------------------------------------------


def _walk_udf(
    folder: Any, path: str, reader: _UdfFiles
) -> Iterator[tuple[str, tuple[Extent, ...]]]:
    for identifier in folder.fi_descs.values():
        deleted = identifier.file_characteristics & 0x04
        # Server 2008 media have identifiers whose file entry is all zeros.
        if identifier.is_parent() or deleted or identifier.file_entry is None:
            continue
        name = _join(path, identifier.fi.decode(identifier.encoding, "replace"))
        if identifier.is_dir():
            yield from _walk_udf(identifier.file_entry, f"{name}/", reader)
        elif identifier.file_entry.is_file():
            yield name, reader.extents(identifier.file_entry.orig_extent_loc)


@dataclass(frozen=True)
class _UdfFiles:
    """Reads the allocation descriptors of UDF files; ``start``: first block of the partition."""

    stream: BinaryIO
    start: int

    def extents(self, block: int) -> tuple[Extent, ...]:
        """Ranges of the file whose (extended) file entry is at ``block`` of the ISO."""
        entry = self._block(block)
        (tag,) = struct.unpack_from("<H", entry)
        if tag not in (_FILE_ENTRY, _EXTENDED_FILE_ENTRY):
            raise _Damaged(f"block {block} holds no file entry")
        fixed = 176 if tag == _FILE_ENTRY else 216
        (flags,) = struct.unpack_from("<H", entry, 34)
        (length,) = struct.unpack_from("<Q", entry, 56)
        attributes, descriptors = struct.unpack_from("<II", entry, fixed - 8)
        begin = fixed + attributes
        if begin + descriptors > len(entry):
            raise _Damaged(f"the file entry in block {block} is longer than a block")
        if flags & 7 == 3:
            found = [Extent(block * SECTOR + begin, descriptors)]
        else:
            found = list(self._allocated(entry[begin : begin + descriptors], flags & 7))
        return _cut(found, length)

    def _allocated(self, descriptors: bytes, kind: int) -> Iterator[Extent]:
        """Ranges from short (0) or long (1) descriptors, chained ones followed."""
        if kind not in (0, 1):
            raise _Damaged(f"allocation descriptors of kind {kind} are not known")
        step = 8 if kind == 0 else 16
        seen: set[int] = set()
        count = 0
        while descriptors:
            following = b""
            count += len(descriptors) // step
            if count > _MOST_DESCRIPTORS:
                raise TooMuch
            for at in range(0, len(descriptors) - step + 1, step):
                word, block = struct.unpack_from("<II", descriptors, at)
                if kind == 1 and struct.unpack_from("<H", descriptors, at + 8)[0] != 0:
                    raise _Damaged("a file lies in a second partition")
                length, state = word & 0x3FFFFFFF, word >> 30
                if length == 0:
                    break
                if state == 3:
                    if block in seen:
                        raise _Damaged("allocation descriptors form a loop")
                    seen.add(block)
                    following = self._more(self.start + block)
                    break
                # 0: recorded; 1 and 2: reserved or sparse, read as zeros (14.14.1.1).
                yield Extent((self.start + block) * SECTOR if state == 0 else None, length)
            descriptors = following

    def _more(self, block: int) -> bytes:
        data = self._block(block)
        (tag,) = struct.unpack_from("<H", data)
        (length,) = struct.unpack_from("<I", data, 20)
        if tag != _ALLOCATION_EXTENT or 24 + length > len(data):
            raise _Damaged(f"block {block} holds no allocation descriptors")
        return data[24 : 24 + length]

    def _block(self, block: int) -> bytes:
        self.stream.seek(block * SECTOR)
        data = self.stream.read(SECTOR)
        if len(data) < SECTOR:
            raise _Damaged(f"block {block} is missing")
        return data


def _cut(extents: list[Extent], length: int) -> tuple[Extent, ...]:
    """The extents up to ``length`` bytes; adjacent ones joined, so that a copy is one call."""
    result: list[Extent] = []
    for extent in extents:
        extent = Extent(extent.offset, min(extent.length, length))
        length -= extent.length
        last = result[-1] if result else None
        if last and last.offset is not None and last.offset + last.length == extent.offset:
            result[-1] = Extent(last.offset, last.length + extent.length)
        elif extent.length:
            result.append(extent)
    if length:
        result.append(Extent(None, length))
    return tuple(result)
