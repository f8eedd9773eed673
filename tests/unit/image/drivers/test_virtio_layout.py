"""Which folders of a virtio ISO are for which Windows: every released build."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import virtio
from winimagetools.image.drivers.virtio_layout import (
    VirtioFolder,
    find_folders,
    folder_chain,
    last_resort,
)
from winimagetools.model import Architecture, WindowsVersion

S16 = "2k16 w10"
S19 = "2k19 2k16 w10"
S22 = "2k22 2k19 2k16 w10"
S25 = "2k25 w11 2k22 2k19 2k16 w10"
CLIENTS = {
    "2k8": (6000, 6001, 6002, 6003),
    "w7 2k8r2": (7600, 7601),
    "w8 2k12": (9200,),
    "w8.1 2k12r2 w8 2k12": (9600,),
    "w10": (
        *(10240, 10586, 14393, 15063, 16299, 17134, 17763, 18362, 18363),
        *(19041, 19042, 19043, 19044, 19045),
    ),
    "w11 w10": (22000, 22621, 22631, 26100, 26200, 28000),
}
SERVERS = {
    "2k8": (6001, 6002, 6003),
    "2k8r2 w7": (7600, 7601),
    "2k12 w8": (9200,),
    "2k12r2 w8.1 2k12 w8": (9600,),
    S16: (14393, 16299, 17134),
    S19: (17763, 18362, 18363, 19041, 19042),
    S22: (20348, 25398),
    S25: (26100, 29000),
}


@pytest.mark.parametrize(
    ("server", "build", "chain"),
    [
        (server, build, chain)
        for server, table in ((False, CLIENTS), (True, SERVERS))
        for chain, builds in table.items()
        for build in builds
    ],
)
def test_every_released_build(server: bool, build: int, chain: str) -> None:
    """Each build of a client and a server has its folders in order."""
    version = WindowsVersion(0, 0, build)
    assert " ".join(folder_chain(version, server=server)) == chain


@pytest.mark.parametrize("server", [False, True])
def test_before_vista(server: bool) -> None:
    """Windows XP and Server 2003 cannot be made from a WIM and have no folders."""
    assert folder_chain(WindowsVersion(5, 2, 3790), server=server) == ()


def test_last_resort() -> None:
    """When nothing is there at all, the drivers of 8.1 and 2012 R2 are tried."""
    assert last_resort(server=False) == ("w8.1", "2k12r2", "w8", "2k12")
    assert last_resort(server=True) == ("2k12r2", "w8.1", "2k12", "w8")


@settings(max_examples=100, deadline=None)
@given(st.integers(6000, 40000), st.booleans())
def test_chains_grow_with_the_build(build: int, server: bool) -> None:
    """Every build from Vista on has a chain without repetition."""
    chain = folder_chain(WindowsVersion(10, 0, build), server=server)
    assert chain
    assert len(chain) == len(set(chain))


def folder(path: str, driver: str, windows: str, architecture: str, *infs: str) -> VirtioFolder:
    """A folder with INF files."""
    names = tuple(f"{path}/{name}" for name in infs)
    return VirtioFolder(path, driver, windows, Architecture(architecture), names)


def test_current_shape() -> None:
    """``driver/os/arch`` in any letter case; the tree for Setup repeats nothing."""
    infs = [
        "NetKVM/2k12R2/amd64/netkvm.inf",
        "pvpanic/w10/ARM64/pvpanic-pci.inf",
        "pvpanic/w10/ARM64/pvpanic.inf",
        "VIOSTOR/W8.1/X86/VIOSTOR.INF",
        "amd64/w10/viostor.inf",
        "i386/w10/viostor.inf",
        "other/driver.inf",
        "root.inf",
    ]
    assert find_folders(infs) == (
        folder("NetKVM/2k12R2/amd64", "NetKVM", "2k12r2", "amd64", "netkvm.inf"),
        folder("pvpanic/w10/ARM64", "pvpanic", "w10", "arm64", "pvpanic-pci.inf", "pvpanic.inf"),
        folder("VIOSTOR/W8.1/X86", "VIOSTOR", "w8.1", "x86", "VIOSTOR.INF"),
    )


def test_shape_before_2015() -> None:
    """``WIN7/AMD64`` holds one driver for each INF."""
    infs = ["WIN7/AMD64/NETKVM.INF", "WIN7/AMD64/VIOSTOR.INF", "VISTA/X86/VIOSTOR.INF"]
    assert find_folders(infs) == (
        folder("WIN7/AMD64", "NETKVM", "w7", "amd64", "NETKVM.INF"),
        folder("WIN7/AMD64", "VIOSTOR", "w7", "amd64", "VIOSTOR.INF"),
        folder("VISTA/X86", "VIOSTOR", "2k8", "x86", "VIOSTOR.INF"),
    )


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        *(("Win2008", "2k8"), ("Win2008R2", "2k8r2"), ("Win2012R2", "2k12r2"), ("Win7", "w7")),
        *(("Win8.1", "w8.1"), ("Win10", "w10"), ("WLH", "2k8"), ("2k25", "2k25"), ("w12", "w12")),
        *(("WinXP", "xp"), ("2k28R2", "2k28r2")),
    ],
)
def test_names_of_windows(name: str, windows: str) -> None:
    """Long, old and yet unknown names of Windows folders are understood."""
    (found,) = find_folders([f"amd64/{name}/viostor.inf"])
    assert (found.windows, found.architecture) == (windows, Architecture.AMD64)


@pytest.mark.parametrize("path", ["viostor/w10/mips/v.inf", "w10/v.inf", "x/amd64/v.inf", "v.inf"])
def test_other_folders(path: str) -> None:
    """What is no virtio folder is left out."""
    assert find_folders([path]) == ()


def test_rpm() -> None:
    """In the RPM's two trees each driver is found once."""
    iso, rpm = (
        find_folders(path for path in files if path.endswith(".inf"))
        for files in (virtio.virtio_files("0.1.285"), virtio.rpm_files("0.1.285"))
    )
    assert [(item.driver, item.windows, item.architecture) for item in rpm] == [
        (item.driver, item.windows, item.architecture) for item in iso
    ]
    by_os = {path for path in virtio.rpm_files("0.1.285") if "/by-os/amd64/w11/" in path}
    flat = find_folders(sorted(path for path in by_os if path.endswith(".inf")))
    assert {item.path for item in flat} == {"drivers/by-os/amd64/w11"}
    assert "viostor" in {item.driver for item in flat}
