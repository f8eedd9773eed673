"""What is done to the installed Windows: offline where the host can, else by the guest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.fakes import MemorySource, put
from winimagetools.guest.layout import INSTALL_COMMAND
from winimagetools.image.request import Request, ServicingOptions, Workflow
from winimagetools.image.servicing import (
    POWERSHELL_FEATURES,
    first_boot_registry_edits,
    lacks_powershell,
    plan_servicing,
)
from winimagetools.model import Architecture, DiskFormat, DiskLayout, ImageType, WindowsVersion
from winimagetools.plan import (
    AddCapabilities,
    AddDrivers,
    AddPackage,
    CleanUpdates,
    Delivery,
    DriverPackage,
    DriverPlan,
    EditRegistry,
    EnableFeatures,
    ImageInfo,
    RegistryEdit,
    RegistryValue,
)
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig

OLD_CORE = ImageInfo(WindowsVersion(6, 1, 7601), Architecture.AMD64, "Server Core")
OLD_SERVER = ImageInfo(WindowsVersion(6, 1, 7601), Architecture.AMD64, "Server")
CORE = ImageInfo(WindowsVersion(10, 0, 20348), Architecture.AMD64, "Server Core")
S2025 = ImageInfo(WindowsVersion(10, 0, 26100), Architecture.AMD64, "Server")
EVERYTHING = ServicingOptions(
    features=("NetFx3", "TelnetClient"),
    packages=(AddPackage(Path("/srv/kb1.msu"), ignore_errors=True),),
    capabilities=("OpenSSH.Server~~~~0.0.1.0",),
    clean_updates=True,
    purge_updates=True,
)
BOOT = RegistryEdit(
    "SYSTEM", r"CurrentControlSet\Services\viostor", (RegistryValue("Start", "REG_DWORD", 0),)
)
DRIVERS = DriverPlan(
    MemorySource({"viostor/viostor.inf": b"inf"}),
    ("viostor",),
    (DriverPackage("viostor/viostor.inf", "viostor", "1", ("viostor/viostor.inf",)),),
    registry=(BOOT,),
)
RUN_ONCE = RegistryEdit(
    "SOFTWARE",
    r"Microsoft\Windows\CurrentVersion\RunOnce",
    (RegistryValue("winimagetools drivers", "REG_SZ", INSTALL_COMMAND),),
)


def request(options: ServicingOptions, workflow: Workflow = Workflow.CLOUD) -> Request:
    """A request for some servicing."""
    delivery = Delivery(Path("win.raw"), DiskFormat.RAW, (), "win")
    return Request(workflow, DiskLayout.BIOS, ImageType.KVM, delivery, 1 << 30, servicing=options)


@pytest.fixture
def found() -> Findings:
    """Nothing was found yet."""
    return Findings(WindowsImageConfig())


def test_offline_in_the_order_of_the_powershell_tools(found: Findings) -> None:
    """PowerShell, drivers, registry, features, packages, capabilities, clean-up."""
    plan = plan_servicing(request(EVERYTHING), S2025, [DRIVERS], found, staged=False)
    assert plan.offline == (
        AddDrivers(DRIVERS),
        EditRegistry(first_boot_registry_edits(S2025)),
        EnableFeatures(("NetFx3",)),
        EnableFeatures(("TelnetClient",)),
        *EVERYTHING.packages,
        AddCapabilities(("OpenSSH.Server~~~~0.0.1.0",)),
        CleanUpdates(purge=True),
    )
    assert (plan.files, plan.guest, plan.installs_drivers) == ((), (), False)
    old = plan_servicing(request(ServicingOptions()), OLD_CORE, [], found, staged=False)
    assert old.offline == (EnableFeatures(POWERSHELL_FEATURES),)


def test_the_guest_does_the_same_in_the_same_order(found: Findings) -> None:
    """Only the registry is edited offline; boot drivers first. Each feature is a step."""
    plan = plan_servicing(request(EVERYTHING), S2025, [DRIVERS], found, staged=True)
    assert plan.offline == (EditRegistry((BOOT, *first_boot_registry_edits(S2025))),)
    assert [step.command[-1] for step in plan.guest] == [
        "/FeatureName:NetFx3",
        "/FeatureName:TelnetClient",
        "/norestart",
        "/CapabilityName:OpenSSH.Server~~~~0.0.1.0",
        "/ResetBase",
    ]
    assert plan.installs_drivers
    targets = [addition.target for addition in plan.files]
    assert r"Windows\Drivers\winimagetools\viostor\viostor.inf" in targets
    assert r"UnattendResources\Servicing\Servicing.cmd" in targets


def test_the_guest_turns_powershell_on(found: Findings) -> None:
    """In the only script there is, which is no PowerShell, as its first step."""
    options = ServicingOptions(features=("TelnetClient",))
    plan = plan_servicing(request(options), OLD_CORE, [], found, staged=True)
    assert plan.turns_powershell_on
    assert [step.command[5:] for step in plan.guest] == [
        tuple(f"/FeatureName:{name}" for name in POWERSHELL_FEATURES),
        ("/FeatureName:TelnetClient",),
    ]
    files = put(plan.files)
    assert sorted(files) == [
        "UnattendResources/Servicing/Servicing.cmd",
        "UnattendResources/boot-code.txt",
    ]
    script = files["UnattendResources/Servicing/Servicing.cmd"]
    assert b"/FeatureName:MicrosoftWindowsPowerShell" in script


def test_who_starts_through_grub(found: Findings) -> None:
    """A new disk for BIOS that is made on Linux: its guest is told, and no other one."""
    bios, golden = request(ServicingOptions()), request(ServicingOptions(), Workflow.GOLDEN)
    uefi = replace(bios, layout=DiskLayout.UEFI)
    told = [
        [item.target for item in plan_servicing(asked, S2025, [], found, staged=staged).files]
        for asked, staged in ((bios, True), (uefi, True), (golden, True), (bios, False))
    ]
    assert told == [[r"UnattendResources\boot-code.txt"], [], [], []]


@pytest.mark.parametrize(
    ("windows", "lacks"), [(OLD_CORE, True), (OLD_SERVER, False), (CORE, False)]
)
def test_who_lacks_powershell(windows: ImageInfo, lacks: bool) -> None:
    """Server Core before 2012 only."""
    assert lacks_powershell(windows) is lacks


def test_a_golden_image_gets_drivers_only(found: Findings) -> None:
    """On a host that stages them they are installed at the next logon of an administrator."""
    golden = request(EVERYTHING, Workflow.GOLDEN)
    staged = plan_servicing(golden, S2025, [DRIVERS], found, staged=True)
    assert staged.offline == (EditRegistry((BOOT, RUN_ONCE)),)
    assert staged.guest == ()
    offline = plan_servicing(golden, S2025, [DRIVERS], found, staged=False)
    assert offline.offline == (AddDrivers(DRIVERS),)


def test_a_clean_up_windows_cannot_do_is_warned_about(found: Findings) -> None:
    """Windows 7 has none; the build goes on without it."""
    options = ServicingOptions(clean_updates=True)
    plan = plan_servicing(request(options), OLD_SERVER, [], found, staged=True)
    assert plan.guest == ()
    (warning,) = found.warnings
    assert warning.key == "clean_updates_offline"


@pytest.mark.parametrize("version", ["10.0.26100", "10.0.26100.1742", "10.0.26200", "11.0"])
def test_device_encryption(version: str) -> None:
    """Windows 11 24H2, Server 2025 and later do not encrypt the disk by themselves."""
    windows = ImageInfo(WindowsVersion.parse(version), Architecture.AMD64, "Server")
    assert first_boot_registry_edits(windows) == (
        RegistryEdit(
            "SYSTEM",
            r"CurrentControlSet\Control\BitLocker",
            (RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1),),
        ),
    )


@pytest.mark.parametrize("version", ["6.1.7601", "10.0.20348", "10.0.22631.3155", "10.0.26052"])
def test_older_windows(version: str) -> None:
    """Older Windows needs nothing."""
    windows = ImageInfo(WindowsVersion.parse(version), Architecture.AMD64, "Server")
    assert first_boot_registry_edits(windows) == ()


@pytest.mark.parametrize(
    ("version", "asks"), [("10.0.19045", False), ("10.0.22000", True), ("10.0.26200", True)]
)
def test_clients_do_not_wait_for_a_network(version: str, asks: bool) -> None:
    """Windows 11 would stay at the page that wants one; Windows 10 goes on without."""
    windows = ImageInfo(WindowsVersion.parse(version), Architecture.AMD64, "Client")
    edit = RegistryEdit(
        "SOFTWARE",
        r"Microsoft\Windows\CurrentVersion\OOBE",
        (RegistryValue("BypassNRO", "REG_DWORD", 1),),
    )
    assert (edit in first_boot_registry_edits(windows)) is asks
