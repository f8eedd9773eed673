r"""An ini file as a document, with the rules of the Win32 profile API on any system.

:class:`IniFile` is parsed once, asked with line numbers, edited in place, and written back
byte for byte except for the edited lines. The rules:

* Section and key names compare without regard to case and surrounding blanks. The first
  section of a name wins, and in it the first key; a later section of the same name is
  not merged.
* A line that starts with ``;`` is a comment. ``#`` is only a convention: to the API such
  a line is a key nobody asks for. After a value there are no comments.
* A value is what follows the first ``=``, without surrounding blanks and then without one
  matching pair of ``"`` or ``'``. A backslash escapes nothing.
* Lines before the first section are never found.
* UTF-16 with a byte order mark, UTF-8 with or without one, else Windows-1252.

Unlike the PowerShell tools, values are not cut at 1000 characters, and a value that reading
would change (blanks at its ends, quotes around it) is quoted when it is written.

Source of the rules: the documentation of GetPrivateProfileString and
WritePrivateProfileString, and Wine's implementation of both.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.files.kind import read_small

_BLANKS = "".join(map(chr, range(0x21)))
"""The API takes the space and all control characters (^Z too) for blanks."""
_QUOTES = ("'", '"')
_LINE_END = re.compile(r"(\r?\r?\n|\r)")
"""CR CR LF is what a careless conversion leaves: one end, as editors count lines."""
_LOOKED_AT = 4096
"""Bytes at the beginning of a file that show whether it is text."""
LARGEST = 16 * 1024 * 1024
"""Bytes; a configuration with every option has 16 kB."""
_NO_PART_OF_A_LINE = frozenset("\r\n\0")

# Windows gives the five bytes that code page 1252 leaves open the control characters of
# the same number, so that every file can be read and written back.
_OPEN_IN_CP1252 = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})
_TO_CP1252 = {
    byte: bytes([byte]).decode("cp1252") for byte in set(range(0x80, 0xA0)) - _OPEN_IN_CP1252
}
_FROM_CP1252 = {
    # The control characters of those numbers have no byte: let encoding them fail.
    **dict.fromkeys(_TO_CP1252, 0xFFFD),
    **{ord(character): byte for byte, character in _TO_CP1252.items()},
}


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file become text: a Python codec and the byte order mark."""

    codec: str
    mark: bytes = b""

    def decode(self, data: bytes) -> str:
        """The text of a whole file."""
        body = data[len(self.mark) :]
        if self.codec == "cp1252":
            return body.decode("latin-1").translate(_TO_CP1252)
        return body.decode(self.codec, self._lossless)

    def encode(self, text: str) -> bytes:
        """The bytes of a whole file. :exc:`UnicodeEncodeError` when a character has none."""
        if self.codec == "cp1252":
            return self.mark + text.translate(_FROM_CP1252).encode("latin-1")
        return self.mark + text.encode(self.codec, self._lossless)

    @property
    def _lossless(self) -> str:
        return "surrogateescape" if self.codec == "utf-8" else "surrogatepass"

    @classmethod
    def of(cls, data: bytes) -> Encoding:
        """The encoding of a file, by its byte order mark, else by its content."""
        for codec, mark in (
            ("utf-16-le", codecs.BOM_UTF16_LE),
            ("utf-16-be", codecs.BOM_UTF16_BE),
            ("utf-8", codecs.BOM_UTF8),
        ):
            if data.startswith(mark):
                return cls(codec, mark)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return cls("cp1252")
        return cls("utf-8")


@dataclass(frozen=True)
class Section:
    """The line ``[name]`` of a file and its number, starting at 1."""

    name: str
    line: int


@dataclass(frozen=True)
class Entry:
    """A line of a file that is neither blank nor a ``;`` comment nor a section.

    Args:
        section: the section line above it; None before the first one.
        key: the text before the first ``=``, or the whole line when there is none.
        value: as the API would return it; None when the line has no ``=``.
        line: line number, starting at 1.
        quoted: the whole value stands between quotes, which are not part of it.
    """

    section: Section | None
    key: str
    value: str | None
    line: int
    quoted: bool = False


@dataclass
class _Line:
    text: str
    end: str


@dataclass(frozen=True)
class _Index:
    """Sections and entries in their order, and those that the API finds, by folded names."""

    sections: tuple[Section, ...]
    entries: tuple[Entry, ...]
    by_section: dict[str, Section]
    by_key: dict[tuple[Section, str], Entry]


