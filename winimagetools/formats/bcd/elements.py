"""Objects and elements of a boot configuration store, and how a hive holds them.

Names and numbers: learn.microsoft.com "BCD reference" and ReactOS ``bcd.h``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from winimagetools.plan import RegistryEdit, RegistryValue

DEVICE = 0x11000001
PATH = 0x12000002
DESCRIPTION = 0x12000004
LOCALE = 0x12000005
INHERIT = 0x14000006
DEBUG_TYPE = 0x15000011
ALLOW_BAD_MEMORY = 0x1600000B
EMS = 0x16000020
ISOLATED_CONTEXT = 0x16000060
ALLOWED_IN_MEMORY = 0x17000077
OS_DEVICE = 0x21000001
SYSTEM_ROOT = 0x22000002
RESUME_OBJECT = 0x23000003
NX = 0x25000020
BOOT_MENU_POLICY = 0x250000C2
BOOT_STATUS_POLICY = 0x250000E0
HYPERVISOR_DEBUG_TYPE = 0x250000F3
HYPERVISOR_DEBUG_PORT = 0x250000F4
HYPERVISOR_BAUD_RATE = 0x250000F5
# The same numbers mean other things in an object for the boot manager or for resuming.
DEFAULT_OBJECT = RESUME_OBJECT
BOOT_MANAGER_RESUME = 0x23000006
DISPLAY_ORDER = 0x24000001
TOOLS_DISPLAY_ORDER = 0x24000010
TIMEOUT = 0x25000004
HIBERNATION_FILE = SYSTEM_ROOT
RESUME_DEBUG_OPTION = 0x26000006
RESUME_BOOT_MENU_POLICY = 0x25000008

BOOTMGR = UUID("9dea862c-5cdd-4e70-acc1-f32b344d4795")
MEMDIAG = UUID("b2721d73-1db4-4c62-bf78-c548a880142d")
GLOBAL = UUID("7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e")
BOOT_LOADER = UUID("6efb52bf-1766-41db-a6b3-0ee5eff72bd7")
RESUME_LOADER = UUID("1afa9c49-16ab-4a5c-901b-212802da9460")
HYPERVISOR = UUID("7ff607e0-4395-11db-b0de-0800200c9a66")
DEBUGGER = UUID("4636856e-540f-4170-a130-a84776f4c654")
EMS_SETTINGS = UUID("0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9")
BAD_MEMORY = UUID("5189b25c-5558-4bf2-bca4-289b11bd29e2")

Value = str | bytes | int | UUID | tuple[UUID, ...] | tuple[int, ...]


@dataclass(frozen=True)
class BcdElement:
    """One element of an object.

    Args:
        id: class, format and number, as the name of the key has it in hexadecimal.
        value: bytes (device), text, one GUID, GUIDs, a number, a boolean or numbers, as
            the format in the id asks for.
    """

    id: int
    value: Value

    @property
    def registry_value(self) -> RegistryValue:
        """How the store holds it. Raises ValueError when value and format do not match."""
        kind, data = _stored(self.id >> 24 & 0xF, self.value)
        return RegistryValue("Element", kind, data)


@dataclass(frozen=True)
class BcdObject:
    """One object: an application or settings that others inherit."""

    id: UUID
    type: int
    elements: tuple[BcdElement, ...] = ()


def _stored(form: int, value: Value) -> tuple[str, str | bytes | tuple[str, ...]]:
    match form, value:
        case 1, bytes():
            return "REG_BINARY", value
        case 2, str():
            return "REG_SZ", value
        case 3, UUID():
            return "REG_SZ", f"{{{value}}}"
        case 4, tuple():
            return "REG_MULTI_SZ", tuple(f"{{{item}}}" for item in value)
        case 6, bool():
            return "REG_BINARY", bytes([value])
        case 5, int() if not isinstance(value, bool):
            return "REG_BINARY", value.to_bytes(8, "little")
        case 7, tuple():
            numbers = (item for item in value if isinstance(item, int))
            return "REG_BINARY", b"".join(item.to_bytes(8, "little") for item in numbers)
    raise ValueError(f"{value!r} is no value for a BCD element of format {form}")


def store_edits(objects: Sequence[BcdObject]) -> list[RegistryEdit]:
    """A whole system store as edits of an empty hive."""
    return [
        RegistryEdit("BCD", "Description", tuple(_store_description())),
        *(edit for item in objects for edit in _object_edits(item)),
    ]


def _store_description() -> Iterator[RegistryValue]:
    # Windows loads the store of the disk it started from under this name.
    yield RegistryValue("KeyName", "REG_SZ", "BCD00000000")
    yield RegistryValue("System", "REG_DWORD", 1)
    yield RegistryValue("TreatAsSystem", "REG_DWORD", 1)


def _object_edits(item: BcdObject) -> Iterator[RegistryEdit]:
    kind = RegistryValue("Type", "REG_DWORD", item.type)
    yield RegistryEdit("BCD", rf"{_object_key(item.id)}\Description", (kind,))
    yield RegistryEdit("BCD", rf"{_object_key(item.id)}\Elements")
    for element in item.elements:
        yield RegistryEdit("BCD", element_key(item.id, element.id), (element.registry_value,))


def _object_key(guid: UUID) -> str:
    return rf"Objects\{{{guid}}}"


def element_key(guid: UUID, element: int) -> str:
    """Key of an element in a store."""
    return rf"{_object_key(guid)}\Elements\{element:08x}"
