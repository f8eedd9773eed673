"""What a downloaded file says about itself: whether it is whole, and what is in it.

A server that does not say how long a file is just closes the connection at its end; so does
one that breaks down. The file's own structure tells the two apart: the sector table of a
Windows Installer package ([MS-CFB] 2.2 and 2.3) and the directory at the end of a ZIP archive
(APPNOTE.TXT 4.3.16).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import DownloadError

ZIP_MAGIC = b"PK\x03\x04"
"""Local file header of a ZIP archive."""
COMPOUND_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""A compound file: Windows Installer packages are such files."""
LARGEST_MEMBER = 64 * 1024 * 1024
"""Bytes; the only program taken from an archive so far has less than 1 MiB."""
_FREE, _LARGEST_REGULAR = 0xFFFFFFFF, 0xFFFFFFFA
_HEADER = 512
_IN_HEADER = 109
"""FAT sectors whose numbers stand in the header; others are listed in DIFAT sectors."""


def is_whole(path: Path) -> bool | None:
    """Whether a file has all the bytes that its own structure speaks of.

    Returns:
        None when it is of a kind that does not tell.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
        if head.startswith(ZIP_MAGIC):
            return zipfile.is_zipfile(stream)
        if head.startswith(COMPOUND_MAGIC):
            return _has_all_sectors(stream, head)
    return None


def _has_all_sectors(stream: BinaryIO, head: bytes) -> bool:
    size = stream.seek(0, 2)
    if len(head) < _HEADER:
        return False
    (shift,) = struct.unpack_from("<H", head, 30)
    if shift not in (9, 12):
        return False
    last = -1
    for number, sector in enumerate(_fat_sectors(stream, head, 1 << shift)):
        table = _sector(stream, sector, 1 << shift)
        entries = struct.unpack(f"<{len(table) // 4}I", table)
        if len(table) < 1 << shift:
            return False
        used = [index for index, entry in enumerate(entries) if entry != _FREE]
        last = max([last, *(number * len(entries) + index for index in used[-1:])])
    # The last sector may stop where its stream does, so only its first byte must be there.
    return last >= 0 and size > (last + 1) << shift


def _fat_sectors(stream: BinaryIO, head: bytes, length: int) -> Iterator[int]:
    """Numbers of the sectors with the file's allocation table, as many as the header counts."""
    (count,) = struct.unpack_from("<I", head, 44)
    (following,) = struct.unpack_from("<I", head, 68)
    listed = struct.unpack_from(f"<{_IN_HEADER}I", head, 76)
    seen: set[int] = set()
    while True:
        for sector in listed:
            if count == 0 or sector > _LARGEST_REGULAR:
                return
            count -= 1
            yield sector
        if following > _LARGEST_REGULAR or following in seen:
            return
        seen.add(following)
        data = _sector(stream, following, length)
        if len(data) < length:
            # Its own number is behind the end: the table cannot be read, so the file is cut.
            yield following
            return
        *listed, following = struct.unpack(f"<{length // 4}I", data)  # type: ignore[assignment]


def _sector(stream: BinaryIO, number: int, length: int) -> bytes:
    stream.seek((number + 1) * length)
    return stream.read(length)


def extract_member(archive: Path, url: str, member: str) -> bytes:
    """Content of a file in a ZIP archive.

    Args:
        archive: the archive.
        url: where it came from, for messages.
        member: name of the file in lower case, in whatever folder it is.

    Raises:
        DownloadError: the archive is damaged, holds no such file, or one that is too large.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            for info in content.infolist():
                if info.filename.rpartition("/")[2].casefold() == member:
                    return _read(content, info, url)
    except DownloadError:
        raise
    # zipfile raises nearly everything when bytes are not what it expects.
    except Exception as error:
        raise DownloadError(
            f"The archive from {url} is damaged: {error or type(error).__name__}.",
            "Try again later.",
        ) from error
    raise DownloadError(
        f"The archive from {url} holds no {member}.",
        "Its layout has changed; turn off the option that needs it.",
    )


def _read(content: zipfile.ZipFile, info: zipfile.ZipInfo, url: str) -> bytes:
    """A file that is not larger than it says, and does not say too much."""
    if info.file_size > LARGEST_MEMBER:
        raise DownloadError(
            f"The archive from {url} claims that {info.filename!r} has {info.file_size} bytes.",
            "That is no program of this kind; turn off the option that needs it.",
        )
    return content.read(info)
