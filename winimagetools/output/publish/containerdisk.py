"""A containerDisk for KubeVirt: one layer with the disk, owned by the user that runs QEMU."""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools.model import DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_OWNER = "107:107"
"""The user ``qemu`` in KubeVirt's launcher."""
_PREFERENCES = {
    "10": "windows.10",
    "11": "windows.11",
    "2016": "windows.2k16",
    "2019": "windows.2k19",
    "2022": "windows.2k22",
    "2025": "windows.2k25",
}
"""Those of KubeVirt's common-instancetypes."""


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "a containerDisk", DiskFormat.QCOW2, DiskFormat.RAW)
    name, tag = image.path.name, values["image"]
    words = ["podman", "build", "--tag", tag, "--file", "-"]
    if preference := _PREFERENCES.get(image.release):
        virtio = ".virtio" if image.disk_bus == "virtio" else ""
        label = f"instancetype.kubevirt.io/default-preference={preference}{virtio}"
        words += ["--label", label]
    copied = f'COPY --chown={_OWNER} --chmod=0440 ["{name}", "/disk/{name}"]'
    build = shell(*words, image.path.parent)
    lines = ["FROM scratch", copied]
    return [
        f"printf '%s\\n' {shell(*lines)} | {build}",
        shell("podman", "push", tag),
    ]


TARGET = Target(
    "containerdisk",
    "KubeVirt containerDisk",
    (Parameter("image", "where it goes, such as registry.example/windows:2022"),),
    _commands,
)
