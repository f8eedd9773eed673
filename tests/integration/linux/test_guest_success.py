"""From ISO to finished image, whose Windows is played by a Linux that changes the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.linux.online import check_finished, hooked, left, online_job
from winimagetools.cli.main import main
from winimagetools.model import GIB, DiskLayout
from winimagetools.workflows.build import new_windows_online_image

pytestmark = pytest.mark.usefixtures("clean_guests")


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
