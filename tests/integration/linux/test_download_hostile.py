"""Downloads from web servers, and through networks, that do what they should not."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.compound import compound_file
from tests.integration.linux.web import (
    BODY,
    ETAG,
    MSI,
    SHA,
    Answer,
    Client,
    Handler,
    Server,
    cut,
    rest,
    whole,
)
from winimagetools.errors import DownloadError


def part(begin: int, body: bytes, total: int, **headers: str) -> Answer:
    """A partial answer with whatever the test makes of it."""
    where = f"bytes {begin}-{begin + len(body) - 1}/{total}"
    return lambda handler: handler.reply(206, body, **{"Content_Range": where, **ETAG, **headers})


@pytest.mark.parametrize("etag", ['"v2"', "", 'W/"v1"'])
def test_a_file_is_never_mixed(server: Server, client: Client, etag: str) -> None:
    """Without proof that the rest belongs to the beginning the download starts over."""
    new = MSI + os.urandom(len(BODY) - 8)

    def rest_of_new(handler: Handler) -> None:
        begin = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        part(begin, new[begin:], len(new), ETag=etag)(handler)

    server.answers = [cut(200_000), rest_of_new, whole(new, ETag='"v2"')]
    assert client.fetch(server.url).read_bytes() == new


def test_a_file_of_another_length_is_never_mixed(server: Server, client: Client) -> None:
    """A mirror that gives the same ETag to a longer file is found out by its length."""
    new = BODY + b"more"

    def rest_of_new(handler: Handler) -> None:
        begin = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        part(begin, new[begin:], len(new))(handler)

    server.answers = [cut(200_000), rest_of_new, whole(new)]
    assert client.fetch(server.url).read_bytes() == new


def test_a_date_is_no_proof(server: Server, client: Client) -> None:
    """A date has seconds only and may be that of two files: the download starts over."""
    date = {"ETag": "", "Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    server.answers = [cut(200_000, **date), lambda handler: handler.reply(200, BODY, **date)]
    assert client.fetch(server.url).read_bytes() == BODY
    assert "Range" not in server.seen[1]


def drip(handler: Handler) -> None:
    """A beginning, and then some bytes now and again, for longer than the test waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.send_header("ETag", '"v1"')
    handler.end_headers()
    with suppress(OSError):
        handler.wfile.write(BODY[:70_000])
        for at in range(70_000, 71_000, 10):
            handler.wfile.write(BODY[at : at + 10])
            time.sleep(0.05)


def dripped_headers(handler: Handler) -> None:
    """Headers that come letter by letter and never end."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        for _ in range(200):
            handler.wfile.write(b"x")
            time.sleep(0.05)


def test_a_server_that_drips(server: Server, hasty: Client) -> None:
    """A server below a sensible rate is given up and asked for the rest."""
    server.answers = [drip, rest]
    assert hasty.fetch(server.url).read_bytes() == BODY
    assert "Range" in server.seen[1]
    server.answers = [drip]
    with pytest.raises(DownloadError, match=r"for 2 seconds the server sent less than 4\.0 KiB"):
        hasty.fetch(server.url, sha256=SHA)


def test_headers_that_drip(server: Server, hasty: Client) -> None:
    """An answer that does not come to its body is given up too."""
    server.answers = [dripped_headers, whole()]
    assert hasty.fetch(server.url).read_bytes() == BODY
    server.answers = [dripped_headers]
    with pytest.raises(DownloadError, match="there was no whole answer within 4 seconds"):
        hasty.fetch(server.url, sha256=SHA)


def until_it_closes(body: bytes) -> Answer:
    """An answer without a length: the file ends where the connection does."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def archive() -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        content.writestr("tool.exe", os.urandom(50_000))
    return buffer.getvalue()


@pytest.mark.parametrize("body", [compound_file(600), archive()], ids=["msi", "zip"])
def test_cut_short_without_a_length(server: Server, client: Client, body: bytes) -> None:
    """Where no length is said the file's own structure tells whether it is whole."""
    server.answers = [until_it_closes(body[:40_000]), until_it_closes(body)]
    assert client.fetch(server.url).read_bytes() == body
    server.answers = [until_it_closes(body[:40_000])]
    with pytest.raises(DownloadError, match="was cut off after 40000 bytes"):
        Client(client.cache.with_name("other")).fetch(server.url)


def test_nobody_can_tell(server: Server, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A file of another kind is taken with a warning, or without when a checksum tells."""
    server.answers = [until_it_closes(b"MZ" + bytes(50))]
    with caplog.at_level(logging.WARNING, "winimagetools"):
        assert client.fetch(server.url).stat().st_size == 52
    assert "nobody can tell whether it is whole" in caplog.text
    caplog.clear()
    client.fetch(server.url, sha256=hashlib.sha256(b"MZ" + bytes(50)).hexdigest())
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Content_Length": "many"}, "says a length that is no number"),
        ({"Content_Length": "-1"}, "says a length that is no number"),
        ({"Content_Length": "9" * 5000}, "says a length that is no number"),
        ({"content_length": "7"}, "the server says two lengths"),
        ({"Content_Length": str(1 << 50)}, r"has more than 4\.0 GiB"),
    ],
)
def test_malformed_length(
    server: Server, client: Client, headers: dict[str, str], message: str
) -> None:
    """A length that cannot be is one clear error, at once."""
    server.answers = [lambda handler: handler.reply(200, BODY, **headers)]
    with pytest.raises(DownloadError, match=message):
        client.fetch(server.url)
    assert len(server.seen) == 1
    assert client.left() == []


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "http://", "//", "http://a..b/", "http://h:99999/", "\xff\xfe", "http://%00/"],
)
def test_malformed_location(server: Server, client: Client, location: str) -> None:
    """A redirect to nonsense is one clear error."""
    server.answers = [lambda handler: handler.reply(302, Location=location), whole(b"", 404)]
    with pytest.raises(DownloadError, match="could not be downloaded"):
        client.fetch(server.url)
    assert client.left() == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200\r\n: \r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_http(server: Server, client: Client, answer: bytes) -> None:
    """Whatever comes instead of an answer, the end is one clear error and an empty cache."""

    def write(handler: Handler) -> None:
        handler.wfile.write(answer)

    server.answers = [write]
    with pytest.raises(DownloadError, match=r"could not be downloaded|begins with nothing"):
        client.fetch(server.url, magic=[MSI])
    assert client.left() == []


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_wrong_certificates(
    server: Server,
    client: Client,
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A CA bundle that is missing or none is named together with the variable."""
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    url = server.url.replace("http://", "https://")
    with pytest.raises(DownloadError, match=r"REQUESTS_CA_BUNDLE names .*ca\.pem, from which no"):
        client.fetch(url)
    assert client.pauses == []


@pytest.mark.parametrize(
    "url", ["http://a..b/x", "http://" + "a" * 64 + ".example/x", "http://.example/"]
)
def test_bad_host(client: Client, url: str) -> None:
    """A URL whose host cannot be one is told at once."""
    with pytest.raises(DownloadError, match="the URL is not valid"):
        client.fetch(url)
    assert client.pauses == []
