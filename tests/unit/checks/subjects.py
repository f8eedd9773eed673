"""Images to be checked that are made of facts and files in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from fixtures import hives, regf
from fixtures.pe import image as pe_image
from fixtures.releases import RELEASES
from fixtures.virtio import package_files
from tests.unit.fakes import MemoryTree
from winimagetools.checks.subject import Subject
from winimagetools.contract import RawVolume
from winimagetools.formats.bcd.elements import store_edits
from winimagetools.formats.bcd.store import bcd_store
from winimagetools.formats.partition_table import Partition, PartitionPlan
from winimagetools.formats.registry_values import encode, type_number
from winimagetools.found import DiskFacts, PartitionFacts, VolumeFacts
from winimagetools.image.request import AgentOptions, DriverPaths, Request
from winimagetools.model import GIB, MIB, Architecture, DiskFormat, DiskLayout, ImageType
from winimagetools.plan import InstalledDriver, RegistryEdit, RegistryValue

CLOUDBASE = r"Program Files\Cloudbase Solutions\Cloudbase-Init\Python\python.exe"
RELEASE = RELEASES["2022"]
EDITION = RELEASE.edition("ServerStandard")
EFI, WINDOWS, DISK = UUID(int=11), UUID(int=12), UUID(int=13)
SIGNATURE = 0x1BADB002
"""What the stores here name."""
UEFI_PLAN = PartitionPlan(
    DiskLayout.UEFI,
    20 * GIB,
    (
        Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", EFI),
        Partition("Windows", 329 * MIB, 19 * GIB, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", WINDOWS),
    ),
    disk_guid=DISK,
)
BIOS_PLAN = PartitionPlan(
    DiskLayout.BIOS, 20 * GIB, (Partition("Windows", MIB, 19 * GIB, "07"),), signature=SIGNATURE
)


def store(layout: DiskLayout, plan: PartitionPlan | None = None) -> bytes:
    """A boot configuration, written without libhivex."""
    plan = plan or (UEFI_PLAN if layout is DiskLayout.UEFI else BIOS_PLAN)
    objects = bcd_store(plan, description="Windows Server", is_server=True, version=RELEASE.version)
    return hive_of(store_edits(objects))


def hive_of(edits: list[RegistryEdit]) -> bytes:
    """A hive with nothing but these edits."""
    root = regf.Key("ROOT")
    for edit in edits:
        key = root.make(edit.key)
        key.values |= {value.name: stored(value) for value in edit.values}
    return regf.dump(root, file_name="BCD")


def stored(value: RegistryValue) -> regf.Value:
    """A value as a hive holds it."""
    return regf.Value(type_number(value.kind), encode(value))


def facts(layout: DiskLayout = DiskLayout.UEFI, **changes: Any) -> DiskFacts:
    """A sound disk, with changes."""
    uefi = layout is DiskLayout.UEFI
    plan = UEFI_PLAN if uefi else BIOS_PLAN
    windows = plan.windows
    volume = VolumeFacts(
        windows.size - 512, 5 * GIB, 4096, windows.size, True, False, windows.start // 512
    )
    names = ("EFI/Microsoft/Boot/bootmgfw.efi", "EFI/Boot/bootx64.efi", "EFI/Microsoft/Boot/BCD")
    sound = DiskFacts(
        container=DiskFormat.QCOW2,
        size=plan.size,
        sector=512,
        layout=layout,
        identifier=str(DISK) if uefi else f"{SIGNATURE:08x}",
        partitions=tuple(
            PartitionFacts(
                number,
                part.start,
                part.size,
                part.type,
                str(part.guid or ""),
                role=part.name,
                active=not uefi,
            )
            for number, part in enumerate(plan.partitions, 1)
        ),
        table_problems=(),
        volume=volume,
        boot_files=names if uefi else ("bootmgr", "Boot/BCD"),
        boot_store=store(layout),
    )
    return replace(sound, **changes)


def files(**more: bytes) -> dict[str, bytes]:
    """The files of a finished Windows Server 2022; names with ``__`` for backslashes."""
    config = r"Windows\System32\config"
    return {
        CLOUDBASE: b"",
        r"Windows\System32\ntdll.dll": pe_image(
            Architecture.AMD64, RELEASE.version, "ntdll.dll", dll=True
        ),
        r"Windows\System32\winload.efi": b"",
        r"Windows\System32\winload.exe": b"",
        rf"{config}\SYSTEM": hives.system(RELEASE, Architecture.AMD64, EDITION),
        rf"{config}\SOFTWARE": hives.software(RELEASE, EDITION),
        **{name.replace("__", "\\"): data for name, data in more.items()},
    }


def signed_driver(release: str, windows: str) -> bytes:
    """A viostor.sys that Microsoft signed for a Windows."""
    package = package_files("viostor", release, "viostor", windows, "amd64")
    return next(data for name, data in package.items() if name.endswith(".sys"))


VIOSTOR = signed_driver("0.1.285", "2k22")


def storage(
    start: int = 0, *, registered: bool = True, binary: bytes = VIOSTOR
) -> dict[str, bytes]:
    """SYSTEM with viostor, and its binary."""
    root = regf.Key("ROOT")
    root.make("Select").values["Current"] = regf.dword(1)
    key = root.make(r"ControlSet001\Services\viostor")
    key.values["Start"] = regf.dword(start)
    key.values["ImagePath"] = regf.sz(r"\SystemRoot\System32\drivers\viostor.sys")
    if registered:
        root.make(r"DriverDatabase\DeviceIds\PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00")
    content = {r"Windows\System32\config\SYSTEM": regf.dump(root, file_name="SYSTEM")}
    return {**content, **({r"Windows\System32\drivers\viostor.sys": binary} if binary else {})}


def request(**asked: Any) -> Request:
    """What a configuration asks for, as far as checks look at it."""
    known = {
        "image_type": ImageType.KVM,
        "layout": DiskLayout.UEFI,
        "edition": "Windows Server 2022 SERVERSTANDARD",
        "install_maas_hooks": False,
        "drivers": DriverPaths(),
        "agent": AgentOptions(),
    }
    return cast(Request, SimpleNamespace(**{**known, **asked}))


def subject(
    content: Mapping[str, bytes] | None = None,
    disk_facts: DiskFacts | None = None,
    asked: Request | None = None,
    drivers: tuple[InstalledDriver, ...] = (),
    name: str = "win.qcow2",
    container: DiskFormat = DiskFormat.QCOW2,
    volume: RawVolume | None = None,
    thorough: bool = False,
) -> Subject:
    """An image; a finished one by default."""
    tree = MemoryTree(files() if content is None else content)
    path, known = Path(name), disk_facts or facts()
    return Subject(path, path, container, tree, drivers, known, asked, volume, thorough)
