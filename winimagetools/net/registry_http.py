"""Talking to a registry of container images: addresses, log-in, errors, trying again.

Tokens are asked for as "Token Authentication" of the distribution project describes it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from winimagetools import log
from winimagetools.errors import RequestError, UploadError
from winimagetools.masking import add_secret
from winimagetools.net.docker_auth import Credentials, find_credentials
from winimagetools.net.download import USER_AGENT
from winimagetools.retry import execute_retry

Result = TypeVar("Result")

_DOCKER_HUB = ("docker.io", "registry-1.docker.io")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_TIMEOUT = (15.0, 600.0)
"""Seconds to connect, and for an answer: a registry may hash all of a blob before it answers."""
_ATTEMPTS = 5
PAUSE = 2.0
"""Seconds before something is tried again; doubled each time."""
_LARGEST = 4 << 20
"""Bytes of an answer; a registry may refuse a manifest of more (OCI distribution 1.1)."""
_LOG_IN = "Log in with docker login or podman login."


@dataclass(frozen=True)
class Reference:
    """Where an image is: registry, repository in it, tag."""

    host: str
    repository: str
    tag: str

    @property
    def name(self) -> str:
        """The repository with its registry."""
        return f"{self.host}/{self.repository}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read ``HOST[:PORT]/REPOSITORY[:TAG]``. Raises RequestError."""
        host, slash, rest = text.partition("/")
        repository, _, tag = rest.partition(":")
        named = "." in host or ":" in host or host == "localhost"
        found = cls(host, repository, tag or "latest")
        well = _REPOSITORY.fullmatch(repository) and _TAG.fullmatch(found.tag)
        if not (slash and named and well):
            raise RequestError(
                f"{text!r} is no place in a registry.",
                "Write image=HOST/REPOSITORY:TAG, such as registry.example/windows:2022; only the "
                "tag may have capital letters.",
            )
        return found


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end; names of headers are looked up without regard to case."""

    status_code: int
    reason: str
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The content as JSON. Raises ValueError."""
        return json.loads(self.content)


class _Cut(Exception):
    """The connection broke, or the registry has trouble of its own."""


