"""The whole check, a step a line."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from struct import unpack_from

from winimagetools.checks.ntfs import views
from winimagetools.checks.ntfs.clusters import check_clusters
from winimagetools.checks.ntfs.files import File, Files
from winimagetools.checks.ntfs.names import Folders, upper_case
from winimagetools.checks.ntfs.records import DATA, VOLUME
from winimagetools.checks.ntfs.report import Damage, Finding, Report
from winimagetools.checks.ntfs.source import Read, Volume, open_volume
from winimagetools.checks.ntfs.table import NUMBER, assemble, read_table, records

_LOG_FILE, _VOLUME_FILE, _BITMAP_FILE, _UPPER_CASE_FILE = 2, 3, 6, 10
_NO_CLIENT, _CLEAN, _LOG_PAGE = 0xFFFF, 0x0002, 4096
_VERSIONS = ((3, 0), (3, 1))


def check_volume(read: Read, size: int, *, fresh: bool = False) -> tuple[Finding, ...]:
    """Everything that contradicts something else in an NTFS volume; nothing is written.

    Args:
        read: the volume, from its boot sector on.
        size: bytes of its partition.
        fresh: no Windows has written to it yet, so even copies that Windows lets grow old
            have to be right.
    """
    report = Report()
    try:
        with _no_collection():
            _check(open_volume(read, size, report), fresh, report)
    except Damage as error:
        report.damage(error)
    return report.findings()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles among a million records, which have none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check(volume: Volume, fresh: bool, report: Report) -> None:
    table, bitmap = read_table(volume, report)
    files = Files(volume, report)
    for record in assemble(records(table, volume, bitmap, report), volume, report):
        files.take(record)
    del table
    for number in range(12):
        if number not in files.found:
            raise Damage("master file table", f"Record {number}, a file of NTFS, is not there.")
    check_clusters(files.runs, _stream(volume, files, _BITMAP_FILE), volume.clusters, report)
    _check_flags(files, report)
    _check_log(_stream(volume, files, _LOG_FILE), report)
    capitals = upper_case(_stream(volume, files, _UPPER_CASE_FILE), report)
    Folders(volume, files.found, capitals, fresh, report).check()
    sds = _stream(volume, files, views.SECURE_RECORD, "$SDS")
    views.check_security(volume, files.found, sds, report)
    views.check_reparse_points(volume, files.found, _extended(files.found, "$Reparse"), report)
    views.check_object_ids(volume, files.found, _extended(files.found, "$ObjId"), report)


def _stream(volume: Volume, files: Files, number: int, name: str = "") -> bytearray:
    """Content of a stream of a file of NTFS itself. Raises Damage."""
    wanted = name.encode("utf-16-le")
    for parts in files.streams[number]:
        if parts[0].kind == DATA and parts[0].name == wanted:
            return volume.content(parts)
    raise Damage("master file table", f"Record {number} has no content.")


def _check_flags(files: Files, report: Report) -> None:
    for (information,) in (
        parts for parts in files.streams[_VOLUME_FILE] if parts[0].kind == VOLUME
    ):
        major, minor, flags = unpack_from("<8xBBH", (information.value or b"").ljust(12, b"\0"))
        if (major, minor) not in _VERSIONS:
            report.add("volume flags", f"The volume says that it is NTFS {major}.{minor}.")
        if flags:
            report.add("volume flags", f"The volume has flags {flags:#x}; Windows will check it.")


def _check_log(content: bytearray, report: Report) -> None:
    """The log is empty, or nothing in it has to be done again."""
    if content.count(0xFF) == len(content):
        return
    area = int.from_bytes(content[24:26], "little")
    if content[:4] != b"RSTR" or not 48 <= area <= _LOG_PAGE or len(content) < 2 * _LOG_PAGE:
        report.add("log", "The log of the volume is neither empty nor readable.")
        return
    clients, flags = unpack_from("<12xHH", content, area)
    if clients != _NO_CLIENT and not flags & _CLEAN:
        report.add("log", "The log of the volume holds changes that are not made yet.")


def _extended(files: Mapping[int, File], name: str) -> File | None:
    """The file of that name in the folder ``$Extend``."""
    text = name.encode("utf-16-le")
    for file in files.values():
        for each in file.names:
            if each.text == text and each.parent & NUMBER == views.EXTEND_RECORD:
                return file
    return None
