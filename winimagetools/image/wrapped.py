"""Images that are wrapped, told by their names, and what to do where they must not be."""

from __future__ import annotations

from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.image.delivery import COMPRESSIONS

_LAYERS = {"tgz": ("tar", "gz"), **{layer: (layer,) for layer in COMPRESSIONS}}
"""What an extension says of a wrapping, innermost first."""
_COMMANDS = {"tar": "tar -xf", "tgz": "tar -xf", "gz": "gunzip -k", "zip": "7z x"}
_FOREIGN = {"xz": "xz -dk", "zst": "zstd -dk", "bz2": "bunzip2 -k", "lz4": "lz4 -d", "7z": "7z x"}
"""Wrappings that are not read, with the command that takes them off."""


def layers_of(image: Path) -> tuple[str, ...]:
    """How an image is wrapped, by its name, innermost first."""
    layers: tuple[str, ...] = ()
    for suffix in reversed(image.suffixes):
        found = _LAYERS.get(suffix.casefold()[1:])
        if found is None:
            break
        layers = (*found, *layers)
    return layers


def name_inside(image: Path) -> str:
    """The name of what is wrapped, as far as that of the wrapping tells."""
    while image.suffix.casefold()[1:] in _LAYERS:
        image = image.with_suffix("")
    return image.name


def is_wrapped(image: Path) -> bool:
    """Whether the name is one of a wrapping, of those that are not read too."""
    return image.suffix.casefold()[1:] in (*_LAYERS, *_FOREIGN)


def foreign_wrapping(image: Path) -> tuple[str, str] | None:
    """What to say of a wrapping that is not read: the problem and what to do."""
    command = _FOREIGN.get(image.suffix.casefold()[1:])
    if command is None:
        return None
    return (
        f"{image} is wrapped in a way that is not read; tar, gz and zip are.",
        f"Unwrap it first: {command} {image.name}",
    )


def refuse_wrapped(image: Path) -> None:
    """Refuse a wrapped image where a disk is needed as it is.

    Raises:
        RequestError: it is wrapped.
    """
    if not is_wrapped(image):
        return
    layers = layers_of(image)
    kind = "tar" if layers[-2:] == ("tar", "gz") else image.suffix.casefold()[1:]
    command = (_COMMANDS | _FOREIGN)[kind]
    raise RequestError(
        f"{image} is wrapped, and a disk is needed as it is.",
        f"Unwrap it first: {command} {image.name}",
    )
