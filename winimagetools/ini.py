"""Values in ini files: the three functions scripts use, and the file work behind them.

The rules are those of the Win32 profile API, see :mod:`winimagetools.formats.ini_document`. A file
is replaced in one step, so nobody ever reads half of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import Literal, overload

from winimagetools.errors import IniValueError, RequestError
from winimagetools.files.access import access_of, give_access, private_opener
from winimagetools.formats.ini_document import IniFile

__all__ = [
    "DEFAULT_SECTION",
    "IniFile",
    "get_ini_file_value",
    "remove_ini_file_value",
    "set_ini_file_value",
    "to_boolean",
    "write_atomically",
]

DEFAULT_SECTION = "DEFAULT"


def to_boolean(text: str) -> bool:
    """What .NET's ``Convert.ToBoolean`` makes of a text: True, False, nothing else.

    Raises:
        IniValueError: the text is neither, in any case, with blanks around it or without.
    """
    word = text.strip().strip("\0").strip().lower()
    if word not in ("true", "false"):
        raise IniValueError(f"{text!r} is neither True nor False.", "Write True or False.")
    return word == "true"


@overload
def get_ini_file_value(
    path: Path | str,
    key: str,
    section: str = ...,
    default: str | bool | None = ...,
    as_boolean: Literal[False] = ...,
) -> str: ...
@overload
def get_ini_file_value(
    path: Path | str,
    key: str,
    section: str = ...,
    default: str | bool | None = ...,
    *,
    as_boolean: Literal[True],
) -> bool: ...
@overload
def get_ini_file_value(
    path: Path | str,
    key: str,
    section: str = ...,
    default: str | bool | None = ...,
    as_boolean: bool = ...,
) -> str | bool: ...
def get_ini_file_value(
    path: Path | str,
    key: str,
    section: str = DEFAULT_SECTION,
    default: str | bool | None = None,
    as_boolean: bool = False,
) -> str | bool:
    """The value of a key as text, or as a boolean with ``as_boolean``.

    Port of ``Get-IniFileValue``. A key that is not there has the value ``default``; that is an
    empty text when no default is given, and an empty text is no boolean.

    Raises:
        RequestError: the file does not exist or cannot be read.
        IniValueError: ``as_boolean``, and the value is neither True nor False.
    """
    document = IniFile.read(Path(path))
    found = document.get(section, key)
    value = found if found is not None else "" if default is None else str(default)
    if not as_boolean:
        return value
    try:
        return to_boolean(value)
    except IniValueError as error:
        raise IniValueError(f"[{section}] {key} in {path}: {error.message}", error.hint) from error


def set_ini_file_value(
    path: Path | str, key: str, value: str | bool | int, section: str = DEFAULT_SECTION
) -> None:
    """Give a key a value in an existing file and leave everything else as it is.

    Port of ``Set-IniFileValue``.

    Raises:
        RequestError: the file does not exist, cannot be written, or the value does not fit
            on one line or into the encoding of the file.
    """
    document = IniFile.read(Path(path))
    document.set(section, key, str(value))
    _save(document, Path(path))


def remove_ini_file_value(path: Path | str, key: str, section: str = DEFAULT_SECTION) -> None:
    """Take a key out of an existing file and leave everything else as it is.

    Port of ``Remove-IniFileValue``.

    Raises:
        RequestError: the file does not exist or cannot be written.
    """
    document = IniFile.read(Path(path))
    document.remove(section, key)
    _save(document, Path(path))


def _save(document: IniFile, path: Path) -> None:
    data = document.serialize()
    if data != path.read_bytes():
        write_atomically(path, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step: whoever opens it sees all of the old or all of the new.

    A symbolic link stays one, an existing file keeps its mode, and its owner where possible.
    Nobody else can read what is written before it has them.

    Raises:
        RequestError: the folder does not exist or cannot be written to.
    """
    temporary: Path | None = None
    try:
        target = _file_behind(path)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        access = access_of(target)
        opener = private_opener if access else None
        with open(temporary, "xb", opener=opener) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if access:
            give_access(temporary, access)
        temporary.replace(target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError):
            raise RequestError(
                f"{path} cannot be written: {error.strerror or error}.",
                "Check that its folder exists and that you may write to it.",
            ) from error
        raise


def _file_behind(path: Path) -> Path:
    """The file that is to be written. Raises OSError when it is something else."""
    try:
        target = path.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    return target
