"""Boot configuration stores written through libhivex, read by regipy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from uuid import UUID

import pytest

from tests import needs
from tests.hive_reader import read_raw, read_regipy
from tests.integration.linux.plans import BIOS, UEFI
from winimagetools.errors import MediaError
from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.devices import locate_device
from winimagetools.formats.bcd.elements import BcdElement, BcdObject, store_edits
from winimagetools.formats.bcd.store import bcd_store
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.formats.registry_values import encode, type_number
from winimagetools.host.linux.bcd import use_locate_devices, write_bcd
from winimagetools.model import WindowsVersion


def store(plan: PartitionPlan) -> list[BcdObject]:
    """A store for Windows Server."""
    version = WindowsVersion(10, 0, 20348)
    return bcd_store(plan, description="Windows Server", is_server=True, version=version)


def below(keys: Iterable[str], tops: Collection[str]) -> set[str]:
    """The keys that are among, or below one of, ``tops``."""
    return {key for key in keys if "\\".join(key.split("\\")[:2]) in tops}


@pytest.mark.parametrize("plan", [UEFI, BIOS], ids=["UEFI", "BIOS"])
def test_a_store_holds_its_objects_and_nothing_else(plan: PartitionPlan, tmp_path: Path) -> None:
    """Every key and every byte of every value, by a reader that is not libhivex."""
    path = tmp_path / "EFI" / "BCD"
    objects = store(plan)
    write_bcd(path, objects)
    found = read_raw(path.read_bytes())
    expected = {
        edit.key: {value.name: (type_number(value.kind), encode(value)) for value in edit.values}
        for edit in store_edits(objects)
    }
    parents = {"", "Objects", *(rf"Objects\{{{item.id}}}" for item in objects)}
    assert {key: item.values for key, item in found.items()} == expected | {
        key: {} for key in parents
    }
    assert list(path.parent.iterdir()) == [path]


def test_regipy_reads_a_store(tmp_path: Path) -> None:
    """Kinds and data as another reader shows them."""
    path = tmp_path / "BCD"
    write_bcd(path, store(UEFI))
    found = read_regipy(path)
    manager = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
    assert found["Description"] == {
        "KeyName": ("REG_SZ", "BCD00000000"),
        "System": ("REG_DWORD", 1),
        "TreatAsSystem": ("REG_DWORD", 1),
    }
    assert found[rf"{manager}\Description"] == {"Type": ("REG_DWORD", 0x10100002)}
    assert found[rf"{manager}\Elements\12000004"] == {"Element": ("REG_SZ", "Windows Boot Manager")}
    assert found[rf"{manager}\Elements\14000006"] == {
        "Element": ("REG_MULTI_SZ", ["{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}"])
    }
    assert found[rf"{manager}\Elements\25000004"] == {
        "Element": ("REG_BINARY", b"\5\0\0\0\0\0\0\0")
    }


@pytest.mark.parametrize(
    ("plan", "name"), [(UEFI, "uefi-win10.BCD"), (BIOS, "bios-win10.BCD")], ids=["UEFI", "BIOS"]
)
def test_keys_of_known_objects_are_those_of_a_real_store(
    plan: PartitionPlan, name: str, tmp_path: Path
) -> None:
    """Empty keys included: the same keys in the same spelling below well-known objects."""
    path = tmp_path / "BCD"
    write_bcd(path, store(plan))
    own, real = read_raw(path.read_bytes()), read_raw(needs.genuine(f"bcd/{name}"))
    known = {key for key in own if key.count("\\") == 1} & real.keys()
    assert len(known) == 9
    assert below(own, known) == below(real, known)


def test_an_older_store_is_replaced(tmp_path: Path) -> None:
    """Nothing of it stays."""
    path = tmp_path / "BCD"
    write_bcd(path, [BcdObject(UUID(int=9), 0x10200003, (BcdElement(el.PATH, "old"),))])
    write_bcd(path, [])
    assert read_raw(path.read_bytes()).keys() == {"", "Description"}


def test_locate_devices_of_a_real_store(tmp_path: Path) -> None:
    """Three elements change and no other key, and the second time nothing does."""
    path = tmp_path / "BCD"
    path.write_bytes(needs.genuine("bcd/bios-win10.BCD"))
    before = read_raw(path.read_bytes())
    assert use_locate_devices(path) is True
    after = read_raw(path.read_bytes())
    manager = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements"
    loader = r"Objects\{378a2ab3-47dd-11eb-b08e-04d4c4592a28}\Elements"
    changed = {key for key in before if before[key] != after[key]}
    assert before.keys() == after.keys()
    assert changed == {rf"{manager}\11000001", rf"{loader}\11000001", rf"{loader}\21000001"}
    for key, element in (
        (rf"{manager}\11000001", el.PATH),
        (rf"{loader}\11000001", el.PATH),
        (rf"{loader}\21000001", el.SYSTEM_ROOT),
    ):
        assert after[key].values == {"Element": (3, locate_device(element))}
    once = path.read_bytes()
    assert use_locate_devices(path) is False
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    "default",
    [[], [BcdObject(el.BOOTMGR, 0x10100002, (BcdElement(el.TIMEOUT, 5),))]],
    ids=["empty", "no default"],
)
def test_a_store_without_default_entry_is_refused(default: list[BcdObject], tmp_path: Path) -> None:
    """It is unknown which Windows to change."""
    path = tmp_path / "BCD"
    write_bcd(path, default)
    with pytest.raises(MediaError, match="has no default entry"):
        use_locate_devices(path)


def test_a_dirty_store_is_refused(tmp_path: Path) -> None:
    """Its log files hold changes that would be lost."""
    path = tmp_path / "BCD"
    path.write_bytes(b"regf" + bytes(8188))
    with pytest.raises(MediaError, match="BCD"):
        use_locate_devices(path)
