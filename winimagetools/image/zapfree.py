r"""ntfszapfree: the program that overwrites unused clusters with zeros in the guest."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from winimagetools.errors import DownloadError
from winimagetools.host.base import Fetcher, WindowsTree
from winimagetools.image.architecture import NAMES, require
from winimagetools.image.places import RESOURCES, ZIP_MAGIC
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
    tree.write_bytes(PROGRAM, _extract(fetcher.fetch(URL, magic=(ZIP_MAGIC,)), member))


def _extract(archive: Path, member: str) -> bytes:
    """Content of the file ``member`` in any folder of a ZIP archive."""
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if name.rpartition("/")[2].casefold() == member:
                    return content.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise DownloadError(
            f"The archive from {URL} is damaged: {error}.", "Try again later."
        ) from error
    raise DownloadError(
        f"The archive from {URL} holds no {member}.",
        "Its layout has changed; set zero_unused_volume_sectors to False.",
    )
