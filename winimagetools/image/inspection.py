"""Looking at a Windows that is already installed on a disk: what it is, and whether it is done."""

from __future__ import annotations

from winimagetools.contract import WindowsTree
from winimagetools.errors import MediaError
from winimagetools.facts.edition import kind_of_name
from winimagetools.formats.pe import read_pe
from winimagetools.formats.wim.registry import SOFTWARE, from_registry
from winimagetools.model import WimImage
from winimagetools.plan import ImageInfo

NTDLL = r"Windows\System32\ntdll.dll"


def get_image_information(tree: WindowsTree, image_name: str) -> ImageInfo:
    """What Windows is on a volume.

    The version and the architecture come from ``ntdll.dll`` itself; the PowerShell tools took the
    architecture from the name of a link target, and what kind of Windows it is from
    ``image_name``, which nobody sets for a golden image. Port of ``Get-ImageInformation``.

    Args:
        tree: the Windows volume.
        image_name: ``image_name``; tells server from client, and Core, where the registry of
            the image does not.

    Raises:
        MediaError: there is no Windows, or its ntdll.dll cannot be read.
    """
    try:
        program = read_pe(tree.read_bytes(NTDLL))
    except FileNotFoundError:
        raise MediaError(
            f"There is no \\{NTDLL} on the disk, so it holds no Windows.",
            "Give a disk that Windows was installed on.",
        ) from None
    if program is None or program.architecture is None or program.version is None:
        raise MediaError(
            f"\\{NTDLL} does not tell the version of Windows and its architecture.",
            "The file is damaged; give a disk whose Windows starts.",
        )
    nameless = WimImage(0, "", program.architecture, program.version)
    return ImageInfo(
        program.version, program.architecture, _kind(tree, nameless) or kind_of_name(image_name)
    )


def _kind(tree: WindowsTree, image: WimImage) -> str:
    """The installation type its registry tells, empty when that cannot be read."""
    if not tree.exists(SOFTWARE):
        return ""
    try:
        return from_registry(image, tree.read_bytes).installation_type
    except MediaError:
        return ""
