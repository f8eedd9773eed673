"""The boot configuration store as data, against examples from real stores."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests import needs
from tests.hive_reader import read_regipy
from tests.unit.formats.bcd.plans import BIOS, DISK_GUID, LOADER, RESUME, UEFI
from winimagetools.errors import BuildError
from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.devices import locate_device, partition_device
from winimagetools.formats.bcd.elements import BcdObject, store_edits
from winimagetools.formats.bcd.store import bcd_store, locate_edits
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.model import GIB, DiskLayout, WindowsVersion

WINDOWS_10 = WindowsVersion(10, 0, 19041)


def store(
    plan: PartitionPlan, version: WindowsVersion = WINDOWS_10, *, is_server: bool = False
) -> list[BcdObject]:
    """A store with known GUIDs."""
    return bcd_store(
        plan,
        description="Windows 10",
        is_server=is_server,
        version=version,
        loader=LOADER,
        resume=RESUME,
    )


def elements(objects: list[BcdObject], guid: UUID) -> dict[int, el.Value]:
    """Elements of one object by id."""
    (found,) = (item for item in objects if item.id == guid)
    return {element.id: element.value for element in found.elements}


def test_uefi_needs_a_system_partition() -> None:
    """Without an EFI partition there is no place for the boot manager."""
    plan = PartitionPlan(DiskLayout.UEFI, GIB, UEFI.partitions[1:], disk_guid=DISK_GUID)
    with pytest.raises(BuildError, match="no partition called EFI"):
        store(plan)


def test_uefi_store() -> None:
    """Everything names partitions by GUID; the paths are those of the EFI folders."""
    objects = store(UEFI)
    esp = partition_device(UEFI, UEFI.partitions[0])
    windows = partition_device(UEFI, UEFI.windows)
    assert elements(objects, el.BOOTMGR) == {
        el.DEVICE: esp,
        el.PATH: r"\EFI\Microsoft\Boot\bootmgfw.efi",
        el.DESCRIPTION: "Windows Boot Manager",
        el.LOCALE: "en-US",
        el.INHERIT: (el.GLOBAL,),
        el.DEFAULT_OBJECT: LOADER,
        el.BOOT_MANAGER_RESUME: RESUME,
        el.DISPLAY_ORDER: (LOADER,),
        el.TOOLS_DISPLAY_ORDER: (el.MEMDIAG,),
        el.TIMEOUT: 5,
    }
    assert elements(objects, LOADER) == {
        el.DEVICE: windows,
        el.PATH: r"\Windows\system32\winload.efi",
        el.DESCRIPTION: "Windows 10",
        el.LOCALE: "en-US",
        el.INHERIT: (el.BOOT_LOADER,),
        el.ISOLATED_CONTEXT: True,
        el.ALLOWED_IN_MEMORY: (0x15000075,),
        el.OS_DEVICE: windows,
        el.SYSTEM_ROOT: r"\Windows",
        el.RESUME_OBJECT: RESUME,
        el.NX: 0,
        el.BOOT_MENU_POLICY: 1,
        el.BOOT_STATUS_POLICY: 1,
    }
    assert elements(objects, RESUME)[el.PATH] == r"\Windows\system32\winresume.efi"
    assert elements(objects, RESUME)[el.DEVICE] == windows
    assert elements(objects, el.MEMDIAG)[el.PATH] == r"\EFI\Microsoft\Boot\memtest.efi"
    assert elements(objects, el.MEMDIAG)[el.DEVICE] == esp


def test_bios_store() -> None:
    """Boot manager, loader and its Windows are searched for; there is no boot manager path."""
    objects = store(BIOS)
    manager, loader = elements(objects, el.BOOTMGR), elements(objects, LOADER)
    assert manager[el.DEVICE] == loader[el.DEVICE] == locate_device(el.PATH)
    assert loader[el.OS_DEVICE] == locate_device(el.SYSTEM_ROOT)
    assert el.PATH not in manager
    assert el.ISOLATED_CONTEXT not in loader
    assert loader[el.PATH] == r"\Windows\system32\winload.exe"
    assert elements(objects, RESUME)[el.PATH] == r"\Windows\system32\winresume.exe"
    assert elements(objects, RESUME)[el.DEVICE] == partition_device(BIOS, BIOS.windows)
    assert elements(objects, el.MEMDIAG)[el.PATH] == r"\boot\memtest.exe"


def test_windows_7_has_no_windows_8_elements() -> None:
    """Menu policies, in-memory settings and isolated context came with 6.2."""
    for plan in (UEFI, BIOS):
        objects = store(plan, WindowsVersion(6, 1, 7601))
        new = {
            el.BOOT_MENU_POLICY,
            el.RESUME_BOOT_MENU_POLICY,
            el.ALLOWED_IN_MEMORY,
            el.ISOLATED_CONTEXT,
        }
        assert not new & elements(objects, LOADER).keys()
        assert not new & elements(objects, RESUME).keys()


@pytest.mark.parametrize(
    ("version", "is_server", "policy"),
    [
        ("6.2.9200", False, 1),
        ("6.2.9200", True, 0),
        ("6.3.9600", False, 1),
        ("6.3.9600", True, 0),
        ("10.0.14393", True, 1),
        ("10.0.26100", True, 1),
        ("10.0.26100", False, 1),
    ],
)
def test_boot_menu_policy(version: str, is_server: bool, policy: int) -> None:
    """The graphical menu, but for servers 2012 and 2012 R2; loader and resume object agree."""
    for plan in (UEFI, BIOS):
        objects = store(plan, WindowsVersion.parse(version), is_server=is_server)
        assert elements(objects, LOADER)[0x250000C2] == policy
        assert elements(objects, RESUME)[0x25000008] == policy


def test_only_uefi_resume_objects_say_that_there_is_no_debugger_option() -> None:
    """Element 26000006 is off in nearly all genuine UEFI stores and in no BIOS store."""
    assert elements(store(UEFI), RESUME)[0x26000006] is False
    assert 0x26000006 not in elements(store(BIOS), RESUME)


@pytest.mark.parametrize("plan", [UEFI, BIOS], ids=["UEFI", "BIOS"])
def test_types_of_the_objects(plan: PartitionPlan) -> None:
    """What the boot manager takes each object for, as in the stores of Windows 10."""
    assert {item.id: item.type for item in store(plan)} == {
        el.BOOTMGR: 0x10100002,
        LOADER: 0x10200003,
        RESUME: 0x10200004,
        el.MEMDIAG: 0x10200005,
        el.GLOBAL: 0x20100000,
        el.DEBUGGER: 0x20100000,
        el.EMS_SETTINGS: 0x20100000,
        el.BAD_MEMORY: 0x20100000,
        el.BOOT_LOADER: 0x20200003,
        el.HYPERVISOR: 0x20200003,
        el.RESUME_LOADER: 0x20200004,
    }


def test_servers_opt_out_of_execution_prevention() -> None:
    """Data execution prevention is on for everything but what opts out."""
    assert elements(store(UEFI, is_server=True), LOADER)[el.NX] == 1


def test_fresh_guids_each_time() -> None:
    """Two stores never share their loader and resume objects."""
    guids = [
        {item.id for item in bcd_store(UEFI, description="", is_server=False, version=WINDOWS_10)}
        for _ in range(2)
    ]
    assert len(guids[0] - guids[1]) == 2


def test_new_bios_stores_already_have_the_locate_devices() -> None:
    """Changing the search order of a new disk would change nothing."""
    edits = locate_edits(LOADER)
    assert len(edits) == 3
    assert all(edit in store_edits(store(BIOS)) for edit in edits)
    assert not any(edit in store_edits(store(UEFI)) for edit in edits)


Stored = dict[UUID, dict[int | str, tuple[str, object]]]
"""Kind and data of the ``Element`` values of each object, and of its ``Type``."""


def real_store(name: str, path: Path) -> Stored:
    """A real store, read by regipy."""
    path.write_bytes(needs.genuine(f"bcd/{name}"))
    objects: Stored = {}
    for key, values in read_regipy(path, "Objects").items():
        parts = key.split("\\")
        if parts[-1] == "Description":
            objects.setdefault(UUID(parts[1]), {})["Type"] = values["Type"]
        elif len(parts) == 4:
            objects.setdefault(UUID(parts[1]), {})[int(parts[3], 16)] = values["Element"]
    return objects


def own_store(plan: PartitionPlan, loader: str, resume: str) -> Stored:
    """A store of ours with the GUIDs of a real one, as regipy would give it."""
    objects: Stored = {}
    for item in bcd_store(
        plan,
        description="Windows 10",
        is_server=False,
        version=WINDOWS_10,
        loader=UUID(loader),
        resume=UUID(resume),
    ):
        objects[item.id] = {"Type": ("REG_DWORD", item.type)}
        for element in item.elements:
            value = element.registry_value
            data = list(value.data) if isinstance(value.data, tuple) else value.data
            objects[item.id][element.id] = (value.kind, data)
    return objects


def only_in_one(own: Stored, real: Stored) -> set[tuple[UUID, int | str]]:
    """Elements of our objects that ours or the real one does not have."""
    return {(guid, element) for guid in own for element in own[guid].keys() ^ real[guid].keys()}


def changed(own: Stored, real: Stored) -> set[tuple[UUID, int | str]]:
    """Elements that both have with another kind or data; texts in any letter case."""
    return {
        (guid, element)
        for guid in own
        for element in own[guid].keys() & real[guid].keys()
        if repr(own[guid][element]).lower() != repr(real[guid][element]).lower()
    }


def test_uefi_store_against_a_real_one(tmp_path: Path) -> None:
    """Element by element what Windows 10 has, but for what it adds later and the timeout."""
    loader = UUID("e018a2d0-b134-11ea-95b2-81f0ac71b75b")
    resume = UUID("e018a2cf-b134-11ea-95b2-81f0ac71b75b")
    own = own_store(UEFI, str(loader), str(resume))
    real = real_store("uefi-win10.BCD", tmp_path / "BCD")
    added_by_windows = {
        *((guid, element) for guid in (loader, resume) for element in (0x14000008, 0x16000009)),
        (loader, 0x15000066),
    }
    assert own.keys() <= real.keys()
    assert only_in_one(own, real) == added_by_windows | {(loader, el.BOOT_STATUS_POLICY)}
    assert changed(own, real) == {(el.BOOTMGR, el.TIMEOUT)}


def test_bios_store_against_a_real_one(tmp_path: Path) -> None:
    """Same objects, elements and kinds; devices, language and timeout are others."""
    loader = UUID("378a2ab3-47dd-11eb-b08e-04d4c4592a28")
    resume = UUID("378a2ab2-47dd-11eb-b08e-04d4c4592a28")
    own = own_store(BIOS, str(loader), str(resume))
    real = real_store("bios-win10.BCD", tmp_path / "BCD")
    assert own.keys() == real.keys()
    assert only_in_one(own, real) == {(loader, el.BOOT_STATUS_POLICY), (resume, el.OS_DEVICE)}
    assert changed(own, real) == {
        *((guid, el.DEVICE) for guid in (el.BOOTMGR, loader, resume, el.MEMDIAG)),
        *((guid, el.LOCALE) for guid in (el.BOOTMGR, loader, resume, el.MEMDIAG)),
        (loader, el.OS_DEVICE),
        (el.MEMDIAG, el.DESCRIPTION),
        (el.BOOTMGR, el.TIMEOUT),
    }
    for guid, element in changed(own, real):
        assert own[guid][element][0] == real[guid][element][0]


def test_locate_devices_of_a_real_store(tmp_path: Path) -> None:
    """A real loader whose devices were set to locate has the same bytes."""
    real = real_store("uefi-locate.BCD", tmp_path / "BCD")
    loader = real[UUID("d65367c7-3fb7-11ec-8288-eab76d76405a")]
    assert loader[el.DEVICE] == ("REG_BINARY", locate_device(el.PATH))
    assert loader[el.OS_DEVICE] == ("REG_BINARY", locate_device(el.SYSTEM_ROOT))
