"""Downloads with a cache, resume, retries and checks."""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
import urllib3

from winimagetools import log
from winimagetools.errors import ChecksumError, DiskFullError, DownloadError
from winimagetools.files.hash import sha256_of
from winimagetools.files.space import is_disk_full
from winimagetools.net.answer import (
    Answer,
    accept,
    check_head,
    check_size,
    has_an_end,
    redirect_target,
)
from winimagetools.net.cache import CachedFile, Partial, Validators, default_cache
from winimagetools.net.content import ZIP_MAGIC, extract_member, is_whole
from winimagetools.net.pace import Pace, within
from winimagetools.net.request import CHECK_URL, TransientError, Wanted, check_request
from winimagetools.retry import execute_retry
from winimagetools.version import __version__

USER_AGENT = f"winimagetools/{__version__}"
"""fedorapeople.org answers browser-like agents with an HTML page instead of the file."""

_BLOCK = 64 * 1024
_MOST_REDIRECTS = 20


class Downloader:
    """Fetches files and keeps them; implements ``contract.Fetcher``.

    Args:
        cache: folder for what was downloaded; the user's cache folder by default.
        attempts: how often a download is tried before it fails.
        pause: seconds before the second attempt; doubled before each further one.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds a server may send nothing, and may take for the answer as such.
        slowest: bytes a second that must come at least.
        slow_for: seconds after which a slower server is given up.
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
        slowest: int = 4096,
        slow_for: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cache = cache
        self._attempts = attempts
        self._pause = pause
        self._timeout = (connect_timeout, read_timeout)
        self._slowest = slowest
        self._slow_for = slow_for
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
        wanted = check_request(url, sha256, magic)
        entry = CachedFile(self._cache or default_cache(), url, wanted.sha256)
        with _cache_errors(entry.folder):
            if wanted.sha256 and _is_cached(entry, wanted):
                log.info(f"{wanted.shown} is already in the cache")
                return entry.file
            return self._fetch(entry, wanted)

    def fetch_member(self, url: str, member: str) -> bytes:
        """Download a ZIP archive as :meth:`fetch` does and return one file in it."""
        return extract_member(self.fetch(url, magic=(ZIP_MAGIC,)), url, member)

    def _fetch(self, entry: CachedFile, wanted: Wanted) -> Path:
        try:
            return execute_retry(
                lambda: self._attempt(entry, wanted),
                retry_on=TransientError,
                attempts=self._attempts,
                interval=self._pause,
                sleep=self._sleep,
            )
        except TransientError as error:
            if not wanted.sha256 and _is_cached(entry, wanted):
                log.warning(f"{error.message} The copy in the cache is used: {entry.file}")
                return entry.file
            raise DownloadError(
                f"{error.message} It was tried {self._attempts} times.",
                "Check the network and the proxy settings, or try again later.",
            ) from error

    def _attempt(self, entry: CachedFile, wanted: Wanted) -> Path:
        old = Validators()
        if not wanted.sha256 and _is_cached(entry, wanted):
            old = entry.validators
        with entry.partial() as partial:
            have = partial.resumable
            headers = _headers(have, partial.validators, old)
            with self._get(wanted, headers) as response:
                if response.status_code == 304 and (old.etag or old.last_modified):
                    log.info(f"{wanted.shown} has not changed; the copy in the cache is used")
                    return entry.file
                answer = _answer(response)
                begin = accept(answer, partial, have, wanted)
                self._receive(response, partial, begin, wanted)
                vouched = bool(wanted.sha256) or has_an_end(answer, wanted)
            _verify(partial, wanted, vouched)
            return entry.commit(partial)

    @contextmanager
    def _get(self, wanted: Wanted, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Ask, following redirects, and hand over the answer without its body."""
        _check_certificates()
        with _Session() as session:
            url = wanted.url
            for _ in range(_MOST_REDIRECTS):
                with self._ask(session, url, headers, wanted) as response:
                    if not response.is_redirect:
                        yield response
                        return
                    url = redirect_target(_answer(response), url, wanted)
        raise DownloadError(
            f"{wanted.shown} could not be downloaded: the server redirects in circles.",
            CHECK_URL,
        )

    def _ask(
        self, session: requests.Session, url: str, headers: dict[str, str], wanted: Wanted
    ) -> requests.Response:
        def ask() -> requests.Response:
            return session.get(url, headers=headers, timeout=self._timeout, stream=True)

        # A name may have several addresses, each with its own time to connect.
        limit = 3 * self._timeout[0] + self._timeout[1]
        with _network_errors(wanted, self._timeout):
            try:
                return within(limit, ask, requests.Response.close)
            except TimeoutError as error:
                message = f"{wanted.shown} could not be downloaded: there was no whole answer"
                raise TransientError(f"{message} within {limit:g} seconds.") from error

    def _receive(
        self, response: requests.Response, partial: Partial, begin: int, wanted: Wanted
    ) -> None:
        """Append the body to the partial file, looking at its first bytes at once."""
        total = partial.validators.length
        kind = response.headers.get("Content-Type", "")
        done = begin
        log.info(f"Downloading {wanted.shown}" + (f" from byte {begin}" if begin else ""))
        with partial.data.open("ab") as out, log.Progress("Downloading", total) as progress:
            for block in self._blocks(response, wanted):
                if done == 0:
                    check_head(block, kind, partial, wanted)
                out.write(block)
                done += len(block)
                check_size(done, wanted)
                progress.update(done)
        # urllib3 2 raises for this itself, urllib3 1.26 does not.
        if total and done != total:
            raise TransientError(f"{wanted.shown} was cut off after {done} of {total} bytes.")

    def _blocks(self, response: requests.Response, wanted: Wanted) -> Iterator[bytes]:
        # Not iter_content(): that would unpack a .gz file that a server labels as
        # "Content-Encoding: gzip".
        blocks = response.raw.stream(_BLOCK, decode_content=False)
        with Pace(lambda: _hang_up(response), self._slow_for, self._slowest) as pace:
            while True:
                try:
                    with _network_errors(wanted, self._timeout):
                        block = next(blocks, None)
                finally:
                    self._check_pace(pace, wanted)
                if block is None:
                    return
                pace.done += len(block)
                yield block

    def _check_pace(self, pace: Pace, wanted: Wanted) -> None:
        if pace.too_slow:
            raise TransientError(
                f"{wanted.shown} could not be downloaded: for {self._slow_for:g} seconds the "
                f"server sent less than {log.size(self._slowest)} a second."
            )


