"""What looks wrong in a configuration file, as warnings with line numbers.

The PowerShell tools ignore all of this in silence: keys before the first section, unknown
keys and sections, keys in a section where nobody looks for them, second copies. So does
this port, but it says so, and names what was probably meant. Comments behind values and
characters of an unknown code page are read as they stand, which is said too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from winimagetools.errors import Problem
from winimagetools.formats.ini_document import Entry, IniFile, Section
from winimagetools.settings.declaration import Kind
from winimagetools.settings.options import OPTIONS, SECTION_OF, SECTIONS, WindowsImageConfig

_SECTION_NAMES = {section.lower(): section for section in SECTIONS}
_SECRETS = [declared.name for declared in OPTIONS if declared.secret]
_NO_TEXT = {declared.name for declared in OPTIONS if declared.kind is not Kind.TEXT}
_COMMENT = re.compile(r"^[;#]\s|\s[;#]")
"""What somebody who writes a comment behind a value begins it with; ``#####`` is a value."""
_SECRET_WORD = re.compile(
    r"(?i)pass(word|wd|phrase|code)|(?<![a-z])pass(?![a-z])|pwd|secret|token|credential|"
    r"(api|private|access|licen[cs]e|product|encryption)[_ -]?key"
)
"""Parts of names that people give to what must not be read by others."""


def structure_warnings(document: IniFile) -> list[Problem]:
    """Everything in a file that no option will be read from, in the order of its lines."""
    entries = [entry for entry in document.entries() if not entry.key.startswith("#")]
    problems = [
        *_encoding_warnings(document, entries),
        *_section_warnings(document, entries),
        *(problem for entry in entries for problem in _entry_warnings(document, entry)),
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)


def _encoding_warnings(document: IniFile, entries: Iterable[Entry]) -> Iterator[Problem]:
    """Windows-1252 is a guess: the PowerShell tools read the code page of their machine."""
    if document.encoding.codec != "cp1252":
        return
    doubtful = document.not_ascii()
    for entry in entries:
        if entry.line in doubtful:
            yield Problem(
                "The file is not UTF-8 and was read as Windows-1252 (Western European); with "
                "another code page the characters beyond ASCII in this line are wrong.",
                "Save the file as UTF-8.",
                entry.section.name if entry.section else "",
                entry.key if entry.value is not None else "",
                entry.line,
            )


def _section_warnings(document: IniFile, entries: Iterable[Entry]) -> Iterator[Problem]:
    for section in document.sections():
        first = document.find_section(section.name)
        if first != section and first is not None:
            keys = ", ".join(entry.key for entry in entries if entry.section == section)
            yield Problem(
                f"This section was already opened in line {first.line} and only that one counts; "
                f"ignored here: {keys or 'nothing'}.",
                "Move the keys up into the first one.",
                section.name,
                line=section.line,
            )
        elif section.name.lower() not in _SECTION_NAMES:
            yield Problem(
                "No option is read from a section of this name; its keys are put into the image "
                "for scripts of your own.",
                _suggestion("section", section.name, SECTIONS),
                section.name,
                line=section.line,
            )


def _entry_warnings(document: IniFile, entry: Entry) -> Iterator[Problem]:
    name = entry.key.lower()
    section = entry.section
    if section is None:
        yield _outside(entry, name)
    elif document.find_section(section.name) != section:
        return  # the section as a whole was warned about
    elif name not in SECTION_OF:
        yield from _unknown(entry, name, section)
        yield from _comment(entry, section)
    elif SECTION_OF[name].lower() != section.name.lower():
        yield Problem(
            f"This option is not looked for in [{section.name}], so it is ignored.",
            f"Move it to [{SECTION_OF[name]}].",
            section.name,
            name,
            entry.line,
        )
    else:
        yield from _overshadowed(document, entry, name)
        yield from _comment(entry, section)


def _comment(entry: Entry, section: Section) -> Iterator[Problem]:
    if entry.value is None or entry.quoted or entry.key.lower() in _NO_TEXT:
        return  # a number or boolean with a comment cannot be read, which is told anyway
    if _COMMENT.search(entry.value):
        yield Problem(
            "What looks like a comment behind the value is part of the value: the file format has "
            "no comments there.",
            "Put the comment into a line of its own, or the whole value into quotes when it is "
            "part of it.",
            section.name,
            entry.key,
            entry.line,
        )


