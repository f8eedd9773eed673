"""Folders: every name is in the index of its folder, and every entry is a name of a file."""

from __future__ import annotations

from collections.abc import Mapping
from struct import unpack

from winimagetools.checks.ntfs.files import FIRST_FILE, NAME_HEAD, ROOT_FOLDER, File
from winimagetools.checks.ntfs.indexes import IndexEntry, IndexReader
from winimagetools.checks.ntfs.report import Report
from winimagetools.checks.ntfs.source import Volume
from winimagetools.checks.ntfs.table import NUMBER

I30 = "$I30".encode("utf-16-le")
_LETTERS = 65536
_HEAD = 66
_KEPT = 0x0000FFFF
"""Bits that an entry of a folder shares with the file itself."""


def upper_case(content: bytes | bytearray, report: Report) -> dict[int, int]:
    """What ``$UpCase`` says of each letter that has another upper case."""
    if len(content) != 2 * _LETTERS:
        report.add("upper-case table", "The table of capital letters has a wrong size.")
        return {}
    table = unpack(f"<{_LETTERS}H", content)
    found = {letter: upper for letter, upper in enumerate(table) if letter != upper}
    small = range(ord("a"), ord("z") + 1)
    if any(found.get(letter) != letter - 32 for letter in small):
        report.add("upper-case table", "The table of capital letters is wrong.")
    return found


class Folders:
    """Compares the indexes of all folders with all names.

    Args:
        volume: where they are.
        files: what was found in the table.
        capitals: upper case by letter.
        fresh: compare the copies of sizes and attributes in the entries too; Windows brings
            only the one up to date through which a file was opened.
        report: gets what is wrong.
    """

    def __init__(
        self,
        volume: Volume,
        files: Mapping[int, File],
        capitals: Mapping[int, int],
        fresh: bool,
        report: Report,
    ) -> None:
        self._volume, self._files, self._report = volume, files, report
        self._capitals, self._fresh = capitals, fresh
        self._names: dict[int, dict[bytes, int]] = {}

    def check(self) -> None:
        """Look at every folder."""
        for number, file in self._files.items():
            reference = number | file.sequence << 48
            for name in file.names:
                key = bytes((len(name.text) // 2, name.space)) + name.text
                there = self._names.setdefault(name.parent, {})
                if key in there:
                    self._report.add("names", f"Record {number} has a name another has too.")
                there[key] = reference
        for number, file in self._files.items():
            if parts := file.indexes.get(I30):
                what = f"the index of folder {number}"
                reader = IndexReader(self._volume, parts, self._order, self._report, what)
                self._compare(number, file, reader.entries())
        for parent, left in self._names.items():
            for reference in left.values():
                self._report.add(
                    "missing entries",
                    f"Folder {parent & NUMBER} has no entry for record {reference & NUMBER}.",
                )
        self._check_tree()

    def _order(self, key: bytes) -> tuple[bytes, bytes]:
        """Names sort by their 16-bit units: capital letters first, then as they are."""
        text = key[_HEAD:].decode("utf-16-le", "surrogatepass")
        raised = text.translate(self._capitals)
        return (
            raised.encode("utf-16-be", "surrogatepass"),
            text.encode("utf-16-be", "surrogatepass"),
        )

    def _compare(self, number: int, file: File, entries: list[IndexEntry]) -> None:
        reference = number | file.sequence << 48
        left = self._names.get(reference, {})
        for entry in entries:
            key = entry.key
            if len(key) < _HEAD or NAME_HEAD.unpack_from(key)[0] != reference:
                self._report.add("folder entries", f"An entry of folder {number} is of another.")
            elif left.pop(key[64:], None) != entry.reference:
                self._report.add(
                    "folder entries",
                    f"Folder {number} has an entry for record {entry.reference & NUMBER} that is "
                    "not one of its names.",
                )
            elif self._fresh:
                self._check_copy(number, entry)

    def _check_copy(self, number: int, entry: IndexEntry) -> None:
        _, allocated, size, bits, _, _, _ = NAME_HEAD.unpack_from(entry.key)
        child = self._files[entry.reference & NUMBER]
        if (entry.reference & NUMBER) < FIRST_FILE:
            return
        sizes = (0, 0) if child.is_folder else (child.allocated, child.size)
        if (allocated, size) != sizes or bits & _KEPT != child.attributes & _KEPT:
            self._report.add(
                "folder copies",
                f"Folder {number} gives other sizes or attributes for record "
                f"{entry.reference & NUMBER}.",
            )

    def _check_tree(self) -> None:
        """From every folder the way up ends at the root."""
        known = {ROOT_FOLDER}
        for start in [number for number, file in self._files.items() if file.is_folder]:
            path, number = set(), start
            while number not in known and number not in path:
                path.add(number)
                file = self._files.get(number)
                if file is None or not file.names:
                    break
                number = file.names[0].parent & NUMBER
            if number in known:
                known |= path
            elif self._files[start].names:
                self._report.add("folders", f"Folder {start} is not below the root.")
