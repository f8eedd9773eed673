"""The registry edits of the virtio storage drivers, applied to real SYSTEM hives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from regipy import registry

from fixtures import virtio
from tests import needs
from tests.hive_reader import read_raw
from tests.unit.fakes import MemorySource
from winimagetools.host.linux.hive_edit import apply_edits
from winimagetools.image.drivers.virtio import plan_virtio_drivers
from winimagetools.image.servicing import first_boot_registry_edits
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import DriverPlan, ImageInfo, RegistryEdit, RegistryValue

HIVES = {
    "hives/SYSTEM.win7-x86.xz": (WindowsVersion(6, 1, 7601), Architecture.X86, "0.1.189"),
    "hives/SYSTEM.win10-x64.xz": (WindowsVersion(10, 0, 19045), Architecture.AMD64, "0.1.285"),
}
CONTROL_SET = "ControlSet001"
"""What ``Select`` names as Current and Default in both hives."""


def plan(name: str) -> DriverPlan:
    """The virtio drivers for the Windows a hive is from."""
    version, architecture, release = HIVES[name]
    source = MemorySource(virtio.virtio_files(release))
    return plan_virtio_drivers(source, ImageInfo(version, architecture, "Client"))


def open_hive(path: Path) -> Any:
    """A hive for regipy, which has no types."""
    untyped: Any = registry
    return untyped.RegistryHive(str(path))


def real_key(edit: RegistryEdit) -> str:
    """The key of an edit with the control set that is the current one."""
    return edit.key.replace("CurrentControlSet", CONTROL_SET)


def as_regipy(value: RegistryValue) -> object:
    """The data of a value as regipy shows it."""
    if isinstance(value.data, bytes):
        return value.data.hex()
    return list(value.data) if isinstance(value.data, tuple) else value.data


@pytest.fixture(params=list(HIVES), ids=["win7-x86", "win10-x64"])
def applied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, bytes, Path]:
    """Name, content before, and path of a real hive that the edits were applied to."""
    name = str(request.param)
    before = needs.genuine(name)
    path = tmp_path / "SYSTEM"
    path.write_bytes(before)
    assert apply_edits(path, plan(name).registry)
    return name, before, path


def test_every_value_is_there(applied: tuple[str, bytes, Path]) -> None:
    """An independent reader finds every key and value, with kind and data."""
    name, _, path = applied
    hive = open_hive(path)
    edits = plan(name).registry
    assert len(edits) == (18 if "win7" in name else 36)
    for edit in edits:
        key = hive.get_key(f"\\{real_key(edit)}")
        found = {
            value.name: (value.value_type, value.value) for value in key.iter_values(as_json=True)
        }
        for value in edit.values:
            assert found[value.name or "(default)"] == (value.kind, as_regipy(value)), edit.key


def test_nothing_else_changed(applied: tuple[str, bytes, Path]) -> None:
    """Only the planned keys and their parents are new; no other key or value differs."""
    name, before, path = applied
    old, new = read_raw(before), read_raw(path.read_bytes())
    planned: dict[str, set[str]] = {}
    for edit in plan(name).registry:
        names = planned.setdefault(real_key(edit).casefold(), set())
        names.update(value.name.casefold() for value in edit.values)
    parents = {"\\".join(key.split("\\")[:depth]) for key in planned for depth in range(1, 12)}
    assert {key.casefold() for key in new} - {key.casefold() for key in old} <= parents
    assert set(old) <= set(new)
    for key, value in old.items():
        ours = planned.get(key.casefold(), set())
        kept = [
            {name: data for name, data in item.values.items() if name.casefold() not in ours}
            for item in (value, new[key])
        ]
        assert kept[0] == kept[1], key
        assert value.security == new[key].security, key


def test_applied_twice(applied: tuple[str, bytes, Path]) -> None:
    """Applying the plan again changes no byte."""
    name, _, path = applied
    once = path.read_bytes()
    assert not apply_edits(path, plan(name).registry)
    assert path.read_bytes() == once


SERVER_2025 = ImageInfo(WindowsVersion(10, 0, 26100), Architecture.AMD64, "Server")


def test_device_encryption(tmp_path: Path) -> None:
    """The setting for 24H2 lands in the current control set."""
    path = tmp_path / "SYSTEM"
    path.write_bytes(needs.genuine("hives/SYSTEM.win10-x64.xz"))
    assert apply_edits(path, first_boot_registry_edits(SERVER_2025))
    key = open_hive(path).get_key(rf"\{CONTROL_SET}\Control\BitLocker")
    assert key.get_value("PreventDeviceEncryption") == 1
