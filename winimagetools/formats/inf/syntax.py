r"""Reading INF files: text, lines, sections and ``%string%`` substitution.

This module knows the syntax of an INF; what the sections of a driver mean is in
:mod:`winimagetools.formats.inf.driver`. The rules are those of Microsoft's "General syntax
rules for INF files": names are compared without regard to case, sections of the same name
are merged, ``;`` begins a comment outside quotes, a backslash at the end continues the
line, ``""`` inside quotes is a quote and ``%%`` a percent sign.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from winimagetools.errors import MediaError

MAX_SIZE = 8 * 1024 * 1024
"""Bytes; the largest INF that Windows 11 itself brings has 2 MiB."""

MAX_LINES = 200_000
"""Those 2 MiB have a tenth of it."""
MAX_SUBSTITUTED = 32 * 1024 * 1024
"""Characters that all strings of an INF together may put in; a short INF can name a long
string very often. Windows itself stops at 4096 in one field."""

_TOKEN = re.compile(r"%([^%\r\n]*)%")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class InfLine:
    """One logical line of a section.

    Args:
        key: what stands before ``=``; empty when the line has no ``=``.
        fields: the comma-separated values, unquoted, strings substituted.
        number: line number in the file, starting at 1.
    """

    key: str
    fields: tuple[str, ...]
    number: int

    def field(self, index: int) -> str:
        """The value at ``index``, empty when the line has fewer."""
        return self.fields[index] if index < len(self.fields) else ""


@dataclass(frozen=True)
class Inf:
    """The sections of an INF, in file order and by casefolded name."""

    sections: Mapping[str, tuple[InfLine, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def lines(self, section: str) -> tuple[InfLine, ...]:
        """The lines of a section; none when it does not exist."""
        return self.sections.get(section.casefold(), ())

    def entries(self, section: str, key: str) -> Iterator[InfLine]:
        """The lines of a section that set ``key``, in order."""
        wanted = key.casefold()
        return (line for line in self.lines(section) if line.key.casefold() == wanted)

    def value(self, section: str, key: str) -> str:
        """The first value of ``key``; empty when it is not set."""
        return next((line.field(0) for line in self.entries(section, key)), "")


def parse_inf(data: bytes, name: str) -> Inf:
    """Read an INF.

    Args:
        data: the file.
        name: what to call it in messages.

    Raises:
        MediaError: it is too large, has too many lines, grows too large by its strings, or has
            no ``[Version]`` section with a signature.
    """
    if len(data) > MAX_SIZE:
        raise MediaError(f"{name} has {len(data)} bytes; that is too large for an INF file.")
    raw = _sections(decode(data), name)
    strings = _Strings(_strings(raw), name)
    merged: dict[str, list[InfLine]] = {}
    for section, lines in raw:
        target = merged.setdefault(strings.put_into(section).casefold(), [])
        target += (_with_strings(line, strings) for line in lines)
    inf = Inf(MappingProxyType({key: tuple(lines) for key, lines in merged.items()}))
    if not inf.value("Version", "Signature"):
        raise MediaError(
            f"{name} is not a usable INF file: it has no [Version] section with a Signature.",
            "Get the driver again; the file may be damaged or something else altogether.",
        )
    return inf


def decode(data: bytes) -> str:
    """The text of an INF: UTF-16 or UTF-8 by its mark, UTF-8 by its look, else ANSI.

    Windows reads an INF without a mark with the system's code page; 1252 stands for that.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    if data[1:4:2] == b"\0\0" and b"\0" not in data[0:4:2]:
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


@dataclass(frozen=True, slots=True)
class _RawLine:
    key: str
    fields: tuple[str, ...]
    number: int


def _sections(text: str, name: str) -> list[tuple[str, list[_RawLine]]]:
    """Sections in file order; what stands before the first one is ignored, as Windows does."""
    found: list[tuple[str, list[_RawLine]]] = []
    for count, (number, line) in enumerate(_logical_lines(text), start=1):
        if count > MAX_LINES:
            raise MediaError(f"{name} has more than {MAX_LINES} lines; that is no INF file.")
        if line.startswith("["):
            found.append((line[1:].partition("]")[0].strip().strip('"'), []))
        elif found:
            found[-1][1].append(_split_line(line, number))
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined; numbers are those of their beginnings."""
    pending, began = "", 0
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text.partition("\x1a")[0]), 1):
        line = _without_comment(raw).strip()
        began = began if pending else number
        # A section header is never continued, whatever it ends in.
        if line.endswith("\\") and not line.startswith("["):
            pending += line.rstrip("\\")
            continue
        whole = (pending + line).strip("\0 \t")
        pending = ""
        if whole:
            yield began, whole
    if pending.strip():
        yield began, pending.strip()


def _without_comment(line: str) -> str:
    if ";" not in line:
        return line
    quoted = False
    for index, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            return line[:index]
    return line


def _split_line(line: str, number: int) -> _RawLine:
    """Take ``key = a, "b, c"`` apart; an ``=`` after the first comma belongs to a value."""
    key = ""
    fields: list[str] = []
    current: list[str] = []
    for char, quoted in _characters(line):
        if char == "," and not quoted:
            fields.append(_join(current))
            current = []
        elif char == "=" and not quoted and not fields and not key:
            key = _join(current)
            current = []
        else:
            current.append(char if quoted else _plain(char))
    fields.append(_join(current))
    return _RawLine(key, tuple(fields), number)


_SPACE = "\ue000"
"""Stands for white space outside quotes, so that only that is trimmed."""


def _plain(char: str) -> str:
    return _SPACE if char in " \t" else char


def _join(characters: list[str]) -> str:
    return "".join(characters).strip(_SPACE).replace(_SPACE, " ")


def _characters(line: str) -> Iterator[tuple[str, bool]]:
    """The characters of a line without its quotes, and whether each was inside quotes."""
    quoted = False
    index = 0
    while index < len(line):
        char = line[index]
        if char != '"':
            yield char, quoted
        elif quoted and line[index + 1 : index + 2] == '"':
            yield char, True
            index += 1
        else:
            quoted = not quoted
        index += 1


def _strings(raw: list[tuple[str, list[_RawLine]]]) -> dict[str, str]:
    """The ``[Strings]``; a language section fills in only what the neutral one lacks."""
    neutral: dict[str, str] = {}
    localized: dict[str, str] = {}
    for section, lines in raw:
        name = section.casefold()
        if name != "strings" and not name.startswith("strings."):
            continue
        target = neutral if name == "strings" else localized
        for line in lines:
            target.setdefault(line.key.casefold(), ",".join(line.fields))
    return localized | neutral


def _with_strings(line: _RawLine, strings: _Strings) -> InfLine:
    fields = tuple(strings.put_into(value) for value in line.fields)
    return InfLine(strings.put_into(line.key), fields, line.number)


class _Strings:
    """The strings of an INF, and how much text they may still become."""

    def __init__(self, texts: Mapping[str, str], name: str) -> None:
        self._texts = texts
        self._name = name
        self._left = MAX_SUBSTITUTED

    def put_into(self, text: str) -> str:
        """Replace ``%name%``; unknown names stay, as ``%12%`` means a folder, not a string."""
        return _TOKEN.sub(self._replacement, text) if "%" in text else text

    def _replacement(self, match: re.Match[str]) -> str:
        if not match[1]:
            return "%"
        found = self._texts.get(match[1].casefold(), match[0])
        self._left -= len(found)
        if self._left < 0:
            raise MediaError(
                f"{self._name} grows to more than {MAX_SUBSTITUTED} characters by its strings; "
                "that is no INF file of a driver."
            )
        return found
