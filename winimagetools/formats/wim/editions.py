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
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.formats.iso import MediaTree, is_iso_file, open_source
from winimagetools.formats.wim.container import (
    AGAIN,
    WimBytes,
    WimHeader,
    check_parts,
    in_tree,
    join_names,
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
        f"{join_names(images)}.",
        "Copy the file you want out of it and give its path instead.",
    )


def select_image(
    images: Sequence[WimImage],
    name: str,
    source: Path | str,
    others: Sequence[OtherImage] = (),
    look_inside: Callable[[WimImage], WimImage] | None = None,
) -> WimImage:
    """The edition called ``name``: in this letter case, else in any; else the one of this index.

    Args:
        images: the editions to choose from.
        name: ``image_name`` of the configuration.
        source: the WIM or ISO, for the message.
        others: images that hold something else, for the message.
        look_inside: completes an edition whose installation type is not known from what it
            holds, see :func:`winimagetools.formats.wim.registry.from_registry`.

    Raises:
        MediaError: there is none, and the message lists those that exist, nearest first;
            there are several of one name; or nothing tells whether it is a client or a server.
    """
    image = _find(images, name.strip(), source, others)
    if not image.installation_type and look_inside is not None:
        image = look_inside(image)
    if not image.installation_type:
        raise MediaError(
            f'Nothing in {source} tells whether "{image.name}" is a client or a server edition.',
            "The tool that made it has lost or mixed up what describes it. Use Microsoft's media, "
            "or export the edition again with DISM /Export-Image.",
        )
    return image


def _find(
    images: Sequence[WimImage], name: str, source: Path | str, others: Sequence[OtherImage]
) -> WimImage:
    if not name:
        raise MediaError("No edition is named.", _choices(images, name), "image_name")
    found = [image for image in images if image.name == name]
    found = found or [image for image in images if image.name.casefold() == name.casefold()]
    found = found or [image for image in images if str(image.index) == name]
    if len(found) > 1:
        raise MediaError(
            f'{source} has {len(found)} editions called "{name}".',
            f"Set image_name to the index of one of them: {', '.join(map(_described, found))}.",
            "image_name",
        )
    if not found:
        raise _no_such_image(images, name, source, others)
    return found[0]


def _described(image: WimImage) -> str:
    """Index and what else tells one edition from another of the same name."""
    about = (image.display_name, image.edition_id, str(image.architecture), str(image.version))
    words = ", ".join(word for word in about if word and word != image.name)
    return f"{image.index} ({words})"


def _no_such_image(
    images: Sequence[WimImage], name: str, source: Path | str, others: Sequence[OtherImage]
) -> MediaError:
    message = f'There is no Windows edition called "{name}" in {source}.'
    for other in others:
        if name.casefold() in (other.name.casefold(), str(other.index)):
            message = f'"{name}" in {source} cannot be installed because it {other.reason}.'
    return MediaError(message, _choices(images, name), "image_name")


def _choices(images: Sequence[WimImage], name: str) -> str:
    """What image_name may be, the most similar first: names, or the index where there is none."""
    if not images:
        return "It holds no Windows edition at all; use another medium."

    def likeness(image: WimImage) -> float:
        return difflib.SequenceMatcher(None, name.casefold(), image.name.casefold()).ratio()

    nearest = sorted(images, key=likeness, reverse=True)
    names = [f'"{image.name}"' if image.name else f"{image.index} (no name)" for image in nearest]
    return f"Set image_name to one of: {join_names(dict.fromkeys(names))}."


@contextmanager
def _open(path: Path) -> Iterator[WimBytes]:
    if not path.is_dir():
        refuse_other_than_file(path)
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
        RequestError: it is a pipe, a socket or a device.
    """
    if not text.strip():
        raise MediaError("No installation medium is given.", "Set wim_file_path.")
    path = resolve(text)
    if path.exists():
        if not path.is_dir():
            refuse_other_than_file(path)
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
