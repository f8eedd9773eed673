"""One wish for a file: its URL, what may be shown of it, and what the file must be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from winimagetools.errors import DownloadError, RequestError

CHECK_URL = "Check the URL."


class TransientError(DownloadError):
    """Something that may go better next time; ``wait``: seconds the server asked for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Wanted:
    """One request: what to show of the URL, and what the file must be."""

    url: str
    shown: str
    sha256: str
    magic: tuple[bytes, ...]


def check_request(url: str, sha256: str, magic: Sequence[bytes]) -> Wanted:
    """Look at a request before anything is sent.

    Args:
        url: http or https.
        sha256: expected SHA-256 in hexadecimal, or nothing.
        magic: what the file may begin with.

    Raises:
        RequestError: the URL or the checksum cannot be one.
    """
    shown = show_url(url)
    try:
        parts = urlsplit(url)
        # Undecodable bytes of a command line are not printable either.
        usable = parts.port != 0 and url.isprintable() and is_http(url)
    except ValueError:
        usable = False
    if not usable:
        raise RequestError(
            f"{shown} cannot be downloaded.", "Give a URL that begins with http:// or https://."
        )
    checksum = sha256.strip().lower()
    if checksum and not re.fullmatch(r"[0-9a-f]{64}", checksum):
        raise RequestError(
            f"The checksum for {shown} is no SHA-256: {sha256}.",
            "Give the 64 hexadecimal digits that sha256sum prints.",
        )
    return Wanted(url, shown, checksum, tuple(magic))


def is_http(url: str) -> bool:
    """Whether a text is a URL of a web server."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def show_url(url: str) -> str:
    """A URL without what may be secret in it: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "This URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
