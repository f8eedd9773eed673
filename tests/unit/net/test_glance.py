"""What services that are old, odd, or no image service at all answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from winimagetools.errors import UploadError
from winimagetools.net import glance
from winimagetools.net.glance import NewImage, upload

DATA = b"a disk"
ACTIVE = {"id": "7", "status": "active", "size": len(DATA), "tags": []}
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
SHA512 = hashlib.sha512(DATA).hexdigest()


class Service:
    """Answers as it is told to.

    Args:
        record: of the image.
        listed: of images there are.
    """

    def __init__(self, record: object, listed: object = None) -> None:
        self._record = record
        self._listed = {"images": []} if listed is None else listed
        self.asked: list[tuple[str, str]] = []

    def post(self, path: str, **_: Any) -> requests.Response:
        """Make a record."""
        return self._answer("POST", path, 201, {"id": "7"})

    def get(self, path: str, **_: Any) -> requests.Response:
        """Show one, or all."""
        return self._answer("GET", path, 200, self._listed if path == "/images" else self._record)

    def put(self, path: str, *, data: Iterator[bytes], **_: Any) -> requests.Response:
        """Take the data."""
        assert b"".join(data) == DATA
        return self._answer("PUT", path, 204, None)

    def delete(self, path: str, **_: Any) -> requests.Response:
        """Remove something."""
        return self._answer("DELETE", path, 204, None)

    def _answer(self, method: str, path: str, status: int, body: object) -> requests.Response:
        self.asked.append((method, path))
        response = requests.Response()
        response.status_code = status
        text = body if isinstance(body, str) else json.dumps(body)
        response._content = text.encode()
        return response


def send(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Upload an image to it."""
    pytest.importorskip("openstack")

    @contextmanager
    def connect(**_: object) -> Iterator[object]:
        yield type("Connection", (), {"image": service})

    monkeypatch.setattr("openstack.connect", connect)
    path = folder / "win.raw"
    path.write_bytes(DATA)
    return upload(NewImage("win", path, "raw", 1, 1, {}))


@pytest.mark.parametrize(
    "told",
    [
        {"checksum": MD5},
        {"checksum": MD5, "os_hash_algo": None, "os_hash_value": None},
        {"checksum": MD5, "os_hash_algo": "blake4", "os_hash_value": "x"},
        {"checksum": MD5, "os_hash_algo": "shake_128", "os_hash_value": "x"},
        {"os_hash_algo": "sha512", "os_hash_value": SHA512},
    ],
)
def test_how_services_tell_a_checksum(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Rocky only an MD5; an algorithm that is not known here is passed over for it."""
    service = Service({**ACTIVE, **told})
    assert send(service, tmp_path, monkeypatch) == "7"
    assert ("DELETE", "/images/7") not in service.asked
    assert service.asked[-1] == ("DELETE", f"/images/7/tags/{glance.UNFINISHED}")


@pytest.mark.parametrize(
    "told", [{"checksum": "0" * 32}, {}, {"os_hash_algo": "sha512", "os_hash_value": MD5}]
)
def test_other_data(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is refused, and the image is removed."""
    service = Service({**ACTIVE, **told})
    with pytest.raises(UploadError, match=r"Glance has 6 bytes with (md5|sha512)"):
        send(service, tmp_path, monkeypatch)
    assert service.asked[-1] == ("DELETE", "/images/7")


@pytest.mark.parametrize(
    "listed", ["<html>Log in</html>", "", [], {}, {"images": [{}]}, {"images": 7}, 7]
)
def test_no_image_service(listed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page, or JSON of something else, is called what it is; nothing is uploaded."""
    service = Service(ACTIVE, listed)
    with pytest.raises(UploadError, match="answered GET /images as no image service does"):
        send(service, tmp_path, monkeypatch)
    assert service.asked == [("GET", "/images")]


def test_an_odd_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one after the upload, and the image is removed."""
    service = Service({"id": "7"})
    with pytest.raises(UploadError, match="answered GET /images/7 as no image service does"):
        send(service, tmp_path, monkeypatch)
    assert service.asked[-1] == ("DELETE", "/images/7")
