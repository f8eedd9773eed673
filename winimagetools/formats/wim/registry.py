"""What an edition is, asked of its own registry: the last resort when its medium does not tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from winimagetools.errors import MediaError
from winimagetools.facts.edition import completed
from winimagetools.formats.regf_values import read_text
from winimagetools.model import WimImage

SOFTWARE = r"Windows\System32\config\SOFTWARE"
SYSTEM = r"Windows\System32\config\SYSTEM"
_VERSION = r"Microsoft\Windows NT\CurrentVersion"
_PRODUCT_OPTIONS = r"ControlSet001\Control\ProductOptions"


def from_registry(image: WimImage, read_bytes: Callable[[str], bytes]) -> WimImage:
    r"""The edition with the fields its registry has and its medium lost.

    ``InstallationType`` exists since Windows 7; before, ``ProductName`` and the
    ``ProductType`` that decides what Windows itself takes itself for tell as much.

    Args:
        image: an edition as its medium describes it; what it says is not changed.
        read_bytes: content of a file of that edition by its path, such as
            ``Windows\System32\config\SOFTWARE``.

    Returns:
        The edition; its ``installation_type`` is empty when this does not tell either.

    Raises:
        MediaError: a hive is damaged.
    """
    software, system = _hive(read_bytes, SOFTWARE), _hive(read_bytes, SYSTEM)
    found = replace(
        image,
        installation_type=image.installation_type or _text(software, _VERSION, "InstallationType"),
        edition_id=image.edition_id or _text(software, _VERSION, "EditionID"),
        product_type=image.product_type or _text(system, _PRODUCT_OPTIONS, "ProductType"),
    )
    if found.installation_type:
        return completed(found)
    named = replace(found, display_name=_text(software, _VERSION, "ProductName"))
    return replace(completed(named), display_name=image.display_name)


def _hive(read_bytes: Callable[[str], bytes], path: str) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""


def _text(hive: bytes, key: str, value: str) -> str:
    try:
        return read_text(hive, key, value) or "" if hive else ""
    except MediaError as error:
        place = SYSTEM if key == _PRODUCT_OPTIONS else SOFTWARE
        raise MediaError(
            rf"The registry hive \{place} of the edition is damaged.", error.hint
        ) from error
