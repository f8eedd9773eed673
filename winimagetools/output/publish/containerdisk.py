"""A containerDisk for KubeVirt: one layer with the disk, owned by the user that runs QEMU.

Manifest, configuration and layer are those of the OCI image specification 1.1. The layer is an
archive that is not compressed, so it is made while it is sent, and no copy of the disk is; the
same disk always gets the same digest.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any

from winimagetools import log
from winimagetools.errors import RequestError, UploadError
from winimagetools.model import Architecture, DiskFormat
from winimagetools.net.sending import Content
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_OWNER = 107
"""The user and the group ``qemu`` in KubeVirt's launcher."""
_MODE = 0o440
_PREFERENCES = {
    "10": "windows.10",
    "11": "windows.11",
    "2016": "windows.2k16",
    "2019": "windows.2k19",
    "2022": "windows.2k22",
    "2025": "windows.2k25",
}
"""Those of KubeVirt's common-instancetypes."""
_PREFERENCE = "instancetype.kubevirt.io/default-preference"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_ARCHITECTURES = {Architecture.AMD64: "amd64", Architecture.X86: "386", Architecture.ARM64: "arm64"}
"""As Go calls them, which the specification refers to."""
_PATTERN = re.compile(r"""[\x00-\x1f\x7f"'$*?[\\\]]""")
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "a containerDisk", DiskFormat.QCOW2, DiskFormat.RAW)
    name, tag = image.path.name, values["image"]
    words = ["podman", "build", "--tag", tag, "--file", "-"]
    for label, value in _labels(image).items():
        words += ["--label", f"{label}={value}"]
    owner = f"--chown={_OWNER}:{_OWNER} --chmod=0{_MODE:o}"
    if _PATTERN.search(name):
        raise RequestError(
            f"A Containerfile cannot copy a file called {name!r}: some of its characters are "
            "patterns or variables there.",
            "Rename the image, or publish it with --run.",
        )
    copied = f'COPY {owner} ["{name}", "/disk/{name}"]'
    build = shell(*words, image.path.parent)
    lines = ["FROM scratch", copied]
    push = ["podman", "push", *(["--tls-verify=false"] if _plain_http(values) else []), tag]
    return [f"printf '%s\\n' {shell(*lines)} | {build}", shell(*push)]


def _labels(image: PublishedImage) -> dict[str, str]:
    preference = _PREFERENCES.get(image.release)
    virtio = ".virtio" if image.disk_bus == "virtio" else ""
    return {_PREFERENCE: f"{preference}{virtio}"} if preference else {}


def _plain_http(values: Mapping[str, str]) -> bool:
    given = values["plain_http"].casefold()
    if given not in (*_YES, *_NO):
        raise RequestError(f"plain_http={given} is neither yes nor no.", "Use plain_http=yes.")
    return given in _YES


def _run(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    # What talks to a registry takes long to import, and commands are mostly printed only.
    from winimagetools.net.registry import MANIFEST, Registry
    from winimagetools.net.registry_http import Reference

    need_container(image, "a containerDisk", DiskFormat.QCOW2, DiskFormat.RAW)
    place = Reference.parse(values["image"])
    registry = Registry(place, plain_http=_plain_http(values))
    layer = layer_of(image)
    with log.step("Read the image"):
        digest = _digest(image, layer)
    config = Content(_json(_config(image, digest)))
    config_digest = f"sha256:{hashlib.sha256(config.head).hexdigest()}"
    with log.step(f"Send the image to {place.name}"):
        registry.push_blob(digest, layer)
        registry.push_blob(config_digest, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(_CONFIG, config_digest, config),
            "layers": [_descriptor(_LAYER, digest, layer)],
        }
        return [f"{place.name}@{registry.push_manifest(_json(manifest))}"]


def layer_of(image: PublishedImage) -> Content:
    """The archive with the disk in it; no time is told, so that it only depends on the disk."""
    size = image.path.stat().st_size
    folder = tarfile.TarInfo("disk")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    file = tarfile.TarInfo(f"disk/{image.path.name}")
    file.size, file.mode, file.uid, file.gid = size, _MODE, _OWNER, _OWNER
    head = b"".join(item.tobuf(tarfile.PAX_FORMAT) for item in (folder, file))
    padding = -size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE
    return Content(head, image.path, size, bytes(padding))


def _digest(image: PublishedImage, layer: Content) -> str:
    """Digest of the layer; the disk in it is compared with the report on the way."""
    whole, disk = hashlib.sha256(), hashlib.sha256()
    done, begin = 0, len(layer.head)
    with log.Progress("Reading", layer.length) as progress:
        for piece in layer.pieces():
            whole.update(piece)
            if image.sha256 and begin <= done < begin + layer.size:
                disk.update(piece)
            done += len(piece)
            progress.update(done)
    if image.sha256 and disk.hexdigest() != image.sha256:
        raise UploadError(
            f"{image.path} is not what its report says was made.",
            f"See winimagetools verify {image.path}",
        )
    return f"sha256:{whole.hexdigest()}"


def _config(image: PublishedImage, layer: str) -> dict[str, Any]:
    return {
        "architecture": _ARCHITECTURES.get(image.architecture, "amd64"),
        # Of the container, not of what is in the disk.
        "os": "linux",
        "config": {"Labels": _labels(image)},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }


def _descriptor(kind: str, digest: str, content: Content) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": content.length}


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), sort_keys=True).encode()


TARGET = Target(
    "containerdisk",
    "KubeVirt containerDisk",
    (
        Parameter("image", "where it goes, such as registry.example/windows:2022"),
        Parameter("plain_http", "yes for a registry without TLS", ""),
    ),
    _commands,
    _run,
)
