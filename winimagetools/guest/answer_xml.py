"""Answer files as XML: read in the encodings people have, found one's way in, written."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from winimagetools.errors import RequestError

NAMESPACE = "urn:schemas-microsoft-com:unattend"
WCM = "http://schemas.microsoft.com/WMIConfig/2002/State"
WOW64 = "wow64"
"""The architecture of components that set up what 32-bit programs see on 64-bit Windows."""
DEEPEST = 100
"""Elements in each other; a genuine answer file has about ten."""
_SAVE_AS_UTF8 = 'Save it as UTF-8 and write encoding="utf-8" in its first line.'
_DECLARED = re.compile(rb"""^\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][\w.:-]*)["']""")
_READ_BY_THE_PARSER = ("utf-8", "us-ascii", "ascii", "iso-8859-1")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WIDE_STARTS = (b"<\0", b"\0<")
_AS_WINDOWS_READS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "big5": "cp950",
}
"""Names that Windows takes for the larger code pages made from them."""
_NO_ENCODINGS_OF_FILES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7")

for _prefix, _uri in {
    "": NAMESPACE,
    "wcm": WCM,
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "cpi": "urn:schemas-microsoft-com:cpi",
}.items():
    ET.register_namespace(_prefix, _uri)


def parse(xml: bytes, name: str) -> ET.Element:
    """The outermost element of an answer file.

    Args:
        xml: the file.
        name: what messages call it.

    Raises:
        RequestError: it is no XML, no answer file, or in an encoding nobody can tell.
    """
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(as_utf8(xml, name), forbid_dtd=True)
    except ET.ParseError as error:
        line, column = error.position
        raise RequestError(
            f"The answer file {name} is not well-formed XML: line {line}, column {column + 1}: "
            f"{str(error).partition(':')[0]}.",
            "Correct it there, or leave unattend_xml_path at its default.",
        ) from error
    except (DefusedXmlException, LookupError, ValueError) as error:
        raise RequestError(
            f"The answer file {name} cannot be read: {error}",
            "It must be plain XML without document type and entities.",
        ) from error
    if root.tag != tag("unattend"):
        raise RequestError(
            f"{name} is XML, but not an answer file.",
            f"Its outermost element has to be unattend in the namespace {NAMESPACE}.",
        )
    _refuse_depth(root, name)
    return root


def _refuse_depth(root: ET.Element, name: str) -> None:
    level = [root]
    for _ in range(DEEPEST):
        level = [child for element in level for child in element]
    if level:
        raise RequestError(
            f"The answer file {name} has more than {DEEPEST} elements in each other.",
            "Windows has no settings that deep; look for an element that is not closed.",
        )


def as_utf8(xml: bytes, name: str) -> bytes:
    """The file as the parser can read it: UTF-8, UTF-16, ASCII or ISO 8859-1.

    Files in another encoding are read when they declare it, as .NET does.

    Args:
        xml: the file.
        name: what messages call it.

    Raises:
        RequestError: what it declares is not known or not so, or it declares nothing and is
            no UTF-8.
    """
    if xml.startswith(_MARKS) or xml.startswith(_WIDE_STARTS):
        return xml
    match = _DECLARED.match(xml)
    declared = match[1].decode("ascii").lower() if match else "utf-8"
    if declared.startswith("utf-16"):
        raise RequestError(
            f"The answer file {name} declares the encoding {declared}, but is not written in it.",
            _SAVE_AS_UTF8,
        )
    try:
        text = xml.decode(_codec(declared))
    except LookupError:
        raise RequestError(
            f"The answer file {name} is written in the encoding {declared}, which nobody here "
            "can read.",
            _SAVE_AS_UTF8,
        ) from None
    except UnicodeDecodeError as error:
        line = xml.count(b"\n", 0, error.start) + 1
        says = f"declares the encoding {declared}" if match else "declares no encoding"
        raise RequestError(
            f"The answer file {name} {says}, but line {line} is not {declared.upper()}.",
            _SAVE_AS_UTF8,
        ) from error
    if match is None or declared in _READ_BY_THE_PARSER:
        return xml
    head = text[: match.end()].replace(match[1].decode("ascii"), "utf-8")
    return (head + text[match.end() :]).encode("utf-8", "surrogatepass")


def _codec(declared: str) -> str:
    """The codec for a declared encoding. Raises LookupError for none, or one that is no text's."""
    name = codecs.lookup(_AS_WINDOWS_READS.get(declared, declared)).name
    try:
        like_ascii = "<?xml".encode(name) == b"<?xml"
    except UnicodeError:
        like_ascii = False
    if not like_ascii or name in _NO_ENCODINGS_OF_FILES:
        raise LookupError(declared)
    return name


def serialize(root: ET.Element) -> bytes:
    """The answer file in UTF-8."""
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def tag(name: str) -> str:
    """An element's name with the namespace."""
    return f"{{{NAMESPACE}}}{name}"


def place(*names: str) -> str:
    """Elements below each other, for ``find``."""
    return "/".join(tag(name) for name in names)


def text_of(element: ET.Element, name: str) -> str:
    """The text of a child, without blanks around it."""
    return (element.findtext(tag(name)) or "").strip()


def append(parent: ET.Element, name: str, content: str = "") -> ET.Element:
    """A new child at the end."""
    child = ET.SubElement(parent, tag(name))
    child.text = content or None
    return child


def architecture_of(component: ET.Element) -> str:
    """``processorArchitecture`` of a component in lower case."""
    return component.get("processorArchitecture", "").strip().lower()


def components(root: ET.Element, name: str, settings_pass: str = "") -> Iterator[ET.Element]:
    """Components called ``name`` in all passes, or in one; those for 32-bit programs left out."""
    for settings in root.iterfind(tag("settings")):
        if settings_pass in ("", settings.get("pass")):
            yield from (
                component
                for component in settings.iterfind(tag("component"))
                if component.get("name") == name and architecture_of(component) != WOW64
            )
