"""Public KMS client setup keys, which ``product_key = default_kms_key`` stands for.

They are generic volume licence keys that Microsoft publishes; they make Windows look for a
KMS host of its organisation and activate nothing by themselves. ``data/kms_client_keys.json``
holds them by version, build range and ``EditionID``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from winimagetools.data import data_path
from winimagetools.model import WimImage, WindowsVersion

DEFAULT_KMS_KEY = "default_kms_key"
"""The word in ``product_key`` that stands for a public key, so it is not a secret."""
_KEY = re.compile(r"\S{5}(-\S{5}){4}")
_PRODUCT = re.compile(
    r"^windows (server, version \S+|(web )?server( \d{4}( r2)?)?|vista|iot|\d+(\.\d)?)\s*"
)
_NAMES = {
    "pro": "professional",
    "pro n": "professionaln",
    "pro for workstations": "professionalworkstation",
    "pro n for workstations": "professionalworkstationn",
    "pro for workstations n": "professionalworkstationn",
    "pro education": "professionaleducation",
    "pro education n": "professionaleducationn",
    "standard": "serverstandard",
    "enterprise ltsc": "enterprises",
    "enterprise n ltsc": "enterprisesn",
    "datacenter": "serverdatacenter",
    "datacenter azure edition": "serverturbine",
    "datacenter: azure edition": "serverturbine",
    "essentials": "serversolution",
    "hpc edition": "serverhpc",
    "web": "serverweb",
}
"""Edition names as media or people write them, where they differ from ``EditionID``."""


def is_product_key(text: str) -> bool:
    """Whether a text has the form of a key: five groups of five characters."""
    return _KEY.fullmatch(text) is not None


@dataclass(frozen=True)
class KeyFamily:
    """The keys of one Windows version.

    Args:
        windows: what the version is called.
        server: whether these are server editions.
        version: major and minor number.
        builds: first and last build; None for all of the version.
        editions: key by ``EditionID``.
    """

    windows: str
    server: bool
    version: tuple[int, int]
    builds: tuple[int, int] | None
    editions: Mapping[str, str]

    def covers(self, version: WindowsVersion, server: bool) -> bool:
        """Whether an image of that version and kind belongs to this family."""
        in_range = self.builds is None or self.builds[0] <= version.build <= self.builds[1]
        same = (version.major, version.minor) == self.version
        return self.server == server and same and in_range


@cache
def key_families() -> tuple[KeyFamily, ...]:
    """All published keys."""
    document = json.loads(data_path("kms_client_keys.json").read_text(encoding="utf-8"))
    return tuple(_family(entry) for entry in document["families"])


def _family(entry: Mapping[str, Any]) -> KeyFamily:
    version = WindowsVersion.parse(entry["version"])
    builds = entry.get("builds")
    return KeyFamily(
        windows=entry["windows"],
        server=entry["kind"] == "server",
        version=(version.major, version.minor),
        builds=(builds[0], builds[1]) if builds else None,
        editions=entry["editions"],
    )


def map_kms_product_key(image: WimImage) -> str | None:
    """The KMS client key for an edition; None when there is none, see :func:`no_kms_key`.

    The PowerShell tools know Standard and Datacenter by image name. Here the edition identifier
    of the medium decides, then its flags, then the name. Evaluation editions get none: they
    refuse volume keys until ``DISM /Set-Edition`` has made another edition of them.
    Port of ``Map-KMSProductKey``.
    """
    if is_evaluation(image):
        return None
    keys = {
        edition.casefold(): key
        for family in key_families()
        if family.covers(image.version, _is_server(image))
        for edition, key in family.editions.items()
    }
    for edition in _editions(image):
        if edition in keys:
            return keys[edition]
    return None


def is_evaluation(image: WimImage) -> bool:
    """Whether this is an edition that expires: it refuses all keys but its own."""
    return "eval" in f"{image.edition_id} {image.flags} {image.name}".casefold()


def no_kms_key(image: WimImage) -> tuple[str, str]:
    """Why an edition gets no KMS client key, and what to do about it."""
    if is_evaluation(image):
        return (
            f"{image.name} is an evaluation edition, which takes no KMS client key.",
            "Leave product_key empty, or use media that are no evaluation.",
        )
    return (
        f"No KMS client key is published for {image.name} {image.version}.",
        "Leave product_key empty, or write a key of your own.",
    )


def _is_server(image: WimImage) -> bool:
    if image.installation_type:
        return image.is_server
    return "server" in f"{image.edition_id} {image.flags} {image.name}".casefold()


def _editions(image: WimImage) -> Iterator[str]:
    """Edition identifiers the image may be known by, lower case, the surest first."""
    for text in (image.edition_id, image.flags, image.name):
        name = _PRODUCT.sub("", text.casefold())
        name = re.sub(r"\s*\(.*\)|\s+20\d\d$", "", name).strip()
        yield name
        yield re.sub(r"core?$", "", name)
        yield _NAMES.get(name, name.replace(" ", ""))