class Connection:
    """One repository of a registry, with whoever is logged in.

    Args:
        place: which.
        plain_http: talk to it without TLS.
    """

    def __init__(self, place: Reference, *, plain_http: bool) -> None:
        self.place = place
        host = _DOCKER_HUB[1] if place.host == _DOCKER_HUB[0] else place.host
        self._credentials = find_credentials(host, place.repository)
        self._base = f"{'http' if plain_http else 'https'}://{host}/v2/{place.repository}/"
        self._authorization = ""
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        # Without it requests puts what ~/.netrc says in the place of the log-in.
        self._session.auth = _unchanged

    def url(self, path: str) -> str:
        """The address of something in the repository; a whole one is left as it is."""
        return urljoin(self._base, path)

    def retried(self, action: Callable[[], Result]) -> Result:
        """The result of something that is tried again when the connection breaks."""
        try:
            return execute_retry(
                action, retry_on=_Cut, attempts=_ATTEMPTS, interval=PAUSE, sleep=time.sleep
            )
        except _Cut as error:
            raise UploadError(
                f"{error} It was tried {_ATTEMPTS} times.",
                "Check the network, and publish it again; no image is there under this tag.",
            ) from error

    def ask(self, method: str, path: str, *accepted: int, **request: Any) -> Reply:
        """One answer, with a log-in when it is asked for."""
        url = self.url(path)
        response = self._send(method, url, **request)
        if response.status_code == 401 and self._is_own(url):
            self._authorization = self._log_in(response.headers.get("WWW-Authenticate", ""))
            response = self._send(method, url, **request)
        if response.status_code in accepted:
            return response
        if response.status_code >= 500 or response.status_code in (408, 429):
            raise _Cut(_refusal(self.place, response))
        hint = _LOG_IN if response.status_code == 401 else ""
        raise UploadError(_refusal(self.place, response), hint)

    def _send(self, method: str, url: str, **request: Any) -> Reply:
        headers = dict(request.pop("headers", {}))
        if self._authorization and self._is_own(url):
            headers["Authorization"] = self._authorization
        try:
            return self._read(method, url, headers=headers, **request)
        except requests.exceptions.SSLError as error:
            raise UploadError(
                f"{self.place.host} has no certificate that is trusted here.",
                "Name its authority in REQUESTS_CA_BUNDLE; for a registry without TLS write "
                "--with plain_http=yes.",
            ) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise _Cut(f"{self.place.host} cannot be reached: {_reason(error)}.") from error

    def _read(self, method: str, url: str, **request: Any) -> Reply:
        """The answer to a request. Raises UploadError when it has no end."""
        with self._session.request(
            method, url, timeout=_TIMEOUT, stream=True, **request
        ) as response:
            content = b""
            for piece in response.iter_content(1 << 16):
                content += piece
                if len(content) > _LARGEST:
                    raise UploadError(
                        f"{urlsplit(url).netloc} answers with more than {log.size(_LARGEST)}.",
                        "Look at the address: it may not be that of a registry.",
                    )
            return Reply(response.status_code, response.reason or "", response.headers, content)

    def _is_own(self, url: str) -> bool:
        """Whether an address is of the registry itself; no other one learns who logs in."""
        return urlsplit(url)[:2] == urlsplit(self._base)[:2]

    def _log_in(self, challenge: str) -> str:
        """What to write into the header ``Authorization``."""
        kind, _, rest = challenge.partition(" ")
        if kind.casefold() == "basic" and self._credentials is not None:
            return _basic(self._credentials)
        if kind.casefold() != "bearer":
            return ""
        fields = requests.utils.parse_dict_header(rest)  # type: ignore[no-untyped-call]
        token = self._token(str(fields.get("realm", "")), str(fields.get("service", "")))
        add_secret(token)
        return f"Bearer {token}"

    def _token(self, realm: str, service: str) -> str:
        asked = {"service": service, "scope": f"repository:{self.place.repository}:pull,push"}
        found = self._credentials
        headers = {}
        if found is not None and not found.identity:
            headers["Authorization"] = _basic(found)
        self._check_realm(realm)
        try:
            if found is not None and found.identity:
                form = {**asked, "grant_type": "refresh_token", "refresh_token": found.identity}
                form["client_id"] = "winimagetools"
                # A redirect would take the token along, wherever it leads.
                answer = self._read("POST", realm, data=form, allow_redirects=False)
            else:
                answer = self._read("GET", realm, params=asked, headers=headers)
            if answer.status_code != 200:
                raise UploadError(_refusal(self.place, answer), _LOG_IN)
            record = answer.json()
            return str(record.get("token") or record["access_token"])
        except (requests.exceptions.RequestException, OSError) as error:
            raise _Cut(f"{realm} cannot be reached: {_reason(error)}.") from error
        except (ValueError, KeyError, AttributeError) as error:
            raise UploadError(f"{realm} gave no token.") from error

    def _check_realm(self, realm: str) -> None:
        """Refuse a place to log in that is none, or where everybody could listen."""
        if not realm.startswith(("http://", "https://")):
            raise UploadError(f"{self.place.host} does not say where to log in.")
        exposed = self._base.startswith("https:") and not realm.startswith("https:")
        if self._credentials is not None and exposed:
            raise UploadError(
                f"{self.place.host} wants the password without TLS, at {realm}.",
                "Tell its administrator, or log out to publish without a password.",
            )


def _basic(found: Credentials) -> str:
    text = requests.auth._basic_auth_str(found.user.encode(), found.password.encode())
    add_secret(text.removeprefix("Basic "))
    return text


def _refusal(place: Reference, response: Reply) -> str:
    """What a registry says, as a sentence."""
    said = ""
    with suppress(ValueError, KeyError, TypeError, IndexError, AttributeError):
        said = f": {response.json()['errors'][0]['message']}"
    return (
        f"{place.name} answered {response.status_code} {response.reason or ''}".rstrip()
        + f"{said}."
    )


def _reason(error: Exception) -> str:
    """The innermost reason; what wraps it only repeats the address."""
    inner: BaseException = error
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    return getattr(inner, "strerror", None) or type(inner).__name__


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
