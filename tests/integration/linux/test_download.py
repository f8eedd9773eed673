"""Downloads from a real web server on the loopback interface."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import pytest

from tests.integration.linux.web import (
    BODY,
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
from winimagetools.errors import ChecksumError, DiskFullError, DownloadError
from winimagetools.net.download import USER_AGENT


def silence(handler: Handler) -> None:
    """Headers and a beginning, and then nothing for longer than the test waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[:70_000])
    handler.wfile.flush()
    time.sleep(3)


def slow(handler: Handler) -> None:
    """The whole file in pieces, with pauses shorter than the time-out, their sum longer."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    for at in range(0, len(BODY), 100_000):
        handler.wfile.write(BODY[at : at + 100_000])
        handler.wfile.flush()
        time.sleep(0.3)


def chunked(handler: Handler) -> None:
    """The whole file without saying how long it is."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for at in range(0, len(BODY), 100_000):
        piece = BODY[at : at + 100_000]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def test_download(server: Server, client: Client) -> None:
    """A file arrives whole, under its own name, asked for by a plain agent and unpacked."""
    path = client.fetch(server.url, sha256=SHA, magic=[MSI, b"PK\3\4"])
    assert path.read_bytes() == BODY
    assert path.name == "agent.msi"
    assert server.seen[0]["User-Agent"] == USER_AGENT
    assert server.seen[0]["Accept-Encoding"] == "identity"
    assert client.left() == ["agent.msi", "meta.json"]
    assert client.pauses == []


def test_cache_with_checksum(server: Server, client: Client) -> None:
    """With a checksum the second request asks nobody; damage in the cache is noticed."""
    path = client.fetch(server.url, sha256=SHA)
    assert client.fetch(server.url, sha256=SHA) == path
    assert len(server.seen) == 1
    path.write_bytes(b"damaged")
    assert client.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("header", "value", "condition"),
    [
        ("ETag", '"v1"', "If-None-Match"),
        ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT", "If-Modified-Since"),
    ],
)
def test_cache_without_checksum(
    server: Server, client: Client, header: str, value: str, condition: str
) -> None:
    """Without a checksum the server is asked whether the file is still the same."""
    server.answers = [
        lambda handler: handler.reply(200, BODY, **{header: value}),
        lambda handler: handler.reply(304),
        whole(MSI + b"new", ETag='"v2"'),
    ]
    path = client.fetch(server.url)
    assert client.fetch(server.url).read_bytes() == BODY
    assert server.seen[1][condition] == value
    assert client.fetch(server.url) == path
    assert path.read_bytes() == MSI + b"new"