def _outside(entry: Entry, name: str) -> Problem:
    message = "This line stands before the first section, so it is ignored."
    if name in SECTION_OF:
        return Problem(message, f"Put [{SECTION_OF[name]}] above it.", "", name, entry.line)
    if entry.value is None:
        return Problem(message, "Start it with ; when it is a comment.", line=entry.line)
    hint = _suggestion("option", name, SECTION_OF)
    return Problem(message, hint, "", entry.key, entry.line)


def _unknown(entry: Entry, name: str, section: Section) -> Iterator[Problem]:
    if entry.value is None:
        yield Problem(
            "This line has no =, so it is ignored.",
            "Start it with ; when it is a comment.",
            section.name,
            line=entry.line,
        )
    elif meant := _misspelled_secret(name):
        yield Problem(
            f"There is no option of this name; it looks like {meant} and is not put into the "
            "image.",
            f"Write {meant} in [{SECTION_OF[meant]}], or give a key of your own another name.",
            section.name,
            entry.key,
            entry.line,
        )
    elif _SECRET_WORD.search(name):
        yield Problem(
            "There is no option of this name; for scripts of your own it is put into the image, "
            "where everybody who has the image can read it until the image is finished.",
            _suggestion("option", name, SECTION_OF),
            section.name,
            entry.key,
            entry.line,
        )
    elif section.name.lower() in _SECTION_NAMES:
        yield Problem(
            "There is no option of this name; only scripts of your own in the image can read it.",
            _suggestion("option", name, SECTION_OF),
            section.name,
            entry.key,
            entry.line,
        )


def _overshadowed(document: IniFile, entry: Entry, name: str) -> Iterator[Problem]:
    first = document.find(SECTION_OF[name], name)
    if first is not None and first.line != entry.line:
        yield Problem(
            f"This option was already given in line {first.line}; that line counts.",
            "Remove one of them.",
            SECTION_OF[name],
            name,
            entry.line,
        )
    elif entry.value is None:
        yield Problem(
            "This line has no =, so the default is used.",
            "Write a value or remove the line.",
            SECTION_OF[name],
            name,
            entry.line,
        )


def _suggestion(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), {word.lower(): None for word in known}, n=1)
    if not near:
        return f"Remove it, or see the file that New-WindowsImageConfig writes for every {kind}."
    if kind == "section":
        return f"Did you mean [{_SECTION_NAMES[near[0]]}]?"
    return f"Did you mean {near[0]} in [{SECTION_OF[near[0]]}]?"


def value_warnings(config: WindowsImageConfig) -> list[Problem]:
    """Values that are right one by one and do nothing together."""
    if bool(config.url) == bool(config.checksum):
        return []
    given, missing = ("url", "checksum") if config.url else ("checksum", "url")
    return [
        config.problem(
            given,
            f"{given} without {missing} is ignored.",
            f"Give {missing} too, in the same section.",
        )
    ]


def own_entries(document: IniFile) -> tuple[tuple[str, str, str], ...]:
    """Section, key and value of everything that is no option: users' scripts may read it.

    All of it is passed on to the image, but what looks like a misspelled option that is a
    secret: its value was not meant for the image. :func:`structure_warnings` says of each
    key whose name looks like a secret which of the two happens.
    """
    return tuple(
        (entry.section.name, entry.key, entry.value)
        for entry in document.entries()
        if entry.section is not None
        and entry.value is not None
        and document.find_section(entry.section.name) == entry.section
        and _is_own(entry.key.lower())
    )


def own_secrets(document: IniFile) -> tuple[str, ...]:
    """Values of keys that are no options and look like secrets: they must not be logged."""
    return tuple(
        entry.value
        for entry in document.entries()
        if entry.value
        and entry.key.lower() not in SECTION_OF
        and (_misspelled_secret(entry.key.lower()) or _SECRET_WORD.search(entry.key))
    )


def _is_own(name: str) -> bool:
    return name not in SECTION_OF and not name.startswith("#") and not _misspelled_secret(name)


def _misspelled_secret(name: str) -> str:
    """The option a name that is none was probably meant to be, when that one is a secret."""
    near = difflib.get_close_matches(name, _SECRETS, n=1, cutoff=0.8)
    return near[0] if near and name not in SECTION_OF else ""
