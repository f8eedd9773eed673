"""Who learns who logs in, and how much of an answer is read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from winimagetools.errors import UploadError
from winimagetools.net.registry_http import Connection, Reference

PLACE = Reference.parse("r.example/windows:2022")
Answer = tuple[int, dict[str, str], bytes]


class Played(BaseAdapter):
    """Answers requests without a network.

    Args:
        answer: status, headers and body for a request.
    """

    def __init__(self, answer: Callable[[requests.PreparedRequest], Answer]) -> None:
        super().__init__()
        self._play = answer
        self.seen: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The answer."""
        self.seen.append(request)
        response = requests.Response()
        response.status_code, headers, body = self._play(request)
        response.headers.update(headers)
        response.raw, response.request = io.BytesIO(body), request
        response.url = str(request.url)
        return response

    def close(self) -> None:
        """Nothing is open."""


def connection(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[requests.PreparedRequest], Answer],
    entry: dict[str, str],
) -> tuple[Connection, Played]:
    """A connection of somebody who is logged in."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(json.dumps({"auths": {"r.example": entry}}))
    played = Played(answer)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: played)
    return Connection(PLACE, plain_http=False), played


def challenge(realm: str) -> Answer:
    """Log in there."""
    return 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="r"'}, b""


PASSWORD = {"auth": base64.b64encode(b"me:pw-Geheim-31").decode()}
IDENTITY = {"identitytoken": "token-Geheim-32"}


@pytest.mark.parametrize("entry", [PASSWORD, IDENTITY])
def test_no_password_without_tls(
    entry: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry with TLS that lets people log in without it does not get their password."""
    asked, played = connection(
        tmp_path, monkeypatch, lambda _: challenge("http://r.example/token"), entry
    )
    with pytest.raises(UploadError, match=r"r.example wants the password without TLS"):
        asked.ask("GET", "blobs/x", 200)
    assert [request.url for request in played.seen] == ["https://r.example/v2/windows/blobs/x"]


def test_a_token_is_not_led_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect of the place to log in gets nothing: what is posted is the identity itself."""

    def answer(request: requests.PreparedRequest) -> Answer:
        if request.method == "POST":
            return 307, {"Location": "https://thief.example/"}, b""
        return challenge("https://r.example/token")

    asked, played = connection(tmp_path, monkeypatch, answer, IDENTITY)
    with pytest.raises(UploadError, match=r"r.example/windows answered 307"):
        asked.ask("GET", "blobs/x", 200)
    assert all("thief" not in str(request.url) for request in played.seen)


def test_an_answer_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not read to its end; nothing that is asked here has so much to say."""
    body = b" " * (5 << 20)
    asked, _ = connection(tmp_path, monkeypatch, lambda _: (200, {}, body), PASSWORD)
    with pytest.raises(UploadError, match=r"r.example answers with more than 4.0 MiB"):
        asked.ask("GET", "manifests/x", 200)


def test_a_usual_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, headers and content; with the token that was asked for."""

    def answer(request: requests.PreparedRequest) -> Answer:
        if request.headers.get("Authorization") == "Bearer tk-Geheim-33":
            return 200, {"Location": "/there"}, b"{}"
        if "/token" in str(request.url):
            return 200, {}, b'{"access_token": "tk-Geheim-33"}'
        return challenge("https://auth.example/token")

    asked, played = connection(tmp_path, monkeypatch, answer, PASSWORD)
    found = asked.ask("GET", "manifests/x", 200)
    assert (found.status_code, found.headers["Location"], found.content) == (200, "/there", b"{}")
    _, token, _ = played.seen
    assert token.url == (
        "https://auth.example/token?service=r&scope=repository%3Awindows%3Apull%2Cpush"
    )
    assert token.headers["Authorization"] == f"Basic {PASSWORD['auth']}"
