"""Golden images: updated once in a machine, and finished from a copy in another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.played import AGENT
from tests.integration.linux.online import check_finished, left, online_job
from winimagetools.checks.first_boot import GENERALIZED, image_state
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import DiskLayout
from winimagetools.workflows.build import new_windows_from_golden_image, new_windows_online_image

pytestmark = pytest.mark.usefixtures("clean_guests")

ORDER = ["Write the disk", "Run the stage in the virtual machine", "Make the disk small"]


@pytest.mark.parametrize("layout", list(DiskLayout))
def test_a_golden_image_and_another_made_of_it(
    layout: DiskLayout, guest_media: Callable[[DiskLayout], Path], tmp_path: Path
) -> None:
    """Updated once and kept with its answer file; then finished from a copy, byte for byte kept."""
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
