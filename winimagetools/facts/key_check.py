"""What a product key tells about itself, and what Windows will do with it in an image.

Keys made since Windows 8 have an N in them and hold a group number, a serial number and a
checksum. Windows looks the group up in ``pkeyconfig.xrm-ms`` to learn edition and channel.
The layout was worked out from the public keys of ``kms_client_keys.json``: their checksums
are right with it and their groups follow the releases. Older keys do not tell anything.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from winimagetools.errors import Problem
from winimagetools.facts.product_key import is_evaluation, key_families
from winimagetools.model import WimImage

PKEYCONFIG = r"\Windows\System32\spp\tokens\pkeyconfig\pkeyconfig.xrm-ms"
"""Where an image lists the groups of keys its Windows knows, by edition and channel."""
_ALPHABET = "BCDFGHJKMPQRTVWXY2346789"
_FIRST_DIGIT = "N"
_CHECKSUM_AT = 103
_TEN_BITS = 0x3FF
_CRC_POLYNOMIAL = 0x04C11DB7
_CONFIG_DATA = re.compile(rb'name="pkeyConfigData"[^>]*>\s*([A-Za-z0-9+/=\s]+)<')
_CONFIGURATION = re.compile(r"<(\w+:)?Configuration>(.*?)</(\w+:)?Configuration>", re.DOTALL)


@dataclass(frozen=True)
class KeyContent:
    """The numbers a product key consists of.

    Args:
        group: what edition and channel it is for; only Windows' own list says which.
        serial: number of the key in its group.
        intact: whether the checksum is right; False for a key with a slip of the pen.
    """

    group: int
    serial: int
    intact: bool


def decode_key(key: str) -> KeyContent | None:
    """What a product key says, None for one made before Windows 8.

    Args:
        key: five groups of five characters joined by hyphens, in any letter case.
    """
    letters = key.upper().replace("-", "")
    first, rest = letters.find(_FIRST_DIGIT), letters.replace(_FIRST_DIGIT, "", 1)
    if len(letters) != 25 or first < 0 or not set(rest) <= set(_ALPHABET):
        return None
    number = first
    for letter in rest:
        number = number * len(_ALPHABET) + _ALPHABET.index(letter)
    checksum = number >> _CHECKSUM_AT & _TEN_BITS
    body = (number & ~(_TEN_BITS << _CHECKSUM_AT)).to_bytes(16, "little")
    intact = checksum == ~_crc(body) & _TEN_BITS
    return KeyContent(number & 0xFFFFF, number >> 20 & 0x3FFFFFFF, intact)


def _crc(data: bytes) -> int:
    """CRC-32 as MPEG-2 computes it: the highest bit first, no inversion at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (_CRC_POLYNOMIAL if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def key_channel(key: str, pkeyconfig: bytes) -> str | None:
    """The channel a key was sold in, such as ``Retail``, ``Volume:MAK`` or ``OEM:NONSLP``.

    Not tried with a genuine list, of which no public copy was found; its elements are those
    that readers of it name (Configuration, RefGroupId, ProductKeyRanges).

    Args:
        key: the product key.
        pkeyconfig: content of the image's :data:`PKEYCONFIG`.

    Returns:
        None when the key does not tell or the list has no group of its number.
    """
    content = decode_key(key)
    data = _CONFIG_DATA.search(pkeyconfig)
    if content is None or data is None:
        return None
    try:
        text = base64.b64decode(data[1]).decode("utf-8", "replace")
    except binascii.Error:
        return None
    for match in _CONFIGURATION.finditer(text):
        if _element(match[2], "RefGroupId") == str(content.group):
            return _element(match[2], "ProductKeyType") or None
    return None


def _element(text: str, name: str) -> str:
    match = re.search(rf"<(?:\w+:)?{name}>\s*([^<]*?)\s*<", text)
    return match[1] if match else ""


def key_problems(image: WimImage, key: str) -> list[Problem]:
    """What speaks against a product key in an image of this edition, as warnings.

    The key itself is in none of the messages.

    Args:
        image: the edition.
        key: a product key written out; none when empty.
    """
    content = decode_key(key)
    if not key:
        return []
    if is_evaluation(image):
        return [
            _problem(
                f"{image.name} is an evaluation edition, which takes neither KMS client keys nor "
                "bought ones: Setup stops in the specialize pass because of the product key.",
                "Leave product_key empty, or use media that are no evaluation. A running machine "
                "is made into another edition with DISM /Online /Set-Edition.",
            )
        ]
    if content is not None and not content.intact:
        return [
            _problem(
                "The product key is mistyped: its checksum is wrong.",
                "Compare it letter by letter.",
            )
        ]
    return _of_another_release(image, key)


def _of_another_release(image: WimImage, key: str) -> list[Problem]:
    """A warning when a public KMS client key is for another Windows than the image."""
    kinds = (True, False) if not image.installation_type else (image.is_server,)
    covering = [
        family
        for family in key_families()
        if any(family.covers(image.version, server) for server in kinds)
    ]
    if not covering or any(key.upper() in family.editions.values() for family in covering):
        return []
    owners = [f.windows for f in key_families() if key.upper() in f.editions.values()]
    return [
        _problem(
            f"The product key is the public KMS client key of {owner}, but {image.name} is "
            f"Windows {image.version}: Setup stops in the specialize pass because of it.",
            "Write default_kms_key and the right one is taken.",
        )
        for owner in owners
    ]


def oem_key_problem(image: WimImage, channel: str | None) -> Problem | None:
    """A warning for keys with which Windows does not run ``SetupComplete.cmd``.

    Cloudbase-Init is set to start on demand and that script starts it, so it would never
    run. Source: "Add a Custom Script to Windows Setup" of Microsoft.

    Args:
        image: the edition.
        channel: what :func:`key_channel` said.
    """
    if channel is None or not channel.upper().startswith("OEM"):
        return None
    return _problem(
        f"The product key of {image.name} is an OEM one, with which Windows does not run "
        "SetupComplete.cmd: Cloudbase-Init would never start.",
        "Use a volume or retail key, or set cloudbase_init_delayed_start = True.",
    )


def _problem(message: str, hint: str) -> Problem:
    return Problem(message, hint, "DEFAULT", "product_key")
