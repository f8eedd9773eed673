"""The stand-in guest on BIOS: what is said and kept, going on after a failure, two at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.boot_proof import boot
from tests.integration.linux.build import Job
from tests.integration.linux.online import (
    LOG,
    evidence,
    fail,
    hooked,
    left,
    online_job,
    reports,
    start,
)
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.errors import RequestError
from winimagetools.model import DiskLayout
from winimagetools.workflows.build import BuildReport
from winimagetools.workflows.resume import resume_image

PATIENCE = 300
"""Seconds after which a test gives up; it measures nothing."""
ONCE = """
if [ ! -e $resources/tried ]; then
    echo > $resources/tried
    fail 'No network.'
fi
"""


@pytest.fixture(scope="module")
def medium(guest_media: Callable[[DiskLayout], Path]) -> Path:
    """An ISO with the guest."""
    program("qemu-system-x86_64", "qemu-system-x86")
    return guest_media(DiskLayout.BIOS)


@pytest.fixture(autouse=True)
def clean(medium: Path, nothing_left: Path) -> None:
    """Nothing runs on and nothing stays."""


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (["power_off"], r"is not finished .*\\UnattendResources is still there\."),
        (["restart_once", "exit 1"], r"reported a failure: .*ended with exit code 1"),
    ],
    ids=["power-off", "hook-fails-after-a-restart"],
)
def test_what_is_said_and_kept(
    orders: list[str], message: str, medium: Path, tmp_path: Path
) -> None:
    """As with UEFI."""
    job = hooked(online_job(tmp_path, medium, DiskLayout.BIOS), *orders)
    error = fail(job)
    folder = evidence(job)
    assert re.search(message, error.message)
    restarts = sum(stage == "StatusInitial" for stage, _ in reports(folder)) - 1
    assert restarts == orders.count("restart_once")
    assert (folder / LOG).read_bytes().count(b"StatusInitial") == 1 + restarts


def test_going_on_after_a_failure(medium: Path, tmp_path: Path) -> None:
    """What failed once is mended or passes by: the machine starts again and the image is made."""
    job = hooked(online_job(tmp_path, medium, DiskLayout.BIOS), ONCE)
    error = fail(job)
    folder = evidence(job)
    assert "reported a failure: No network." in error.message
    report = resume_image(folder)
    assert report.path == job.image
    check_report(job, report)
    assert boot(job.image, "qcow2", "bios").windows == "nothing is left to do"
    with pytest.raises(RequestError, match=r"win\.raw is gone"):
        resume_image(folder)


def check_report(job: Job, report: BuildReport) -> None:
    """It has what was read and done before the failure, what was done now, and it is verified."""
    folder = job.image.with_name("win.qcow2.report")
    assert report.report == folder
    record = json.loads((folder / "report.json").read_text())
    assert "wim_file_path" in [item["role"] for item in record["inputs"]]
    assert (record["image"]["size"], record["image"]["sha256"]) == (report.size, report.sha256)
    assert record["image"]["sha256"] == hashlib.sha256(job.image.read_bytes()).hexdigest()
    assert record["image"]["partitions"]
    names = [step["name"] for step in record["steps"] if step["depth"] == 0]
    before = names.index("Write the disk")
    assert before < names.index("Run the stage in the virtual machine")
    assert any("first start of this image failed" in text for text in record["warnings"])
    for item in record["pictures"]:
        assert (folder / item["file"]).is_file()
    assert main(["verify", str(job.image)]) == 0


def test_two_builds_at_once(medium: Path, tmp_path: Path) -> None:
    """In one folder, of one medium: both finish, and nothing of either is left."""
    jobs = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.d").mkdir()
        options: dict[str, object] = {"DEFAULT__image_path": tmp_path / f"{name}.qcow2"}
        jobs.append(online_job(tmp_path / f"{name}.d", medium, DiskLayout.BIOS, **options))
    for process in [start(job) for job in jobs]:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    assert {item.name for item in tmp_path.iterdir()} == {
        *("one.d", "one.qcow2", "one.qcow2.report", "two.d", "two.qcow2", "two.qcow2.report")
    }
    assert [left(job) for job in jobs] == [[], []]
