"""Boot files on a Windows host: bcdboot and bcdedit, of the image first, then of the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk
from winimagetools.errors import BuildError, CommandError
from winimagetools.facts.boot_authority import BOOT_MANAGER_EX
from winimagetools.facts.releases import BOOT_FILES_BY_FIRMWARE
from winimagetools.host.windows.disks import WindowsDisk, windows_disk
from winimagetools.model import DiskLayout, WimImage
from winimagetools.run import Tool, run

_MANAGER = r"EFI\Microsoft\Boot\bootmgfw.efi"
_PACKAGE = "Windows itself, or the Windows ADK"


def bcdboot_arguments(disk: WindowsDisk, with_firmware: bool, ex: bool = False) -> list[str]:
    """Arguments of bcdboot; before Windows 8 it has no ``/f``.

    With ``/offline`` the switch ``/bootex`` alone decides which boot files are taken, not what the
    firmware of this machine knows ("BCDBoot Command-Line Options", Microsoft).
    """
    arguments = [f"{disk.windows}\\windows", "/s", disk.system, "/v"]
    arguments += ["/f", disk.layout.value] if with_firmware else []
    return [*arguments, "/offline", "/bootex"] if ex else arguments


def bcdedit_arguments(disk: WindowsDisk) -> list[list[str]]:
    """The three edits that let a BIOS disk find itself wherever it is attached."""
    store = ["/store", f"{disk.system}\\boot\\BCD", "/set"]
    return [
        [*store, "{bootmgr}", "device", "locate"],
        [*store, "{default}", "device", "locate"],
        [*store, "{default}", "osdevice", "locate"],
    ]


class WindowsBoot:
    """Implements :class:`winimagetools.contract.Boot`.

    Args:
        runner: runs a program.
    """

    def __init__(self, runner: Callable[..., str] = run) -> None:
        self._runner = runner

    def create_boot_config(self, disk: Disk, image: WimImage, ex: bool = False) -> None:
        """Place boot files and BCD. Port of ``Create-BCDBootConfig``.

        Raises:
            BuildError: neither bcdboot of the image nor that of the host could do it.
        """
        own = windows_disk(disk)
        ex = ex and own.layout is DiskLayout.UEFI and disk.tree.exists(BOOT_MANAGER_EX)
        from_image = self._tool(own, "bcdboot.exe")
        try:
            first = BOOT_FILES_BY_FIRMWARE.is_in(image.version)
            self._runner(from_image, bcdboot_arguments(own, first, ex))
        # An OSError is a bcdboot for another processor, such as that of an ARM64 image.
        except (CommandError, OSError):
            log.info("Trying again with bcdboot.exe of this machine")
            try:
                self._runner(_host_tool("bcdboot.exe"), bcdboot_arguments(own, True, ex))
            except CommandError as error:
                raise BuildError(
                    f"The disk could not be made bootable: {error.message}",
                    "A bcdboot.exe at least as new as the image is in the Windows ADK.",
                ) from error
        self.reset_search_order(disk)

    def boot_manager(self, disk: Disk) -> bytes:
        """The boot manager on the EFI partition. Raises FileNotFoundError without one."""
        own = windows_disk(disk)
        if own.layout is DiskLayout.BIOS:
            raise FileNotFoundError(own.path)
        return Path(f"{own.system}\\{_MANAGER}").read_bytes()

    def reset_search_order(self, disk: Disk) -> None:
        """Let a BIOS disk locate itself. Port of ``Reset-BCDSearchOrder``."""
        own = windows_disk(disk)
        if own.layout is not DiskLayout.BIOS:
            return
        tool = self._tool(own, "bcdedit.exe")
        for arguments in bcdedit_arguments(own):
            try:
                self._runner(tool, arguments)
            except CommandError as error:
                log.warning(f"bcdedit failed to set {' '.join(arguments[3:])}: {error.output}")

    def _tool(self, disk: WindowsDisk, name: str) -> Tool:
        if disk.tree.exists(f"Windows\\System32\\{name}"):
            return Tool(f"{disk.windows}\\windows\\system32\\{name}", _PACKAGE, "start Windows")
        log.warning(f"The image has no {name}; that of this machine is used.")
        return _host_tool(name)


def _host_tool(name: str) -> Tool:
    return Tool(name, _PACKAGE, "make the disk bootable")
