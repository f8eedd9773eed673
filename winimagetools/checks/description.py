r"""What is in an image, for ``inspect``: found by looking, in the words of its Windows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from winimagetools.checks.drivers import StorageDriver, storage_drivers
from winimagetools.checks.subject import CLOUDBASE_INIT, CURRENT_VERSION, RangedTree, Subject
from winimagetools.checks.windows import edition_name
from winimagetools.errors import WinImageError
from winimagetools.facts.boot_authority import BootManager
from winimagetools.formats.bcd.reading import read_boot_entry
from winimagetools.formats.regf_reader import HiveReader
from winimagetools.found import DiskFacts
from winimagetools.guest import layout
from winimagetools.image.boot_manager import read_boot_manager
from winimagetools.plan import InstalledDriver

_AGENTS = {
    "Cloudbase-Init": CLOUDBASE_INIT,
    "QEMU guest agent": (r"Program Files\Qemu-ga\qemu-ga.exe",),
    "VMware Tools": (r"Program Files\VMware\VMware Tools\vmtoolsd.exe",),
    "Azure agent": (r"WindowsAzure", r"Packages\GuestAgent"),
    "OpenSSH server": (r"Windows\System32\OpenSSH\sshd.exe", r"Program Files\OpenSSH\sshd.exe"),
    "curtin hooks": (layout.CURTIN,),
}
_LOGS = (
    rf"{layout.RESOURCES}\image-generation-log.txt",
    rf"{layout.RESOURCES}\image-generation-failed.txt",
    r"Windows\Panther\setupact.log",
    r"Windows\Panther\setuperr.log",
    r"Windows\Panther\UnattendGC\setupact.log",
    r"Windows\Panther\UnattendGC\setuperr.log",
    r"Windows\System32\Sysprep\Panther\setupact.log",
    r"Windows\System32\Sysprep\Panther\setuperr.log",
    r"Windows\INF\setupapi.dev.log",
    r"Windows\INF\setupapi.offline.log",
    r"Windows\Logs\DISM\dism.log",
    r"Windows\Logs\CBS\CBS.log",
)
_SERVICING = r"Microsoft\Windows\CurrentVersion\Component Based Servicing"
_ACCOUNTS = r"SAM\Domains\Account\Users\Names"


@dataclass(frozen=True)
class LogFile:
    """A log of setup, and its bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class Description:
    """What is in an image.

    Args:
        image: the file as it was given.
        container: of the disk.
        windows: what a medium would call it, such as ``Windows Server 2022 ServerStandard``.
        product: what it calls itself.
        version, architecture, installation_type, edition: as the registry has them.
        installed: when, in UTC; empty when it does not say.
        state: ``ImageState`` of setup.
        computer: its name.
        boot_entry: name of what the boot manager starts.
        boot_manager: what UEFI firmware starts; None for a BIOS, and on a host that cannot tell.
        disk: what is known of the disk; None on a host that cannot tell.
        agents: names of what clouds work with.
        accounts: names of local accounts.
        pending: what waits for the next start, a phrase each.
        unreadable: what could not be read, a sentence each.
    """

    image: str
    container: str
    windows: str
    product: str
    version: str
    architecture: str
    installation_type: str
    edition: str
    installed: str
    state: str
    computer: str
    boot_entry: str
    boot_manager: BootManager | None
    disk: DiskFacts | None
    drivers: tuple[InstalledDriver, ...]
    storage: tuple[StorageDriver, ...]
    agents: tuple[str, ...]
    accounts: tuple[str, ...]
    pending: tuple[str, ...]
    logs: tuple[LogFile, ...]
    unreadable: tuple[str, ...]


def describe_image(subject: Subject) -> Description:
    """Look at everything in an image that ``inspect`` shows."""
    unreadable: list[str] = []
    software = _hive(subject, "SOFTWARE", unreadable)
    system = _hive(subject, "SYSTEM", unreadable)
    windows = subject.windows
    return Description(
        image=str(subject.path),
        container=str(subject.container),
        windows=edition_name(subject),
        product=_text(software, "ProductName"),
        version=str(windows.version) if windows else "",
        architecture=str(windows.architecture) if windows else "",
        installation_type=_text(software, "InstallationType"),
        edition=_text(software, "EditionID"),
        installed=_installed(software),
        state=software.text(r"Microsoft\Windows\CurrentVersion\Setup\State", "ImageState")
        if software
        else "",
        computer=_computer(subject, system),
        boot_entry=_boot_entry(subject, unreadable),
        boot_manager=_boot_manager(subject),
        disk=subject.facts,
        drivers=subject.drivers,
        storage=storage_drivers(subject),
        agents=tuple(
            name
            for name, paths in _AGENTS.items()
            if any(subject.tree.exists(path) for path in paths)
        ),
        accounts=_accounts(subject, unreadable),
        pending=tuple(_pending(subject, software, system)),
        logs=tuple(_logs(subject)),
        unreadable=tuple(unreadable),
    )


def _hive(subject: Subject, name: str, unreadable: list[str]) -> HiveReader | None:
    try:
        return subject.hive(name)
    except FileNotFoundError:
        unreadable.append(f"There is no hive {name}.")
    except WinImageError as error:
        unreadable.append(error.message)
    return None


def _text(software: HiveReader | None, name: str) -> str:
    return software.text(CURRENT_VERSION, name) if software else ""


def _installed(software: HiveReader | None) -> str:
    seconds = software.number(CURRENT_VERSION, "InstallDate") if software else None
    if not seconds:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(sep=" ")


def _computer(subject: Subject, system: HiveReader | None) -> str:
    key = rf"{subject.control_set}\Control\ComputerName\ComputerName"
    return system.text(key, "ComputerName") if system else ""


def _boot_entry(subject: Subject, unreadable: list[str]) -> str:
    if subject.facts is None or subject.facts.boot_store is None:
        return ""
    try:
        entry = read_boot_entry(subject.facts.boot_store)
    except WinImageError as error:
        unreadable.append(error.message)
        return ""
    return entry.name if entry else ""


def _boot_manager(subject: Subject) -> BootManager | None:
    data = subject.facts.boot_manager if subject.facts else None
    return read_boot_manager(data) if data else None


def _accounts(subject: Subject, unreadable: list[str]) -> tuple[str, ...]:
    sam = _hive(subject, "SAM", unreadable)
    return tuple(sorted(sam.subkeys(_ACCOUNTS))) if sam else ()


def _pending(
    subject: Subject, software: HiveReader | None, system: HiveReader | None
) -> Iterator[str]:
    if subject.tree.exists(r"Windows\WinSxS\pending.xml"):
        yield "updates (WinSxS\\pending.xml)"
    for name in ("RebootPending", "PackagesPending"):
        if software and software.exists(rf"{_SERVICING}\{name}"):
            yield f"servicing ({name})"
    key = rf"{subject.control_set}\Control\Session Manager"
    if system and system.get(key, "PendingFileRenameOperations"):
        yield "files to be renamed (PendingFileRenameOperations)"
    if subject.waits_for_first_start:
        yield "the first start of an image that was made offline"


def _logs(subject: Subject) -> Iterator[LogFile]:
    for path in _LOGS:
        if subject.tree.exists(path):
            yield LogFile(path, _size(subject, path))


def _size(subject: Subject, path: str) -> int:
    if isinstance(subject.tree, RangedTree):
        with subject.tree.open_file(path) as (size, _):
            return size
    return len(subject.tree.read_bytes(path))
