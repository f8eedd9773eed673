"""Images that are wrapped, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.image.wrapped import foreign_wrapping, is_wrapped, layers_of, refuse_wrapped


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("win.raw", ()),
        ("win.raw.gz", ("gz",)),
        ("win.RAW.TAR.GZ", ("tar", "gz")),
        ("win.tgz", ("tar", "gz")),
        ("win.qcow2.zip", ("zip",)),
        ("win.gz.zip", ("gz", "zip")),
        ("win.gz.qcow2", ()),
        ("win.raw.xz", ()),
    ],
)
def test_layers(name: str, layers: tuple[str, ...]) -> None:
    """Innermost first, from the end of the name."""
    assert layers_of(Path(name)) == layers
    assert is_wrapped(Path(name)) == (bool(layers) or name.endswith("xz"))


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("win.raw.gz", "gunzip -k"),
        ("win.tar", "tar -xf"),
        ("win.tgz", "tar -xf"),
        ("win.raw.tar.gz", "tar -xf"),
        ("win.qcow2.zip", "7z x"),
        ("win.raw.xz", "xz -dk"),
    ],
)
def test_a_wrapped_disk_is_refused(name: str, command: str) -> None:
    """With the command that takes the wrapping off."""
    with pytest.raises(RequestError, match="is wrapped, and a disk is needed as it is") as caught:
        refuse_wrapped(Path(name))
    assert caught.value.hint == f"Unwrap it first: {command} {name}"


def test_what_is_not_wrapped() -> None:
    """It is neither refused nor foreign."""
    refuse_wrapped(Path("win.qcow2"))
    assert foreign_wrapping(Path("win.gz")) is None
    assert foreign_wrapping(Path("win.zst")) == (
        "win.zst is wrapped in a way that is not read; tar, gz and zip are.",
        "Unwrap it first: zstd -dk win.zst",
    )
