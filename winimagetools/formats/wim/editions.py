"""Which Windows editions a WIM, ESD or split WIM holds, and choosing one.

Read without any library and without extracting: the file may lie inside an ISO, of which
then only the header and the XML of the WIM are read.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.formats.iso import MediaTree, is_iso_file, open_source
from winimagetools.formats.wim.container import (
    AGAIN,
    WimBytes,
    WimHeader,
    check_parts,
    in_tree,
    on_disk,
    read_header,
    read_xml,
)
from winimagetools.formats.wim.xml import parse_images
from winimagetools.model import OtherImage, WimImage
from winimagetools.paths import is_iso, is_windows_path
from winimagetools.plan import SourceTree

_INSTALL_NAMES = ("sources/install.wim", "sources/install.esd", "sources/install.swm")
_IMAGE_SUFFIXES = (".wim", ".esd", ".swm")


@dataclass(frozen=True)
class WimInfo:
    """A WIM as far as it concerns choosing an edition.

    Args:
        source: what to call it in messages.
        header: its header.
        images: the Windows editions.
        others: images that hold something else.
    """

    source: str
    header: WimHeader
    images: tuple[WimImage, ...]
    others: tuple[OtherImage, ...] = ()


def get_wim_file_images_info(wim_file_path: Path | str) -> list[WimImage]:
    """The Windows editions in a WIM, ESD or split WIM, or in the one inside an ISO.

    Images that hold no Windows installation are left out; :func:`read_wim` has them.

    Args:
        wim_file_path: the file. Of a split WIM, the first part.

    Raises:
        MediaError: it is missing, damaged, cut off or of another kind.

    Port of ``Get-WimFileImagesInfo``.
    """
    return list(read_wim(Path(wim_file_path)).images)


def read_wim(path: Path) -> WimInfo:
    """Open a WIM, ESD, split WIM or ISO and read what it holds.

    Raises:
        MediaError: it is missing, damaged, cut off or of another kind.

    Port of ``Get-WimInteropObject``.
    """
    with _open(path) as opened:
        return _describe(opened)


def read_wim_in(tree: MediaTree) -> WimInfo:
    """Read what the WIM, ESD or split WIM of an opened installation medium holds.

    Raises:
        MediaError: there is none, or it is damaged or cut off.
    """
    return _describe(in_tree(tree, find_install_file(tree)))


def _describe(opened: WimBytes) -> WimInfo:
    header = read_header(opened)
    check_parts(opened, header)
    images, others = parse_images(read_xml(opened, header), opened.source)
    if len(images) + len(others) != header.image_count:
        raise MediaError(
            f"{opened.source} is damaged: its header counts {header.image_count} images and "
            f"its description {len(images) + len(others)}.",
            AGAIN,
        )
    return WimInfo(opened.source, header, tuple(images), tuple(others))


def find_install_file(tree: SourceTree) -> str:
    """The file Windows Setup would install from: ``sources/install.wim``, ``.esd`` or ``.swm``.

    Args:
        tree: the installation medium; letter case does not matter.

    Raises:
        MediaError: there is none; the message lists the image files there are.
    """
    for name in _INSTALL_NAMES:
        if found := tree.find(name):
            return found
    images = [path for path in tree.files() if path.casefold().endswith(_IMAGE_SUFFIXES)]
    if not images:
        raise MediaError(
            f"{tree.name} is no Windows installation medium: it has no sources/install.wim, "
            "install.esd or install.swm, nor any other image file.",
            "Give the ISO of a Windows release.",
        )
    raise MediaError(
        f"{tree.name} has no sources/install.wim, install.esd or install.swm, only "
        f"{', '.join(images)}.",
        "Copy the file you want out of it and give its path instead.",
    )


def select_image(
    images: Sequence[WimImage],
    name: str,
    source: Path | str,
    others: Sequence[OtherImage] = (),
) -> WimImage:
    """The edition called ``name``, in any letter case; the first when there are several.

    A number is taken for an index when no edition is called so.

    Args:
        images: the editions to choose from.
        name: ``image_name`` of the configuration.
        source: the WIM or ISO, for the message.
        others: images that hold something else, for the message.

    Raises:
        MediaError: there is none; the message lists those that exist, nearest first.
    """
    wanted = name.casefold()
    for image in images:
        if image.name.casefold() == wanted:
            return image
    for image in images:
        if str(image.index) == name:
            return image
    raise _no_such_image(images, name, source, others)


def _no_such_image(
    images: Sequence[WimImage], name: str, source: Path | str, others: Sequence[OtherImage]
) -> MediaError:
    wanted = name.casefold()
    message = f'There is no Windows edition called "{name}" in {source}.'
    for other in others:
        if wanted in (other.name.casefold(), str(other.index)):
            message = f'"{name}" in {source} cannot be installed because it {other.reason}.'
    if not images:
        return MediaError(message, "It holds no Windows edition at all; use another medium.")

    def likeness(image: WimImage) -> float:
        return difflib.SequenceMatcher(None, wanted, image.name.casefold()).ratio()

    names = [f'"{image.name}"' for image in sorted(images, key=likeness, reverse=True)]
    return MediaError(message, f"Set image_name to one of: {', '.join(dict.fromkeys(names))}.")


@contextmanager
def _open(path: Path) -> Iterator[WimBytes]:
    if is_iso(path) or is_iso_file(path):
        with open_source(path) as tree:
            yield in_tree(tree, find_install_file(tree))
        return
    with ExitStack() as stack:
        yield on_disk(path, stack)


def locate_media(text: str, resolve: Callable[[str], Path]) -> Path:
    """Find the installation medium a configuration names.

    A name without a folder is looked for in ``PATH`` too, as the PowerShell tools do.

    Args:
        text: ``wim_file_path`` of the configuration.
        resolve: makes an absolute path of a relative one.

    Raises:
        MediaError: there is no such file, or the path is one of Windows and this is not.
    """
    if not text.strip():
        raise MediaError("No installation medium is given.", "Set wim_file_path.")
    path = resolve(text)
    if path.exists():
        return path
    if is_windows_path(text) and not Path(text).drive:
        raise MediaError(
            f"{text} is a path of Windows, which this machine does not have.",
            "Give the path of the ISO or WIM on this machine, such as /srv/iso/windows.iso.",
        )
    if Path(text).name != text:
        raise MediaError(f"{path} does not exist.", "Check the path and its letter case.")
    if "\\" in text:
        raise MediaError(f"{path} does not exist.", "Write the path with / instead of \\.")
    return _in_path(text, path)


def _in_path(name: str, here: Path) -> Path:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = Path(folder) / name
        if folder and found.is_file():
            return found
    raise MediaError(
        f"{here} does not exist, and no folder of PATH has {name}.",
        "Give the full path of the ISO or WIM.",
    )
