"""Google Compute Engine: ``disk.raw`` in a ``tar.gz``, by way of a bucket.

The name, the format of the archive and whole GB are those of "Manually import boot disks"
(Google); nobody has tried it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools.errors import RequestError
from winimagetools.model import GIB, DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "Compute Engine", DiskFormat.RAW)
    if image.disk_size % GIB:
        raise RequestError(
            f"The disk in {image.path} has {image.disk_size} bytes; Compute Engine takes whole GB.",
            "Set disk_size to whole GB.",
        )
    archive = image.path.with_name(f"{image.name}.tar.gz")
    address = f"gs://{values['bucket']}/{archive.name}"
    features = "WINDOWS,UEFI_COMPATIBLE" if image.uefi else "WINDOWS"
    return [
        shell("tar", "--format=oldgnu", "--transform=s/.*/disk.raw/", "--sparse", "-czf", archive)
        + " "
        + shell("-C", image.path.parent, "--", image.path.name),
        shell("gcloud", "storage", "cp", archive, address),
        shell("gcloud", "compute", "images", "create", values["name"] or image.name.lower())
        + " "
        + shell(f"--source-uri={address}", f"--guest-os-features={features}"),
    ]


TARGET = Target(
    "gcp",
    "Google Compute Engine",
    (
        Parameter("bucket", "bucket the archive goes through"),
        Parameter("name", "name of the image", ""),
    ),
    _commands,
)
