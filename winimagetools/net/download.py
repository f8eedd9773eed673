"""The one door to the network: downloads with a cache, resume, retries and checks."""

from __future__ import annotations

import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from winimagetools import log
from winimagetools.errors import ChecksumError, DiskFullError, DownloadError, RequestError
from winimagetools.files.space import is_disk_full
from winimagetools.net.cache import Entry, Partial, Validators, default_cache, sha256_of
from winimagetools.retry import execute_retry
from winimagetools.version import __version__

USER_AGENT = f"winimagetools/{__version__}"
"""fedorapeople.org answers browser-like agents with an HTML page instead of the file."""

ZIP_MAGIC = b"PK\x03\x04"
"""Local file header of a ZIP archive."""
_BLOCK = 64 * 1024
_TRY_AGAIN = {408, 425, 429}
_LONGEST_PAUSE = 60.0
_HINTS = {
    401: "Log in is not supported; download it yourself and give its path.",
    403: "The server refuses; open the URL in a browser to see why.",
    404: "Check the URL; the file may have been moved.",
    407: "The proxy wants a user name and password; put them into HTTPS_PROXY.",
    410: "Check the URL; the file was removed.",
}


class _TransientError(DownloadError):
    """Something that may go better next time; ``wait``: seconds the server asked for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class _Wanted:
    """One request: what to show of the URL, and what the file must be."""

    url: str
    shown: str
    sha256: str
    magic: tuple[bytes, ...]


class Downloader:
    """Fetches files and keeps them; implements ``contract.Fetcher``.

    Args:
        cache: folder for what was downloaded; the user's cache folder by default.
        attempts: how often a download is tried before it fails.
        pause: seconds before the second attempt; doubled before each further one.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds a server may send nothing.
        sleep: waits a number of seconds.

    Proxies come from the environment (``HTTPS_PROXY`` and so on).
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        attempts: int = 5,
        pause: float = 2.0,
        connect_timeout: float = 15.0,
        read_timeout: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cache = cache
        self._attempts = attempts
        self._pause = pause
        self._timeout = (connect_timeout, read_timeout)
        self._sleep = sleep

    def fetch(self, url: str, *, sha256: str = "", magic: Sequence[bytes] = ()) -> Path:
        """Download a file, or take it from the cache.

        With a checksum a file of the cache that has it is used without asking anybody.
        Without one the server is asked whether it has a newer one; when the server cannot
        be reached, the old one is used with a warning.

        Args:
            url: http or https.
            sha256: expected SHA-256 in hexadecimal; not compared when empty.
            magic: the file must begin with one of these; not compared when empty.

        Returns:
            The file in the cache; it must not be changed.

        Raises:
            RequestError: the URL or the checksum cannot be one.
            DownloadError: the server did not deliver, or delivered a web page.
            ChecksumError: it delivered something else.
            DiskFullError: no room in the cache folder.
        """
        wanted = _check_request(url, sha256, magic)
        entry = Entry(self._cache or default_cache(), url, wanted.sha256)
        with _cache_errors(entry.folder):
            if wanted.sha256 and _is_cached(entry, wanted):
                log.info(f"{wanted.shown} is already in the cache")
                return entry.file
            return self._fetch(entry, wanted)

    def fetch_member(self, url: str, member: str) -> bytes:
        """Download a ZIP archive as :meth:`fetch` does and return one file in it."""
        return extract_member(self.fetch(url, magic=(ZIP_MAGIC,)), url, member)

    def _fetch(self, entry: Entry, wanted: _Wanted) -> Path:
        try:
            return execute_retry(
                lambda: self._attempt(entry, wanted),
                retry_on=_TransientError,
                attempts=self._attempts,
                interval=self._pause,
                sleep=self._sleep,
            )
        except _TransientError as error:
            if not wanted.sha256 and _is_cached(entry, wanted):
                log.warning(f"{error.message} The copy in the cache is used: {entry.file}")
                return entry.file
            raise DownloadError(
                f"{error.message} It was tried {self._attempts} times.",
                "Check the network and the proxy settings, or try again later.",
            ) from error

    def _attempt(self, entry: Entry, wanted: _Wanted) -> Path:
        old = Validators()
        if not wanted.sha256 and _is_cached(entry, wanted):
            old = entry.validators
        with entry.partial() as partial:
            have = partial.resumable
            headers = _headers(have, partial.validators, old)
            with self._get(wanted, headers) as response:
                if response.status_code == 304 and old != Validators():
                    log.info(f"{wanted.shown} has not changed; the copy in the cache is used")
                    return entry.file
                begin = _accept(response, partial, have, wanted)
                self._receive(response, partial, begin, wanted)
            _verify(partial, wanted)
            return entry.commit(partial)

    @contextmanager
    def _get(self, wanted: _Wanted, headers: dict[str, str]) -> Iterator[requests.Response]:
        with _network_errors(wanted, self._timeout):
            response = requests.get(wanted.url, headers=headers, timeout=self._timeout, stream=True)
        with response:
            yield response

    def _receive(
        self, response: requests.Response, partial: Partial, begin: int, wanted: _Wanted
    ) -> None:
        """Append the body to the partial file, looking at its first bytes at once."""
        length = response.headers.get("Content-Length", "")
        total = begin + int(length) if length.isdecimal() else 0
        kind = response.headers.get("Content-Type", "")
        done = begin
        log.info(f"Downloading {wanted.shown}" + (f" from byte {begin}" if begin else ""))
        with partial.data.open("ab") as out, log.Progress("Downloading", total) as progress:
            for block in self._blocks(response, wanted):
                if done == 0:
                    _check_head(block, kind, partial, wanted)
                out.write(block)
                done += len(block)
                progress.update(done)
        # urllib3 2 raises for this itself, urllib3 1.26 does not.
        if total and done != total:
            raise _TransientError(f"{wanted.shown} was cut off after {done} of {total} bytes.")

    def _blocks(self, response: requests.Response, wanted: _Wanted) -> Iterator[bytes]:
        # Not iter_content(): that would unpack a .gz file that a server labels as
        # "Content-Encoding: gzip".
        blocks = response.raw.stream(_BLOCK, decode_content=False)
        while True:
            with _network_errors(wanted, self._timeout):
                block = next(blocks, None)
            if block is None:
                return
            yield block


