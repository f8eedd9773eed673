"""Azure: a fixed VHD as a page blob, and a managed image of it.

Size and format are those of "Prepare a Windows VHD to upload to Azure" (Microsoft); azcopy sends
no pages that are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from winimagetools.errors import RequestError
from winimagetools.model import MIB, Architecture, DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "Azure", DiskFormat.VHD)
    if not image.fixed:
        raise RequestError(
            f"{image.path} is a dynamic VHD; Azure takes fixed ones only.",
            "Build it with vhd_subformat = fixed.",
        )
    if image.disk_size % MIB:
        raise RequestError(
            f"The disk in {image.path} has {image.disk_size} bytes; Azure takes whole MiB only.",
            "Set disk_size to whole MB.",
        )
    if image.architecture is not Architecture.AMD64:
        raise RequestError(
            f"{image.path} is for {image.architecture}; managed images of Azure are for amd64.",
            "Publish it in an Azure Compute Gallery by hand.",
        )
    account, container = values["storage_account"], values["container"]
    url = f"https://{account}.blob.core.windows.net/{container}/{quote(image.path.name)}"
    group = ("--resource-group", values["resource_group"])
    generation = "V2" if image.uefi else "V1"
    return [
        shell("az", "storage", "container", "create", "--account-name", account)
        + " "
        + shell("--name", container, "--auth-mode", "login"),
        shell("azcopy", "copy", image.path, url, "--blob-type", "PageBlob"),
        shell("az", "image", "create", *group, "--name", values["name"] or image.name)
        + " "
        + shell("--os-type", "Windows", "--hyper-v-generation", generation, "--source", url),
    ]


TARGET = Target(
    "azure",
    "Azure",
    (
        Parameter("resource_group", "resource group of the image"),
        Parameter("storage_account", "storage account of the blob"),
        Parameter("container", "container of the blob", "vhds"),
        Parameter("name", "name of the image", ""),
    ),
    _commands,
)
