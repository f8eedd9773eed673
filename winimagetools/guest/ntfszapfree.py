r"""ntfszapfree: the program that overwrites unused clusters with zeros in the guest."""

from __future__ import annotations

from winimagetools.facts.architecture import NAMES, require
from winimagetools.guest.layout import ZAPFREE
from winimagetools.model import Architecture
from winimagetools.plan import Download, FileAddition

URL = "https://github.com/felfert/ntfszapfree/releases/latest/download/ntfszapfree.zip"

_INSTEAD = "Without it set zero_unused_volume_sectors to False."


def zapfree_program(architecture: Architecture) -> FileAddition:
    """The program for the image's architecture, always as ``zapfree.exe``.

    Port of ``Download-ZapFree``.

    Raises:
        RequestError: there is none for this architecture.
    """
    member = require(
        NAMES[architecture].zapfree,
        architecture,
        "ntfszapfree program",
        "Set zero_unused_volume_sectors to False.",
    )
    return FileAddition(ZAPFREE, (Download(URL, member=member, instead=_INSTEAD),))
