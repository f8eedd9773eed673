"""A registry of container images: first the blobs of an image, then its manifest.

The protocol is that of the OCI distribution specification 1.1. An image is seen only when its
manifest is put, which is the last that is done.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from winimagetools import log
from winimagetools.errors import UploadError
from winimagetools.net.registry_http import Connection, Reference, Reply
from winimagetools.net.sending import Body, Content

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """One repository of a registry.

    Args:
        place: which.
        plain_http: talk to it without TLS.
    """

    def __init__(self, place: Reference, *, plain_http: bool = False) -> None:
        self._place = place
        self._connection = Connection(place, plain_http=plain_http)

    def push_blob(self, digest: str, content: Content) -> None:
        """Bring a blob there, unless it is there already.

        Args:
            digest: ``sha256:`` and hexadecimal digits.
            content: what it consists of.

        Raises:
            UploadError: the registry refuses, or cannot be reached again.
        """
        if self._ask("HEAD", f"blobs/{digest}", 200, 404).status_code == 200:
            log.info(f"{digest} is there already")
            return
        with log.Progress("Uploading", content.length) as progress:
            body = Body(content, lambda _, done: progress.update(done))
            self._connection.retried(lambda: self._send(digest, body))

    def push_manifest(self, manifest: bytes) -> str:
        """Make an image of blobs that are there, and read it back.

        Returns:
            Its digest.

        Raises:
            UploadError: the registry refuses it, or has another one.
        """
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        path, kind = f"manifests/{self._place.tag}", {"Content-Type": MANIFEST}
        self._ask("PUT", path, 201, data=manifest, headers=kind)
        found = self._ask("GET", path, 200, headers={"Accept": MANIFEST})
        if hashlib.sha256(found.content).hexdigest() != digest.removeprefix("sha256:"):
            raise UploadError(
                f"{self._place.name}:{self._place.tag} is not the image that was put there.",
                "Somebody else may have put another one; publish it again under a tag of its own.",
            )
        return digest

    def _send(self, digest: str, body: Body) -> None:
        """Send a blob from its beginning.

        A registry of the distribution project gives up an upload that was cut off, and clears
        the rest of it away by itself; others are asked to.
        """
        ask = self._connection.ask
        begun = ask("POST", "blobs/uploads/", 202)
        try:
            kind = {"Content-Type": "application/octet-stream"}
            begun = ask("PATCH", self._next(begun), 202, 204, data=body, headers=kind)
            place = self._next(begun)
            glue = "&" if "?" in place else "?"
            ask("PUT", f"{place}{glue}digest={digest}", 201, 204)
        except BaseException:
            with suppress(Exception):
                ask("DELETE", self._next(begun), 204)
            raise

    def _next(self, answer: Reply) -> str:
        """Where the upload goes on."""
        if "Location" not in answer.headers:
            raise UploadError(f"{self._place.host} does not say where the upload goes on.")
        return urljoin(self._connection.url(""), answer.headers["Location"])

    def _ask(self, method: str, path: str, *accepted: int, **request: Any) -> Reply:
        """The answer to a small request."""
        connection = self._connection
        return connection.retried(lambda: connection.ask(method, path, *accepted, **request))
