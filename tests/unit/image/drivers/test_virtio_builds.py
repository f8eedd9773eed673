"""Every released build of Windows on every layout of a virtio-win ISO: the folder it gets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from fixtures import virtio
from tests.unit.fakes import MemorySource
from winimagetools.errors import MediaError
from winimagetools.image.drivers.index import DriverIndex
from winimagetools.image.drivers.virtio import select_virtio_drivers
from winimagetools.image.drivers.virtio_layout import find_folders
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo

LAYOUTS = ("before 2015", *virtio.RELEASES, "rpm")

VISTA = (6000, 6001, 6002, 6003)
SEVEN = (7600, 7601)
TEN = (10240, 10586, 14393, 15063, 16299, 17134)
TEN_2019 = (17763, 18362, 18363, 19041, 19042, 19043, 19044, 19045)
ELEVEN = (22000, 22621, 22631)
TODAY = (26100, 26200)
RELEASED = (*VISTA, *SEVEN, 9200, 9600, *TEN, *TEN_2019, 20348, *ELEVEN, 25398, *TODAY)
"""Clients and servers share the numbers; each is asked for as both kinds."""

OLD_X86 = {
    VISTA: "2k8  2k8  2k8  2k8  2k8  2k8  2k8",
    SEVEN: "w7   w7   w7   w7   w7   w7   w7",
    (9200,): "w8   w8   w8   w8   w8   w8   w8",
    (9600,): "w8   w8.1 w8.1 w8.1 w8.1 w8.1 w8.1",
    (*TEN, *TEN_2019, 20348, *ELEVEN, 25398, *TODAY): "w8   w8.1 w10  w10  w10  w10  w10",
}
NO_ARM64 = "-    -    -    -    -    -    -"
FOLDERS: Mapping[tuple[str, str], Mapping[tuple[int, ...], str]] = {
    ("x86", "Client"): OLD_X86,
    ("x86", "Server"): OLD_X86,
    ("amd64", "Client"): {
        VISTA: "2k8  2k8  2k8  2k8  2k8  2k8  2k8",
        SEVEN: "w7   w7   w7   w7   w7   w7   w7",
        (9200,): "w8   w8   w8   w8   w8   w8   w8",
        (9600,): "w8   w8.1 w8.1 w8.1 w8.1 w8.1 w8.1",
        (*TEN, *TEN_2019, 20348): "w8   w8.1 w10  w10  w10  w10  w10",
        (*ELEVEN, 25398, *TODAY): "w8   w8.1 w10  w10  w11  w11  w11",
    },
    ("amd64", "Server"): {
        VISTA: "2k8  2k8    2k8   2k8   2k8   2k8   2k8",
        SEVEN: "w7   2k8r2  2k8r2 2k8r2 2k8r2 2k8r2 2k8r2",
        (9200,): "w8   2k12   2k12  2k12  2k12  2k12  2k12",
        (9600,): "w8   2k12r2 2k12r2 2k12r2 2k12r2 2k12r2 2k12r2",
        TEN: "w8   2k12r2 2k16  2k16  2k16  2k16  2k16",
        TEN_2019: "w8   2k12r2 2k16  2k19  2k19  2k19  2k19",
        (20348, *ELEVEN, 25398): "w8   2k12r2 2k16  2k19  2k22  2k22  2k22",
        TODAY: "w8   2k12r2 2k16  2k19  w11   2k25  2k25",
    },
    ("arm64", "Client"): {
        (*VISTA, *SEVEN, 9200, 9600): NO_ARM64,
        (*TEN, *TEN_2019, 20348): "-    -    -    w10  w10  w10  w10",
        (*ELEVEN, 25398, *TODAY): "-    -    -    w10  w11  w11  w11",
    },
    ("arm64", "Server"): {
        (*VISTA, *SEVEN, 9200, 9600): NO_ARM64,
        (*TEN, *TEN_2019, 20348, *ELEVEN, 25398): "-    -    -    w10  w10  w10  w10",
        TODAY: "-    -    -    w10  w11  2k25 2k25",
    },
}
"""Folder of viostor by builds: a column for each of LAYOUTS, ``-`` where the ISO has none."""


def version(build: int) -> WindowsVersion:
    """The version of Windows a build belongs to."""
    first = {10240: (10, 0), 9600: (6, 3), 9200: (6, 2), 7600: (6, 1), 6000: (6, 0)}
    major, minor = next(known for lowest, known in first.items() if build >= lowest)
    return WindowsVersion(major, minor, build)


@cache
def storage(layout: str) -> DriverIndex:
    """What an ISO or RPM has of viostor."""
    if layout == "before 2015":
        files = virtio.old_files()
    elif layout == "rpm":
        files = virtio.rpm_files(virtio.RELEASES[-1])
    else:
        files = virtio.virtio_files(layout)
    kept = {path: data for path, data in files.items() if "viostor" in path.casefold()}
    return DriverIndex(MemorySource(kept, layout))


def folder(layout: str, image: ImageInfo) -> str:
    """Which Windows the chosen viostor is for, ``-`` when there is none."""
    try:
        (choice,) = select_virtio_drivers(storage(layout), image).choices
    except MediaError:
        return "-"
    assert choice.folder in folders_of(layout, image.architecture)
    return choice.windows


@cache
def folders_of(layout: str, architecture: Architecture) -> set[str]:
    """Paths of the folders for an architecture."""
    found = find_folders(storage(layout).infs)
    return {item.path for item in found if item.architecture is architecture}


@pytest.mark.parametrize(("architecture", "kind"), FOLDERS)
def test_every_released_build_is_in_the_table(architecture: str, kind: str) -> None:
    """No build is forgotten and none stands in two rows."""
    listed = [build for row in FOLDERS[architecture, kind] for build in row]
    assert sorted(listed) == sorted(RELEASED)


@pytest.mark.parametrize(
    ("architecture", "kind", "build", "row"),
    [
        (*key, build, row)
        for key, rows in FOLDERS.items()
        for builds, row in rows.items()
        for build in builds
    ],
    ids=lambda value: None if " " not in str(value) else "row",
)
def test_folder_by_build_and_layout(architecture: str, kind: str, build: int, row: str) -> None:
    """On each layout a build gets the folder of the table, Server Core that of the server."""
    kinds = (kind, "Server Core") if kind == "Server" else (kind,)
    for installation_type in kinds:
        image = ImageInfo(version(build), Architecture(architecture), installation_type)
        assert [folder(layout, image) for layout in LAYOUTS] == row.split()
