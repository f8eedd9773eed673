"""A real image service and a real registry on the loopback interface."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import needs

GLANCE = Path(__file__).parents[3] / ".glance" / "bin"
"""Where .ci/install puts OpenStack's image service."""
USER, PASSWORD = "maker", "pw-Geheim-77"
_PASSWORD_FILE = "maker:$2b$04$jETj8bNWH.3TN6aCQiEIIOITVT1Utp0XS82KTTeJ9BbBhNsmVsQGa\n"
_PATIENCE = 60.0
_PUBLIC = ("add_image", "get_image", "get_images", "upload_image", "modify_image")
_POLICY = dict.fromkeys((*_PUBLIC, "download_image", "delete_image"), "@")
_GLANCE_CONFIG = """\
[DEFAULT]
enabled_backends = file:file
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[database]
connection = sqlite:///{folder}/glance.sqlite
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = {folder}/store
[paste_deploy]
flavor =
config_file = {paste}
[oslo_policy]
policy_file = {folder}/policy.json
[oslo_concurrency]
lock_path = {folder}/locks
"""
_REGISTRY_CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: warn}}
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Status and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def serving(argv: list[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    """A program that listens on a port."""
    with (folder / "said.log").open("wb") as said:
        process = subprocess.Popen(
            argv, stdout=said, stderr=said, env={**os.environ, **environment}, cwd=folder
        )
    try:
        give_up = time.monotonic() + _PATIENCE
        while not _listens(port):
            assert process.poll() is None, (folder / "said.log").read_text()
            assert time.monotonic() < give_up, (folder / "said.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def glance(folder: Path) -> Iterator[int]:
    """OpenStack's image service, open to everybody, with its data in a folder; its port."""
    if not (GLANCE / "waitress-serve").exists():
        pytest.skip("OpenStack Glance is missing (.ci/install installs it)")
    paste = GLANCE.parent / "etc" / "glance" / "glance-api-paste.ini"
    config = _GLANCE_CONFIG.format(folder=folder, paste=paste.resolve())
    (folder / "glance-api.conf").write_text(config)
    (folder / "policy.json").write_text(json.dumps(_POLICY))
    manage = [str(GLANCE / "glance-manage"), "--config-dir", str(folder), "db_sync"]
    subprocess.run(manage, check=True, capture_output=True)
    port = free_port()
    argv = [str(GLANCE / "waitress-serve"), f"--listen=127.0.0.1:{port}"]
    environment = {"OS_GLANCE_CONFIG_DIR": str(folder), "TMPDIR": str(folder)}
    with serving([*argv, "glance.wsgi.api:application"], port, folder, **environment):
        yield port


@contextmanager
def registry(folder: Path, *, closed: bool = False) -> Iterator[int]:
    """A registry with its data in a folder; its port.

    Args:
        folder: for the data.
        closed: to everybody but :data:`USER`.
    """
    needs.program("docker-registry", "docker-registry")
    port = free_port()
    config = _REGISTRY_CONFIG.format(folder=folder, port=port)
    if closed:
        (folder / "users").write_text(_PASSWORD_FILE)
        config += f"auth: {{htpasswd: {{realm: here, path: {folder}/users}}}}\n"
    (folder / "registry.yml").write_text(config)
    argv = ["docker-registry", "serve", str(folder / "registry.yml")]
    with serving(argv, port, folder):
        yield port


class _Handler(BaseHTTPRequestHandler):
    """Hands requests on to the registry behind it."""

    server: Gate
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        self.server.seen.append((self.command, self.path.partition("?")[0]))
        if self.path.startswith("/token"):
            self._token()
        elif self.headers.get("Authorization") != "Bearer the-token":
            here = f"http://127.0.0.1:{self.server.server_port}/token"
            challenge = f'Bearer realm="{here}",service="registry"'
            self._reply(401, {"WWW-Authenticate": challenge}, b"")
        else:
            self._hand_on()

    def _token(self) -> None:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {basic}":
            self._reply(403, {}, b"")
        else:
            self._reply(200, {}, b'{"token": "the-token"}')

    def _hand_on(self) -> None:
        headers = {k: v for k, v in self.headers.items() if k not in ("Authorization", "Host")}
        headers["Host"] = f"127.0.0.1:{self.server.server_port}"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        left = int(self.headers.get("Content-Length", 0))
        while left and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)
            connection.send(piece)
            if self.command == "PATCH" and self.server.cuts and left < self.server.cuts[0]:
                self.server.cuts.pop(0)
                connection.close()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        answer = connection.getresponse()
        self._reply(answer.status, dict(answer.getheaders()), answer.read())

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.casefold() not in ("date", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._handle)


class Gate(ThreadingHTTPServer):
    """A registry that wants a token, in front of one that does not.

    Args:
        behind: port of the other one.

    Attributes:
        seen: method and path of each request.
        cuts: each time so few bytes are left of what is sent, the connection is cut.
    """

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.seen: list[tuple[str, str]] = []
        self.cuts: list[int] = []

    @contextmanager
    def open(self) -> Iterator[Gate]:
        """Serve."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()
