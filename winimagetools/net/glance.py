"""OpenStack's image service: an image that is complete there, or not there at all.

Glance cannot go on with an upload that was cut off (Image API v2, "Upload binary image data"),
so whatever fails is removed. A record carries a tag until its data was compared; what a killed
process left behind is known by it. openstacksdk finds the cloud and its credentials.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winimagetools import interruption, log
from winimagetools.errors import HostError, RequestError, UploadError
from winimagetools.net.sending import Body, Content
from winimagetools.version import __version__

UNFINISHED = "winimagetools-upload"
"""Tag of an image whose data is not complete."""
_ALGORITHM = "sha512"
"""Glance's usual one (``hashing_algorithm``)."""
_PATIENCE = 600.0
_GLANCE = 1.0
_SDK = "openstacksdk is not installed; it is needed to talk to OpenStack."


@dataclass(frozen=True)
class NewImage:
    """An image that is to be.

    Args:
        disk_format: as Glance calls it.
        min_disk: GiB.
        min_ram: MiB.
        sha256: what the file must have; not compared when empty.
    """

    name: str
    path: Path
    disk_format: str
    min_disk: int
    min_ram: int
    properties: Mapping[str, str]
    sha256: str = ""


class Digests:
    """Hashes what is sent, also when it is sent again."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.sent = 0
        self._own, self._remote = hashlib.sha256(), hashlib.new(_ALGORITHM)

    def add(self, piece: bytes, done: int) -> None:
        """Take a piece that comes after ``done`` bytes."""
        if not done:
            self._begin()
        self.sent = done + len(piece)
        self._own.update(piece)
        self._remote.update(piece)

    def check_own(self, image: NewImage) -> None:
        """Compare what was sent with what was made. Raises UploadError."""
        if image.sha256 and self._own.hexdigest() != image.sha256:
            raise UploadError(
                f"{image.path} is not what its report says was made.",
                f"See winimagetools verify {image.path}",
            )

    def of(self, algorithm: str, path: Path) -> str:
        """The digest in any algorithm; the file is read again for an unusual one."""
        if algorithm == _ALGORITHM:
            return self._remote.hexdigest()
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for piece in Content(path=path, size=path.stat().st_size).pieces():
            digest.update(piece)
        return digest.hexdigest()


def upload(image: NewImage, cloud: str = "") -> str:
    """Make an image in Glance and compare what arrived with the file.

    Args:
        image: what it is.
        cloud: its name in ``clouds.yaml``; ``OS_CLOUD`` or ``OS_*`` variables when empty.

    Returns:
        Its id.

    Raises:
        HostError: openstacksdk is not installed.
        RequestError: no cloud is named, or not all that is needed of it.
        UploadError: the cloud refuses, or has something else than was sent.
    """
    with _connected(cloud) as service:
        _remove_left_over(service, image.name)
        record = _ask(service, "post", "/images", "id", json=_record(image))
        number = str(record["id"])
        try:
            found = _send(service, image, number)
            with interruption.completing():
                _ask(service, "delete", f"/images/{number}/tags/{UNFINISHED}")
        except BaseException:
            _remove(service, number)
            raise
        log.info(f"The image has {found}")
        return number


@contextmanager
def _connected(cloud: str) -> Iterator[Any]:
    try:
        import openstack
        from keystoneauth1.exceptions import ClientException, MissingRequiredOptions
        from openstack.exceptions import ConfigException, SDKException
    except ImportError as error:
        hint = "Install it: pip install 'winimagetools[publish]'"
        raise HostError(_SDK, hint) from error
    try:
        with openstack.connect(
            cloud=cloud or None, app_name="winimagetools", app_version=__version__
        ) as connection:
            yield connection.image
    except (ConfigException, MissingRequiredOptions) as error:
        raise RequestError(
            f"There is no OpenStack cloud to publish to: {_said(error)}",
            "Name one of clouds.yaml with --with cloud=NAME, or set OS_CLOUD or the OS_ variables.",
        ) from error
    except (SDKException, ClientException) as error:
        raise UploadError(
            f"OpenStack did not take the image: {_said(error)}",
            "Look at the credentials, the quota and the endpoint, and publish it again; nothing "
            "of it is there.",
        ) from error


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text}."


def _ask(service: Any, method: str, path: str, *fields: str, **request: Any) -> Any:
    """The answer to a request as JSON, with these fields in it; None where none is expected."""
    from openstack.exceptions import raise_from_response

    response = getattr(service, method)(path, **request)
    raise_from_response(response)
    if not fields:
        return None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    return _with_fields(answer, fields, method, path)


def _with_fields(answer: Any, fields: Sequence[str], method: str, path: str) -> dict[str, Any]:
    """A record that is what it should be. Raises UploadError."""
    if isinstance(answer, dict) and all(name in answer for name in fields):
        return answer
    raise UploadError(
        f"OpenStack answered {method.upper()} {path} as no image service does.",
        "Look at the endpoint of the cloud: it may lead to a page for people, or to another "
        "service.",
    )


def _record(image: NewImage) -> dict[str, Any]:
    return {
        **image.properties,
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": "bare",
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "visibility": "private",
        "tags": [UNFINISHED],
    }


def _remove_left_over(service: Any, name: str) -> None:
    """Remove what an upload that was killed has left, and tell of others of this name."""
    found = _ask(service, "get", "/images", "images", params={"name": name})["images"]
    for item in found if isinstance(found, list) else [found]:
        other = _with_fields(item, ("id", "status", "tags"), "get", "/images")
        if UNFINISHED in other["tags"] and other["status"] == "queued":
            log.info(f"The rest of an upload that was cut off is removed: {other['id']}")
            _ask(service, "delete", f"/images/{other['id']}")
        elif other["status"] == "active":
            log.warning(f"There is another image {name!r} already: {other['id']}. It stays.")


def _remove(service: Any, number: str) -> None:
    try:
        _ask(service, "delete", f"/images/{number}")
    except Exception as error:
        # The first failure is the one to be told; this only says what is left to do.
        log.warning(f"Image {number} could not be removed: {_said(error)} Delete it by hand.")


def _send(service: Any, image: NewImage, number: str) -> str:
    """Send the data; algorithm and digest of what arrived."""
    content = Content(path=image.path, size=image.path.stat().st_size)
    digests = Digests()
    with log.Progress("Uploading", content.length) as progress:

        def on_piece(piece: bytes, done: int) -> None:
            digests.add(piece, done)
            progress.update(done)

        headers = {"Content-Type": "application/octet-stream"}
        body = Body(content, on_piece)
        _ask(service, "put", f"/images/{number}/file", data=body, headers=headers)
    digests.check_own(image)
    found = _await_active(lambda: _ask(service, "get", f"/images/{number}", "status"))
    return _check(found, image, digests)


def _await_active(look: Callable[[], Any]) -> Any:
    """The record once the service has put the data away; some stores take their time."""
    give_up = time.monotonic() + _PATIENCE
    while (found := look())["status"] in ("saving", "importing") and time.monotonic() < give_up:
        time.sleep(_GLANCE)
    if found["status"] != "active":
        raise UploadError(f"The image became {found['status']!r} instead of active.")
    return found


def _check(found: Mapping[str, Any], image: NewImage, digests: Digests) -> str:
    """Compare what arrived with what was sent; algorithm and digest of both."""
    algorithm, value = _told(found)
    own = digests.of(algorithm, image.path)
    if found.get("size") != digests.sent or value != own:
        raise UploadError(
            f"Glance has {found.get('size')} bytes with {algorithm} {value}; sent were "
            f"{digests.sent} with {own}.",
            "Publish it again.",
        )
    return f"{algorithm} {value}"


def _told(found: Mapping[str, Any]) -> tuple[str, Any]:
    """Algorithm and digest of a record: before Rocky, and where the algorithm is not known
    here, an MD5.
    """
    algorithm, value = found.get("os_hash_algo"), found.get("os_hash_value")
    known = algorithm in hashlib.algorithms_available and not str(algorithm).startswith("shake")
    return (str(algorithm), value) if value and known else ("md5", found.get("checksum"))
