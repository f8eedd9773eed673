"""Online builds from medium to image on Linux, with a guest that plays Windows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import guest
from fixtures.boot_proof import boot
from fixtures.played import AGENT, Played, finish
from tests.integration.linux.build import Job
from tests.integration.linux.online import EVIDENCE
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.contract import WindowsTree
from winimagetools.errors import BuildError, RequestError
from winimagetools.host.linux import linux_host
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.workflows.build import BuildReport, new_windows_online_image
from winimagetools.workflows.resume import resume_image

LOG = r"UnattendResources\image-generation-log.txt"


def leave_traces(tree: WindowsTree) -> None:
    """Only half of it."""
    tree.write_bytes(AGENT, b"")
    tree.write_bytes(LOG, b"RunBeforeSysprep.ps1 ended with exit code 1.\r\n")


def build(job: Job, change: Callable[[WindowsTree], None], *lines: str) -> BuildReport:
    """Make an online image."""
    host = replace(linux_host(), vm=Played(lines, change))
    return new_windows_online_image(job.write(), host=host)


@pytest.fixture
def job(tmp_path: Path, install_wim: Path) -> Job:
    """A BIOS image for KVM, whose machine starts in half a second."""
    program("qemu-system-x86_64", "qemu-system-x86")
    return Job(
        tmp_path,
        install_wim,
        {
            "DEFAULT.image_path": tmp_path / "win.qcow2",
            "DEFAULT.virtual_disk_format": "QCOW2",
            "DEFAULT.image_type": "KVM",
            "DEFAULT.disk_layout": "BIOS",
            "vm.accel": "tcg",
            "vm.external_switch": "none",
            "vm.ram_size": "512MB",
        },
    )


def test_a_finished_image(job: Job) -> None:
    """Build, first start, verdict by report and disk, container: one command."""
    report = build(job, finish, guest.BEGUN, guest.DONE)
    assert report.path == job.image
    assert "Run the stage in the virtual machine" in [step.name for step in report.steps]
    assert job.left_over() == []
    check_report(job.image)
    proof = boot(job.image, "qcow2", "bios")
    assert proof.started
    with LinuxDisks().open(job.image, read_only=True) as disk:
        assert disk.tree.exists(AGENT)
        assert not disk.tree.exists("UnattendResources")


def check_report(image: Path) -> None:
    """The pictures of the first start, and what it was made with, are in the report."""
    folder = image.with_name(f"{image.name}.report")
    record = json.loads((folder / "report.json").read_text())
    shown = [item["shows"] for item in record["pictures"]]
    assert shown[0] == "StatusInitial" and len(shown) <= 8
    page = (folder / "report.html").read_text()
    for item in record["pictures"]:
        data = (folder / item["file"]).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert base64.b64encode(data).decode() in page
    for name in ("libwim", "libntfs-3g", "libhivex", "qemu-system-x86_64"):
        assert record["tools"][name]
    assert main(["verify", str(image)]) == 0


def test_an_unfinished_image_is_evidence(job: Job) -> None:
    """A guest that says it is done and is not: no image, an older one stays, all is kept."""
    job.image.write_bytes(b"an older image")
    with pytest.raises(BuildError, match=r"UnattendResources is still there") as raised:
        build(job, leave_traces, guest.BEGUN, guest.DONE)
    assert "The likely cause: a hook script failed." in raised.value.message
    assert job.image.read_bytes() == b"an older image"
    (name,) = job.left_over()
    folder = job.folder / name
    assert name.startswith("win.qcow2.failed-")
    assert str(folder) in raised.value.hint
    assert {item.name for item in folder.iterdir() if item.suffix != ".png"} == EVIDENCE
    log = folder.joinpath("from-disk", *LOG.split("\\"))
    assert log.read_bytes() == b"RunBeforeSysprep.ps1 ended with exit code 1.\r\n"
    assert boot(folder / "win.raw", "raw", "bios").started


def test_resume(job: Job) -> None:
    """The machine is started again on the kept disk: until it fails again, or the image is done."""
    with pytest.raises(BuildError):
        build(job, leave_traces, guest.BEGUN, guest.report("ERROR", "no MSI", "failed"))
    (name,) = job.left_over()
    folder = job.folder / name
    failing = replace(linux_host(), vm=Played((guest.BEGUN,), leave_traces))
    with pytest.raises(BuildError, match="is still there") as raised:
        resume_image(folder, host=failing)
    assert "resumed-" in raised.value.hint
    done = replace(linux_host(), vm=Played((guest.BEGUN, guest.DONE), finish))
    report = resume_image(folder, host=done)
    assert (report.path, report.description) == (job.image, "QCOW2")
    assert boot(job.image, "qcow2", "bios").started
    check_report(job.image)
    with pytest.raises(RequestError, match=r"win\.raw is gone"):
        resume_image(folder, host=done)


def test_resume_nothing(tmp_path: Path) -> None:
    """A folder that is none of a failed run is refused in one sentence, damaged ones too."""
    for text in (None, "{", "[]", "{}", '{"machine": {}, "delivery": {}, "shrink": true}'):
        if text is not None:
            (tmp_path / "resume.json").write_text(text)
        with pytest.raises(RequestError, match="is no folder of a failed run"):
            resume_image(tmp_path, host=linux_host())


def test_a_failure_nobody_wants_to_see(job: Job) -> None:
    """With discard_failed nothing stays."""
    failed = guest.report("ERROR", "no MSI", "failed")
    unwanted = replace(job, options={**job.options, "vm.discard_failed": "True"})
    with pytest.raises(BuildError, match=r"reported a failure: no MSI"):
        build(unwanted, leave_traces, guest.BEGUN, failed)
    assert unwanted.left_over() == []
