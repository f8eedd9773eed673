r"""What is done to the installed Windows: offline where the host can, by the guest otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from winimagetools.facts.releases import DEVICE_ENCRYPTION, NETWORK_PAGE, POWERSHELL_IN_SERVER_CORE
from winimagetools.guest import layout, staging
from winimagetools.image.request import Request, ServicingOptions, Workflow
from winimagetools.model import DiskLayout, WindowsVersion
from winimagetools.plan import (
    AddCapabilities,
    AddDrivers,
    CleanUpdates,
    Content,
    DriverPlan,
    EditRegistry,
    EnableFeatures,
    FileAddition,
    GuestStep,
    ImageInfo,
    OfflineStep,
    RegistryEdit,
    RegistryValue,
)
from winimagetools.settings.findings import Findings

POWERSHELL_FEATURES = (
    "NetFx2-ServerCore",
    "MicrosoftWindowsPowerShell",
    "NetFx2-ServerCore-WOW64",
    "MicrosoftWindowsPowerShell-WOW64",
)
"""What turns on PowerShell in a Server Core installation of 2008 R2."""
_RUN_ONCE = r"Microsoft\Windows\CurrentVersion\RunOnce"


@dataclass(frozen=True)
class ServicingPlan:
    """The servicing of one image.

    Args:
        offline: steps before it starts, in order.
        files: what is put into it for the guest.
        guest: what the guest does with them, in order.
        turns_powershell_on: the guest has to turn PowerShell on before its scripts.
        installs_drivers: the guest has to install staged drivers.
    """

    offline: tuple[OfflineStep, ...] = ()
    files: tuple[FileAddition, ...] = ()
    guest: tuple[GuestStep, ...] = ()
    turns_powershell_on: bool = False
    installs_drivers: bool = False


def plan_servicing(
    request: Request,
    windows: ImageInfo,
    drivers: Sequence[DriverPlan],
    found: Findings,
    *,
    staged: bool,
) -> ServicingPlan:
    """Decide what ``New-WindowsCloudImage`` does after applying the image, in its order.

    A golden image gets drivers only.

    Args:
        request: what is wanted.
        windows: the Windows it is done to.
        drivers: what was chosen, in the order it is added.
        found: problems and warnings are put here.
        staged: the host cannot service an image that does not run, so the guest has to.
    """
    golden = request.workflow is Workflow.GOLDEN
    options = ServicingOptions() if golden else request.servicing
    powershell = not golden and lacks_powershell(windows)
    edits = () if golden else first_boot_registry_edits(windows)
    if staged:
        plan = _staged(windows, drivers, options, found, edits, golden, powershell)
        grub = not golden and request.layout is DiskLayout.BIOS
        return replace(plan, files=(*plan.files, _boot_code_mark())) if grub else plan
    return ServicingPlan(tuple(_offline(drivers, options, edits, powershell)))


def lacks_powershell(windows: ImageInfo) -> bool:
    """Whether PowerShell is off by default: in Server Core before 2012.

    Port of ``Check-EnablePowerShellInImage``.
    """
    core = windows.installation_type == "Server Core"
    return core and not POWERSHELL_IN_SERVER_CORE.is_in(windows.version)


def _offline(
    drivers: Sequence[DriverPlan],
    options: ServicingOptions,
    edits: tuple[RegistryEdit, ...],
    powershell: bool,
) -> Iterator[OfflineStep]:
    if powershell:
        yield EnableFeatures(POWERSHELL_FEATURES)
    yield from (AddDrivers(plan) for plan in drivers)
    if edits:
        yield EditRegistry(edits)
    yield from (EnableFeatures((name,)) for name in options.features)
    yield from options.packages
    yield from (AddCapabilities((name,)) for name in options.capabilities)
    if options.clean_updates:
        yield CleanUpdates(options.purge_updates)


def _staged(
    windows: ImageInfo,
    drivers: Sequence[DriverPlan],
    options: ServicingOptions,
    found: Findings,
    edits: tuple[RegistryEdit, ...],
    golden: bool,
    powershell: bool,
) -> ServicingPlan:
    installs = any(plan.packages for plan in drivers)
    registry = [edit for plan in drivers for edit in plan.registry] + list(edits)
    if golden and installs:
        registry.append(_install_at_logon())
    packages, package_steps = staging.stage_packages(options.packages)
    steps = (
        *([staging.feature_step(*POWERSHELL_FEATURES)] if powershell else []),
        *(staging.feature_step(name) for name in options.features),
        *package_steps,
        *(staging.capability_step(name) for name in options.capabilities),
        *_clean_up(windows, options, found),
    )
    return ServicingPlan(
        offline=(EditRegistry(tuple(registry)),) if registry else (),
        files=(
            *staging.stage_drivers(drivers, windows.version),
            *packages,
            *staging.servicing_files(steps),
        ),
        guest=steps,
        turns_powershell_on=powershell,
        installs_drivers=installs,
    )


def _boot_code_mark() -> FileAddition:
    """The guest puts Microsoft's boot code in the place of GRUB, where Windows has it."""
    return FileAddition(layout.BOOT_CODE_MARK, (Content(b"GRUB\r\n"),))


def _clean_up(
    windows: ImageInfo, options: ServicingOptions, found: Findings
) -> tuple[GuestStep, ...]:
    if not options.clean_updates:
        return ()
    steps = tuple(staging.clean_up_step(windows.version, options.purge_updates))
    if not steps:
        message = f"Windows {windows.version} cannot clean up its component store: left out."
        found.warn("clean_updates_offline", message)
    return steps


def _install_at_logon() -> RegistryEdit:
    """Drivers of a golden image, which has no answer file, wait for an administrator's logon."""
    # cmd.exe itself replaces %SystemRoot%, so a plain string does.
    value = RegistryValue("winimagetools drivers", "REG_SZ", layout.INSTALL_COMMAND)
    return RegistryEdit("SOFTWARE", _RUN_ONCE, (value,))


def first_boot_registry_edits(windows: ImageInfo) -> tuple[RegistryEdit, ...]:
    """The edits for a Windows; none for most."""
    return (*_no_device_encryption(windows.version), *_no_network_page(windows))


def _no_network_page(windows: ImageInfo) -> tuple[RegistryEdit, ...]:
    """Let a client go on at its first start without a network.

    An account in the answer file does not skip the page "Let's connect you to a network" of
    Windows 11; without a network the image would wait there for ever and report nothing.
    ``BypassNRO`` is what the script of that name in Windows itself sets. It is not documented;
    people report it as working up to 25H2, and it was not tried here. ``SkipMachineOOBE`` and
    ``SkipUserOOBE`` are documented as deprecated and as unfit for production, so they are left
    alone.
    """
    if windows.is_server or not NETWORK_PAGE.is_in(windows.version):
        return ()
    value = RegistryValue("BypassNRO", "REG_DWORD", 1)
    return (RegistryEdit("SOFTWARE", r"Microsoft\Windows\CurrentVersion\OOBE", (value,)),)


def _no_device_encryption(version: WindowsVersion) -> tuple[RegistryEdit, ...]:
    """Windows 11 24H2 and Server 2025 (build 26100) turn on device encryption by themselves at
    the first start, and sysprep then refuses to generalize. ``PreventDeviceEncryption`` is
    Microsoft's documented way to prevent that ("BitLocker overview: device encryption").
    """
    if not DEVICE_ENCRYPTION.is_in(version):
        return ()
    value = RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1)
    return (RegistryEdit("SYSTEM", r"CurrentControlSet\Control\BitLocker", (value,)),)
