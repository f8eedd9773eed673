"""MAAS: a raw disk, plain or wrapped; what it is called decides how the machine unpacks it.

File types and names are those of MAAS (``BootResourceForm``) and curtin (``block_meta.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools.errors import RequestError
from winimagetools.model import Architecture, DiskFormat
from winimagetools.output.publish.target import Parameter, PublishedImage, Target, shell

_FILE_TYPES = {(): "ddraw", ("gz",): "ddgz", ("tar", "gz"): "ddtgz", ("tar",): "ddtar"}
_ARCHITECTURES = {
    Architecture.AMD64: "amd64/generic",
    Architecture.X86: "i386/generic",
    Architecture.ARM64: "arm64/generic",
}


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    file_type = _FILE_TYPES.get(image.wrapping)
    if image.container is not DiskFormat.RAW or file_type is None:
        wrapped = f" in {'.'.join(image.wrapping)}" if image.wrapping else ""
        raise RequestError(
            f"{image.path} is {image.container}{wrapped}; MAAS takes a RAW disk, plain or as gz, "
            "tar or tar.gz.",
            "Build it with virtual_disk_format = RAW and compression_format = gz.",
        )
    name = values["name"] or f"win{image.release.lower()}"
    return [
        shell("maas", values["profile"], "boot-resources", "create", f"name=windows/{name}")
        + " "
        + shell(
            f"title=Windows {'Server ' if image.server else ''}{image.release}",
            f"architecture={_ARCHITECTURES.get(image.architecture, 'amd64/generic')}",
            f"filetype={file_type}",
            f"content@={image.path}",
        )
    ]


TARGET = Target(
    "maas",
    "MAAS",
    (
        Parameter("profile", "profile of the maas command", "admin"),
        Parameter("name", "release it is called, such as win2022", ""),
    ),
    _commands,
)
