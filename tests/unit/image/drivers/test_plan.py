"""Choosing the packages of any folder, and handing them to a host."""

from __future__ import annotations

import pytest

from tests.unit.image.drivers.packages import S2022, package, source
from winimagetools.errors import MediaError
from winimagetools.image.drivers.plan import (
    check_drivers_folder,
    describe_plan,
    plan_drivers,
)
from winimagetools.plan import (
    DriverFile,
    DriverPackage,
    DriverPlan,
)


def test_plan() -> None:
    """Whole packages without symbols; the boot driver with its binary and registry edits."""
    found = plan_drivers(source(package("viostor", "2k22"), package("Balloon", "2k22")), S2022)
    assert found.folders == ("",)
    assert found.packages == (
        DriverPackage(
            "Balloon/balloon.inf",
            "balloon",
            "100.101.104.28500",
            (
                "Balloon/balloon.cat",
                "Balloon/balloon.inf",
                "Balloon/balloon.sys",
                "Balloon/blnsvr.exe",
            ),
            devices=(
                r"PCI\VEN_1AF4&DEV_1002&SUBSYS_00051AF4&REV_00",
                r"PCI\VEN_1AF4&DEV_1002",
                r"PCI\VEN_1AF4&DEV_1045&SUBSYS_11001AF4&REV_01",
                r"PCI\VEN_1AF4&DEV_1045",
            ),
        ),
        DriverPackage(
            "viostor/viostor.inf",
            "viostor",
            "100.101.104.28500",
            ("viostor/viostor.cat", "viostor/viostor.inf", "viostor/viostor.sys"),
            boot_critical=True,
            devices=(
                r"PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
                r"PCI\VEN_1AF4&DEV_1001",
                r"PCI\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01",
                r"PCI\VEN_1AF4&DEV_1042",
            ),
        ),
    )
    assert found.boot_files == (
        DriverFile("viostor/viostor.sys", r"Windows\System32\drivers\viostor.sys"),
    )
    assert found.registry[0].key == r"CurrentControlSet\Services\viostor"
    assert len(found.registry) == 3 + 1 + 6 + 1 + 1 + 6
    assert found.notes == ()


def test_describe() -> None:
    """Each driver is a line with version and folder; the one needed to boot says so."""
    found = plan_drivers(
        source(package("viostor", "2k22"), package("smbus", "2k22", folder="")), S2022
    )
    assert describe_plan(found) == [
        "smbus    100.101.104.28500 from smbus",
        "viostor  100.101.104.28500 from viostor, needed to boot",
    ]
    bare = DriverPlan(source(), packages=(DriverPackage("x.inf", "x", "", ("x.inf",)),))
    assert describe_plan(bare) == ["x  without version from the root folder"]


def test_other_windows_are_left_out() -> None:
    """INF files for other versions and architectures are counted, not taken."""
    files = source(
        package("viostor", "2k22"),
        package("NetKVM", "w10", "x86"),
        package("vioscsi", "w11", "ARM64"),
    )
    found = plan_drivers(files, S2022)
    assert [item.name for item in found.packages] == ["viostor"]
    assert found.notes == ("2 INF files are for other versions or architectures of Windows.",)


def test_damaged_optional_driver_is_reported() -> None:
    """A damaged INF is left out with a warning; the rest goes on."""
    found = plan_drivers(source(package("viostor", "2k22"), {"x/bad.inf": b"\0\1\2"}), S2022)
    assert [item.name for item in found.packages] == ["viostor"]
    assert found.notes == ()
    assert found.warnings[0].startswith(
        "x/bad.inf was left out. x/bad.inf in /drivers is not a usable INF"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"$Windows NT$", b""), "is not a usable INF file"),
        ((b"= %BOOT%", b"= soon"), "StartType of [Service_viostor] is wrong: 'soon'"),
        ((b"0x00000002", b"two"), "AddService of [install.nt] is wrong: 'two'"),
        ((b"%DWORD%, 0x00000001", b"0x10001, one"), "'one' is not a number"),
        ((b"&SUBSYS_00021AF4", b"\xc3\xb6"), "asks for is not ASCII"),
        ((b"AddService = viostor", b"AddService = vio\x07stor"), "asks for is not ASCII"),
    ],
)
def test_damaged_boot_driver_is_refused(change: tuple[bytes, bytes], reason: str) -> None:
    """What may be needed to boot is never left out."""
    files = package("viostor", "2k22") | package("Balloon", "2k22")
    old = files["viostor/viostor.inf"]
    files["viostor/viostor.inf"] = old.replace(*change)
    assert files["viostor/viostor.inf"] != old
    with pytest.raises(MediaError) as caught:
        plan_drivers(source(files), S2022)
    assert "viostor/viostor.inf may be needed to boot and cannot be used." in caught.value.message
    assert reason in caught.value.message


def test_odd_number_of_another_driver() -> None:
    """A driver that is not needed to boot is not left out for a number nobody here needs."""
    files = package("NetKVM", "2k22")
    text = files["NetKVM/netkvm.inf"].replace(b"ErrorControl = 1", b"ErrorControl = maybe")
    found = plan_drivers(source(files | {"NetKVM/netkvm.inf": text}), S2022)
    assert ([item.name for item in found.packages], found.warnings) == (["netkvm"], ())


