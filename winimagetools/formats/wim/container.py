"""The container of a WIM: its bytes, its header and its parts.

The format is that of [MS-WIM] "Windows Imaging File Format". A solid one (ESD) differs in
version and compression, which does not matter here because the XML is never compressed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from winimagetools.errors import MediaError
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.formats.iso import MediaTree

HEADER_SIZE = 208
_MAGIC, _PIPABLE_MAGIC = b"MSWIM\0\0\0", b"WLPWM\0\0\0"
_VERSIONS = (0x10D00, 0x0E00)
_WRITE_IN_PROGRESS = 0x40
_COMPRESSED = 0x04
_LARGEST_XML = 8 * 1024 * 1024
"""Bytes; an edition has about 8 kB. As a tree they become thirty times as much."""
AGAIN = "Copy or download it again and compare its checksum with the publisher's."
_MISSING_SHOWN = 5
_NAMES_SHOWN = 40


@dataclass(frozen=True)
class Resource:
    """A part of the file: ``size`` bytes from ``offset``; flags of [MS-WIM] 2.3."""

    size: int
    flags: int
    offset: int


@dataclass(frozen=True)
class WimHeader:
    """The header of a WIM; ``part`` counts from 1 and ``parts`` is 1 when not split.

    ``pipable``: wimlib made it for reading from a pipe; Microsoft's programs cannot read it.
    """

    flags: int
    guid: bytes
    part: int
    parts: int
    image_count: int
    blob_table: Resource
    xml: Resource
    pipable: bool = False


@dataclass(frozen=True)
class WimBytes:
    """A WIM that can be read, on this machine or inside an ISO.

    Args:
        source: what to call it in messages.
        name: its file name.
        size: bytes.
        read: reads a number of bytes from an offset.
        sibling: the file of that name beside it, None when there is none.
    """

    source: str
    name: str
    size: int
    read: Callable[[int, int], bytes]
    sibling: Callable[[str], WimBytes | None]


def part_names(first: str, parts: int) -> list[str]:
    """File names of a split WIM: ``install.swm``, ``install2.swm``, ``install3.swm`` ...

    Args:
        first: name of the first part, without a folder.
        parts: how many there are, 1 for a WIM that is not split.
    """
    stem, dot, extension = first.rpartition(".")
    if not dot:
        stem, extension = first, ""
    return [first, *(f"{stem}{number}{dot}{extension}" for number in range(2, parts + 1))]


def in_tree(tree: MediaTree, path: str) -> WimBytes:
    """The file ``path`` of an ISO."""

    def sibling(name: str) -> WimBytes | None:
        found = tree.find(str(PurePosixPath(path).with_name(name)))
        return None if found is None else in_tree(tree, found)

    return WimBytes(
        source=f"{path} in {tree.name}",
        name=PurePosixPath(path).name,
        size=tree.size(path),
        read=lambda offset, length: tree.read_range(path, offset, length),
        sibling=sibling,
    )


def on_disk(path: Path, stack: ExitStack) -> WimBytes:
    """A file of this machine, closed with ``stack``. Raises MediaError, RequestError for pipes."""
    if path.is_dir():
        raise MediaError(
            f"{path} is a folder.", "Give the ISO, or the install.wim, .esd or .swm in it."
        )
    refuse_other_than_file(path)
    try:
        stream = stack.enter_context(path.open("rb"))
        size = stream.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise MediaError(f"{path} does not exist.", "Check the path and its letter case.") from None
    except OSError as error:
        raise MediaError(f"{path} could not be opened: {error.strerror}.") from error

    def read(offset: int, length: int) -> bytes:
        try:
            stream.seek(offset)
            return stream.read(length)
        except OSError as error:
            raise MediaError(f"{path} could not be read: {error.strerror}.") from error

    def sibling(name: str) -> WimBytes | None:
        found = find_beside(path, name)
        return None if found is None else on_disk(found, stack)

    return WimBytes(str(path), path.name, size, read, sibling)


def find_beside(path: Path, name: str) -> Path | None:
    """The file called ``name`` in the folder of ``path``, in any letter case."""
    exact = path.with_name(name)
    if exact.is_file():
        return exact
    others = sorted(p for p in path.parent.iterdir() if p.name.casefold() == name.casefold())
    return next((other for other in others if other.is_file()), None)


def read_header(opened: WimBytes) -> WimHeader:
    """Read and check the header; afterwards the XML is known to lie inside the file.

    That of a pipable WIM is complete only at the end of the file, where its writer knew
    everything (wimlib's ``doc/man1/wimcapture.1``, ``--pipable``).

    Raises:
        MediaError: empty, cut off, damaged, or not a WIM.
    """
    data = opened.read(0, HEADER_SIZE)
    _check_kind(opened, data)
    pipable = data.startswith(_PIPABLE_MAGIC)
    if pipable:
        data = opened.read(max(opened.size, 2 * HEADER_SIZE) - HEADER_SIZE, HEADER_SIZE)
        if len(data) < HEADER_SIZE or not data.startswith(_PIPABLE_MAGIC):
            raise MediaError(
                f"{opened.source} is cut off: the header at the end of a pipable WIM is missing.",
                AGAIN,
            )
    header_size, version, flags = struct.unpack_from("<III", data, 8)
    part, parts, image_count = struct.unpack_from("<HHI", data, 40)
    header = WimHeader(
        flags=flags,
        guid=data[24:40],
        part=part,
        parts=parts,
        image_count=image_count,
        blob_table=_resource(data, 48),
        xml=_resource(data, 72),
        pipable=pipable,
    )
    if header_size != HEADER_SIZE or version not in _VERSIONS:
        raise _damaged(opened, f"its header has version {version:#x} and {header_size} bytes")
    if flags & _WRITE_IN_PROGRESS:
        raise _damaged(opened, "it was never written to the end")
    if not 1 <= part <= parts:
        raise _damaged(opened, f"it says it is part {part} of {parts}")
    for resource in (header.blob_table, header.xml):
        if resource.offset + resource.size > opened.size:
            raise MediaError(
                f"{opened.source} is cut off: it has {opened.size} bytes and should have at "
                f"least {resource.offset + resource.size}.",
                AGAIN,
            )
    return header


def _check_kind(opened: WimBytes, data: bytes) -> None:
    if not data:
        raise MediaError(f"{opened.source} is empty.", AGAIN)
    if not data.startswith((_MAGIC, _PIPABLE_MAGIC)):
        raise MediaError(
            f"{opened.source} is not a WIM file: it does not begin like one.",
            "Give a WIM, ESD or SWM file, or the ISO it is in.",
        )
    if len(data) < HEADER_SIZE:
        raise MediaError(f"{opened.source} is cut off: it has {len(data)} bytes.", AGAIN)


def _resource(data: bytes, at: int) -> Resource:
    word, offset = struct.unpack_from("<QQ", data, at)
    return Resource(size=word & (1 << 56) - 1, flags=word >> 56, offset=offset)


def _damaged(opened: WimBytes, detail: str) -> MediaError:
    return MediaError(f"{opened.source} is damaged: {detail}.", AGAIN)


def check_parts(opened: WimBytes, header: WimHeader) -> None:
    """Of a split WIM the first part must be given, and the others must lie beside it.

    Raises:
        MediaError: it is another part, or one is missing or damaged.
    """
    if header.part != 1:
        raise MediaError(
            f"{opened.source} is part {header.part} of {header.parts} of a split WIM.",
            "Give the first part.",
        )
    missing: list[str] = []
    for number, part_name in enumerate(part_names(opened.name, header.parts)[1:], start=2):
        part = opened.sibling(part_name)
        if part is None:
            missing.append(part_name)
            if len(missing) > _MISSING_SHOWN:
                break
            continue
        other = read_header(part)
        if (other.part, other.parts, other.guid) != (number, header.parts, header.guid):
            raise MediaError(f"{part.source} does not belong to {opened.source}.")
    if missing:
        raise MediaError(
            f"{opened.source} is the first of {header.parts} parts, but {_several(missing)} "
            "not beside it.",
            "Put all parts into one folder.",
        )


def join_names(names: Iterable[str]) -> str:
    """Names for a message, a hostile medium may have thousands."""
    listed = list(names)
    more = len(listed) - _NAMES_SHOWN
    return ", ".join(listed[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _several(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MISSING_SHOWN])
    if len(names) > _MISSING_SHOWN:
        shown += " and more"
    return f"{shown} {'is' if len(names) == 1 else 'are'}"


def read_xml(opened: WimBytes, header: WimHeader) -> bytes:
    """The description of the images, UTF-16LE. Raises MediaError."""
    xml = header.xml
    if xml.flags & _COMPRESSED or not 0 < xml.size <= _LARGEST_XML:
        raise _damaged(opened, "it has no readable description of its images")
    return opened.read(xml.offset, xml.size)
