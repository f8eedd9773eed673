r"""ntfszapfree: the program that overwrites unused clusters with zeros in the guest."""

from __future__ import annotations

from winimagetools.contract import Fetcher, WindowsTree
from winimagetools.facts.architecture import NAMES, require
from winimagetools.guest.layout import RESOURCES
from winimagetools.model import Architecture

PROGRAM = rf"{RESOURCES}\zapfree.exe"
URL = "https://github.com/felfert/ntfszapfree/releases/latest/download/ntfszapfree.zip"


def download_zapfree(tree: WindowsTree, fetcher: Fetcher, architecture: Architecture) -> None:
    """Put the program for the image's architecture into the image, always as ``zapfree.exe``.

    Port of ``Download-ZapFree``.

    Raises:
        RequestError: there is none for this architecture.
        DownloadError: the download failed or holds something else.
    """
    member = require(
        NAMES[architecture].zapfree,
        architecture,
        "ntfszapfree program",
        "Set zero_unused_volume_sectors to False.",
    )
    tree.write_bytes(PROGRAM, fetcher.fetch_member(URL, member))