class IniFile:
    """An ini file in memory.

    Args:
        data: the bytes of the file.
        name: what messages call it.

    Raises:
        RequestError: the file is UTF-16 and ends in the middle of a character.
    """

    def __init__(self, data: bytes = b"", name: str = "the ini file") -> None:
        self.name = name
        self._encoding = Encoding.of(data)
        try:
            text = self._encoding.decode(data)
        except UnicodeDecodeError as error:
            raise RequestError(
                f"{name} cannot be read: it is marked as UTF-16 and ends in half a character.",
                "Save it again as UTF-8 in a text editor.",
            ) from error
        parts = _LINE_END.split(text)
        self._lines = [_Line(*pair) for pair in zip(parts[::2], [*parts[1::2], ""], strict=True)]
        if not self._lines[-1].text:
            self._lines.pop()
        self._new_line = self._lines[0].end if self._lines else ""
        self._index: _Index | None = None
        """What the lines say; None after an edit, until somebody asks."""

    @classmethod
    def read(cls, path: Path) -> IniFile:
        """Load a file.

        Raises:
            RequestError: it does not exist, cannot be read or is something else, such as
                the disk or the ISO that was meant for another argument.
        """
        try:
            data = read_small(path, LARGEST + 1)
        except FileNotFoundError as error:
            raise RequestError(
                f"The ini file {path} does not exist.", "Check the path, or create the file first."
            ) from error
        except OSError as error:
            raise RequestError(
                f"The ini file {path} cannot be read: {error.strerror or error}.",
                "It must be a text file that you may read.",
            ) from error
        _refuse_binary(data[:_LOOKED_AT], path)
        if len(data) > LARGEST:
            raise RequestError(
                f"{path} has more than {LARGEST} bytes, so it is no ini file.", "Check the path."
            )
        return cls(data, str(path))

    @property
    def encoding(self) -> Encoding:
        """How the file was read, and will be written."""
        return self._encoding

    def not_ascii(self) -> frozenset[int]:
        """Numbers of the lines whose characters depend on the encoding."""
        return frozenset(
            number for number, line in enumerate(self._lines, 1) if not line.text.isascii()
        )

    def serialize(self) -> bytes:
        """The bytes of the file, as they were except for what was edited.

        Raises:
            RequestError: a new value does not fit the encoding of the file.
        """
        text = "".join(line.text + line.end for line in self._lines)
        hint = "Save the file as UTF-8 or Unicode in a text editor first."
        try:
            data = self._encoding.encode(text)
        except UnicodeEncodeError as error:
            raise RequestError(
                f"{self.name} is written in the code page {self._encoding.codec}, which has no "
                f"{text[error.start]!r}.",
                hint,
            ) from error
        if Encoding.of(data) != self._encoding and not data.isascii():
            raise RequestError(
                f"{self.name} would be taken for another encoding after this edit.", hint
            )
        return data

    def sections(self) -> Iterator[Section]:
        """All section lines in their order, the ignored ones too."""
        return iter(self._look().sections)

    def entries(self) -> Iterator[Entry]:
        """All key lines in their order, also those that the API ignores."""
        return iter(self._look().entries)

    def _look(self) -> _Index:
        """Read the lines, unless nothing changed since that was done."""
        if self._index is None:
            sections, entries = tuple(self._read_sections()), tuple(self._read_entries())
            by_section: dict[str, Section] = {}
            by_key: dict[tuple[Section, str], Entry] = {}
            for section in sections:
                by_section.setdefault(_fold(section.name), section)
            for entry in entries:
                if entry.section is not None:
                    by_key.setdefault((entry.section, _fold(entry.key)), entry)
            self._index = _Index(sections, entries, by_section, by_key)
        return self._index

    def _read_sections(self) -> Iterator[Section]:
        for number, line in enumerate(self._lines, 1):
            name = _section_name(line.text)
            if name is not None:
                yield Section(name, number)

    def _read_entries(self) -> Iterator[Entry]:
        section: Section | None = None
        for number, line in enumerate(self._lines, 1):
            stripped = line.text.strip(_BLANKS)
            name = _section_name(line.text)
            if name is not None:
                section = Section(name, number)
            elif stripped and not stripped.startswith(";"):
                key, equals, text = stripped.partition("=")
                value = _unquote(text) if equals else None
                quoted = value is not None and value != text.strip(_BLANKS)
                yield Entry(section, key.rstrip(_BLANKS), value, number, quoted)

    def undecodable(self) -> Iterator[Entry]:
        """Lines that hold half a character (a lone surrogate), or bytes that are none."""
        return (
            entry for entry in self.entries() if not is_unicode(entry.key + (entry.value or ""))
        )

    def find_section(self, section: str) -> Section | None:
        """The first section of this name."""
        return self._look().by_section.get(_fold(section))

    def find(self, section: str, key: str) -> Entry | None:
        """The line the API would take the value of this key from."""
        header = self.find_section(section)
        return self._look().by_key.get((header, _fold(key))) if header is not None else None

    def get(self, section: str, key: str) -> str | None:
        """The value of a key, or None when it is not in the file."""
        entry = self.find(section, key)
        return entry.value if entry else None

    def set(self, section: str, key: str, value: str) -> None:
        """Give a key a value: in place, or at the end of its section, or of the file.

        A line that already has this value stays as it is.

        Raises:
            RequestError: section, key or value cannot stand in a line of an ini file.
        """
        section, key = section.strip(_BLANKS), key.strip(_BLANKS)
        self._refuse_unreadable(section, key, value)
        entry = self.find(section, key)
        if entry is None:
            self._append(section, f"{key}={quote(value)}")
        elif entry.value != value:
            self._index = None
            line = self._lines[entry.line - 1]
            line.text = _before_value(line.text) + quote(value)

    def remove(self, section: str, key: str) -> None:
        """Take the line of a key out; nothing happens when there is none."""
        entry = self.find(section, key)
        if entry is not None:
            self._index = None
            del self._lines[entry.line - 1]

    def _append(self, section: str, text: str) -> None:
        header = self.find_section(section)
        if header is None:
            self._insert(len(self._lines), f"[{section}]")
            self._insert(len(self._lines), text)
        else:
            self._insert(self._end_of(header), text)

    def _end_of(self, header: Section) -> int:
        """Index after the last line of a section that is not blank."""
        following = (found.line - 1 for found in self.sections() if found.line > header.line)
        index = next(following, len(self._lines))
        while not self._lines[index - 1].text.strip(_BLANKS):
            index -= 1
        return index

    def _insert(self, index: int, text: str) -> None:
        self._index = None
        end = self._new_line or os.linesep
        if index and not self._lines[index - 1].end:
            self._lines[index - 1].end = end
        self._lines.insert(index, _Line(text, end))

    def _refuse_unreadable(self, section: str, key: str, value: str) -> None:
        for kind, text in (("section", section), ("key", key), ("value", value)):
            if _NO_PART_OF_A_LINE.intersection(text) or not is_unicode(text):
                shown = f"The value of {key!r}" if kind == "value" else f"The {kind} {text!r}"
                raise RequestError(
                    f"{shown} cannot be written to {self.name}: it contains a line break, a NUL "
                    "or half a character.",
                    f"Give a {kind} that fits on one line of text.",
                )
        if not section or "]" in section:
            raise RequestError(f"{section!r} cannot be the name of a section in {self.name}.")
        if not key or "=" in key or key.startswith((";", "[")):
            raise RequestError(f"{key!r} cannot be the name of a key in {self.name}.")


def _fold(name: str) -> str:
    return name.strip(_BLANKS).lower()


def is_unicode(text: str) -> bool:
    """Whether every character is whole: no half of one, no byte that could not be decoded."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _section_name(text: str) -> str | None:
    stripped = text.strip(_BLANKS)
    if not stripped.startswith("[") or "]" not in stripped:
        return None
    return stripped[1 : stripped.index("]")].strip(_BLANKS)


def _refuse_binary(start: bytes, path: Path) -> None:
    if b"\0" in start and Encoding.of(start).mark not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise RequestError(
            f"{path} is not a text file.",
            "If it is UTF-16 without a byte order mark, save it as UTF-8 in a text editor.",
        )


def _unquote(value: str) -> str:
    value = value.strip(_BLANKS)
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        return value[1:-1]
    return value


def quote(value: str) -> str:
    """The value as it must be written so that reading gives it back."""
    return value if _unquote(value) == value else f'"{value}"'


def _before_value(text: str) -> str:
    """The line up to its value: ``  key = `` of ``  key = value``."""
    before, equals, after = text.rstrip(_BLANKS).partition("=")
    return (
        f"{before}={after[: len(after) - len(after.lstrip(_BLANKS))]}" if equals else before + "="
    )
