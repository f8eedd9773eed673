"""Windows and driver packages for the tests of drivers."""

from __future__ import annotations

from collections.abc import Mapping

from fixtures import virtio
from tests.unit.fakes import MemorySource
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo

S2022 = ImageInfo(WindowsVersion(10, 0, 20348), Architecture.AMD64, "Server")
S2012R2 = ImageInfo(WindowsVersion(6, 3, 9600), Architecture.AMD64, "Server Core")
W10 = ImageInfo(WindowsVersion(10, 0, 19045), Architecture.AMD64, "Client")
W10_1511 = ImageInfo(WindowsVersion(10, 0, 10586), Architecture.AMD64, "Client")
W10X86 = ImageInfo(WindowsVersion(10, 0, 19045), Architecture.X86, "Client")
W7 = ImageInfo(WindowsVersion(6, 1, 7601), Architecture.AMD64, "Client")


def package(
    name: str, windows: str, architecture: str = "amd64", release: str = "0.1.285", folder: str = ""
) -> dict[str, bytes]:
    """One package of the stand-in ISO, in a folder of its own."""
    files = virtio.package_files("", release, name, windows, architecture)
    return {f"{folder or name}{path}": content for path, content in files.items()}


def source(*parts: Mapping[str, bytes]) -> MemorySource:
    """A folder with the given files."""
    content: dict[str, bytes] = {}
    for part in parts:
        content |= part
    return MemorySource(content, "/drivers")
