"""File names: extensions as .NET counts them, and paths that only make sense on Windows."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"^[A-Za-z]:([\\/]|$)|^\\\\")


def without_extension(path: Path, depth: int = 0) -> Path:
    """The path without its last ``depth`` + 1 extensions: ``a/win.raw.tgz`` → ``a/win``.

    Port of ``Get-PathWithoutExtension``. Where the PowerShell tools take part of a name such as
    ``win-10.0.1.qcow2`` for extensions, only what looks like one is removed here: letters
    and digits that do not begin with a digit (``7z`` aside).
    """
    name = path.name
    for _ in range(depth + 1):
        stem, dot, extension = name.rpartition(".")
        if not dot or not stem or not _is_extension(extension):
            break
        name = stem
    return path.with_name(name) if name else path


def _is_extension(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*|7z", text))


def is_iso(path: str | PurePath) -> bool:
    """Whether the name ends in ``.iso``. Port of ``Is-IsoFile``."""
    return PurePath(path).suffix.casefold() == ".iso"


def is_url(text: str) -> bool:
    """Whether a text is the address of something on the network: ``https://host/file``."""
    return bool(_URL.match(text.strip()))


def plain_path(text: str) -> str:
    """A path without what a shell would have taken off: quotes around it, ``~`` before it.

    A file that really has such a name is meant by it.
    """
    plain = _expanded(_unquoted(text.strip()))
    return text if plain != text and Path(text).exists() else plain


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _expanded(text: str) -> str:
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:  # no user of this name
        return text


def is_windows_path(text: str) -> bool:
    r"""Whether a path starts with a drive letter or a share: ``D:\Sources``, ``\\server\x``."""
    return bool(_DRIVE.match(text))
