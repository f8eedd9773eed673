"""``SHA256SUMS``: written as ``sha256sum`` writes it, and compared with what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.files.hash import sha256_of

NAME = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)")


def sums_text(sums: Mapping[str, str]) -> str:
    r"""The lines for files by their paths.

    A path with a line feed or a backslash is escaped, and its line begins with a backslash (GNU
    coreutils, "md5sum invocation").
    """
    return "".join(_line(path, digest) for path, digest in sums.items())


def _line(path: str, digest: str) -> str:
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != path else ""
    return f"{mark}{digest}  {escaped}\n"


def read_sums(text: str, name: str) -> dict[str, str]:
    """The digests by path.

    Args:
        text: content of the file.
        name: what to call it in messages.

    Raises:
        MediaError: a line is none of ``sha256sum``.
    """
    found: dict[str, str] = {}
    # Not splitlines(): a name may hold what Unicode takes for the end of a line.
    for line in text.removesuffix("\n").split("\n") if text else ():
        match = _LINE.fullmatch(line)
        if match is None:
            raise MediaError(f"{name} is no list of SHA-256 sums.", "Use another copy of it.")
        path = match[3]
        if match[1]:
            path = re.sub(r"\\(.)", lambda item: {"n": "\n", "r": "\r"}.get(item[1], item[1]), path)
        found[path] = match[2]
    return found


def differences(folder: Path, sums: Mapping[str, str], image: str = "") -> list[str]:
    """What does not have its sum, a sentence each.

    Args:
        folder: what the paths are relative to.
        sums: digests by path.
        image: the only path that may lead out of the folder; none when empty.
    """
    told = []
    for path, digest in sums.items():
        if path != image and Path(path).name != path:
            told.append(f"{path} is no part of the report.")
            continue
        try:
            if sha256_of(folder / path) != digest:
                told.append(f"{(folder / path).resolve()} is not what was made.")
        except OSError as error:
            told.append(f"{folder / path} cannot be read: {error.strerror}.")
    return told
