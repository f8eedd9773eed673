"""Whoever goes on with a failed image is killed at any moment: disk or image is always there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fixtures.played import AGENT, finish
from tests.integration.linux.build import Job
from winimagetools.errors import DiskFullError
from winimagetools.files import ranges
from winimagetools.files.copy import copy_file
from winimagetools.host.linux import linux_host
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.existing_disk import open_existing
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.model import DiskFormat
from winimagetools.output.image_files import ImageFiles
from winimagetools.plan import Delivery, VmRequest
from winimagetools.workflows.resume import resume_image

_CHANGES = ("os.rename", "os.remove", "os.link", "os.truncate")
"""What Python tells its audit hooks of, "Audit events table"; ``open`` is looked at closer."""


@dataclass(frozen=True)
class Ready(LinuxVm):
    """A machine that is done as soon as it starts, once.

    Args:
        runs: a file with a line for each run.
    """

    runs: Path = Path()

    def run_sysprep(self, request: VmRequest) -> Mapping[str, str]:  # type: ignore[override]
        """What Windows does to its disk."""
        with self.runs.open("a") as file:
            file.write("run\n")
        with LinuxDisks().open(request.disk) as disk:
            if disk.tree.exists("Unattend.xml"):
                finish(disk.tree)
        return {"StatusFinal": "Done."}


@dataclass(frozen=True)
class Failed:
    """A folder of a failed run, and what is to become of it."""

    folder: Path
    image: Path
    runs: Path

    @property
    def disk(self) -> Path:
        """What was kept."""
        return self.folder / "win.raw"

    def resume(self) -> str:
        """Go on; the SHA-256 of the image."""
        host = replace(linux_host(), vm=Ready(runs=self.runs))
        return resume_image(self.folder, host=host).sha256

    def again(self, folder: Path, name: str = "win.qcow2") -> Failed:
        """The same once more, in another place."""
        kept = folder / self.folder.name
        kept.mkdir(parents=True)
        copy_file(self.disk, kept / self.disk.name)
        return _described(kept, name)


@pytest.fixture
def failed(tmp_path: Path, install_wim: Path) -> Failed:
    """Of a QCOW2 image."""
    job = Job(tmp_path, install_wim, {"DEFAULT.disk_layout": "BIOS"})
    assert job.build("--no-report") == 0
    folder = tmp_path / "win.qcow2.failed-1"
    folder.mkdir()
    job.image.rename(folder / "win.raw")
    return _described(folder, "win.qcow2")


def _described(folder: Path, name: str) -> Failed:
    image = folder.parent / name
    disk_format = DiskFormat(image.suffix[1:].upper())
    delivery = Delivery(image, disk_format, (), "win", checksum=disk_format is DiskFormat.QCOW2)
    machine = VmRequest("Online", folder / "win.raw", 1 << 29, 1, "none", 1, True)
    state = {
        "machine": vars(machine),
        "delivery": {**vars(delivery), "password": False},
        "shrink": False,
    }
    (folder / "resume.json").write_text(json.dumps(state, default=str))
    return Failed(folder, image, folder.parent / "runs")


def _killed(action: Callable[[], object], moment: int) -> bool:
    """Do something in a process that is killed at its n-th change of a file; whether it was."""
    process = os.fork()
    if not process:
        try:
            _kill_at(moment)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _kill_at(moment: int) -> None:
    left = moment

    def change() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(flags := arguments[2], int) and flags & 3
        if event in _CHANGES or writes:
            change()

    def before(function: Callable[..., None]) -> Callable[..., None]:
        def work(*arguments: int) -> None:
            change()
            function(*arguments)

        return work

    ranges.collapse = before(ranges.collapse)
    ranges.insert = before(ranges.insert)
    sys.addaudithook(hear)


def _check(one: Failed, sha256: str) -> None:
    """The image is whole, and nothing half made lies around."""
    assert hashlib.sha256(one.image.read_bytes()).hexdigest() == sha256
    with open_existing(one.image, read_only=True) as disk:
        facts = disk.facts()
        assert (facts.table_problems, facts.volume.clean) == ((), True)
        assert disk.tree.exists(AGENT) and not disk.tree.exists("UnattendResources")
    left = {item.name for item in one.folder.parent.iterdir()}
    assert left == {"runs", "win.qcow2", "win.qcow2.failed-1"}
    assert not one.disk.exists()


def test_killed_at_any_moment(failed: Failed, tmp_path: Path) -> None:
    """There is the disk or the image; going on makes one of the other, and starts nothing twice."""
    moments, states = 0, []
    while (one := failed.again(tmp_path / f"{moments}")) and _killed(one.resume, moments):
        assert one.disk.exists() or one.image.exists()
        done = "done" in json.loads((one.folder / "resume.json").read_text())
        states.append((done, one.image.exists()))
        if one.disk.exists() and moments % 6 == 0:
            _check(one, one.resume())
            assert not done or one.runs.read_text() == "run\n"
        shutil.rmtree(one.folder.parent)
        moments += 2
    assert list(dict.fromkeys(states)) == [(False, False), (True, False), (True, True)]
    assert states.count((True, False)) > 5


@pytest.mark.parametrize("name", ["win.raw", "win.vhd"])
def test_another_failure_after_the_machine(
    failed: Failed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the disk need not be copied it stays as well, and the machine is not started again."""
    one = failed.again(tmp_path / "one", name)

    def fail(*_: object, **__: object) -> None:
        raise DiskFullError("No room is left.")

    with monkeypatch.context() as patch:
        patch.setattr(ImageFiles, "publish", fail)
        with pytest.raises(DiskFullError):
            one.resume()
    before = one.disk.stat().st_ino
    one.resume()
    assert (one.image.stat().st_ino == before) is (name == "win.raw")
    assert not one.disk.exists() and one.runs.read_text() == "run\n"
