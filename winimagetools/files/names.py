"""Names and paths inside Windows: how NTFS compares them and which it cannot hold."""

from __future__ import annotations

from winimagetools.errors import BuildError

_FORBIDDEN = frozenset('<>:"|?*') | {chr(code) for code in range(32)}


def fold(name: str) -> str:
    """A name as NTFS compares it: every letter in upper case, one to one.

    ``str.upper`` alone would turn ``ß`` into ``SS``, which NTFS tells apart.
    """
    return "".join(upper if len(upper := letter.upper()) == 1 else letter for letter in name)


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
        BuildError: reserved characters, ``..``, a space or dot at the end, or no Unicode.
            https://learn.microsoft.com/windows/win32/fileio/naming-a-file
    """
    if name == ".." or name[-1] in ". " or not _FORBIDDEN.isdisjoint(name):
        raise BuildError(
            f"{path!r} cannot be put into a Windows volume because of its part {name!r}.",
            'Windows allows no < > : " | ? * in a name, no dot or space at its end, and no "..".',
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BuildError(f"The name {path!r} is not valid UTF-8.", "Rename the file.") from error
