r"""What makes Windows load a storage driver before it has ever seen the device.

Everything here is data: a list of :class:`RegistryEdit` that can be printed and compared.
What is written is the smallest set that is known to boot: the driver's service, and the
device ids in ``DriverDatabase`` (Windows 8 on) or in ``CriticalDeviceDatabase`` (before).
The package is published under a name of our own, not ``oemN.inf``, since those numbers are
Windows' to give (24H2 media come with an ``oem0.inf``). The label has the shape Windows
gives such names, because ``pnputil`` fails with error 87 on others (RHEL-112517).
"""

from __future__ import annotations

import datetime
import re
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from winimagetools.errors import MediaError
from winimagetools.facts.releases import DRIVER_DATABASE
from winimagetools.formats.inf.driver import BOOT_START, DriverInf, Model, Service
from winimagetools.formats.inf.target import Target
from winimagetools.plan import RegistryEdit, RegistryValue

STORAGE_CLASSES = {
    "scsiadapter": uuid.UUID("4d36e97b-e325-11ce-bfc1-08002be10318"),
    "hdc": uuid.UUID("4d36e96a-e325-11ce-bfc1-08002be10318"),
}
_CONTROL_SET = "CurrentControlSet"
_HARDWARE_ID = bytes.fromhex("01ff0000")
_COMPATIBLE_ID = bytes.fromhex("02ff0000")
"""What Windows 8 to 11 hives hold below ``DeviceIds`` for the two columns of an INF."""
_THIRD_PARTY = bytes.fromhex("00ff090000000000")
_PCI_ID = re.compile(r"PCI\\(VEN_[0-9A-F]{4}&DEV_[0-9A-F]{4})(.*)", re.IGNORECASE)
_REVISION = re.compile(r"&REV_[0-9A-F]{2}", re.IGNORECASE)


@dataclass(frozen=True)
class DeviceId:
    r"""An id of a device, such as ``PCI\VEN_1AF4&DEV_1001``, and its column in the INF."""

    text: str
    compatible: bool


def boot_services(inf: DriverInf, target: Target) -> tuple[Service, ...]:
    """The services Windows needs to reach its disk: boot-start ones of a storage class."""
    if not _is_storage(inf):
        return ()
    services = (item for item in inf.services(target) if item.file_name)
    return tuple(item for item in services if item.start_type == BOOT_START)


def _is_storage(inf: DriverInf) -> bool:
    if inf.class_name.casefold() in STORAGE_CLASSES:
        return True
    try:
        return _guid(inf) in STORAGE_CLASSES.values()
    except MediaError:
        return False


def _guid(inf: DriverInf) -> uuid.UUID:
    try:
        return uuid.UUID(inf.class_guid)
    except ValueError:
        known = STORAGE_CLASSES.get(inf.class_name.casefold())
        if known is None:
            raise MediaError(f"{inf.name} has no class GUID that can be read.") from None
        return known


def device_ids(models: Iterable[Model]) -> tuple[DeviceId, ...]:
    """The ids of an INF, and for PCI those without subsystem, each once.

    ``VEN&DEV&REV`` and ``VEN&DEV`` make the driver fit whatever subsystem id the machine
    gives the device; the w7 build of vioscsi since 0.1.217 names only one of them.
    """
    found: dict[str, DeviceId] = {}
    listed = list(models)
    for model in listed:
        _add(found, model.hardware_id, compatible=False)
        for text in model.compatible_ids:
            _add(found, text, compatible=True)
    for model in listed:
        match = _PCI_ID.fullmatch(model.hardware_id)
        if match is None:
            continue
        revision = _REVISION.search(match[2])
        if revision:
            _add(found, f"PCI\\{match[1]}{revision[0]}", compatible=False)
        _add(found, f"PCI\\{match[1]}", compatible=True)
    return tuple(found.values())


def _add(found: dict[str, DeviceId], text: str, *, compatible: bool) -> None:
    if text:
        found.setdefault(text.casefold(), DeviceId(text, compatible))


