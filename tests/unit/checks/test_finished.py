"""What has to be in a finished image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.unit.fakes import MemoryTree
from winimagetools.checks.finished import (
    VIRTIO_DRIVERS,
    check_drivers,
    check_finished,
    expected_format,
)
from winimagetools.contract import Disk, Host
from winimagetools.errors import BuildError
from winimagetools.image.inspection import NTDLL
from winimagetools.image.request import DriverPaths, Request
from winimagetools.model import DiskFormat, ImageType
from winimagetools.plan import InstalledDriver

ISO, FOLDER = Path("virtio-win.iso"), Path("drivers")


CLOUDBASE = r"Program Files\Cloudbase Solutions\Cloudbase-Init\Python\python.exe"


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
    maas = asked.pop("install_maas_hooks", False)
    disk = SimpleNamespace(tree=MemoryTree(dict.fromkeys(files, b"")))
    listed: list[object] = []

    def list_drivers(of: object) -> Sequence[InstalledDriver]:
        listed.append(of)
        return installed or ()

    host = SimpleNamespace(servicing=SimpleNamespace(list_drivers=list_drivers))
    request = SimpleNamespace(install_maas_hooks=maas, drivers=DriverPaths(**asked))
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
    check([CLOUDBASE], drivers(0, 1), folder=FOLDER)
    with pytest.raises(BuildError, match="has 0 added drivers; at least 1"):
        check([CLOUDBASE], [], folder=FOLDER)
