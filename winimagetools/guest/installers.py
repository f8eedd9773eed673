"""Windows Installer packages: how they begin, and refusing what is none."""

from __future__ import annotations

from pathlib import Path

from winimagetools.errors import RequestError

MSI_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Compound File Binary header ([MS-CFB] 2.2), the container of every MSI."""


def check_msi(path: Path, option: str) -> None:
    """Refuse a file that is no Windows installer package.

    Args:
        path: the file.
        option: of the configuration, which names it.

    Raises:
        RequestError: it does not exist, or is something else.
    """
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(MSI_MAGIC))
    except OSError as error:
        raise RequestError(
            f"The installer {path} cannot be read: {error.strerror}.", f"Correct {option}.", option
        ) from error
    if begin != MSI_MAGIC:
        raise RequestError(
            f"{path} is not an MSI package.",
            "It may be an incomplete download or a web page; download it again.",
            option,
        )
