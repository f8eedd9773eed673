"""Whether an edition is a client or a server, when its medium does not say so.

Tools that repack media lose fields of the XML a WIM carries. A server that is taken for a
client gets other drivers, an account and a boot entry it must not have, so what is missing
is derived from what is left, and where nothing tells or two things contradict, the answer
is that it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from winimagetools.facts.product_key import key_families
from winimagetools.model import WimImage

CLIENT, SERVER, SERVER_CORE = "Client", "Server", "Server Core"
CLIENT_PRODUCT, SERVER_PRODUCT = "WinNT", "ServerNT"
"""``PRODUCTTYPE`` of a WIM and ``ProductType`` of the registry."""
_DOMAIN_CONTROLLER = "LanmanNT"
_MULTI_SESSION = "serverrdsh"
"""Windows 10 and 11 for several users at once: a client, whatever its name."""
_CLIENT_EDITION = re.compile(
    r"(core|professional|enterprise|education|ultimate|home(basic|premium)|business|starter|"
    r"cloud|iotenterprise|embedded)"
)
_CLIENT_NAME = re.compile(r"\bwindows (vista|xp|7|8|8\.1|10|11)\b", re.IGNORECASE)
_SERVER_NAME = re.compile(r"server|azure stack|azure local", re.IGNORECASE)
_CORE_EDITION = re.compile(r"(core?|core? installation\)?)$", re.IGNORECASE)
_SERVERS_ONLY = (20348, 25398)
"""Builds of which there is no client: Windows Server 2022, and 23H2 of the annual channel."""


def completed(image: WimImage) -> WimImage:
    """The edition with installation type, identifier and product type, as far as they can be told.

    What the medium says is never changed.

    Args:
        image: an edition as its medium describes it.

    Returns:
        The edition; its ``installation_type`` is empty when it is not known.
    """
    kind = image.installation_type or installation_type(image)
    product = {CLIENT: CLIENT_PRODUCT, "": ""}.get(kind, SERVER_PRODUCT)
    return replace(
        image,
        installation_type=kind,
        edition_id=image.edition_id or image.flags or _edition_by_name(image),
        product_type=image.product_type or product,
    )


def installation_type(image: WimImage) -> str:
    """``Client``, ``Server`` or ``Server Core`` by everything but the field itself.

    Returns:
        Nothing when nothing tells, or two things contradict.
    """
    kinds = set(_evidence(image))
    if kinds != {SERVER}:
        return CLIENT if kinds == {CLIENT} else ""
    names = (image.edition_id, image.flags, image.name, image.display_name)
    return SERVER_CORE if any(_CORE_EDITION.search(name.strip()) for name in names) else SERVER


def kind_of_name(name: str) -> str:
    """``Client``, ``Server`` or ``Server Core`` by the name of an edition alone.

    For a Windows of which nothing else is known: a name without "server" is a client's.
    """
    if not _SERVER_NAME.search(name):
        return CLIENT
    return SERVER_CORE if _CORE_EDITION.search(name.strip()) else SERVER


def _evidence(image: WimImage) -> Iterator[str]:
    """``Client`` or ``Server`` for each thing that tells one of them."""
    identifiers = [text.casefold() for text in (image.edition_id, image.flags) if text]
    if _MULTI_SESSION in identifiers:
        yield CLIENT
        return
    product = {CLIENT_PRODUCT: CLIENT, SERVER_PRODUCT: SERVER, _DOMAIN_CONTROLLER: SERVER}
    if image.product_type in product:
        yield product[image.product_type]
    for text in identifiers:
        if text.startswith("server"):
            yield SERVER
        elif _CLIENT_EDITION.match(text):
            yield CLIENT
    for name in (image.name, image.display_name):
        if _SERVER_NAME.search(name):
            yield SERVER
        elif _CLIENT_NAME.search(name):
            yield CLIENT
    if image.version.build in _SERVERS_ONLY:
        yield SERVER


def _edition_by_name(image: WimImage) -> str:
    """The ``EditionID`` a name ends in, as in ``Windows Server 2022 SERVERSTANDARD``."""
    last = image.name.casefold().rpartition(" ")[2]
    known = {edition.casefold(): edition for row in key_families() for edition in row.editions}
    return known.get(last) or known.get(re.sub(r"core?$", "", last)) or ""
