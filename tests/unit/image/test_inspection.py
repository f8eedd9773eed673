"""Looking at an installed Windows: version, architecture and installation type."""

from __future__ import annotations

import pytest

from fixtures import hives, pe
from fixtures.releases import RELEASES, Release
from tests.unit.fakes import MemoryTree
from winimagetools.errors import MediaError
from winimagetools.image.inspection import get_image_information
from winimagetools.model import Architecture
from winimagetools.plan import ImageInfo


def ntdll(release: Release, architecture: Architecture) -> bytes:
    """The library of a stand-in Windows."""
    return pe.image(architecture, release.version, "ntdll.dll")


def volume(data: bytes) -> MemoryTree:
    """A volume whose ``ntdll.dll`` is ``data``."""
    return MemoryTree({"WINDOWS/system32/NTDLL.DLL": data})


@pytest.mark.parametrize(
    ("release", "architecture"),
    [
        pytest.param(release, architecture, id=f"{release.key}-{architecture}")
        for release in RELEASES.values()
        for architecture in release.architectures
    ],
)
def test_every_release(release: Release, architecture: Architecture) -> None:
    """Version and architecture of a stand-in Windows, and the type each edition's name tells."""
    data = ntdll(release, architecture)
    for edition in release.editions:
        found = get_image_information(volume(data), edition.name)
        assert found == ImageInfo(release.version, architecture, edition.installation_type)


@pytest.mark.parametrize("name", ["Windows 10 Pro", "Windows Server 2012 R2 SERVERSTANDARD", ""])
@pytest.mark.parametrize("key", ["2022", "11"])
def test_the_registry_of_the_image_decides(library: bytes, key: str, name: str) -> None:
    """Whatever image_name says, which has a default that golden images do not mean."""
    release = RELEASES[key]
    edition = release.editions[0]
    tree = volume(library)
    tree.write_bytes("Windows/System32/config/SOFTWARE", hives.software(release, edition))
    assert get_image_information(tree, name).installation_type == edition.installation_type
    tree.write_bytes("Windows/System32/config/SOFTWARE", b"regf")
    assert get_image_information(tree, edition.name).installation_type == edition.installation_type


def test_a_disk_without_windows() -> None:
    """A volume without ntdll.dll is not taken for a Windows."""
    with pytest.raises(MediaError, match=r"no \\Windows\\System32\\ntdll\.dll on the disk"):
        get_image_information(MemoryTree({"bootmgr": b""}), "Windows 10 Pro")


@pytest.fixture(scope="module")
def library() -> bytes:
    """A library that can be read."""
    return ntdll(RELEASES["2022"], Architecture.AMD64)


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "other machine", "no version"])
def test_a_damaged_ntdll(library: bytes, damage: str) -> None:
    """What tells neither version nor architecture is refused; the file is named."""
    data = {
        "empty": b"",
        "text": b"MZ is not enough" * 100,
        "cut off": library[:80],
        "other machine": library.replace(b"PE\0\0\x64\x86", b"PE\0\0\xbc\x0e"),
        "no version": library.replace(bytes.fromhex("bd04effe"), bytes(4)),
    }[damage]
    assert data != library
    with pytest.raises(MediaError, match=r"\\Windows\\System32\\ntdll\.dll"):
        get_image_information(volume(data), "Windows Server 2022 SERVERSTANDARD")
