"""A web server on the loopback interface that answers as a test wants, and a client of it."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from winimagetools.net.download import Downloader

MSI = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BODY = MSI + os.urandom(400_000)
SHA = hashlib.sha256(BODY).hexdigest()
ETAG = {"ETag": '"v1"'}

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next of the server's answers, the last one for ever."""

    server: Server

    def do_GET(self) -> None:
        """Note the request and answer it."""
        self.server.seen.append(dict(self.headers))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """One whole answer."""
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(body)), **named}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A web server that remembers the headers of what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, str]] = []
        self.answers: list[Answer] = [whole()]

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"http://127.0.0.1:{self.server_port}/files/agent.msi"


def whole(body: bytes = BODY, status: int = 200, **headers: str) -> Answer:
    """An answer that keeps its promises."""
    return lambda handler: handler.reply(status, body, **{**ETAG, **headers})


def cut(after: int, **headers: str) -> Answer:
    """An answer that ends before its length."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Length": str(len(BODY)), **ETAG, **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(BODY[:after])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    return answer


def rest(handler: Handler) -> None:
    """The part of the file a Range header asks for."""
    begin = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
    where = f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"
    handler.reply(206, BODY[begin:], Content_Range=where, **ETAG)


class Client:
    """A downloader that notes its pauses instead of making them.

    Args:
        cache: its folder.
        patience: seconds it waits for a server; many, as the server shares a busy machine.
    """

    def __init__(self, cache: Path, patience: float = 20) -> None:
        self.pauses: list[float] = []
        self.cache = cache
        self.downloader = Downloader(
            cache,
            attempts=3,
            pause=2,
            connect_timeout=patience,
            read_timeout=patience,
            slow_for=2 * patience,
            sleep=self.pauses.append,
        )
        self.fetch = self.downloader.fetch

    def left(self) -> list[str]:
        """File names in the cache."""
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())
