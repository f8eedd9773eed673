"""What was decided is what is done: a plan beside the image that was built from it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import virtio
from tests.files import write_files
from tests.hive_reader import read_raw
from tests.integration.linux.build import Job
from tests.integration.linux.test_driver_image import Volume
from tests.unit.fakes import FakeFetcher, MemoryTree
from winimagetools.formats.registry_values import encode, type_number
from winimagetools.host import select_host
from winimagetools.host.carry_out import change_files
from winimagetools.image.describe import describe
from winimagetools.image.request import Workflow
from winimagetools.plan import BuildPlan, EditRegistry
from winimagetools.workflows.prepare import plan_from_medium, prepare

CONTROL_SET = "ControlSet001"
BOOT_FILES = ("bootmgr", "bootnxt", "boot/")
"""What making a BIOS disk bootable puts beside Windows."""
RECYCLED = "$recycle.bin"
"""wimlib-imagex leaves it out when it captures a volume."""


@dataclass(frozen=True)
class Built:
    """A plan, what it puts into a volume, and the volume that was made."""

    plan: BuildPlan
    planned: Mapping[str, bytes]
    volume: Volume
    before: frozenset[str]
    after: frozenset[str]


def paths_in(wim: Path, folder: str = "/") -> frozenset[str]:
    """Files and folders of the first image, in lower case, without the leading slash."""
    argv = ["wimlib-imagex", "dir", str(wim), "1"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return frozenset(line[1:].casefold() for line in done.stdout.splitlines() if line != folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Built:
    """Server 2022 for BIOS with a bit of everything, planned and then built."""
    folder = tmp_path_factory.mktemp("planned")
    inputs = write_files(
        tmp_path_factory.mktemp("inputs"),
        {"scripts/RunBeforeSysprep.ps1": b"exit 0", "kb1.msu": b"update"},
    )
    iso = virtio.write_iso(inputs / "virtio-win.iso", "0.1.285")
    options = {
        "DEFAULT.disk_layout": "BIOS",
        "DEFAULT.custom_scripts_path": inputs / "scripts",
        "DEFAULT.extra_features": "TelnetClient",
        "DEFAULT.extra_packages": inputs / "kb1.msu",
        "drivers.virtio_iso_path": iso,
        "custom.install_qemu_ga": "True",
        "virtio_qemu_guest_agent.source": "iso",
    }
    job = Job(folder, install_wim, options)
    with ExitStack() as opened:
        prepared = prepare(Workflow.CLOUD, select_host(), job.write(), (), False, opened)
        _, _, plan = plan_from_medium(prepared, opened)
        tree = MemoryTree()
        change_files(tree, plan.files, FakeFetcher(folder))
    assert job.build() == 0
    work = tmp_path_factory.mktemp("volume")
    volume = Volume(job.image, work)
    captured = work / "volume.wim"
    argv = ["wimlib-imagex", "capture", str(work / "volume.ntfs"), str(captured), "--compress=none"]
    subprocess.run(argv, check=True, capture_output=True)
    return Built(plan, tree.content, volume, paths_in(install_wim), paths_in(captured))


def test_what_was_planned_is_there(built: Built) -> None:
    """Every file, with the bytes the plan has for it."""
    assert len(built.planned) > 60
    for path, data in built.planned.items():
        assert built.volume.read(f"/{path}") == data, path


def test_nothing_else_was_added(built: Built) -> None:
    """Beside the image, the plan and the boot files there is nothing, and nothing is gone."""
    planned = {path.casefold() for path in built.planned}
    folders = {path.rsplit("/", depth)[0] for path in planned for depth in range(1, 9)}
    added = {
        path
        for path in built.after - built.before - planned - folders
        if not f"{path}/".startswith(BOOT_FILES) and path not in BOOT_FILES
    }
    assert added == set()
    assert built.before - {RECYCLED} <= built.after


def test_the_registry_was_edited_as_planned(built: Built) -> None:
    """Every value of every planned edit, read with a reader that shares no code with the writer."""
    edits = [
        edit for step in built.plan.offline if isinstance(step, EditRegistry) for edit in step.edits
    ]
    assert len(edits) > 20
    keys = read_raw(built.volume.read("/Windows/System32/config/SYSTEM"))
    for edit in edits:
        found = keys[edit.key.replace("CurrentControlSet", CONTROL_SET)].values
        for value in edit.values:
            wanted = (type_number(value.kind), encode(value))
            assert found[value.name] == wanted, (edit.key, value.name)


def test_the_plan_says_it(built: Built) -> None:
    """The dry run names every driver with folder and version, and what the guest does."""
    lines = describe(built.plan)
    (drivers,) = built.plan.drivers
    for package in drivers.packages:
        folder = package.inf.rpartition("/")[0]
        assert [
            line
            for line in lines
            if line.split()[:1] == [package.name] and f"{package.version} from {folder}" in line
        ], package
    agent = f"copy guest-agent/qemu-ga-x86_64.msi from {drivers.source.name}"
    assert [line for line in lines if agent in line]
    assert [line for line in lines if "/Enable-Feature /FeatureName:TelnetClient" in line]
    assert [line for line in lines if "wusa.exe" in line and "kb1.msu" in line]
