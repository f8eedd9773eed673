"""What a glance at a volume tells: its boot sectors, and whether every record is whole."""

from __future__ import annotations

from winimagetools.checks.ntfs.records import fix_up, is_in_use, is_misplaced
from winimagetools.checks.ntfs.report import Damage, Finding, Report
from winimagetools.checks.ntfs.source import Read, open_volume
from winimagetools.checks.ntfs.table import read_table

_ALWAYS_THERE = 12


def glance_at_volume(read: Read, size: int) -> tuple[Finding, ...]:
    """What is wrong with the boot sectors and the master file table of an NTFS volume.

    It takes a tenth of what :func:`~winimagetools.checks.ntfs.volume.check_volume` takes, because
    what is in the records is not compared with anything.

    Args:
        read: the volume, from its boot sector on.
        size: bytes of its partition.
    """
    report = Report()
    try:
        volume = open_volume(read, size, report)
        table, bitmap = read_table(volume, report)
        _check_records(table, volume.record, bitmap, report)
    except Damage as error:
        report.damage(error)
    return report.findings()


def _check_records(table: bytearray, size: int, bitmap: bytearray, report: Report) -> None:
    count = len(table) // size
    marks = bin(int.from_bytes(bitmap, "little") | 1 << count)[:2:-1]
    for number in range(count):
        block = table[number * size : (number + 1) * size]
        if not is_in_use(block):
            if number < _ALWAYS_THERE:
                report.add("master file table", f"Record {number}, a file of NTFS, is not there.")
            continue
        try:
            fix_up(block, b"FILE", f"Record {number}")
        except Damage as error:
            report.damage(error)
        if is_misplaced(block, number):
            report.add("record headers", f"Record {number} says that it is another one.")
        if marks[number] == "0":
            report.add("record bitmap", f"Record {number} is used but not marked.")
