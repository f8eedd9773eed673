"""From ISO to finished image, whose Windows is played by a Linux that changes the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.boot_proof import boot
from fixtures.played import AGENT
from tests.integration.linux.online import hooked, left, online_job
from tests.needs import program
from winimagetools.checks.first_boot import GENERALIZED, image_state
from winimagetools.checks.result import State
from winimagetools.cli.main import main
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import GIB, DiskLayout
from winimagetools.workflows.build import new_windows_from_golden_image, new_windows_online_image
from winimagetools.workflows.check import check_offline_image

ORDER = ["Write the disk", "Run the stage in the virtual machine", "Make the disk small"]


@pytest.fixture(autouse=True)
def clean(guest_media: Callable[[DiskLayout], Path], request: pytest.FixtureRequest) -> None:
    """Nothing runs on and nothing stays; media are made before."""
    program("qemu-system-x86_64", "qemu-system-x86")
    for layout in DiskLayout:
        guest_media(layout)
    request.getfixturevalue("nothing_left")


def check_finished(image: Path, layout: DiskLayout) -> None:
    """All that the image itself shows, and that Windows starts in it once more."""
    faults = [item for item in check_offline_image(image).results if item.state is State.FAILED]
    assert faults == []
    with LinuxDisks().open(image, read_only=True) as disk:
        assert disk.tree.exists(AGENT)
        assert not disk.tree.exists("UnattendResources")
        assert not disk.tree.exists("Unattend.xml")
        assert image_state(disk.tree) == GENERALIZED
    proof = boot(image, "qcow2", "uefi" if layout is DiskLayout.UEFI else "bios")
    assert proof.windows == "nothing is left to do", proof.console


@pytest.mark.parametrize("layout", list(DiskLayout))
def test_from_iso_to_image(
    layout: DiskLayout, guest_media: Callable[[DiskLayout], Path], tmp_path: Path
) -> None:
    """One command: build, first start with a restart in it, verdict, shrink, convert, deliver."""
    job = hooked(
        online_job(tmp_path, guest_media(layout), layout),
        *("restart_once", "report Hook 'after the restart'"),
        at="RunBeforeWindowsUpdates",
    )
    assert main(["online-image", str(job.write())]) == 0
    assert left(job) == []
    check_finished(job.image, layout)


def test_a_golden_image_and_another_made_of_it(
    guest_media: Callable[[DiskLayout], Path], tmp_path: Path
) -> None:
    """Updated once and kept with its answer file; then finished from a copy, byte for byte kept."""
    layout = DiskLayout.UEFI
    gold = tmp_path / "gold.vhdx"
    for_gold: dict[str, object] = {
        "DEFAULT__image_path": gold,
        "DEFAULT__virtual_disk_format": "VHDX",
        "DEFAULT__image_type": "HYPER-V",
        "DEFAULT__gold_image": "True",
    }
    job = online_job(tmp_path, guest_media(layout), layout, **for_gold)
    report = new_windows_online_image(job.write())
    steps = [step.name for step in report.steps if step.name in (*ORDER, "Convert to VHDX")]
    assert steps == [*ORDER, "Convert to VHDX"]
    with LinuxDisks().open(gold, read_only=True) as disk:
        assert disk.tree.exists("Unattend.xml")
        assert not disk.tree.exists("UnattendResources")
        assert not disk.tree.exists(AGENT)
        assert image_state(disk.tree) != GENERALIZED
    before = hashlib.sha256(gold.read_bytes()).hexdigest()
    gold.chmod(0o444)
    from_gold: dict[str, object] = {"DEFAULT__gold_image_path": gold, "vm__disk_size": "3GB"}
    made = online_job(tmp_path, guest_media(layout), layout, **from_gold)
    report = new_windows_from_golden_image(made.write())
    assert report.path == made.image
    assert hashlib.sha256(gold.read_bytes()).hexdigest() == before
    assert sorted(left(made)) == ["gold.vhdx", "gold.vhdx.report"]
    check_finished(made.image, layout)


def test_wrapped_for_maas(guest_media: Callable[[DiskLayout], Path], tmp_path: Path) -> None:
    """Shrunk, converted, then packed: in the order of the PowerShell tools."""
    layout = DiskLayout.BIOS
    options: dict[str, object] = {
        "DEFAULT__image_path": tmp_path / "win.tar.gz",
        "DEFAULT__image_type": "MAAS",
        "DEFAULT__virtual_disk_format": "RAW",
        "DEFAULT__compression_format": "tar.gz",
        "vm__disk_size": "3GB",
    }
    job = online_job(tmp_path, guest_media(layout), layout, **options)
    report = new_windows_online_image(job.write())
    names = [step.name for step in report.steps]
    assert names[-2:] == ["Compress as tar.gz", "Deliver the image"]
    assert names.index("Make the disk small") < names.index("Compress as tar.gz")
    assert report.size < GIB


def test_a_hook_that_powers_off_when_all_is_done(
    guest_media: Callable[[DiskLayout], Path], tmp_path: Path
) -> None:
    """Who pressed the button does not matter: the disk shows that the image is finished."""
    layout = DiskLayout.UEFI
    job = hooked(
        online_job(tmp_path, guest_media(layout), layout),
        *("remove_traces $windows/Unattend.xml", "power_off"),
        at="RunAfterSysprep",
    )
    report = new_windows_online_image(job.write())
    assert report.path == job.image
    assert left(job) == []