def _answer(response: requests.Response) -> Answer:
    return Answer(response.status_code, response.reason or "", response.headers)


class _Session(requests.Session):
    """Leaves redirects alone: where they lead has to be looked at first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, so that requests follows nothing."""


def _hang_up(response: requests.Response) -> None:
    with suppress(OSError, ValueError, RuntimeError):  # it ended by itself meanwhile
        response.raw.shutdown()


# --- before the request -------------------------------------------------------------------


def _check_certificates() -> None:
    """Refuse a file of certificates that is none; requests would blame the server for it."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(variable)
        if not path:
            continue
        try:
            _load_certificates(path)
        except OSError as error:
            raise DownloadError(
                f"{variable} names {path}, from which no certificates can be read: "
                f"{error.strerror or type(error).__name__}.",
                "Correct the variable or unset it.",
            ) from error
        return


def _load_certificates(path: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if Path(path).is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)


def _is_cached(entry: CachedFile, wanted: Wanted) -> bool:
    """Whether the complete file is there and is what is wanted; removes it otherwise."""
    if not entry.file.is_file():
        return False
    with entry.file.open("rb") as stream:
        head = stream.read(512)
    right_kind = not wanted.magic or head.startswith(wanted.magic)
    if wanted.sha256:
        right_content = sha256_of(entry.file) == wanted.sha256
    else:
        right_content = entry.validators != Validators()
    if right_kind and right_content:
        return True
    entry.file.unlink()
    return False


def _headers(have: int, partial: Validators, old: Validators) -> dict[str, str]:
    # identity: lengths and ranges are those of the file itself.
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": partial.strong}
    elif old.etag:
        headers["If-None-Match"] = old.etag
    elif old.last_modified:
        headers["If-Modified-Since"] = old.last_modified
    return headers


# --- the answer -----------------------------------------------------------------------------


def _verify(partial: Partial, wanted: Wanted, vouched: bool) -> None:
    """Refuse what is not the whole file; ``vouched``: something else said where it ends."""
    with partial.data.open("rb") as stream:
        head = stream.read(512)
    check_head(head, "", partial, wanted)
    if not vouched:
        _check_whole(partial, wanted)
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


def _check_whole(partial: Partial, wanted: Wanted) -> None:
    whole = is_whole(partial.data)
    if whole is None:
        log.warning(
            f"The server does not say how long {wanted.shown} is, so nobody can tell whether it "
            "is whole."
        )
    elif not whole:
        size = partial.data.stat().st_size
        partial.discard()
        raise TransientError(f"{wanted.shown} was cut off after {size} bytes.")


# --- what can go wrong ------------------------------------------------------------------------


@contextmanager
def _network_errors(wanted: Wanted, timeout: tuple[float, float]) -> Iterator[None]:
    try:
        yield
    except _NETWORK as error:
        message = f"{wanted.shown} could not be downloaded: {_reason(error, timeout)}."
        if isinstance(error, _HOPELESS):
            raise DownloadError(message, "Check the URL and the proxy settings.") from error
        raise TransientError(message) from error


_NETWORK = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # of the codec for names of hosts, for one
)


_HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
    urllib3.exceptions.SSLError,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.InvalidHeader,
    UnicodeError,
)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.SSLError, "the certificate of the server could not be verified"),
    (requests.exceptions.ProxyError, "the proxy did not connect"),
    (requests.exceptions.ConnectTimeout, "there was no connection within {0:g} seconds"),
    (requests.exceptions.ReadTimeout, "the server sent nothing for {1:g} seconds"),
    (urllib3.exceptions.ReadTimeoutError, "the server sent nothing for {1:g} seconds"),
    (requests.exceptions.InvalidProxyURL, "the URL of the proxy is not valid"),
    (requests.exceptions.InvalidSchema, "the URL of the server or of the proxy is not valid"),
    (requests.exceptions.InvalidURL, "the URL is not valid"),
    (urllib3.exceptions.LocationValueError, "the URL is not valid"),
    (UnicodeError, "the URL is not valid"),
    (requests.exceptions.InvalidHeader, "the server says two lengths"),
    (urllib3.exceptions.InvalidHeader, "the server says two lengths"),
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
