"""Checks of drivers: how many there are, and whether Windows finds its disk with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from winimagetools.checks.result import Result, bad, doubtful, good, skipped
from winimagetools.checks.subject import Subject
from winimagetools.errors import WinImageError
from winimagetools.facts.releases import DRIVER_DATABASE
from winimagetools.formats.inf.target import Target
from winimagetools.formats.regf_reader import HiveReader
from winimagetools.guest import layout
from winimagetools.image.drivers.signing import check_boot_file
from winimagetools.image.request import Request
from winimagetools.model import ImageType
from winimagetools.plan import ImageInfo, InstalledDriver

VIRTIO_PROVIDERS = ("red hat", "qemu")
VIRTIO_DRIVERS = 11
"""How many drivers the PowerShell tools expect of a virtio ISO, one of which may be missing."""
_STORAGE = {"viostor": ("1001", "1042"), "vioscsi": ("1004", "1048")}
"""Storage drivers of virtio, and the PCI devices of vendor 1AF4 each is for."""
_DATABASE = r"DriverDatabase\DeviceIds\PCI\VEN_1AF4&DEV_{}"
_CRITICAL = r"{}\Control\CriticalDeviceDatabase\PCI#VEN_1AF4&DEV_{}"


def check_number(subject: Subject) -> Result | None:
    """The number of added drivers, where the configuration asks for some."""
    request = subject.request
    if request is None or not (asks_for_virtio(request) or request.drivers.folder is not None):
        return None
    if not subject.drivers and subject.tree.exists(layout.STAGED_DRIVERS):
        return bad(
            "drivers",
            "The drivers are installed when the image first starts, and it was not started yet.",
            "Start the image once on its hypervisor.",
        )
    return enough_drivers(subject.drivers, virtio=asks_for_virtio(request))


def asks_for_virtio(request: Request) -> bool:
    """Whether the configuration asks for virtio drivers."""
    return request.drivers.virtio_iso is not None or request.drivers.virtio_folder is not None


def enough_drivers(found: Sequence[InstalledDriver], *, virtio: bool) -> Result:
    """Compare the drivers in an image with what was asked for.

    Args:
        found: third-party drivers in the image.
        virtio: virtio drivers were asked for, not only others.
    """
    ours = [
        driver
        for driver in found
        if any(name in driver.provider.casefold() for name in VIRTIO_PROVIDERS)
    ]
    needed = VIRTIO_DRIVERS - 1 + len(found) - len(ours) if virtio else 1
    if len(found) < needed:
        return bad(
            "drivers",
            f"The image has {len(found)} added drivers; at least {needed} were expected.",
            "Check virtio_iso_path and drivers_path against the Windows version.",
        )
    return good("drivers", f"{len(found)} drivers were added, {len(ours)} of them virtio drivers.")


@dataclass(frozen=True)
class StorageDriver:
    """A storage driver of virtio in an image.

    Args:
        start: when Windows loads it: 0 at boot, 3 on demand; None when it does not say.
        path: of its binary.
        registered: Windows knows which devices it is for before it has seen one.
    """

    name: str
    start: int | None
    path: str
    registered: bool


def storage_drivers(subject: Subject) -> tuple[StorageDriver, ...]:
    """The storage drivers of virtio in SYSTEM."""
    if subject.system is None:
        return ()
    return tuple(_storage_drivers(subject, subject.system))


def _storage_drivers(subject: Subject, system: HiveReader) -> Iterator[StorageDriver]:
    for name, devices in _STORAGE.items():
        key = rf"{subject.control_set}\Services\{name}"
        if not system.exists(key):
            continue
        image = system.text(key, "ImagePath") or rf"System32\drivers\{name}.sys"
        yield StorageDriver(
            name,
            system.number(key, "Start"),
            _below_windows(image),
            any(_is_registered(subject, system, device) for device in devices),
        )


def _below_windows(image: str) -> str:
    r"""``\SystemRoot\System32\x.sys`` and its like, from the root of the volume."""
    plain = image.replace("/", "\\").lstrip("\\")
    for prefix in ("systemroot\\", "%systemroot%\\", "??\\c:\\windows\\"):
        if plain.casefold().startswith(prefix):
            plain = plain[len(prefix) :]
    return plain if plain.casefold().startswith("windows\\") else rf"Windows\{plain}"


def _is_registered(subject: Subject, system: HiveReader, device: str) -> bool:
    windows = subject.windows
    if windows is not None and not DRIVER_DATABASE.is_in(windows.version):
        return system.exists(_CRITICAL.format(subject.control_set, device))
    above, _, wanted = _DATABASE.format(device).rpartition("\\")
    names = (name.casefold() for name in system.subkeys(above))
    return any(name.startswith(wanted.casefold()) for name in names)


def check_storage(subject: Subject) -> Result | None:
    """The driver Windows reaches its disk with: at boot, registered, there, and signed."""
    windows, request = subject.windows, subject.request
    if windows is None or subject.system is None:
        return skipped("storage driver", "SYSTEM or ntdll.dll cannot be read.")
    found = storage_drivers(subject)
    faults = {item.name: _fault(subject, item, windows) for item in found}
    working = [name for name, fault in faults.items() if not fault]
    if working:
        return good("storage driver", f"Windows starts with {' and '.join(working)}.")
    if faults:
        return bad(
            "storage driver",
            " ".join(fault for fault in faults.values() if fault),
            "Windows stops with INACCESSIBLE_BOOT_DEVICE on virtio disks; add the driver anew.",
        )
    if request is not None and request.image_type is ImageType.KVM and asks_for_virtio(request):
        return bad(
            "storage driver",
            "Neither viostor nor vioscsi is in the image.",
            "Check virtio_iso_path against the Windows version.",
        )
    if request is not None and request.image_type is not ImageType.KVM:
        return None
    return doubtful(
        "storage driver",
        "There is no storage driver of virtio in the image.",
        "It starts from SATA, IDE and NVMe disks, not from those of virtio.",
    )


def _fault(subject: Subject, driver: StorageDriver, windows: ImageInfo) -> str:
    """Why Windows does not reach its disk with a driver; empty when it does."""
    if driver.start != 0:
        return f"{driver.name} is not loaded at boot (its Start is {driver.start})."
    if not subject.tree.exists(driver.path):
        return f"{driver.name} is registered, but \\{driver.path} is missing."
    if not driver.registered:
        return f"{driver.name} is not registered for any virtio device."
    try:
        data = subject.tree.read_bytes(driver.path)
    except WinImageError as error:
        return error.message
    problem = check_boot_file(data, driver.path, Target.of(windows)).problem
    return problem.message if problem else ""