# --- before the request -------------------------------------------------------------------


def extract_member(archive: Path, url: str, member: str) -> bytes:
    """Content of a file in a ZIP archive.

    Args:
        archive: the archive.
        url: where it came from, for messages.
        member: name of the file in lower case, in whatever folder it is.

    Raises:
        DownloadError: the archive is damaged or holds no such file.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if name.rpartition("/")[2].casefold() == member:
                    return content.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise DownloadError(
            f"The archive from {url} is damaged: {error}.", "Try again later."
        ) from error
    raise DownloadError(
        f"The archive from {url} holds no {member}.",
        "Its layout has changed; turn off the option that needs it.",
    )


def _check_request(url: str, sha256: str, magic: Sequence[bytes]) -> _Wanted:
    shown = show_url(url)
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
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
    return _Wanted(url, shown, checksum, tuple(magic))


def show_url(url: str) -> str:
    """A URL without what may be secret in it: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "This URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _is_cached(entry: Entry, wanted: _Wanted) -> bool:
    """Whether the complete file is there and is what is wanted; removes it otherwise."""
    if not entry.file.is_file():
        return False
    with entry.file.open("rb") as stream:
        head = stream.read(512)
    right_kind = not wanted.magic or head.startswith(wanted.magic)
    if right_kind and (not wanted.sha256 or sha256_of(entry.file) == wanted.sha256):
        return True
    entry.file.unlink()
    return False


def _headers(have: int, partial: Validators, old: Validators) -> dict[str, str]:
    # identity: lengths and ranges are those of the file itself.
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": partial.for_range}
    elif old.etag:
        headers["If-None-Match"] = old.etag
    elif old.last_modified:
        headers["If-Modified-Since"] = old.last_modified
    return headers


