"""The beginning of a wrapped disk."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from winimagetools.output.unpack import beginning

DISK = bytes(range(256)) * 20 + bytes(3 << 20)


def in_tar(data: bytes) -> bytes:
    """An archive with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("win.raw")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("layers", "data"),
    [
        ((), DISK),
        (("gz",), gzip.compress(DISK, 1)),
        (("tar",), in_tar(DISK)),
        (("tar", "gz"), gzip.compress(in_tar(DISK), 1)),
        (("gz", "tar"), in_tar(gzip.compress(DISK, 1))),
    ],
    ids=["plain", "gz", "tar", "tar.gz", "gz.tar"],
)
def test_what_is_inside(tmp_path: Path, layers: tuple[str, ...], data: bytes) -> None:
    """Whatever the order of the layers."""
    path = tmp_path / "wrapped"
    path.write_bytes(data)
    assert beginning(path, layers, 1 << 20) == DISK[: 1 << 20]


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar"), in_tar(DISK)[:100]],
    ids=["empty", "none", "gz", "cut"],
)
@pytest.mark.parametrize("layers", [("tar", "gz"), ("zip",), ("tar",)])
def test_nothing(tmp_path: Path, layers: tuple[str, ...], data: bytes) -> None:
    """Another wrapping, or a damaged one."""
    path = tmp_path / "wrapped"
    path.write_bytes(data)
    assert beginning(path, layers, 512) == b""
