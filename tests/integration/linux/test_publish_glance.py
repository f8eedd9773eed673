"""Images in a real OpenStack Glance: what arrived is what was sent, or nothing is there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.linux.clouds import ask, free_port, glance
from tests.unit.output.report.sample import REPORT
from winimagetools.cli.main import main
from winimagetools.net.glance import UNFINISHED
from winimagetools.output.report import folder

BYTES = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Glance."""
    with glance(tmp_path_factory.mktemp("glance")) as port:
        yield port


@pytest.fixture
def cloud(service: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """The same, found by the variables openstacksdk reads; there is no image in it."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OS_AUTH_TYPE", "none")
    monkeypatch.setenv("OS_ENDPOINT", f"http://127.0.0.1:{service}")
    for image in images(service):
        assert ask(service, "DELETE", f"/v2/images/{image['id']}")[0] == 204
    return service


def images(port: int) -> list[dict[str, object]]:
    """All records there are."""
    found = json.loads(ask(port, "GET", "/v2/images")[1])["images"]
    assert isinstance(found, list)
    return found


def made(place: Path, content: bytes = BYTES, size: int = 0) -> Path:
    """A raw disk with its report.

    Args:
        place: folder.
        content: how it begins.
        size: bytes with the hole behind it.
    """
    path = place / "win.raw"
    path.write_bytes(content)
    os.truncate(path, size or len(content))
    digest = "" if size else hashlib.sha256(content).hexdigest()
    facts = dataclasses.replace(
        REPORT.image, file=path.name, format="RAW", size=size or len(content), sha256=digest
    )
    folder.write(folder.folder_of(path), dataclasses.replace(REPORT, image=facts))
    return path


def test_an_image_in_glance(cloud: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its bytes are those of the file, its properties those of what is inside; its id is told."""
    path = made(tmp_path)
    given = ["--with", "name=Server 2022", "--with", "secure_boot=optional"]
    assert main(["publish", str(path), "glance", "--run", *given]) == 0
    number = capsys.readouterr().out.strip()
    (record,) = images(cloud)
    assert record["id"] == number
    wanted = {
        "name": "Server 2022",
        "status": "active",
        "visibility": "private",
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 1,
        "min_ram": 2048,
        "size": len(BYTES),
        "virtual_size": len(BYTES),
        "os_hash_value": hashlib.sha512(BYTES).hexdigest(),
        "tags": [],
        "os_type": "windows",
        "hw_firmware_type": "uefi",
        "hw_machine_type": "q35",
        "hw_disk_bus": "virtio",
        "hw_qemu_guest_agent": "yes",
        "os_secure_boot": "optional",
    }
    assert {name: record.get(name) for name in wanted} == wanted
    assert ask(cloud, "GET", f"/v2/images/{number}/file")[1] == BYTES
    assert main(["publish", str(path), "glance", "--run", *given]) == 0
    assert f"another image 'Server 2022' already: {number}" in capsys.readouterr().err
    assert len(images(cloud)) == 2


def test_another_file_than_was_made(
    cloud: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not published."""
    path = made(tmp_path)
    path.write_bytes(BYTES[:-1] + bytes([BYTES[-1] ^ 1]))
    assert main(["publish", str(path), "glance", "--run"]) == 1
    assert "is not what its report says was made" in capsys.readouterr().err
    assert images(cloud) == []


def test_what_glance_refuses(
    cloud: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its words are told, and nothing is left; here the server takes no more than 1 GiB."""
    path = made(tmp_path, size=3 << 30)
    assert main(["publish", str(path), "glance", "--run"]) == 1
    told = capsys.readouterr().err
    assert "OpenStack did not take the image" in told
    assert "Traceback" not in told
    assert images(cloud) == []


def test_a_cloud_that_is_not_there(
    cloud: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens; no cloud is named; one is named that is not known."""
    path = str(made(tmp_path))
    monkeypatch.setenv("OS_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert main(["publish", path, "glance", "--run"]) == 1
    assert "OpenStack did not take the image" in capsys.readouterr().err
    assert main(["publish", path, "glance", "--run", "--with", "cloud=nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    monkeypatch.delenv("OS_ENDPOINT")
    monkeypatch.delenv("OS_AUTH_TYPE")
    assert main(["publish", path, "glance", "--run"]) == 2
    assert "OS_CLOUD" in capsys.readouterr().err


def started(path: Path, port: int) -> subprocess.Popen[str]:
    """A publish of a large image that is in the middle of its upload."""
    argv = [sys.executable, "-m", "winimagetools", "publish", str(path), "glance", "--run"]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    while not images(port):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    time.sleep(0.2)
    return process


def test_ctrl_c_leaves_nothing(cloud: int, tmp_path: Path) -> None:
    """The half image is removed before the command ends."""
    process = started(made(tmp_path, size=1000 << 20), cloud)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Interrupted; nothing was left behind." in told
    assert images(cloud) == []


def test_what_was_killed_is_removed_by_the_next(
    cloud: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record without data, known by its tag."""
    process = started(made(tmp_path, size=1000 << 20), cloud)
    process.kill()
    process.communicate()
    (left,) = images(cloud)
    assert left["tags"] == [UNFINISHED]
    assert left["status"] == "queued"
    path = made_again(tmp_path)
    assert main(["publish", str(path), "glance", "--run"]) == 0
    capsys.readouterr()
    (record,) = images(cloud)
    assert record["id"] != left["id"]
    assert (record["status"], record["size"], record["tags"]) == ("active", len(BYTES), [])


def made_again(place: Path) -> Path:
    """A smaller image of the same name, in a folder of its own."""
    (place / "again").mkdir()
    return made(place / "again")
