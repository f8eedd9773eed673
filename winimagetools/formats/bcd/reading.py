"""What a boot configuration store says of where Windows is."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.elements import element_key
from winimagetools.formats.regf_reader import HiveReader

_BOOT, _PARTITION, _LOCATE = 5, 6, 8
_GPT, _MBR = 0, 1


@dataclass(frozen=True)
class Device:
    """A device element.

    Args:
        kind: ``partition``, ``locate``, ``boot`` (what the boot manager was started from), or
            ``other``.
        partition: GUID of a GPT partition; empty otherwise.
        disk: GUID of a GPT disk, or the signature of an MBR disk in hexadecimal.
        offset: where an MBR partition begins, in bytes.
    """

    kind: str
    partition: str = ""
    disk: str = ""
    offset: int = 0


@dataclass(frozen=True)
class BootEntry:
    """What firmware's boot manager starts by default.

    Args:
        manager: where the boot manager is; None when the store does not say.
        loader: the device with the loader; None likewise.
        windows: the device with Windows; None likewise.
        path: of the loader.
        name: in the boot menu.
    """

    manager: Device | None
    loader: Device | None
    windows: Device | None
    path: str
    name: str


def read_device(data: bytes) -> Device:
    """A device element, see :mod:`winimagetools.formats.bcd.devices` for its layout."""
    if len(data) < 32:
        return Device("other")
    kind = struct.unpack_from("<I", data, 16)[0]
    if kind in (_BOOT, _LOCATE):
        return Device("boot" if kind == _BOOT else "locate")
    if kind != _PARTITION or len(data) < 72:
        return Device("other")
    where, scheme, disk = data[32:48], struct.unpack_from("<I", data, 52)[0], data[56:72]
    if scheme == _GPT:
        partition, owner = (uuid.UUID(bytes_le=item) for item in (where, disk))
        return Device("partition", str(partition), str(owner))
    if scheme == _MBR:
        offset, signature = struct.unpack_from("<Q", where)[0], struct.unpack_from("<I", disk)[0]
        return Device("partition", disk=f"{signature:08x}", offset=offset)
    return Device("other")


def read_boot_entry(store: bytes) -> BootEntry | None:
    """The default entry of a store; None when there is none.

    Args:
        store: content of the file ``BCD``.

    Raises:
        MediaError: it is no hive, or a damaged one.
    """
    hive = HiveReader.of(store, "BCD")

    def element(guid: uuid.UUID, number: int) -> str | int | bytes | tuple[str, ...] | None:
        return hive.get(element_key(guid, number), "Element")

    def device(guid: uuid.UUID, number: int) -> Device | None:
        found = element(guid, number)
        return read_device(found) if isinstance(found, bytes) else None

    try:
        default = uuid.UUID(str(element(el.BOOTMGR, el.DEFAULT_OBJECT)))
    except ValueError:
        return None
    return BootEntry(
        manager=device(el.BOOTMGR, el.DEVICE),
        loader=device(default, el.DEVICE),
        windows=device(default, el.OS_DEVICE),
        path=str(element(default, el.PATH) or ""),
        name=str(element(default, el.DESCRIPTION) or ""),
    )