# --- the answer -----------------------------------------------------------------------------


def _accept(response: requests.Response, partial: Partial, have: int, wanted: _Wanted) -> int:
    """Check the status; returns the byte the body begins at, having made room for it."""
    status = response.status_code
    if have and status == 206:
        content_range = response.headers.get("Content-Range", "")
        if re.match(rf"bytes {have}-\d+/", content_range):
            return have
    if have and status in (206, 416):
        partial.discard()
        raise _TransientError(f"{wanted.shown} could not be resumed.")
    if status != 200:
        raise _refusal(response, wanted)
    headers = response.headers
    partial.begin(Validators(headers.get("ETag", ""), headers.get("Last-Modified", "")))
    return 0


def _refusal(response: requests.Response, wanted: _Wanted) -> DownloadError:
    status = response.status_code
    message = (
        f"{wanted.shown} could not be downloaded: the server answered "
        f"{status} {response.reason or ''}".rstrip()
        + "."
    )
    if status in _TRY_AGAIN or status >= 500:
        after = response.headers.get("Retry-After", "")
        return _TransientError(
            message, min(float(after), _LONGEST_PAUSE) if after.isdecimal() else 0
        )
    return DownloadError(message, _HINTS.get(status, "Check the URL."))


def _check_head(head: bytes, content_type: str, partial: Partial, wanted: _Wanted) -> None:
    """Refuse at the first bytes what cannot be the file that is wanted."""
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


def _verify(partial: Partial, wanted: _Wanted) -> None:
    with partial.data.open("rb") as stream:
        head = stream.read(512)
    _check_head(head, "", partial, wanted)
    if not wanted.sha256:
        return
    found = sha256_of(partial.data)
    if found != wanted.sha256:
        partial.discard()
        raise ChecksumError(
            f"{wanted.shown} has another checksum than expected: SHA-256 {found} instead of "
            f"{wanted.sha256}; the file was deleted.",
            "Check the checksum in the configuration, and whether the file was replaced.",
        )


# --- what can go wrong ------------------------------------------------------------------------


@contextmanager
def _network_errors(wanted: _Wanted, timeout: tuple[float, float]) -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        message = f"{wanted.shown} could not be downloaded: {_reason(error, timeout)}."
        if isinstance(error, _HOPELESS):
            raise DownloadError(message, "Check the URL and the proxy settings.") from error
        raise _TransientError(message) from error


_HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.MissingSchema,
    requests.exceptions.TooManyRedirects,
    urllib3.exceptions.SSLError,
)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.SSLError, "the certificate of the server could not be verified"),
    (requests.exceptions.ProxyError, "the proxy did not connect"),
    (requests.exceptions.ConnectTimeout, "there was no connection within {0:g} seconds"),
    (requests.exceptions.ReadTimeout, "the server sent nothing for {1:g} seconds"),
    (urllib3.exceptions.ReadTimeoutError, "the server sent nothing for {1:g} seconds"),
    (requests.exceptions.TooManyRedirects, "the server redirects in circles"),
    (requests.exceptions.InvalidSchema, "the server redirects to something that is not http"),
    (requests.exceptions.InvalidURL, "the URL is not valid"),
    (requests.exceptions.ConnectionError, "the connection to the server failed"),
    (urllib3.exceptions.ProtocolError, "the connection was cut off"),
)


def _reason(error: Exception, timeout: tuple[float, float]) -> str:
    """Why a request failed; never the text of the error, which holds the whole URL."""
    if "NameResolutionError" in repr(error):
        return "the name of the server could not be found"
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason.format(*timeout)
    return f"the request failed ({type(error).__name__})"


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"There is no room for downloads in {folder.parent}.",
                "Free some space, or set XDG_CACHE_HOME to another folder.",
            ) from error
        raise DownloadError(
            f"The folder for downloads {folder} cannot be used: {error.strerror}.",
            "Set XDG_CACHE_HOME to a folder that can be written.",
        ) from error
