"""Which targets there are, and what is to be known for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from winimagetools.errors import RequestError
from winimagetools.output.publish import (
    aws,
    azure,
    containerdisk,
    gcp,
    glance,
    hyperv,
    libvirt,
    maas,
    proxmox,
    vmware,
)
from winimagetools.output.publish.target import PublishedImage, Target

TARGETS: dict[str, Target] = {
    module.TARGET.name: module.TARGET
    for module in (
        *(glance, containerdisk, maas, proxmox, libvirt),
        *(hyperv, vmware, azure, aws, gcp),
    )
}
"""All targets by name."""


def commands(target: Target, image: PublishedImage, given: Sequence[str]) -> list[str]:
    """The lines that take an image to a target.

    Args:
        target: one of :data:`TARGETS`.
        image: the image.
        given: ``parameter=value`` texts.

    Raises:
        RequestError: a parameter is unknown or missing, or the target does not take the image.
    """
    return target.commands(image, _values(target, given))


def run(target: Target, image: PublishedImage, given: Sequence[str]) -> list[str]:
    """Take an image to a target.

    Arguments are those of :func:`commands`.

    Returns:
        What it is called there, a line each.

    Raises:
        HostError: what talks to the target is not installed.
        RequestError: as :func:`commands`, or such a target can only be printed.
        UploadError: the target did not take it.
    """
    if target.run is None:
        able = " and ".join(other.name for other in TARGETS.values() if other.run is not None)
        raise RequestError(
            f"--run cannot publish to {target.name}, only to {able}.",
            "Without --run the commands are printed, to be run by hand.",
        )
    return target.run(image, _values(target, given))


def _values(target: Target, given: Sequence[str]) -> Mapping[str, str]:
    values = {item.name: item.default for item in target.parameters}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in values:
            raise RequestError(f"{target.name} has no parameter {text!r}.", _describe(target))
        values[name] = value
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise RequestError(f"{target.name} needs {' and '.join(missing)}.", _describe(target))
    return {name: value or "" for name, value in values.items()}


def _describe(target: Target) -> str:
    told = "; ".join(f"{item.name}: {item.help}" for item in target.parameters)
    return f"Write --with NAME=VALUE. Its parameters are {told}."
