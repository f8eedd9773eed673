"""The store of a new disk: which objects it has and what each says.

What Windows 10 writes was read element by element from genuine stores; the policies of
older releases are those of Microsoft's "BCDEdit /set" and "BcdLibrary" pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from winimagetools.errors import BuildError
from winimagetools.facts.releases import BCD_OF_WINDOWS_8, GRAPHICAL_MENU_ON_SERVERS
from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.devices import locate_device, partition_device
from winimagetools.formats.bcd.elements import BcdElement, BcdObject, element_key
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.model import DiskLayout, WindowsVersion
from winimagetools.plan import RegistryEdit

_BOOT_MANAGER_TYPE = 0x10100002
_LOADER_TYPE = 0x10200003
_RESUME_TYPE = 0x10200004
_MEMDIAG_TYPE = 0x10200005
_ANY_SETTINGS = 0x20100000
_LOADER_SETTINGS = 0x20200003
_RESUME_SETTINGS = 0x20200004
_TIMEOUT_SECONDS = 5
_IN_MEMORY_SETTINGS = (0x15000075,)
_IGNORE_ALL_FAILURES = 1
_LEGACY_MENU, _STANDARD_MENU = 0, 1
_OPT_IN, _OPT_OUT = 0, 1


def bcd_store(
    plan: PartitionPlan,
    *,
    description: str,
    is_server: bool,
    version: WindowsVersion,
    locale: str = "en-US",
    loader: UUID | None = None,
    resume: UUID | None = None,
) -> list[BcdObject]:
    """All objects of a system store that starts the Windows partition of ``plan``.

    UEFI stores name partitions by their GUIDs, as bcdboot does. BIOS stores let the boot
    manager and the loader search for their volume, as the PowerShell tools set them afterwards,
    because clouds change disk signatures.

    Args:
        plan: the partitions; on UEFI the one called ``EFI`` is the system partition.
        description: name in the boot menu, see :func:`~winimagetools.facts.releases.menu_name`.
        is_server: servers run with data execution prevention for everything (OptOut).
        version: boot menu policy and in-memory settings exist from 6.2 on.
        locale: language of the boot manager's messages, such as ``en-US``.
        loader: GUID of the loader object; a fresh one by default.
        resume: GUID of the object that resumes from hibernation; a fresh one by default.
    """
    names = _Names(plan, description, locale, loader or uuid4(), resume or uuid4())
    return [
        _boot_manager(names),
        _loader(names, version, is_server),
        _resume(names, version, is_server),
        _memory_test(names),
        *_settings(),
    ]


@dataclass(frozen=True)
class _Names:
    """What the objects of one store have in common."""

    plan: PartitionPlan
    description: str
    locale: str
    loader: UUID
    resume: UUID

    @property
    def uefi(self) -> bool:
        return self.plan.layout is DiskLayout.UEFI

    @property
    def suffix(self) -> str:
        return "efi" if self.uefi else "exe"

    @property
    def windows(self) -> bytes:
        return partition_device(self.plan, self.plan.windows)

    @property
    def system(self) -> bytes:
        if not self.uefi:
            return self.windows
        for partition in self.plan.partitions:
            if partition.name == "EFI":
                return partition_device(self.plan, partition)
        raise BuildError("The UEFI disk has no partition called EFI.")

    def head(self, path: str, description: str, inherit: UUID) -> Iterator[BcdElement]:
        if path:
            yield BcdElement(el.PATH, path)
        yield BcdElement(el.DESCRIPTION, description)
        yield BcdElement(el.LOCALE, self.locale)
        yield BcdElement(el.INHERIT, (inherit,))


def _boot_manager(names: _Names) -> BcdObject:
    path = r"\EFI\Microsoft\Boot\bootmgfw.efi" if names.uefi else ""
    elements = (
        BcdElement(el.DEVICE, names.system if names.uefi else locate_device(el.PATH)),
        *names.head(path, "Windows Boot Manager", el.GLOBAL),
        BcdElement(el.DEFAULT_OBJECT, names.loader),
        BcdElement(el.BOOT_MANAGER_RESUME, names.resume),
        BcdElement(el.DISPLAY_ORDER, (names.loader,)),
        BcdElement(el.TOOLS_DISPLAY_ORDER, (el.MEMDIAG,)),
        BcdElement(el.TIMEOUT, _TIMEOUT_SECONDS),
    )
    return BcdObject(el.BOOTMGR, _BOOT_MANAGER_TYPE, elements)


def _loader(names: _Names, version: WindowsVersion, is_server: bool) -> BcdObject:
    path = rf"\Windows\system32\winload.{names.suffix}"
    elements = (
        BcdElement(el.DEVICE, names.windows if names.uefi else locate_device(el.PATH)),
        *names.head(path, names.description, el.BOOT_LOADER),
        *_since_windows_8(names, version),
        *_menu_policy(el.BOOT_MENU_POLICY, version, is_server),
        BcdElement(el.OS_DEVICE, names.windows if names.uefi else locate_device(el.SYSTEM_ROOT)),
        BcdElement(el.SYSTEM_ROOT, r"\Windows"),
        BcdElement(el.RESUME_OBJECT, names.resume),
        BcdElement(el.NX, _OPT_OUT if is_server else _OPT_IN),
        BcdElement(el.BOOT_STATUS_POLICY, _IGNORE_ALL_FAILURES),
    )
    return BcdObject(names.loader, _LOADER_TYPE, elements)


def _resume(names: _Names, version: WindowsVersion, is_server: bool) -> BcdObject:
    path = rf"\Windows\system32\winresume.{names.suffix}"
    elements = [
        BcdElement(el.DEVICE, names.windows),
        *names.head(path, "Windows Resume Application", el.RESUME_LOADER),
        *_since_windows_8(names, version),
        BcdElement(el.OS_DEVICE, names.windows),
        BcdElement(el.HIBERNATION_FILE, r"\hiberfil.sys"),
        *_menu_policy(el.RESUME_BOOT_MENU_POLICY, version, is_server),
    ]
    if names.uefi:
        # 14 of 15 genuine UEFI stores have it, BIOS stores do not.
        elements.append(BcdElement(el.RESUME_DEBUG_OPTION, False))
    return BcdObject(names.resume, _RESUME_TYPE, tuple(elements))


def _menu_policy(element: int, version: WindowsVersion, is_server: bool) -> Iterator[BcdElement]:
    """The graphical menu of Windows 8, which servers took over only with Windows Server 2016."""
    if BCD_OF_WINDOWS_8.is_in(version):
        legacy = is_server and not GRAPHICAL_MENU_ON_SERVERS.is_in(version)
        yield BcdElement(element, _LEGACY_MENU if legacy else _STANDARD_MENU)


def _since_windows_8(names: _Names, version: WindowsVersion) -> Iterator[BcdElement]:
    if BCD_OF_WINDOWS_8.is_in(version):
        if names.uefi:
            yield BcdElement(el.ISOLATED_CONTEXT, True)
        yield BcdElement(el.ALLOWED_IN_MEMORY, _IN_MEMORY_SETTINGS)


def _memory_test(names: _Names) -> BcdObject:
    path = r"\EFI\Microsoft\Boot\memtest.efi" if names.uefi else r"\boot\memtest.exe"
    elements = (
        BcdElement(el.DEVICE, names.system),
        *names.head(path, "Windows Memory Diagnostic", el.GLOBAL),
        BcdElement(el.ALLOW_BAD_MEMORY, True),
    )
    return BcdObject(el.MEMDIAG, _MEMDIAG_TYPE, elements)


def _settings() -> Iterator[BcdObject]:
    def settings(guid: UUID, kind: int, *elements: BcdElement) -> BcdObject:
        return BcdObject(guid, kind, elements)

    yield settings(
        el.GLOBAL,
        _ANY_SETTINGS,
        BcdElement(el.INHERIT, (el.DEBUGGER, el.EMS_SETTINGS, el.BAD_MEMORY)),
    )
    yield settings(
        el.BOOT_LOADER, _LOADER_SETTINGS, BcdElement(el.INHERIT, (el.GLOBAL, el.HYPERVISOR))
    )
    yield settings(el.RESUME_LOADER, _RESUME_SETTINGS, BcdElement(el.INHERIT, (el.GLOBAL,)))
    yield settings(
        el.HYPERVISOR,
        _LOADER_SETTINGS,
        BcdElement(el.HYPERVISOR_DEBUG_TYPE, 0),
        BcdElement(el.HYPERVISOR_DEBUG_PORT, 1),
        BcdElement(el.HYPERVISOR_BAUD_RATE, 115200),
    )
    yield settings(el.DEBUGGER, _ANY_SETTINGS, BcdElement(el.DEBUG_TYPE, 4))
    yield settings(el.EMS_SETTINGS, _ANY_SETTINGS, BcdElement(el.EMS, False))
    yield settings(el.BAD_MEMORY, _ANY_SETTINGS)


def locate_edits(default: UUID) -> list[RegistryEdit]:
    """Edits that let the boot manager and the loader ``default`` search for their volumes."""
    devices = (
        (el.BOOTMGR, el.DEVICE, el.PATH),
        (default, el.DEVICE, el.PATH),
        (default, el.OS_DEVICE, el.SYSTEM_ROOT),
    )
    return [
        RegistryEdit(
            "BCD",
            element_key(guid, device),
            (BcdElement(device, locate_device(path)).registry_value,),
        )
        for guid, device, path in devices
    ]
