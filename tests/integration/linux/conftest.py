"""What integration tests can share: stand-in media, and a web server with its client."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures import media
from tests import needs
from tests.integration.linux.build import Job
from tests.integration.linux.processes import machines
from tests.integration.linux.web import Client, Server
from winimagetools.model import DiskLayout


@pytest.fixture(scope="session")
def install_media(tmp_path_factory: pytest.TempPathFactory) -> Callable[[media.MediaSpec], Path]:
    """Makes stand-in media on demand; the same specification is made once per session."""
    made: dict[media.MediaSpec, Path] = {}

    def make(spec: media.MediaSpec) -> Path:
        if spec not in made:
            made[spec] = media.make(spec, tmp_path_factory.mktemp("media"))
        return made[spec]

    return make


@pytest.fixture(scope="session")
def install_wim(install_media: Callable[[media.MediaSpec], Path]) -> Path:
    """A small WIM with one image: Windows Server 2022 Standard (amd64)."""
    return install_media(media.MediaSpec(editions=("ServerStandard",)))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Callable[[str], Path]:
    """An image for each firmware, made once; nobody may change it."""
    made: dict[str, Path] = {}

    def image(layout: str) -> Path:
        if layout not in made:
            folder = tmp_path_factory.mktemp(layout)
            job = Job(folder, install_wim, {"DEFAULT.disk_layout": layout})
            assert job.build() == 0
            made[layout] = job.image
        return made[layout]

    return image


@pytest.fixture(scope="session")
def guest_media(
    install_media: Callable[[media.MediaSpec], Path],
) -> Callable[[DiskLayout], Path]:
    """An ISO whose Windows is the stand-in guest, for a kind of firmware."""
    needs.guest()

    def make(layout: DiskLayout) -> Path:
        iso = media.MediaFormat.ISO
        return install_media(
            media.MediaSpec(editions=("ServerStandard",), media_format=iso, guest=layout)
        )

    return make


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets and the like, which is empty afterwards, and no machine runs on."""
    folder = Path(tempfile.mkdtemp(prefix="vm-"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert machines(folder) == []
    folder.rmdir()


@pytest.fixture
def clean_guests(guest_media: Callable[[DiskLayout], Path], request: pytest.FixtureRequest) -> None:
    """Nothing runs on and nothing stays; media are made before."""
    needs.program("qemu-system-x86_64", "qemu-system-x86")
    for layout in DiskLayout:
        guest_media(layout)
    request.getfixturevalue("nothing_left")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running web server, reached without the proxies of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A downloader with an empty cache."""
    return Client(tmp_path / "cache")


@pytest.fixture
def hasty(tmp_path: Path) -> Client:
    """One that waits for a second only, for servers that make it wait."""
    return Client(tmp_path / "cache", patience=1)
