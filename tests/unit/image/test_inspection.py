"""Looking at an installed Windows: what it is, and whether everything is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures import pe
from fixtures.releases import RELEASES, Release
from tests.unit.fakes import MemoryTree
from winimagetools.checks.finished import (
    VIRTIO_DRIVERS,
    check_drivers,
    check_finished,
    expected_format,
)
from winimagetools.contract import Disk, Host
from winimagetools.errors import BuildError, MediaError
from winimagetools.image.inspection import NTDLL, get_image_information, installation_type
from winimagetools.image.request import Request
from winimagetools.model import Architecture, DiskFormat, ImageType
from winimagetools.plan import ImageInfo, InstalledDriver

ISO, FOLDER = Path("virtio-win.iso"), Path("drivers")
CLOUDBASE = r"Program Files\Cloudbase Solutions\Cloudbase-Init\Python\python.exe"


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Windows Server 2022 SERVERSTANDARD", "Server"),
        ("Windows Server 2022 SERVERSTANDARDCORE", "Server Core"),
        ("windows server 2012 r2 serverdatacentercore", "Server Core"),
        ("Hyper-V Server 2019 SERVERHYPERCORE", "Server Core"),
        ("Windows Server 2016 SERVERDATACENTERNANO", "Server"),
        ("Windows 10 Pro", "Client"),
        ("Windows 11 Home Core", "Client"),
        ("", "Client"),
    ],
)
def test_installation_type(name: str, expected: str) -> None:
    """Server and Core are told by the name, in any letter case."""
    assert installation_type(name) == expected


@pytest.mark.parametrize(
    ("image_type", "name", "expected"),
    [
        (ImageType.MAAS, "image.raw", DiskFormat.RAW),
        (ImageType.MAAS, "image.vhd", DiskFormat.RAW),
        (ImageType.KVM, "image.qcow2", DiskFormat.QCOW2),
        (ImageType.VMWARE, "image.vmdk", DiskFormat.VMDK),
        (ImageType.HYPER_V, "image.vhdx", DiskFormat.VHDX),
        (ImageType.HYPER_V, "image.VHD", DiskFormat.VHD),
        (ImageType.HYPER_V, "image", DiskFormat.VHDX),
    ],
)
def test_expected_format(image_type: ImageType, name: str, expected: DiskFormat) -> None:
    """The platform decides; Hyper-V also takes the older container when the name says so."""
    assert expected_format(image_type, Path(name)) is expected


# --- what has to be in a finished image ---------------------------------------------------


def drivers(virtio: int, others: int = 0) -> list[InstalledDriver]:
    """Third-party drivers, some of them virtio drivers."""
    names = ["Red Hat, Inc.", "QEMU"] * virtio
    providers = [*names[:virtio], *["Example Storage"] * others]
    return [InstalledDriver(f"oem{number}.inf", name) for number, name in enumerate(providers)]


@pytest.mark.parametrize(
    ("virtio", "others", "asked_for_virtio", "enough"),
    [
        (VIRTIO_DRIVERS, 0, True, True),
        (VIRTIO_DRIVERS - 1, 0, True, True),
        (VIRTIO_DRIVERS - 2, 0, True, False),
        (VIRTIO_DRIVERS - 2, 20, True, False),
        (VIRTIO_DRIVERS - 1, 20, True, True),
        (0, 0, True, False),
        (0, 1, False, True),
        (1, 0, False, True),
        (0, 0, False, False),
    ],
)
def test_number_of_drivers(virtio: int, others: int, asked_for_virtio: bool, enough: bool) -> None:
    """One of the eleven virtio drivers may be missing; of other drivers one is enough."""
    found = drivers(virtio, others)
    if enough:
        check_drivers(found, asked_for_virtio)
        return
    with pytest.raises(BuildError, match=rf"The image has {len(found)} added drivers; at least"):
        check_drivers(found, asked_for_virtio)


def check(
    files: Sequence[str], installed: Sequence[InstalledDriver] | None = None, **asked: Any
) -> None:
    """Check a volume with ``files``; without ``installed`` nobody may list the drivers."""
    options = {"install_maas_hooks": False, "virtio_iso": None, "virtio_folder": None}
    options |= {"drivers": None, **asked}
    config = SimpleNamespace(install_maas_hooks=options.pop("install_maas_hooks"))
    disk = SimpleNamespace(tree=MemoryTree(dict.fromkeys(files, b"")))
    listed: list[object] = []

    def list_drivers(of: object) -> Sequence[InstalledDriver]:
        listed.append(of)
        return installed or ()

    host = SimpleNamespace(servicing=SimpleNamespace(list_drivers=list_drivers))
    request = SimpleNamespace(config=config, **options)
    check_finished(cast(Host, host), cast(Disk, disk), cast(Request, request))
    assert listed == ([] if installed is None else [disk])


@pytest.mark.parametrize(
    "folder", ["Program Files", "program files (X86)"], ids=["64-bit", "32-bit"]
)
def test_a_plain_image_needs_cloudbase_init_only(folder: str) -> None:
    """In either folder for programs; nobody asks for the drivers."""
    check([f"{folder}/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf"])


def test_cloudbase_init_is_missing() -> None:
    """The first thing the PowerShell tools look for."""
    with pytest.raises(BuildError, match="Cloudbase-Init is not installed"):
        check([NTDLL, r"Program Files\Cloudbase Solutions\Other\file"])


def test_the_maas_hooks_are_looked_for_when_they_were_asked_for() -> None:
    """Their folder is at the root of the volume."""
    check([CLOUDBASE, "curtin/finalize"], install_maas_hooks=True)
    with pytest.raises(BuildError, match="curtin hooks"):
        check([CLOUDBASE], install_maas_hooks=True)


@pytest.mark.parametrize("asked", [{"virtio_iso": ISO}, {"virtio_folder": FOLDER}])
def test_virtio_drivers_are_counted(asked: dict[str, Path]) -> None:
    """From an ISO or a folder alike."""
    check([CLOUDBASE], drivers(VIRTIO_DRIVERS), **asked)
    with pytest.raises(BuildError, match="has 3 added drivers; at least 10"):
        check([CLOUDBASE], drivers(3), **asked)


def test_other_drivers_are_counted() -> None:
    """A folder with other drivers wants at least one in the image."""
    check([CLOUDBASE], drivers(0, 1), drivers=FOLDER)
    with pytest.raises(BuildError, match="has 0 added drivers; at least 1"):
        check([CLOUDBASE], [], drivers=FOLDER)
