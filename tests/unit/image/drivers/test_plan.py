"""Choosing the packages of any folder, and handing them to a host."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures import virtio
from fixtures.virtio_pe import driver_binary
from tests.unit.fakes import MemorySource, MemoryTree
from winimagetools.contract import Disk, Host
from winimagetools.errors import MediaError
from winimagetools.image.drivers.plan import (
    INSTALL_COMMAND,
    add_drivers,
    check_drivers_folder,
    describe_plan,
    plan_drivers,
)
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import (
    DriverFile,
    DriverPackage,
    DriverPlan,
    ImageInfo,
    RegistryEdit,
    RegistryValue,
)

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
        "These driver packages from /drivers are not complete:",
        "  - NetKVM/netkvm.inf names files that are not there: netkvmco.dll, netkvm.cat. "
        "Windows does not take such a package.",
        "  - viostor/viostor.inf names files that are not there: viostor.cat. "
        "Windows does not take such a package.",
    ]
    assert caught.value.hint.startswith("Copy the whole folder of a driver from its medium")


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
    ("image", "windows", "release", "advice"),
    [
        (S2012R2, "2k12R2", "0.1.285", "Use virtio-win 0.1.189 for Windows 8"),
        (S2022, "2k12R2", "0.1.285", "Use virtio-win 0.1.208 or later"),
    ],
)
def test_self_signed_is_refused(image: ImageInfo, windows: str, release: str, advice: str) -> None:
    """Self-signed boot drivers are refused together, with the release to use instead."""
    files = source(
        package("viostor", windows, release=release), package("vioscsi", windows, release=release)
    )
    with pytest.raises(MediaError) as caught:
        plan_drivers(files, image)
    lines = caught.value.message.splitlines()
    assert lines[0] == "The image would not start with these drivers from /drivers:"
    assert lines[1].startswith(
        "  - vioscsi/vioscsi.sys is signed with a certificate that its maker issued itself "
        "(virtio-win, Red Hat Inc.): Windows "
    )
    assert lines[2].startswith("  - viostor/viostor.sys ")
    assert lines[2].endswith("amd64 stops with 0xc0000428 when it has to start with it.")
    assert caught.value.hint.startswith(advice)
    assert caught.value.hint.count("Use virtio-win") == 1


@pytest.mark.parametrize(
    ("image", "windows", "architecture", "signed", "message"),
    [
        (S2022, "2k22", "amd64", "", "viostor.sys is not signed: Windows 10.0 for amd64 stops"),
        (W7, "w7", "amd64", "", "viostor.sys is not signed: Windows 6.1 for amd64 stops"),
        (S2022, "2k22", "x86", "microsoft", "viostor.sys is a driver for x86, the image is for"),
        (W10X86, "w10", "arm64", "", "viostor.sys is a driver for arm64, the image is for x86"),
    ],
)
def test_unsigned_and_wrong_machine(
    image: ImageInfo, windows: str, architecture: str, signed: str, message: str
) -> None:
    """Unsigned drivers and drivers for another machine are refused."""
    files = package("viostor", windows, image.architecture.value)
    files["viostor/viostor.sys"] = driver_binary(architecture, signed)
    with pytest.raises(MediaError, match=message):
        plan_drivers(source(files), image)


def test_x86_takes_unsigned_drivers() -> None:
    """Windows for x86 starts with whatever it is given."""
    files = package("viostor", "w10", "x86")
    files["viostor/viostor.sys"] = driver_binary("x86")
    found = plan_drivers(source(files), W10X86)
    assert (found.notes, found.warnings) == ((), ())
    (warning,) = found.uefi_warnings
    assert warning.startswith(
        "These drivers have no signature that leads to Microsoft: viostor/viostor.sys. A 32-bit "
        "Windows starts with them from BIOS; whether it does with UEFI and Secure Boot"
    )
    seven = package("viostor", "w7", "x86") | {"viostor/viostor.sys": driver_binary("x86")}
    old = dataclasses.replace(W7, architecture=Architecture.X86)
    assert plan_drivers(source(seven), old).uefi_warnings == ()


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


def signed(image: ImageInfo, windows: str, *signers: str) -> MemorySource:
    """Packages of viostor for an image, each signed by somebody else."""
    content: dict[str, bytes] = {}
    for number, signer in enumerate(signers):
        name = ("viostor", "vioscsi")[number]
        content |= package(name, windows, image.architecture.value)
        content[f"{name}/{name}.sys"] = driver_binary(image.architecture.value, signer)
    return source(content)


def test_secure_boot_warning() -> None:
    """Drivers not signed by Microsoft are taken, with one warning for UEFI."""
    found = plan_drivers(signed(S2022, "2k22", "cross", "cross"), S2022)
    assert (found.notes, found.warnings) == ((), ())
    (warning,) = found.uefi_warnings
    assert warning.startswith(
        "Under Secure Boot these drivers are not permitted, since Red Hat, Inc. signed them and "
        "not Microsoft, with a certificate from after 28 July 2015: vioscsi/vioscsi.sys, "
        "viostor/viostor.sys. Microsoft says that Windows still starts with drivers it needs to "
        "boot, but that the Program Compatibility Assistant removes them. Use virtio-win 0.1.208"
    )


@pytest.mark.parametrize(
    ("image", "windows", "signer"),
    [
        (S2022, "2k22", "old"),
        (S2022, "2k22", "microsoft"),
        (W10, "w10", "attested"),
        (W10_1511, "w10", "cross"),
        (S2012R2, "2k12R2", "cross"),
        (S2012R2, "2k12R2", "microsoft"),
        (W7, "w7", "cross"),
        (W10X86, "w10", "cross"),
    ],
)
def test_good_signatures(image: ImageInfo, windows: str, signer: str) -> None:
    """Nothing is said of a signature that the Windows in question permits."""
    found = plan_drivers(signed(image, windows, signer), image)
    assert (found.warnings, found.uefi_warnings) == ((), ())


@pytest.mark.parametrize(
    ("image", "windows", "signer", "reason"),
    [
        (W10_1511, "w10", "authority", "that does not lead to Microsoft (Red Hat, Inc.; its sig"),
        (W7, "w7", "authority", "that does not lead to Microsoft (Red Hat, Inc.; its signature"),
        (S2012R2, "2k12R2", "attested", "is signed by Microsoft by attestation only"),
        (W7, "w7", "attested", "which is valid from Windows 10 and Server 2016 on"),
    ],
)
def test_signatures_that_do_not_load(
    image: ImageInfo, windows: str, signer: str, reason: str
) -> None:
    """Without a cross-certificate below 1607, and attested below 10.0, a boot driver is refused."""
    with pytest.raises(MediaError) as caught:
        plan_drivers(signed(image, windows, signer), image)
    assert reason in caught.value.message


def test_attested_driver_on_a_server() -> None:
    """Attestation is warned about on servers, whatever the firmware."""
    found = plan_drivers(signed(S2022, "2k22", "attested"), S2022)
    (warning,) = found.warnings
    assert warning.startswith(
        "Microsoft signed these drivers by attestation, without tests, and lists such drivers as "
        "not valid for Windows Server 2016 and later: viostor/viostor.sys."
    )
    assert found.uefi_warnings == ()


def test_no_cross_certificate_from_1607_on() -> None:
    """From 1607 on nothing says for sure that such a driver is not loaded: a warning."""
    (warning,) = plan_drivers(signed(W10, "w10", "authority"), W10).warnings
    assert warning.startswith(
        "The certificate of Red Hat, Inc. does not lead to Microsoft, so Windows may not start "
        "with these drivers: viostor/viostor.sys. Use virtio-win 0.1.208"
    )


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


@dataclass
class Recorder:
    """The servicing part of a host that writes down what it is asked to do."""

    stages_drivers: bool
    plans: list[DriverPlan] = field(default_factory=list)
    edits: list[RegistryEdit] = field(default_factory=list)

    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None:
        """Keep the plan."""
        self.plans.append(plan)

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None:
        """Keep the edits."""
        self.edits += edits


def act(stages: bool, content: dict[str, bytes]) -> tuple[Recorder, MemoryTree, DriverPlan]:
    """Add the drivers of a plan to an image with ``content``."""
    servicing, tree = Recorder(stages), MemoryTree(content)
    plan = plan_drivers(source(package("viostor", "2k22")), S2022)
    host = cast(Host, cast(Any, SimpleNamespace(servicing=servicing)))
    add_drivers(host, cast(Disk, cast(Any, SimpleNamespace(tree=tree))), plan)
    return servicing, tree, plan


ANSWERS = b"""<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <settings pass="specialize">
    <component name="Microsoft-Windows-Deployment" processorArchitecture="amd64"
      publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS" />
  </settings>
