"""Names and paths inside Windows: how NTFS compares them and which it cannot hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

from winimagetools.errors import BuildError
from winimagetools.files.upcase import fold

NAME_HINT = (
    'Rename it. Windows allows no < > : " / \\ | ? * and no control characters in a name, no dot '
    "or space at its end, no device names such as CON or NUL.txt, and not more than 255 characters."
)

_FORBIDDEN = frozenset('<>:"/\\|?*') | {chr(code) for code in range(32)}
_DEVICES = re.compile(
    r"(con|prn|aux|nul|com[1-9\u00b9\u00b2\u00b3]|lpt[1-9\u00b9\u00b2\u00b3]) *(\..*)?"
    r"|conin\$|conout\$",
    re.IGNORECASE | re.DOTALL,
)
"""Names that mean a device in every folder, with any extension."""
_LONGEST = 255
"""UTF-16 units in one name."""


def name_fault(name: str) -> str:
    """Why Windows cannot hold a name, completing "it ..."; empty when it can.

    https://learn.microsoft.com/windows/win32/fileio/naming-a-file
    """
    bad = sorted(_FORBIDDEN.intersection(name))
    if name in ("", ".", ".."):
        return "is no name"
    if bad:
        return f"has {' '.join(map(repr, bad))} in it"
    if name[-1] in ". ":
        return "ends in a dot or a space"
    if _DEVICES.fullmatch(name):
        return "is the name of a device"
    if len(name.encode("utf-16-le", "surrogatepass")) // 2 > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    return ""


def split_path(path: str) -> tuple[str, ...]:
    r"""The parts of a Windows path relative to the volume root, either slash.

    Raises:
        BuildError: it is absolute, has a drive letter, climbs with ``..`` or holds a name
            that Windows cannot store.
    """
    text = path.replace("\\", "/")
    if text.startswith("/"):
        raise BuildError(f"{path!r} is not relative to the root of the Windows volume.")
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    for part in parts:
        check_name(part, path)
    return parts


def split_file(path: str) -> tuple[str, ...]:
    """As :func:`split_path`, for something that must have a name.

    Raises:
        BuildError: it names the root of the volume.
    """
    parts = split_path(path)
    if not parts:
        raise BuildError(f"{path!r} is the root of the Windows volume, not a file in it.")
    return parts


def check_name(name: str, path: str) -> None:
    """Refuse a name that Windows cannot hold; ``path`` says where it is.

    Raises:
        BuildError: see :func:`name_fault`.
    """
    fault = name_fault(name)
    if fault:
        raise BuildError(
            f"{path!r} cannot be put into a Windows volume: its part {name!r} {fault}.",
            NAME_HINT,
        )


def path_faults(paths: Iterable[str]) -> tuple[str, ...]:
    """What is wrong with ``/``-separated paths of files, for one folder of Windows.

    Every part is judged by :func:`name_fault`, and no two may differ in letter case only.

    Returns:
        A sentence for each fault.
    """
    faults: dict[str, None] = {}
    seen: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for depth, name in enumerate(parts, 1):
            here = "/".join(parts[:depth])
            if fault := name_fault(name):
                faults[f"{here!r} {fault}."] = None
            twin = seen.setdefault(fold(here), here)
            if twin != here:
                faults[f"{twin!r} and {here!r} are one name for Windows."] = None
    return tuple(faults)
