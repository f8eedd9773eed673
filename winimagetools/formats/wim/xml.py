"""The XML a WIM carries: one IMAGE element for each edition.

The fields are those Microsoft documents in "Windows Imaging File Format (WIM)"; the numbers
of processor architectures are the PROCESSOR_ARCHITECTURE values of ``SYSTEM_INFO``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from winimagetools.errors import MediaError
from winimagetools.facts.edition import completed
from winimagetools.model import Architecture, OtherImage, WimImage, WindowsVersion

if TYPE_CHECKING:
    # A parser of the standard library is only dangerous when it is run.
    from xml.etree.ElementTree import Element

_ARCHITECTURES = {
    0: Architecture.X86,
    5: Architecture.ARM,
    6: Architecture.IA64,
    9: Architecture.AMD64,
    12: Architecture.ARM64,
}


def parse_images(xml: bytes, source: str) -> tuple[list[WimImage], list[OtherImage]]:
    """Read the XML resource of a WIM.

    Args:
        xml: UTF-16LE text with or without a byte order mark.
        source: the WIM, for messages.

    Returns:
        The Windows editions, and what else the WIM holds, in the order of their index.

    Raises:
        MediaError: the text is damaged, or the images are encrypted.
    """
    root = _parse(xml, source)
    if root.find("ESD/ENCRYPTED") is not None:
        raise MediaError(
            f"{source} is an encrypted ESD, which only Windows Update can use.",
            "Use an ISO made by the Media Creation Tool or downloaded from Microsoft.",
        )
    images: list[WimImage] = []
    others: list[OtherImage] = []
    for position, element in enumerate(root.findall("IMAGE"), start=1):
        index = _number(element.get("INDEX"), position)
        found = _read_image(element, index)
        if isinstance(found, WimImage):
            images.append(found)
        else:
            others.append(found)
    return sorted(images, key=lambda i: i.index), sorted(others, key=lambda i: i.index)


def _parse(xml: bytes, source: str) -> Element:
    try:
        text = xml.decode("utf-16-le").rstrip("\0")
        root: Element = defusedxml.ElementTree.fromstring(text)
    except (UnicodeError, SyntaxError, ValueError, DefusedXmlException) as error:
        raise _damaged(source, str(error)) from error
    if root.tag != "WIM":
        raise _damaged(source, f"it describes a {root.tag}")
    return root


def _damaged(source: str, detail: str) -> MediaError:
    return MediaError(
        f"{source} is damaged: the description of its images cannot be read ({detail}).",
        "Copy or download it again and compare its checksum with the publisher's.",
    )


def _read_image(element: Element, index: int) -> WimImage | OtherImage:
    name = _text(element, "NAME")
    windows = element.find("WINDOWS")
    if windows is None:
        return OtherImage(index, name, "holds no Windows installation")
    architecture = _ARCHITECTURES.get(_number(_text(windows, "ARCH"), -1))
    if architecture is None:
        return OtherImage(index, name, "names no known processor architecture")
    version = _version(windows)
    if version is None:
        return OtherImage(index, name, "does not tell its Windows version")
    return completed(_windows_image(element, windows, index, name, architecture, version))


def _windows_image(
    element: Element,
    windows: Element,
    index: int,
    name: str,
    architecture: Architecture,
    version: WindowsVersion,
) -> WimImage:
    return WimImage(
        index=index,
        name=name,
        architecture=architecture,
        version=version,
        installation_type=_text(windows, "INSTALLATIONTYPE"),
        edition_id=_text(windows, "EDITIONID"),
        flags=_text(element, "FLAGS"),
        product_type=_text(windows, "PRODUCTTYPE"),
        description=_text(element, "DESCRIPTION"),
        display_name=_text(element, "DISPLAYNAME"),
        display_description=_text(element, "DISPLAYDESCRIPTION"),
        size=_number(_text(element, "TOTALBYTES"), 0),
        hard_link_bytes=_number(_text(element, "HARDLINKBYTES"), 0),
        default_language=_text(windows, "LANGUAGES/DEFAULT"),
        languages=tuple(
            language.text.strip()
            for language in windows.findall("LANGUAGES/LANGUAGE")
            if language.text and language.text.strip()
        ),
        modified=_time(element, "LASTMODIFICATIONTIME"),
    )


def _version(windows: Element) -> WindowsVersion | None:
    major = _number(_text(windows, "VERSION/MAJOR"), -1)
    minor = _number(_text(windows, "VERSION/MINOR"), -1)
    if major < 0 or minor < 0:
        return None
    build = _number(_text(windows, "VERSION/BUILD"), 0)
    return WindowsVersion(major, minor, build, _number(_text(windows, "VERSION/SPBUILD"), 0))


def _time(element: Element, name: str) -> int:
    high, low = (_number(_text(element, f"{name}/{part}PART"), 0) for part in ("HIGH", "LOW"))
    return high << 32 | low


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(text: str | None, otherwise: int) -> int:
    """A decimal or 0x number, as both occur; ``otherwise`` when it is neither."""
    digits = (text or "").strip()
    # Longer ones are damage, and int() refuses beyond 4300 digits.
    if not digits.isascii() or not 0 < len(digits) <= 20:
        return otherwise
    try:
        number = int(digits, 16 if digits.casefold().startswith("0x") else 10)
    except ValueError:
        return otherwise
    return number if number >= 0 else otherwise