def test_incomplete_packages_are_refused() -> None:
    """All packages without a file they copy, or without their catalog, are named at once."""
    files = package("NetKVM", "2k22") | package("viostor", "2k22") | package("Balloon", "2k22")
    for gone in ("NetKVM/netkvmco.dll", "NetKVM/netkvm.cat", "viostor/viostor.cat"):
        del files[gone]
    with pytest.raises(MediaError) as caught:
        plan_drivers(source(files), S2022)
    assert caught.value.message.splitlines() == [
        "Windows does not take these driver packages from /drivers:",
        "  - NetKVM/netkvm.inf names files that are not there: netkvmco.dll, netkvm.cat.",
        "  - viostor/viostor.inf names files that are not there: viostor.cat.",
    ]
    assert caught.value.hint.startswith("Copy the whole folder of a driver from its medium")


def test_names_windows_cannot_hold() -> None:
    """A file beside an INF whose name Windows cannot hold is told before it is copied."""
    files = package("Balloon", "2k22") | {"Balloon/aux.h": b"", "Balloon/BALLOON.SYS": b""}
    with pytest.raises(MediaError) as caught:
        plan_drivers(source(files), S2022)
    said = "  - Balloon/balloon.inf comes with a file Windows cannot hold: "
    assert caught.value.message.splitlines()[1:] == [
        f"{said}'Balloon/aux.h' is the name of a device.",
        f"{said}'Balloon/BALLOON.SYS' and 'Balloon/balloon.sys' are one name for Windows.",
    ]


def test_files_that_nothing_copies_may_lack() -> None:
    """A file that is only listed as being on the medium is a note."""
    files = package("NetKVM", "2k22")
    text = files["NetKVM/netkvm.inf"].replace(b"netkvm.sys = 1,,", b"netkvm.sys = 1\r\nx.txt = 1")
    found = plan_drivers(source(files | {"NetKVM/netkvm.inf": text}), S2022)
    assert found.notes == ("NetKVM/netkvm.inf names files that are not there: x.txt.",)


def test_letter_case_and_compressed_files() -> None:
    """Names are found in any letter case, and compressed as ``name.dl_``."""
    files = {path.upper(): content for path, content in package("NetKVM", "2k22").items()}
    files["NETKVM/NETKVMCO.DL_"] = files.pop("NETKVM/NETKVMCO.DLL")
    (found,) = plan_drivers(source(files), S2022).packages
    assert found.files == (
        "NETKVM/NETKVM.CAT",
        "NETKVM/NETKVM.INF",
        "NETKVM/NETKVM.SYS",
        "NETKVM/NETKVMCO.DL_",
    )
    assert found.name == "netkvm"


def test_several_packages_in_one_folder() -> None:
    """In a folder with several INF files each package has only the files its INF names."""
    files = source(
        package("viostor", "2k22", folder="all"),
        package("Balloon", "2k22", folder="all"),
        {"autorun.inf": b"[autorun]\r\n", "all/readme.txt": b""},
    )
    found = plan_drivers(files, S2022)
    assert [item.files for item in found.packages] == [
        ("all/balloon.cat", "all/balloon.inf", "all/balloon.sys"),
        ("all/viostor.cat", "all/viostor.inf", "all/viostor.sys"),
    ]


def test_newest_boot_driver_wins() -> None:
    """Of several packages for one boot service the newest is written into the registry."""
    files = source(
        package("viostor", "w7", folder="old"),
        package("viostor", "2k22", folder="new"),
        package("viostor", "2k22", release="0.1.215", folder="older"),
    )
    found = plan_drivers(files, S2022)
    assert [item.source for item in found.boot_files] == ["new/viostor.sys"]
    assert [(item.name, item.boot_critical) for item in found.packages] == [
        ("viostor", True),
        ("viostor-2", False),
        ("viostor-3", False),
    ]


def test_folders() -> None:
    """With folders given only those, and what is below them, are looked into."""
    files = source(package("viostor", "2k22"), package("Balloon", "2k22"), package("viorng", "w10"))
    found = plan_drivers(files, S2022, ["VIOSTOR/", "viorng"])
    assert [item.name for item in found.packages] == ["viorng", "viostor"]
    assert found.folders == ("VIOSTOR/", "viorng")


def test_nothing_fits() -> None:
    """A source without a package for the image is refused with what it has."""
    with pytest.raises(MediaError) as caught:
        plan_drivers(source(package("viostor", "w11", "ARM64")), S2022)
    assert caught.value.message == (
        "None of the 1 driver packages in /drivers is for Windows 10.0.20348.0 amd64: "
        "viostor/viostor.inf."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "viostor/viostor.inf needs viostor.sys, which is not there."),
        (b"<html>", "viostor/viostor.sys is not a Windows driver: it has no PE header."),
    ],
)
def test_boot_binary_has_to_be_there(content: bytes | None, message: str) -> None:
    """A boot driver without its binary is refused; a compressed one does not help."""
    files = package("viostor", "2k22")
    whole = files.pop("viostor/viostor.sys")
    if content is None:
        files["viostor/viostor.sy_"] = whole
    else:
        files["viostor/viostor.sys"] = content
    with pytest.raises(MediaError) as caught:
        plan_drivers(source(files), S2022)
    assert caught.value.message.splitlines()[1] == f"  - {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "/drivers is empty: there is no driver to add."),
        ({"setup.exe": b"", "autorun.inf": b""}, "/drivers has no .inf file: a driver package"),
        ({"a/B.INF": b""}, ""),
    ],
)
def test_check_drivers_folder(content: dict[str, bytes], message: str) -> None:
    """A folder that DISM would fail on late is told before the build."""
    found = check_drivers_folder(source(content))
    assert found.startswith(message)
    assert bool(found) == bool(message)
