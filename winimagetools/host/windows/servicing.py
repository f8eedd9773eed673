"""Servicing on a Windows host: DISM."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk, InstallMedia
from winimagetools.errors import BuildError, CommandError, HostError
from winimagetools.host.windows import scripts
from winimagetools.host.windows.disks import windows_disk
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import WimImage, WindowsVersion
from winimagetools.plan import DriverPlan, InstalledDriver, RegistryEdit, RegistryValue
from winimagetools.retry import execute_retry
from winimagetools.run import Tool, run

DISM = Tool("dism.exe", "Windows itself, or the Windows ADK", "service the image")
REG = Tool("reg.exe", "Windows itself", "edit the registry of the image")
MOUNT = r"HKLM\winimagetools"
"""Where a hive of the image hangs while it is edited."""


def apply_arguments(root: str, wim: Path, index: int) -> list[str]:
    """``DISM /Apply-Image``; the parts of a split WIM are named by a pattern."""
    arguments = ["/apply-image", f"/imagefile:{wim}", f"/index:{index}", f"/ApplyDir:{root}"]
    if wim.suffix.casefold() == ".swm":
        arguments.append(f"/swmfile:{wim.with_name(f'{wim.stem}*.swm')}")
    return arguments


def driver_arguments(root: str, folder: Path) -> list[str]:
    """``DISM /Add-Driver`` for every INF below a folder."""
    return [f"/image:{root}", "/Add-Driver", f"/driver:{folder}", "/ForceUnsigned", "/recurse"]


def package_arguments(root: str, package: Path) -> list[str]:
    """``DISM /Add-Package``."""
    return [f"/image:{root}", "/Add-Package", f"/Packagepath:{package}"]


def feature_arguments(root: str, names: Sequence[str]) -> list[str]:
    """``DISM /Enable-Feature`` for several features at once."""
    return [f"/image:{root}", "/Enable-Feature", *(f"/FeatureName:{name}" for name in names)]


def capability_arguments(root: str, names: Sequence[str]) -> list[str]:
    """``DISM /Add-Capability`` for several capabilities at once."""
    return [f"/image:{root}", "/Add-Capability", *(f"/CapabilityName:{name}" for name in names)]


def cleanup_arguments(root: str, purge: bool) -> list[str]:
    """``DISM /Cleanup-Image``; ``purge`` makes updates permanent and frees more."""
    arguments = [f"/image:{root}", "/Cleanup-Image", "/StartComponentCleanup"]
    return [*arguments, "/ResetBase"] if purge else arguments


def reg_add_arguments(key: str, value: RegistryValue) -> list[str]:
    r"""``reg add`` for one value below :data:`MOUNT`."""
    name = ["/v", value.name] if value.name else ["/ve"]
    return ["add", f"{MOUNT}\\{key}", *name, "/t", value.kind, "/d", _reg_data(value), "/f"]


def _reg_data(value: RegistryValue) -> str:
    if isinstance(value.data, bytes):
        return value.data.hex()
    if isinstance(value.data, tuple):
        return "\\0".join(value.data)
    return str(value.data)


def parse_drivers(output: str) -> list[InstalledDriver]:
    """Rows of ``DISM /Get-Drivers /Format:Table``, read by position, not by language."""
    rows = (line.split("|") for line in output.splitlines() if line.count("|") >= 5)
    cells = ([cell.strip() for cell in row] for row in rows)
    return [InstalledDriver(row[0], row[4]) for row in cells if re.match(r"oem\d+\.inf$", row[0])]


class WindowsServicing:
    """Implements :class:`winimagetools.contract.Servicing` and ``OfflineServicing``.

    Args:
        shell: runs PowerShell.
        runner: runs a program.
        sleep: waits a number of seconds before DISM is tried again.
    """

    def __init__(
        self,
        shell: PowerShell,
        runner: Callable[..., str] = run,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._shell = shell
        self._runner = runner
        self._sleep = sleep

    def check_version(self, image: WimImage) -> None:
        """Warn when DISM is older than the image. Port of ``Check-DismVersionForImage``."""
        version = WindowsVersion.parse(self._shell.invoke(scripts.DISM_VERSION))
        if image.version > version:
            log.warning(
                f"DISM of this machine ({version}) is older than the image ({image.version}). "
                "If the build fails, install the Windows ADK of the image's version."
            )

    def apply_image(self, disk: Disk, media: InstallMedia, image: WimImage) -> None:
        """Expand the image onto the volume. Port of ``Apply-Image``."""
        wim = media.wim_file(disk.path.parent)
        with log.step(f"Apply {image.name}"):
            self._dism(apply_arguments(windows_disk(disk).root, wim, image.index))

    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None:
        """Add folders of drivers, each tried four times. Port of ``Add-DriversToImage``.

        Raises:
            BuildError: DISM refused them, or the drivers are not in a folder.
        """
        root = windows_disk(disk).root
        for folder in plan.folders:
            local = plan.source.local_folder(folder)
            if local is None:
                raise BuildError(f"{folder} of {plan.source.name} is not in a folder of Windows.")
            self._dism_again(driver_arguments(root, local), interval=1.0)

    def add_package(self, disk: Disk, package: Path, ignore_errors: bool) -> None:
        """Add a CAB or MSU. Port of ``Add-PackageToImage``."""
        try:
            self._dism(package_arguments(windows_disk(disk).root, package))
        except CommandError as error:
            if not ignore_errors:
                raise
            log.warning(f"{package} could not be added and is skipped: {error.output}")

    def enable_features(self, disk: Disk, names: Sequence[str]) -> None:
        """Turn features on. Port of ``Enable-FeaturesInImage``."""
        self._dism_again(feature_arguments(windows_disk(disk).root, names))

    def add_capabilities(self, disk: Disk, names: Sequence[str]) -> None:
        """Add capabilities; the PowerShell tools gave DISM the whole comma separated text as one.

        Port of ``Add-CapabilitiesToImage``.
        """
        self._dism_again(capability_arguments(windows_disk(disk).root, names))

    def clean_updates(self, disk: Disk, purge: bool) -> None:
        """Remove superseded components. Port of ``Clean-WindowsUpdates``.

        Windows 7 hosts, on which the PowerShell tools skipped it, are no longer hosts.
        """
        self._dism(cleanup_arguments(windows_disk(disk).root, purge))

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None:
        """Load each hive of the image, set the values, unload it.

        Raises:
            HostError: a hive of an earlier build is still loaded.
        """
        root = windows_disk(disk).root
        for hive in dict.fromkeys(edit.hive for edit in edits):
            path = f"{root}Windows\\System32\\config\\{hive}"
            try:
                self._runner(REG, ["load", MOUNT, path])
            except CommandError as error:
                raise HostError(
                    f"The registry hive {path} could not be loaded: {error.output}",
                    f"If {MOUNT} is still loaded, unload it: reg unload {MOUNT}",
                ) from error
            try:
                for edit in edits:
                    if edit.hive == hive:
                        self._set(edit)
            finally:
                self._runner(REG, ["unload", MOUNT])

    def _set(self, edit: RegistryEdit) -> None:
        key = edit.key
        first, _, rest = key.partition("\\")
        if first.casefold() == "currentcontrolset":
            key = f"{self._control_set()}\\{rest}"
        if not edit.values:
            self._runner(REG, ["add", f"{MOUNT}\\{key}", "/f"])
        for value in edit.values:
            self._runner(REG, reg_add_arguments(key, value))

    def _control_set(self) -> str:
        output = self._runner(REG, ["query", f"{MOUNT}\\Select", "/v", "Current"])
        match = re.search(r"REG_DWORD\s+0x([0-9a-fA-F]+)", output)
        return f"ControlSet{int(match.group(1), 16) if match else 1:03}"

    def list_drivers(self, disk: Disk) -> Sequence[InstalledDriver]:
        root = windows_disk(disk).root
        arguments = ["/English", f"/image:{root}", "/Get-Drivers", "/Format:Table"]
        return parse_drivers(self._dism(arguments))

    def _dism(self, arguments: Sequence[str]) -> str:
        return self._runner(DISM, list(arguments))

    def _dism_again(self, arguments: Sequence[str], interval: float = 4.0) -> None:
        """Run DISM up to four times: it fails when something else holds the image's files."""
        execute_retry(
            lambda: self._dism(arguments),
            retry_on=CommandError,
            interval=interval,
            sleep=self._sleep,
        )