def test_cache_when_the_server_is_away(
    server: Server, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a checksum the old file is used with a warning when nobody answers."""
    path = client.fetch(server.url)
    server.answers = [whole(b"", 503)]
    with caplog.at_level(logging.WARNING, "winimagetools"):
        assert client.fetch(server.url) == path
    assert "The copy in the cache is used" in caplog.text
    assert client.pauses == [2, 4]
    server.answers = [whole(b"", 404)]
    with pytest.raises(DownloadError, match="404"):
        client.fetch(server.url)


def test_not_found(server: Server, client: Client) -> None:
    """404 is told at once, without the secrets of the URL, and leaves nothing."""
    server.answers = [whole(b"", 404)]
    url = server.url.replace("http://", "http://me:secret@") + "?sig=secret"
    with pytest.raises(DownloadError) as caught:
        client.fetch(url)
    assert caught.value.message == (
        f"{server.url} could not be downloaded: the server answered 404 Not Found."
    )
    assert len(server.seen) == 1
    assert client.left() == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_server(server: Server, client: Client, status: int) -> None:
    """A server that is busy for a moment is asked again, after the time it asks for."""
    server.answers = [
        lambda handler: handler.reply(status, Retry_After="7"),
        lambda handler: handler.reply(status, Retry_After="soon"),
        whole(),
    ]
    assert client.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert client.pauses == [7, 4]


def test_gives_up(server: Server, client: Client) -> None:
    """A server that never recovers is told with its last answer."""
    server.answers = [whole(b"", 500)]
    with pytest.raises(DownloadError, match=r"500 .*It was tried 3 times\.") as caught:
        client.fetch(server.url)
    assert type(caught.value) is DownloadError
    assert len(server.seen) == 3


def test_resume(server: Server, client: Client) -> None:
    """A download that was cut off goes on where it stopped, if the file is the same."""
    server.answers = [cut(200_000), rest]
    assert client.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert server.seen[1]["If-Range"] == '"v1"'
    begin = int(server.seen[1]["Range"].removeprefix("bytes=").rstrip("-"))
    assert 100_000 < begin <= 200_000


def test_resume_in_another_run(server: Server, client: Client, tmp_path: Path) -> None:
    """What an earlier run got is used by the next one."""
    server.answers = [cut(300_000)]
    with pytest.raises(DownloadError, match=r"cut off|connection"):
        client.fetch(server.url, sha256=SHA)
    assert client.left() == ["data", "meta.json"]
    server.seen.clear()
    server.answers = [rest]
    assert Client(client.cache).fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert "Range" in server.seen[0]


def test_file_that_changed_meanwhile(server: Server, client: Client) -> None:
    """When the server has another version, the download starts over."""
    server.answers = [cut(200_000, ETag='"v0"'), whole()]
    assert client.fetch(server.url).read_bytes() == BODY


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"", 416),
        whole(BODY[5:], 206, Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}"),
        whole(BODY, 206),
    ],
)
def test_server_that_cannot_resume(server: Server, client: Client, answer: Answer) -> None:
    """A wrong answer to a resumed request makes the download start over."""
    server.answers = [cut(200_000), answer, whole()]
    assert client.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert "Range" not in server.seen[2]


def test_without_version_nothing_is_resumed(server: Server, client: Client) -> None:
    """Without ETag and date the download starts over."""
    server.answers = [cut(200_000, ETag=""), whole()]
    assert client.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert "Range" not in server.seen[1]


def test_silent_server(server: Server, hasty: Client) -> None:
    """A server that sends nothing any more is given up and asked again."""
    server.answers = [silence, whole()]
    assert hasty.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert hasty.pauses == [2]
    server.answers = [silence]
    with pytest.raises(DownloadError, match=r"the server sent nothing for 1 seconds"):
        hasty.fetch(server.url)


@pytest.mark.parametrize("answer", [slow, chunked])
def test_other_ways_to_send(server: Server, hasty: Client, answer: Answer) -> None:
    """Slow servers and such as do not say the length are no problem."""
    server.answers = [answer]
    assert hasty.fetch(server.url, sha256=SHA).read_bytes() == BODY
    assert hasty.pauses == []


def test_gzip_file_stays_packed(server: Server, client: Client) -> None:
    """A file the server labels as encoded is stored as it is."""
    body = b"\x1f\x8b\x08" + bytes(100)
    server.answers = [whole(body, Content_Encoding="gzip")]
    assert client.fetch(server.url, magic=[b"\x1f\x8b"]).read_bytes() == body


@pytest.mark.parametrize("magic", [(), (MSI,)])
@pytest.mark.parametrize("body", [b"\n <!DOCTYPE html><p>", b"<HTML>", b"<script>", b"<p>"])
def test_web_page(server: Server, client: Client, magic: tuple[bytes, ...], body: bytes) -> None:
    """A web page in place of the file is refused at once and not kept."""
    server.answers = [whole(body, Content_Type="text/html; charset=utf-8")]
    with pytest.raises(DownloadError, match="is a web page, not the file"):
        client.fetch(server.url, magic=magic)
    assert len(server.seen) == 1
    assert client.left() == []


@pytest.mark.parametrize(("body", "begins"), [(b"MZ\x90\0rest", "4d 5a 90 00"), (b"", "nothing")])
def test_other_kind_of_file(server: Server, client: Client, body: bytes, begins: str) -> None:
    """A file that begins with other bytes is refused and not kept."""
    server.answers = [whole(body)]
    with pytest.raises(DownloadError, match=f"begins with {begins}"):
        client.fetch(server.url, magic=[MSI])
    assert client.left() == []


def test_wrong_checksum(server: Server, client: Client) -> None:
    """Another checksum: both are named, the file is deleted, nothing is tried again."""
    with pytest.raises(ChecksumError) as caught:
        client.fetch(server.url, sha256="0" * 64)
    assert SHA in caught.value.message
    assert "0" * 64 in caught.value.message
    assert len(server.seen) == 1
    assert client.left() == []


def test_nobody_listens(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is tried again and then told."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x"
    with pytest.raises(DownloadError, match="the connection to the server failed"):
        client.fetch(url)
    assert client.pauses == [2, 4]


def test_redirects(server: Server, client: Client) -> None:
    """Redirects are followed, but not in circles and not away from http."""
    server.answers = [lambda handler: handler.reply(302, Location="/other"), whole()]
    assert client.fetch(server.url).read_bytes() == BODY
    server.answers = [lambda handler: handler.reply(302, Location=handler.path)]
    with pytest.raises(DownloadError, match="redirects in circles"):
        client.fetch(server.url, sha256=SHA)
    server.answers = [lambda handler: handler.reply(302, Location="ftp://x/y")]
    with pytest.raises(DownloadError, match="redirects to something that is not http"):
        client.fetch(server.url, sha256=SHA)


def test_full_disk(server: Server, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk has its own error."""
    entry_folder = client.cache
    entry_folder.mkdir()
    real_open = Path.open

    def open_full(path: Path, mode: str = "r", *rest: object, **more: object) -> object:
        if mode == "ab":
            return Path("/dev/full").open("wb", buffering=0)
        return real_open(path, mode, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(DiskFullError, match="There is no room for downloads in"):
        client.fetch(server.url)


def test_cache_that_cannot_be_used(server: Server, tmp_path: Path) -> None:
    """A cache folder that cannot be made is named."""
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(DownloadError, match=r"The folder for downloads .*cannot be used"):
        Client(tmp_path / "cache").fetch(server.url)
