"""containerDisks in a real registry, read back by skopeo."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.integration.linux.clouds import PASSWORD, USER, Gate, ask, registry
from tests.integration.linux.test_publish_glance import BYTES, made
from winimagetools.cli.main import main
from winimagetools.net import registry_http

LABELS = {"instancetype.kubevirt.io/default-preference": "windows.2k22.virtio"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the registry for everybody."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def open_registry(data: Path) -> Iterator[int]:
    """Its port."""
    with registry(data) as port:
        yield port


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials, and no proxy."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(registry_http, "PAUSE", 0.05)
    return home


def publish(path: Path, place: str, *words: str) -> int:
    """Publish to a registry without TLS."""
    given = ["--with", f"image={place}", "--with", "plain_http=yes"]
    return main(["publish", str(path), "containerdisk", "--run", *given, *words])


def skopeo(*words: str) -> bytes:
    """What skopeo says."""
    needs.program("skopeo", "skopeo")
    return subprocess.run(["skopeo", *words], check=True, capture_output=True).stdout


def log_in(home: Path, host: str, password: str = PASSWORD) -> None:
    """What docker login would write."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (home / ".docker").mkdir(exist_ok=True)
    config = {"auths": {host: {"auth": auth}}}
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def layer(folder: Path, place: str) -> tuple[tarfile.TarInfo, bytes]:
    """The file in the only layer of an image, copied by skopeo."""
    skopeo("copy", "--src-tls-verify=false", f"docker://{place}", f"dir:{folder}")
    manifest = json.loads((folder / "manifest.json").read_text())
    (only,) = manifest["layers"]
    with tarfile.open(folder / only["digest"].removeprefix("sha256:")) as archive:
        (member,) = [item for item in archive.getmembers() if not item.isdir()]
        content = archive.extractfile(member)
        assert content is not None
        return member, content.read()


def test_a_containerdisk(
    open_registry: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One layer with the bytes of the disk, its owner and mode; the digest is that of skopeo."""
    place = f"127.0.0.1:{open_registry}/windows/server:2022"
    path = made(tmp_path)
    assert publish(path, place) == 0
    told = capsys.readouterr().out.strip()
    found = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{place}"))
    assert told == f"{place.removesuffix(':2022')}@{found['Digest']}"
    assert (found["Labels"], found["Architecture"], found["Os"]) == (LABELS, "amd64", "linux")
    member, content = layer(tmp_path / "copy", place)
    assert (member.name, member.uid, member.gid) == ("disk/win.raw", 107, 107)
    assert member.mode == 0o440
    assert content == BYTES
    os.utime(path, (0, 0))
    assert publish(path, place) == 0
    again = capsys.readouterr()
    assert again.out.strip() == told
    assert "is there already" in again.err


def test_who_may(tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Credentials come from the configuration of docker, and are said nowhere."""
    path = made(tmp_path)
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry", closed=True) as port:
        place = f"127.0.0.1:{port}/windows:1"
        assert publish(path, place) == 1
        assert "docker login" in capsys.readouterr().err
        log_in(own_home, f"127.0.0.1:{port}", "wrong-one")
        assert publish(path, place) == 1
        refused = capsys.readouterr()
        assert "401" in refused.err
        assert "wrong-one" not in refused.err
        log_in(own_home, f"http://127.0.0.1:{port}/v1/")
        assert publish(path, place, "--debug", "--log-file", str(tmp_path / "log")) == 0
    told = capsys.readouterr()
    said = told.out + told.err + (tmp_path / "log").read_text()
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert "credentials for" in said
    assert PASSWORD not in said
    assert basic not in said


def test_a_token_and_a_cut_connection(
    open_registry: int, tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token is asked for once; an upload that was cut twice is made once more."""
    path = made(tmp_path, b"begin" + os.urandom(6 << 20))
    with Gate(open_registry).open() as gate:
        log_in(own_home, f"127.0.0.1:{gate.server_port}")
        gate.cuts = [4 << 20, 2 << 20]
        assert publish(path, f"127.0.0.1:{gate.server_port}/cut:1") == 0
        seen = list(gate.seen)
    told = capsys.readouterr().err
    assert told.count("Trying again") == 2
    assert "the-token" not in told
    assert [what for what, _ in seen].count("PATCH") == 4  # three for the layer, one for its config
    assert [what for what, _ in seen].count("DELETE") == 2
    assert sum(where.startswith("/token") for _, where in seen) == 1
    _, content = layer(tmp_path / "copy", f"127.0.0.1:{open_registry}/cut:1")
    assert hashlib.sha256(content).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_what_cannot_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is tried several times and told once, with what to do."""
    path = made(tmp_path)
    assert publish(path, "127.0.0.1:1/windows:1") == 1
    told = capsys.readouterr().err
    assert "It was tried 5 times." in told
    assert "Traceback" not in told


def test_ctrl_c_leaves_no_image(open_registry: int, data: Path, tmp_path: Path) -> None:
    """Neither a tag nor a layer is left."""
    path = made(tmp_path, size=1 << 30)
    place = f"127.0.0.1:{open_registry}/stopped:1"
    given = ["--with", f"image={place}", "--with", "plain_http=yes"]
    argv = [sys.executable, "-m", "winimagetools", "publish", str(path), "containerdisk", "--run"]
    process = subprocess.Popen([*argv, *given], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "Send the image" in line:
            break
    while not list(data.rglob("stopped/_uploads/*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert ask(open_registry, "GET", "/v2/stopped/manifests/1")[0] == 404
    assert list(data.rglob("stopped/_layers/sha256/*")) == []