def boot_edits(inf: DriverInf, service: Service, target: Target) -> tuple[RegistryEdit, ...]:
    """Everything to write into SYSTEM so that ``service`` starts with Windows.

    Only the driver of a device gets ids: a filter that comes in the same package would
    compete for the boot controller. It is a service that starts, and nothing else.

    Args:
        inf: the package.
        service: one of its :func:`boot_services`.
        target: the Windows; its version decides which device database it has.

    Raises:
        MediaError: the INF has no class GUID, or flags of a service that are no number.
    """
    ids = device_ids(inf.models_of(service.name, target))
    edits = list(_service_edits(service))
    if not ids:
        return tuple(edits)
    if DRIVER_DATABASE.is_in(target.version):
        edits += _database_edits(inf, service, target, ids)
    else:
        edits += _critical_device_edits(inf, service, ids)
    return tuple(edits)


def _service_edits(service: Service) -> Iterator[RegistryEdit]:
    key = f"{_CONTROL_SET}\\Services\\{service.name}"
    values = [_dword("Type", service.service_type), _dword("Start", BOOT_START)]
    if service.group:
        values.append(RegistryValue("Group", "REG_SZ", service.group))
    values.append(_dword("ErrorControl", service.error_control))
    image = f"system32\\drivers\\{service.file_name}"
    values.append(RegistryValue("ImagePath", "REG_EXPAND_SZ", image))
    yield _edit(key, *values)
    subkeys: dict[str, list[RegistryValue]] = {}
    for subkey, value in service.registry:
        subkeys.setdefault(subkey, []).extend([] if value is None else [value])
    for subkey, found in subkeys.items():
        yield _edit(f"{key}\\{subkey}" if subkey else key, *found)


def _critical_device_edits(
    inf: DriverInf, service: Service, ids: Iterable[DeviceId]
) -> Iterator[RegistryEdit]:
    guid = f"{{{_guid(inf)}}}".upper()
    for item in ids:
        yield _edit(
            f"{_CONTROL_SET}\\Control\\CriticalDeviceDatabase\\{item.text.replace(chr(92), '#')}",
            RegistryValue("Service", "REG_SZ", service.name),
            RegistryValue("ClassGUID", "REG_SZ", guid),
        )


def _database_edits(
    inf: DriverInf, service: Service, target: Target, ids: tuple[DeviceId, ...]
) -> Iterator[RegistryEdit]:
    file = f"winimagetools_{service.name}.inf"
    label = f"{file}_{target.architecture}_{0:016x}"
    configuration = f"{service.name}_conf"
    yield _edit(
        f"DriverDatabase\\DriverInfFiles\\{file}",
        RegistryValue("", "REG_MULTI_SZ", (label,)),
        RegistryValue("Active", "REG_SZ", label),
        RegistryValue("Configurations", "REG_MULTI_SZ", (configuration,)),
    )
    for item in ids:
        column = _COMPATIBLE_ID if item.compatible else _HARDWARE_ID
        value = RegistryValue(file, "REG_BINARY", column)
        yield _edit(f"DriverDatabase\\DeviceIds\\{item.text}", value)
    package = f"DriverDatabase\\DriverPackages\\{label}"
    yield _edit(package, RegistryValue("Version", "REG_BINARY", package_version(inf)))
    yield _edit(
        f"{package}\\Configurations\\{configuration}",
        _dword("ConfigFlags", 0),
        RegistryValue("Service", "REG_SZ", service.name),
    )
    for item in ids:
        value = RegistryValue("Configuration", "REG_SZ", configuration)
        yield _edit(f"{package}\\Descriptors\\{item.text}", value)


def package_version(inf: DriverInf) -> bytes:
    """The ``Version`` value of a driver package: 48 bytes.

    Mark of a third-party package (8), class GUID (16), date as FILETIME (8), the four
    numbers of the version from the last to the first (8), zero (8). Decoded from real hives;
    Windows 10 does not boot without the value.
    """
    version = struct.pack("<4H", *reversed(inf.version_key))
    return _THIRD_PARTY + _guid(inf).bytes_le + _filetime(inf.date) + version + bytes(8)


def _filetime(date: datetime.date | None) -> bytes:
    """Midnight of a day in 100 ns since 1601; zero for no date or one before that."""
    days = (date - datetime.date(1601, 1, 1)).days if date else 0
    return struct.pack("<Q", max(days, 0) * 86400 * 10_000_000)


def _dword(name: str, number: int) -> RegistryValue:
    return RegistryValue(name, "REG_DWORD", number)


def _edit(key: str, *values: RegistryValue) -> RegistryEdit:
    return RegistryEdit("SYSTEM", key, values)