</unattend>
"""


def test_add_drivers_to_staging_host() -> None:
    """Where drivers are only staged, the answer file installs them in the specialize pass."""
    servicing, tree, plan = act(True, {"Unattend.xml": ANSWERS})
    assert servicing.plans == [plan]
    assert servicing.edits == []
    text = tree.read_bytes("Unattend.xml").decode()
    assert text.count(INSTALL_COMMAND) == 1
    assert text.index('pass="specialize"') < text.index(INSTALL_COMMAND)


def test_add_drivers_twice() -> None:
    """A second plan, as with drivers_path and a virtio ISO, orders one installation only."""
    _, tree, _ = act(True, {"Unattend.xml": ANSWERS})
    _, tree, _ = act(True, {"Unattend.xml": tree.read_bytes("Unattend.xml")})
    assert tree.read_bytes("Unattend.xml").decode().count(INSTALL_COMMAND) == 1


def test_add_drivers_to_golden_image() -> None:
    """Without an answer file they are installed at the next logon of an administrator."""
    servicing, tree, plan = act(True, {"Windows/explorer.exe": b""})
    assert servicing.plans == [plan]
    assert servicing.edits == [
        RegistryEdit(
            "SOFTWARE",
            r"Microsoft\Windows\CurrentVersion\RunOnce",
            (RegistryValue("winimagetools drivers", "REG_SZ", INSTALL_COMMAND),),
        )
    ]
    assert list(tree.content) == ["Windows/explorer.exe"]


def test_add_drivers_with_dism() -> None:
    """Where DISM installs them, nothing else is ordered."""
    servicing, tree, plan = act(False, {"Unattend.xml": ANSWERS})
    assert (servicing.plans, servicing.edits) == ([plan], [])
    assert tree.read_bytes("Unattend.xml") == ANSWERS
