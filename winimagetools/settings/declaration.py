"""How an option of the configuration is declared, read from text and written as text.

:func:`option` makes the dataclass fields of
:class:`winimagetools.settings.options.WindowsImageConfig`; :func:`declarations` lists them as
:class:`Option` records. Reader, writer, command line and
documentation all work from these records, so that an option is described in one place.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path, PureWindowsPath
from types import MappingProxyType
from typing import TypeVar, cast

from winimagetools.errors import IniValueError, Problem
from winimagetools.formats.ini_document import is_unicode, quote
from winimagetools.ini import DEFAULT_SECTION, to_boolean

Value = bool | int | str
_T = TypeVar("_T", bool, int, str)

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
LARGEST_SIZE = 1 << 50
"""1024 TB; no container, volume or virtual machine here takes more."""
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(?:([KMGT])(?:I?B)?|B)?", re.IGNORECASE)
_TEMP = re.compile(r"\$\{env:te?mp\}(?:[\\/]+|$)", re.IGNORECASE)


class Kind(StrEnum):
    """What the text of an option must look like."""

    BOOLEAN = "boolean"
    COUNT = "count"
    SIZE = "size"
    TEXT = "text"


@dataclass(frozen=True)
class Option:
    """The declaration of one option.

    Args:
        name: the key in the file and the attribute of the configuration.
        section: the section it belongs to.
        kind: what its text must look like.
        default: the value when the file does not name it.
        help: what it does, in whole sentences.
        secret: its value must not be shown.
        guest: the scripts inside the image need it.
    """

    name: str
    section: str
    kind: Kind
    default: Value
    help: str
    secret: bool = False
    guest: bool = False

    def parse(self, text: str) -> Value:
        """The value a text stands for.

        Raises:
            IniValueError: the text is not of this kind, or holds half a character.
        """
        if not is_unicode(text):
            raise IniValueError(
                "The value holds bytes that are no text.",
                "Write it in UTF-8; a file with such a name has to be renamed.",
            )
        match self.kind:
            case Kind.BOOLEAN:
                return to_boolean(text)
            case Kind.COUNT:
                return parse_count(text)
            case Kind.SIZE:
                return parse_size(text)
            case Kind.TEXT:
                return expand_temp(text)


@dataclass(frozen=True)
class Origin:
    """Where the values of a configuration came from.

    Args:
        path: the file that was read; None for a configuration of defaults.
        lines: option name → line of the file that gave its value, starting at 1.
        explicit: names of the options that the file or the command line set.
        warnings: what looked wrong and was read in the way the messages say.
        own: section, key and value of what is no option here: for the user's own scripts.
    """

    path: Path | None = None
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    explicit: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()
    own: tuple[tuple[str, str, str], ...] = ()

    def line(self, name: str) -> int | None:
        """Line of the file that gave this option its value, None when none did."""
        return self.lines.get(name)

    def is_explicit(self, name: str) -> bool:
        """Whether the file or the command line set this option, be it to its default."""
        return name in self.explicit


def option(
    default: _T | Callable[[], _T],
    section: str = DEFAULT_SECTION,
    *,
    help: str,  # noqa: A002 - the word argparse and the command line use
    size: bool = False,
    secret: bool = False,
    guest: bool = False,
) -> _T:
    """A dataclass field that is an option; its type follows from the default.

    Args:
        default: the value when the file does not name it, or a function that computes it.
        section: the section it belongs to.
        help: what it does, in whole sentences.
        size: the number counts bytes and may be written with a unit.
        secret: its value must not be shown.
        guest: the scripts inside the image need it.
    """
    metadata = {"section": section, "help": help, "size": size, "secret": secret, "guest": guest}
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def declarations(config_type: type) -> tuple[Option, ...]:
    """The options of a configuration class in the order of their declaration."""
    return tuple(
        _declaration(declared)
        for declared in dataclasses.fields(config_type)
        if "section" in declared.metadata
    )


def _declaration(declared: dataclasses.Field[Value]) -> Option:
    about = declared.metadata
    if declared.default_factory is not dataclasses.MISSING:
        default = declared.default_factory()
    else:
        default = cast(Value, declared.default)
    return Option(
        declared.name,
        about["section"],
        _kind(default, about["size"]),
        default,
        about["help"],
        about["secret"],
        about["guest"],
    )


def _kind(default: Value, size: bool) -> Kind:
    if isinstance(default, bool):
        return Kind.BOOLEAN
    if isinstance(default, int):
        return Kind.SIZE if size else Kind.COUNT
    return Kind.TEXT


def parse_count(text: str) -> int:
    """A whole number of at least one.

    Raises:
        IniValueError: it is something else.
    """
    stripped = text.strip()
    if not re.fullmatch(r"\d{1,9}", stripped, re.ASCII) or int(stripped) < 1:
        raise IniValueError(f"{text!r} is not a whole number above zero.", "Write digits only.")
    return int(stripped)


def parse_size(text: str) -> int:
    """Bytes: ``42949672960``, ``40GB``, ``40 GiB``, ``1.5G``, ``2048 MB``.

    As in PowerShell, a GB has 1024 x 1024 x 1024 bytes; GiB and G are the same.

    Raises:
        IniValueError: it is no size, is zero or beyond all reason, or is not a whole number of
            bytes.
    """
    hint = "Write bytes, or a number with KB, MB, GB or TB such as 40GB."
    match = _SIZE.fullmatch(text.strip()) if text.isascii() else None
    if match is None:
        raise IniValueError(f"{text!r} is not a size.", hint)
    size = Decimal(match[1]) * 1024 ** _POWERS[(match[2] or "").upper()]
    if size < 1 or size != int(size):
        raise IniValueError(f"{text!r} is not a whole number of bytes above zero.", hint)
    if size > LARGEST_SIZE:
        raise IniValueError(f"{text!r} is more than 1024 TB.", "Give a size that a disk can have.")
    return int(size)


def expand_temp(text: str) -> str:
    r"""The text with ``${ENV:TEMP}`` at its start replaced by the folder for temporary files.

    The PowerShell tools write their default ``image_path`` with this expression, and people copy it
    into their files: ``${ENV:TEMP}\win-image.vhdx``.
    """
    match = _TEMP.match(text)
    if match is None:
        return text
    rest = PureWindowsPath(text[match.end() :])
    return str(Path(tempfile.gettempdir(), *rest.parts))


def written(value: Value) -> str:
    """A value as it stands in a file, quoted where a reader would otherwise change it."""
    return quote(str(value)) if value != "" else '""'
