r"""The desktop background: a picture or one colour, set by local policy for every user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from winimagetools.contract import ReadOnlyTree
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.files.whole import read_whole
from winimagetools.formats import policy
from winimagetools.formats.policy import PolicyEntry
from winimagetools.plan import (
    Content,
    FileAddition,
    FileChange,
    FileRemoval,
    HostPath,
    RegistryValue,
)

PICTURE = r"Windows\Web\Wallpaper\Cloud\Wallpaper.jpg"
THEMES = r"Users\Administrator\AppData\Roaming\Microsoft\Windows\Themes"
"""Where Windows keeps its copy of the picture for a user who has logged on before."""
_LARGEST = 64 * 1024 * 1024
"""Bytes of a picture."""
_JPEG_MAGIC = b"\xff\xd8\xff"
_SYSTEM_POLICY = r"Software\Microsoft\Windows\CurrentVersion\Policies\System"
_FIT = "3"
_NO_PICTURE = "1"
"""Names no file; an empty text would leave the choice to the user."""
_COLOUR = re.compile(r"(\d{1,3}) +(\d{1,3}) +(\d{1,3})")


def check_wallpaper(wallpaper_path: Path | str | None, solid_color: str) -> None:
    """Refuse options that contradict each other or cannot be used.

    The PowerShell tools take their own picture in silence when the given one is no .jpg.

    Raises:
        RequestError: saying which.
    """
    if wallpaper_path and solid_color:
        raise RequestError(
            "wallpaper_path and wallpaper_solid_color cannot both be set.",
            "Keep the one you want.",
        )
    if wallpaper_path and Path(wallpaper_path).suffix.casefold() not in (".jpg", ".jpeg"):
        raise RequestError(
            f"The wallpaper {wallpaper_path} is not a .jpg or .jpeg file.",
            "Convert it, or leave wallpaper_path empty for the built-in picture.",
        )
    if solid_color:
        _colour(solid_color)


def windows_wallpaper(
    wallpaper_path: Path | None = None,
    solid_color: str = "",
    tree: ReadOnlyTree | None = None,
) -> tuple[FileChange, ...]:
    """A background for the image; without options the picture of this project.

    The PowerShell tools read the option of their caller instead of their own argument; here
    only the arguments count. Port of ``Set-WindowsWallpaper``.

    Args:
        wallpaper_path: a JPEG file of this machine.
        solid_color: red, green and blue from 0 to 255, such as ``0 0 0``, instead of a
            picture. The PowerShell tools have black only.
        tree: a Windows that was installed before and may keep copies of another picture.

    Raises:
        RequestError: the options cannot be used.
    """
    check_wallpaper(wallpaper_path, solid_color)
    changes: list[FileChange] = []
    if solid_color:
        entries = solid_colour_policy(_colour(solid_color))
    else:
        changes += _picture(HostPath(wallpaper_path or data_path("wallpaper.jpg")), tree)
        entries = picture_policy()
    policy_files = (
        (policy.USER_POLICY, policy.registry_pol(entries)),
        (policy.POLICY_INDEX, policy.user_policy_index()),
    )
    changes += [FileAddition(path, (Content(data),)) for path, data in policy_files]
    return tuple(changes)


def without_wallpaper(tree: ReadOnlyTree) -> tuple[FileRemoval, ...]:
    """Take picture, cached copies and policy away. Port of ``Reset-WindowsWallpaper``."""
    paths = (PICTURE, *_cached_copies(tree), policy.USER_POLICY)
    return tuple(FileRemoval(path) for path in paths)


def picture_policy() -> tuple[PolicyEntry, ...]:
    """The policy that shows the picture, fitted to the screen."""
    return (
        _entry(_SYSTEM_POLICY, "Wallpaper", rf"C:\{PICTURE}"),
        _entry(_SYSTEM_POLICY, "WallpaperStyle", _FIT),
    )


def solid_colour_policy(colour: str) -> tuple[PolicyEntry, ...]:
    """The policy that shows one colour: three numbers and single spaces."""
    return (
        _entry(r"Control Panel\Colors", "Background", colour),
        _entry(r"Control Panel\Desktop", "WallPaper", ""),
        _entry(_SYSTEM_POLICY, "Wallpaper", _NO_PICTURE),
    )


def _entry(key: str, name: str, text: str) -> PolicyEntry:
    return PolicyEntry(key, RegistryValue(name, "REG_SZ", text))


def _colour(text: str) -> str:
    match = _COLOUR.fullmatch(text.strip())
    if match is None or any(int(part) > 255 for part in match.groups()):
        raise RequestError(
            f"{text!r} is not a colour.",
            "It is three numbers from 0 to 255, red, green and blue, such as 0 0 0 for black.",
            "wallpaper_solid_color",
        )
    return " ".join(str(int(part)) for part in match.groups())


def read_picture(picture: Path) -> bytes:
    """The content of a JPEG file.

    Raises:
        RequestError: it cannot be read, is something else or larger than any picture.
    """
    try:
        data = read_whole(picture, f"The wallpaper {picture}", _LARGEST)
    except OSError as error:
        raise RequestError(
            f"The wallpaper {picture} cannot be read: {error.strerror}.",
            "Correct wallpaper_path.",
        ) from error
    if not data.startswith(_JPEG_MAGIC):
        raise RequestError(
            f"The wallpaper {picture} is not a JPEG picture, whatever its name says.",
            "Convert it to JPEG.",
        )
    return data


def _picture(picture: HostPath, tree: ReadOnlyTree | None) -> Iterator[FileChange]:
    yield FileAddition(PICTURE, (picture,))
    copies = list(_cached_copies(tree)) if tree is not None else []
    if tree is not None and copies:
        yield from (FileRemoval(rf"{THEMES}\{name}") for name in tree.list_dir(THEMES))
    yield from (FileAddition(path, (picture,)) for path in copies)


def _cached_copies(tree: ReadOnlyTree) -> Iterator[str]:
    """``TranscodedWallpaper``, with an extension on Windows 7."""
    for name in tree.list_dir(THEMES):
        if name.casefold().startswith("transcodedwallpaper"):
            yield rf"{THEMES}\{name}"
