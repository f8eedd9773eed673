"""What the Windows host makes of each behaviour of the stand-in guest: what the Linux host does.

The messages and causes are those of ``tests/integration/linux/test_guest_*.py`` and
``test_vm.py``, where the guest is run by QEMU.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.fakes import MemoryTree
from tests.unit.host.windows import kvp_sequences as kvp
from tests.unit.host.windows.recorder import Recorder
from tests.unit.recording_host import FINISHED
from winimagetools.checks.evidence import keep_evidence
from winimagetools.checks.first_boot import SOFTWARE, judge_first_boot
from winimagetools.errors import BuildError, CommandError
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.host.windows.vm import HyperV
from winimagetools.model import GIB
from winimagetools.plan import VmRequest

RESOURCES = {r"UnattendResources\config.ini": b""}
ANSWERS = {"Unattend.xml": b""}
SPECIALIZING = FINISHED[SOFTWARE].replace(
    "GENERALIZE".encode("utf-16-le"), "SPECIALIZE".encode("utf-16-le")
)
"""``ImageState`` while Windows works on its image."""
UNFINISHED = {**FINISHED, **RESOURCES, **ANSWERS}
STEP = 10
"""Seconds from one look at the machine to the next."""


@dataclass(frozen=True)
class Disks:
    """Opens the disk that the guest left, or fails to."""

    files: Mapping[str, bytes]
    failure: Exception | None = None

    @contextmanager
    def open(self, path: Path, *, read_only: bool = False) -> Iterator[Any]:
        """The disk, of which Windows attaches a copy."""
        assert read_only
        assert path.read_bytes() == b"vhdx"
        if self.failure is not None:
            raise self.failure
        yield SimpleNamespace(tree=MemoryTree(self.files))


class DamagedTree(MemoryTree):
    """A volume that is mounted and cannot be read."""

    def exists(self, path: str) -> bool:
        """As ``Path.exists`` does."""
        raise OSError(f"The file or directory is corrupted and unreadable: {path}")


@dataclass(frozen=True)
class DamagedDisks:
    """Disks whose file tables are gone; Windows gives their volumes letters all the same."""

    @contextmanager
    def open(self, _: Path, *, read_only: bool = False) -> Iterator[Any]:
        """Attached without an error."""
        assert read_only
        yield SimpleNamespace(tree=DamagedTree({}))


def run(folder: Path, looks: Iterable[kvp.Look], disks: Any) -> None:
    """Let the machine run, judge it, and keep the evidence, as a build does."""
    logs, disk = folder / "building" / "first-boot", folder / "building" / "win.vhdx"
    logs.mkdir(parents=True)
    disk.write_bytes(b"vhdx")
    left = iter(looks)
    recorder = Recorder({"VM_STATUS": lambda _: next(left)})
    moments = iter(range(0, 1_000_000, STEP))
    vm = HyperV(PowerShell(recorder), lambda _: None, lambda: next(moments))
    request = VmRequest("test", disk, GIB, 1, "lan", 2, silence=600, time_limit=9000, logs=logs)
    host: Any = SimpleNamespace(disks=disks)
    try:
        judge_first_boot(host, disk, vm.run_sysprep(request), gold=False)
    except BuildError as error:
        raise keep_evidence(host, folder / "win.vhdx", disk, logs, error) from error
    finally:
        assert recorder.scripts[-1] == "REMOVE_VM"


@pytest.mark.parametrize(
    "looks",
    [
        kvp.ends({**kvp.RUNS, "Sysprep": "Generalizing."}, kvp.DONE),
        [
            *(kvp.starting(3), kvp.shows(kvp.RUNS, 60)),
            *(kvp.starting(3), kvp.shows(kvp.RUNS, 20)),
            *kvp.ends(kvp.RUNS, kvp.DONE),
        ],
        [kvp.starting(), kvp.shows(kvp.BEGUN), *[kvp.starting()] * 30, kvp.OFF],
    ],
    ids=["done", "restarts-once", "hook-powers-off-when-all-is-done"],
)
def test_an_image_that_is_finished(looks: list[kvp.Look], tmp_path: Path) -> None:
    """Nothing is put aside."""
    run(tmp_path, looks, Disks(FINISHED))
    assert [path.name for path in tmp_path.iterdir()] == ["building"]


@pytest.mark.parametrize(
    ("looks", "files", "message", "cause"),
    [
        (
            kvp.hook_fails(kvp.NO_MSI),
            UNFINISHED,
            f"The virtual machine reported a failure: {kvp.NO_MSI}",
            "an installer failed",
        ),
        (
            kvp.hook_fails("RunBeforeSysprep.ps1 ended with exit code 1."),
            UNFINISHED,
            "RunBeforeSysprep.ps1 ended with exit code 1.",
            "a hook script failed",
        ),
        (kvp.hook_fails(kvp.FULL), UNFINISHED, kvp.FULL, "the disk of the guest is full"),
        (
            [kvp.starting(), kvp.shows(kvp.BEGUN), kvp.shows(kvp.RUNS), kvp.OFF],
            {**UNFINISHED, SOFTWARE: SPECIALIZING},
            r"is not finished (its last report was CustomScripts(RunBeforeSysprep.ps1): Running.): "
            r"\UnattendResources is still there.",
            "sysprep failed",
        ),
        (
            kvp.ends(kvp.RUNS, kvp.STOPPED),
            UNFINISHED,
            r"is not finished (its last report was StatusStopped: RunBeforeSysprep.ps1 asked to "
            r"power off.): \UnattendResources is still there.",
            "a hook script powered the machine off",
        ),
        (
            kvp.ends(kvp.RUNS, kvp.DONE),
            UNFINISHED,
            r"is not finished (its last report was StatusFinal: The image is ready.): "
            r"\UnattendResources is still there. \Unattend.xml is still there.",
            None,
        ),
        (
            kvp.stays(kvp.starting(), kvp.shows(kvp.BEGUN), kvp.shows(kvp.RUNS)),
            UNFINISHED,
            f"said nothing new for 10 min 00 s; its last stage was {kvp.HOOK}",
            "Windows waits for somebody",
        ),
        (
            kvp.stays(kvp.shows(kvp.BEGUN), kvp.shows({**kvp.BEGUN, "Updates": "waiting"})),
            UNFINISHED,
            "said nothing new for 10 min 00 s; its last stage was Updates",
            "Windows waits for somebody",
        ),
        (
            kvp.restarts(kvp.BEGUN),
            UNFINISHED,
            "restarts again and again: 6 times without getting any further, in the stage "
            "StatusInitial.",
            "Windows restarts again and again",
        ),
        (
            kvp.restarts({}),
            UNFINISHED,
            "restarts again and again: 6 times without getting any further, in the stage Starting.",
            "Windows restarts again and again",
        ),
        (
            kvp.stays(kvp.starting()),
            UNFINISHED,
            "the firmware found nothing to start on the disk",
            "nothing on the disk starts",
        ),
    ],
    ids=[
        *("error", "hook-fails", "full", "power-off", "hook-powers-off", "traces"),
        *("hang-or-ask", "say-the-same", "restarts", "restarts-without-a-word", "never-starts"),
    ],
)
def test_what_is_said_and_kept(
    looks: Iterable[kvp.Look],
    files: Mapping[str, bytes],
    message: str,
    cause: str | None,
    tmp_path: Path,
) -> None:
    """What failed, the likely cause, and everything that tells more."""
    with pytest.raises(BuildError) as raised:
        run(tmp_path, looks, Disks(files))
    assert message in raised.value.message
    assert ("The likely cause: " in raised.value.message) == (cause is not None)
    assert cause is None or f"The likely cause: {cause}." in raised.value.message
    (folder,) = tmp_path.glob("win.vhdx.failed-*")
    assert raised.value.hint.endswith(f"Everything that was kept of the run is in {folder}.")
    assert (folder / "win.vhdx").read_bytes() == b"vhdx"


@pytest.mark.parametrize(
    "disks",
    [
        Disks({}, CommandError("powershell.exe", 1, "No Windows partition was found.")),
        Disks({}, OSError("The volume does not contain a recognized file system")),
        DamagedDisks(),
    ],
    ids=["not-found", "not-mounted", "not-read"],
)
def test_a_volume_that_is_not_sound(disks: Any, tmp_path: Path) -> None:
    """Whatever the guest says: no image comes of it, and the disk is kept as it is."""
    with pytest.raises(BuildError, match="left a disk that cannot be used: ") as raised:
        run(tmp_path, kvp.ends(kvp.RUNS, kvp.DONE), disks)
    assert "The likely cause" not in raised.value.message
    (folder,) = tmp_path.glob("win.vhdx.failed-*")
    assert (folder / "win.vhdx").read_bytes() == b"vhdx"


@pytest.mark.parametrize(
    ("verdict", "result"),
    [({"ERROR": kvp.FULL}, "failed"), (kvp.STOPPED, "stopped"), (kvp.DONE, "done")],
)
def test_what_is_kept_of_the_reports(verdict: dict[str, str], result: str, tmp_path: Path) -> None:
    """The verdict has the result that it has on the second serial port."""
    looks = [kvp.starting(), kvp.shows(kvp.RUNS), kvp.shows({**kvp.RUNS, **verdict}), kvp.OFF]
    with pytest.raises(BuildError):
        run(tmp_path, looks, Disks(UNFINISHED))
    (folder,) = tmp_path.glob("win.vhdx.failed-*")
    lines = (folder / "reports.jsonl").read_text().splitlines()
    *_, last = [json.loads(line) for line in lines]
    assert (last["stage"], last["result"]) == (next(iter(verdict)), result)
    assert [json.loads(line)["result"] for line in lines[:-1]] == ["running", "running"]
