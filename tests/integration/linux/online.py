"""Online builds whose Windows is the stand-in guest, for the tests of several files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.boot_proof import boot
from fixtures.played import AGENT
from tests.integration.linux.build import Job
from winimagetools.checks.first_boot import GENERALIZED, image_state
from winimagetools.checks.result import State
from winimagetools.errors import BuildError
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import DiskLayout
from winimagetools.workflows.build import new_windows_online_image
from winimagetools.workflows.check import check_offline_image

EVIDENCE = {
    "win.raw",
    "firmware.log",
    "from-disk",
    "qemu-command.txt",
    "qmp.log",
    "report-so-far.json",
    "resume.json",
    "reports.jsonl",
    "serial.log",
}
"""What is kept of a run that failed, beside pictures."""
LOG = Path("from-disk", "UnattendResources", "image-generation-log.txt")


def online_job(folder: Path, medium: Path, layout: DiskLayout, **options: object) -> Job:
    """A QCOW2 image for KVM that is made without it, and given up after minutes of silence.

    Args:
        folder: everything is in it.
        medium: with the guest for that firmware.
        layout: of the disk.
        options: more of them; ``__`` stands for the dot between section and key.
    """
    return Job(
        folder,
        medium,
        {
            "DEFAULT.image_path": folder / "win.qcow2",
            "DEFAULT.virtual_disk_format": "QCOW2",
            "DEFAULT.image_type": "KVM",
            "DEFAULT.disk_layout": layout,
            "vm.accel": "tcg",
            "vm.external_switch": "none",
            "vm.ram_size": "512MB",
            "vm.disable_secure_boot": "True",
            "vm.silent_minutes": 5,
            **{name.replace("__", "."): value for name, value in options.items()},
        },
    )


def hooked(job: Job, *orders: str, at: str = "RunBeforeSysprep") -> Job:
    """The job with a hook script for the guest, see ``fixtures/guest/init.sh``."""
    scripts = job.folder / "scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / f"{at}.ps1").write_text("".join(f"{order}\n" for order in orders))
    return replace(job, options={**job.options, "DEFAULT.custom_scripts_path": scripts})


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


def left(job: Job) -> list[str]:
    """What a build left beside its image."""
    return [name for name in job.left_over() if name != "scripts"]


def fail(job: Job) -> BuildError:
    """Build what has to fail; an older image stays. Its error."""
    job.image.write_bytes(b"an older image")
    with pytest.raises(BuildError) as raised:
        new_windows_online_image(job.write())
    assert job.image.read_bytes() == b"an older image"
    return raised.value


def evidence(job: Job, kept: Collection[str] = EVIDENCE) -> Path:
    """The one folder that a failed run left, with all that belongs into it.

    Args:
        job: what was to be made.
        kept: what is in the folder beside pictures.
    """
    (name,) = left(job)
    assert name.startswith("win.qcow2.failed-")
    folder = job.folder / name
    assert folder.stat().st_mode & 0o777 == 0o700
    pictures = {item.name for item in folder.iterdir() if item.suffix == ".png"}
    assert pictures
    assert {item.name for item in folder.iterdir()} - pictures == set(kept)
    return folder


def reports(folder: Path) -> list[tuple[str, str]]:
    """Stages and messages of a run, in order."""
    lines = (folder / "reports.jsonl").read_text().splitlines()
    fields = [json.loads(line[line.find("{") :]) for line in lines if "{" in line]
    return [(item["stage"], item["message"]) for item in fields]


def start(job: Job) -> subprocess.Popen[str]:
    """Build in a process of its own, in a group of its own, that obeys signals."""

    def obey() -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    words = [sys.executable, "-m", "winimagetools", "online-image", str(job.write())]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=obey,
    )
