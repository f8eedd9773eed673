"""What the answer of a server means: whether the file comes, from which byte, or from where.

Decisions only; :mod:`winimagetools.net.download` acts on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from winimagetools import log
from winimagetools.errors import DownloadError
from winimagetools.net.cache import Partial, Validators
from winimagetools.net.request import CHECK_URL, TransientError, Wanted, is_http

LARGEST = 4 * 1024**3
"""Bytes; of what is downloaded here nothing has a tenth of it, and no disk should be filled."""
_TRY_AGAIN = {408, 425, 429}
_LONGEST_PAUSE = 60.0
_HINTS = {
    401: "Log in is not supported; download it yourself and give its path.",
    403: "The server refuses; open the URL in a browser to see why.",
    404: "Check the URL; the file may have been moved.",
    407: "The proxy wants a user name and password; put them into HTTPS_PROXY.",
    410: "Check the URL; the file was removed.",
}


@dataclass(frozen=True)
class Answer:
    """Status line and headers; names of headers are looked up without regard to case."""

    status: int
    reason: str
    headers: Mapping[str, str]


def accept(answer: Answer, partial: Partial, have: int, wanted: Wanted) -> int:
    """The byte of the file that the body begins at; what is there already is kept up to it.

    Args:
        answer: to a request for the file, or for its rest.
        partial: what earlier attempts got.
        have: how many bytes the request left out because they are there; 0 for none.
        wanted: the file.

    Raises:
        DownloadError: the server refuses; a TransientError when it may do better next time.
    """
    status = answer.status
    if have and status == 206 and _goes_on(answer, partial.validators, have, wanted):
        return have
    if have and status in (206, 416):
        partial.discard()
        raise TransientError(f"{wanted.shown} could not be resumed.")
    if status != 200:
        raise _refusal(answer, wanted)
    headers = answer.headers
    size = body_length(answer, wanted) or 0
    check_size(size, wanted)
    partial.begin(Validators(headers.get("ETag", ""), headers.get("Last-Modified", ""), size))
    return 0


def _goes_on(answer: Answer, partial: Validators, have: int, wanted: Wanted) -> bool:
    """Whether a partial answer proves to be the rest of the very file the beginning is of."""
    headers = answer.headers
    where = f"bytes {have}-{partial.length - 1}/{partial.length}"
    rest = body_length(answer, wanted)
    return (
        headers.get("Content-Range", "").strip() == where
        and headers.get("ETag", "") == partial.strong
        and rest in (None, partial.length - have)
    )


def body_length(answer: Answer, wanted: Wanted) -> int | None:
    """Bytes of the body as the server says; None when it does not (RFC 9112, 6.3).

    Raises:
        DownloadError: it says nonsense.
    """
    text = answer.headers.get("Content-Length", "").strip()
    if not text or "Transfer-Encoding" in answer.headers:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise DownloadError(
            f"{wanted.shown} could not be downloaded: the server says a length that is no number.",
            "Download it yourself and give its path.",
        )
    return int(text)


def has_an_end(answer: Answer, wanted: Wanted) -> bool:
    """Whether the server says where the body ends, so that one cut short is noticed."""
    chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").casefold()
    return chunked or body_length(answer, wanted) is not None


def check_size(size: int, wanted: Wanted) -> None:
    """Refuse a length beyond all reason. Raises DownloadError."""
    if size > LARGEST:
        raise DownloadError(
            f"{wanted.shown} has more than {log.size(LARGEST)}, so it is not the file that was "
            "expected.",
            CHECK_URL,
        )


def redirect_target(answer: Answer, url: str, wanted: Wanted) -> str:
    """Where a redirect leads; a token in that address is a secret from now on.

    Args:
        answer: the redirect.
        url: where it came from.
        wanted: the file.

    Raises:
        DownloadError: it leads nowhere, away from http, or from https to http although
            nothing else tells that the file is the right one.
    """
    location = answer.headers["Location"]
    with suppress(UnicodeError):  # http.client takes every byte for a Latin-1 letter
        location = location.encode("latin-1").decode()
    try:
        found = urljoin(url, location)
    except ValueError:
        found = ""
    log.add_url(found)
    if not is_http(found):
        what = "to something that is not http" if found else "to an address that is none"
        raise DownloadError(
            f"{wanted.shown} could not be downloaded: the server redirects {what}.", CHECK_URL
        )
    if _is_encrypted(url) and not _is_encrypted(found) and not wanted.sha256:
        raise DownloadError(
            f"{wanted.shown} could not be downloaded: the server redirects from https to http, "
            "where everybody on the way could replace the file.",
            "Give a checksum with the URL, or download it yourself and give its path.",
        )
    return found


def _is_encrypted(url: str) -> bool:
    return urlsplit(url).scheme.lower() == "https"


def _refusal(answer: Answer, wanted: Wanted) -> DownloadError:
    status = answer.status
    message = (
        f"{wanted.shown} could not be downloaded: the server answered "
        f"{status} {answer.reason or ''}".rstrip()
        + "."
    )
    if status in _TRY_AGAIN or status >= 500:
        after = answer.headers.get("Retry-After", "")
        return TransientError(
            message, min(float(after), _LONGEST_PAUSE) if after.isdecimal() else 0
        )
    return DownloadError(message, _HINTS.get(status, CHECK_URL))


def check_head(head: bytes, content_type: str, partial: Partial, wanted: Wanted) -> None:
    """Refuse at the first bytes what cannot be the file that is wanted. Raises DownloadError."""
    if wanted.magic and head.startswith(wanted.magic):
        return
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    html = start.startswith((b"<!doctype html", b"<html"))
    html = html or ("html" in content_type.lower() and start.startswith(b"<"))
    if not html and not wanted.magic:
        return
    partial.discard()
    if html:
        raise DownloadError(
            f"{wanted.shown} is a web page, not the file that was expected.",
            "Open the URL in a browser: it may be a log-in, a proxy or a page with the real link.",
        )
    raise DownloadError(
        f"{wanted.shown} is not a file of the kind that was expected: it begins with "
        f"{head[:8].hex(' ') or 'nothing'}.",
        "Check that the URL names the right file.",
    )
