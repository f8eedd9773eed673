"""What becomes of a run whose Windows, played by a Linux on the disk, does not finish (UEFI)."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.linux.online import (
    EVIDENCE,
    LOG,
    evidence,
    fail,
    hooked,
    online_job,
    reports,
    start,
)
from tests.needs import program
from winimagetools.checks.evidence import FROM_DISK
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import DiskLayout

PATIENCE = 300
"""Seconds after which a test gives up; it measures nothing."""
SILENT = {
    "hang": ("hang", "RunBeforeSysprep.ps1"),
    "say-the-same": ("hang_and_say Updates 'waiting'", "Updates"),
    "ask": ("ask_for_a_key", "RunBeforeSysprep.ps1"),
}
"""Behaviours that are given up after the minute that they may be silent: order, last stage."""


@pytest.fixture(scope="module")
def medium(guest_media: Callable[[DiskLayout], Path]) -> Path:
    """An ISO with the guest."""
    program("qemu-system-x86_64", "qemu-system-x86")
    return guest_media(DiskLayout.UEFI)


@pytest.fixture(scope="module", autouse=True)
def waiting(
    medium: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, subprocess.Popen[str]]]]:
    """Builds whose guests are silent, all at once; the other tests run while they wait."""
    running = {}
    for name, (order, _) in SILENT.items():
        folder = tmp_path_factory.mktemp(name)
        options: dict[str, object] = {"vm__silent_minutes": 1}
        job = hooked(online_job(folder, medium, DiskLayout.UEFI, **options), order)
        running[name] = (folder, start(job))
    yield running
    for _, process in running.values():
        process.kill()


@pytest.fixture(autouse=True)
def clean(medium: Path, nothing_left: Path) -> None:
    """Nothing runs on and nothing stays."""


@pytest.mark.parametrize(
    ("orders", "message", "cause"),
    [
        (
            ["fail 'The installer of Cloudbase-Init failed with exit code 1603.'"],
            "The virtual machine reported a failure: The installer of Cloudbase-Init failed",
            "an installer failed",
        ),
        (["exit 1"], "RunBeforeSysprep.ps1 ended with exit code 1.", "a hook script failed"),
        (["fill_disk"], "There is not enough space on the disk.", "the disk of the guest is full"),
        (
            ["power_off"],
            r"is not finished (its last report was CustomScripts(RunBeforeSysprep.ps1): Running.): "
            r"\UnattendResources is still there.",
            "sysprep failed",
        ),
        (
            ["exit 1006"],
            r"is not finished (its last report was StatusStopped: RunBeforeSysprep.ps1 asked to "
            r"power off.): \UnattendResources is still there.",
            "a hook script powered the machine off",
        ),
        (
            ["leave_traces"],
            r"is not finished (its last report was StatusFinal: The image is ready.): "
            r"\UnattendResources is still there. \Unattend.xml is still there.",
            None,
        ),
    ],
    ids=["error", "hook-fails", "full", "power-off", "hook-powers-off", "traces"],
)
def test_what_is_said_and_kept(
    orders: list[str], message: str, cause: str | None, medium: Path, tmp_path: Path
) -> None:
    """What failed, the likely cause, everything that tells more, and a disk to go on with."""
    job = hooked(online_job(tmp_path, medium, DiskLayout.UEFI), *orders)
    error = fail(job)
    folder = evidence(job)
    assert message in error.message
    assert ("The likely cause: " in error.message) == (cause is not None)
    assert cause is None or f"The likely cause: {cause}." in error.message
    assert error.hint.endswith(f"Everything that was kept of the run is in {folder}.")
    assert reports(folder)[0][0] == "StatusInitial"
    assert b"StatusInitial: Linux " in (folder / LOG).read_bytes()
    assert "stand-in Windows started" in (folder / "serial.log").read_text(errors="replace")
    with LinuxDisks().open(folder / "win.raw", read_only=True) as disk:
        assert disk.tree.exists(r"UnattendResources\config.ini")


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (["corrupt_disk", "report StatusFinal Done. done", "power_off"], "cannot be used"),
        (["remove_traces $windows/Unattend.xml", "crash"], "cannot be used"),
    ],
    ids=["corrupt", "in-the-middle"],
)
def test_a_volume_that_is_not_sound(
    orders: list[str], message: str, medium: Path, tmp_path: Path
) -> None:
    """Whatever the guest says: no image comes of it. The disk is kept as it is, and with it what
    was seen, said and done; only what Windows wrote on it cannot be taken off.
    """
    job = hooked(online_job(tmp_path, medium, DiskLayout.UEFI), *orders, at="RunAfterSysprep")
    error = fail(job)
    assert message in error.message
    folder = evidence(job, EVIDENCE - {FROM_DISK})
    assert (folder / "win.raw").stat().st_size == 2 << 30
    assert reports(folder)[0][0] == "StatusInitial"
    command = shlex.split((folder / "qemu-command.txt").read_text())
    assert command[:2] == ["qemu-system-x86_64", "-name"]
    assert any(word.endswith(f"file={job.folder}/.win.qcow2.building/win.raw") for word in command)
    trace = [json.loads(line) for line in (folder / "qmp.log").read_text().splitlines()]
    assert [item["execute"] for item in trace if "execute" in item][-1] == "quit"
    assert "SHUTDOWN" in [item.get("event") for item in trace]
    (end,) = folder.glob("screen-*-end.png")
    assert end.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("name", list(SILENT))
def test_a_guest_that_waits_for_ever(
    name: str, waiting: dict[str, tuple[Path, subprocess.Popen[str]]]
) -> None:
    """Given up after the time that it may be silent, by three builds that ran at once."""
    folder, process = waiting[name]
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert "The virtual machine said nothing new for" in said
    assert SILENT[name][1] in said
    assert "The likely cause: Windows waits for somebody." in said
    job = online_job(folder, Path(), DiskLayout.UEFI)
    assert not job.image.exists()
    kept = evidence(job)
    assert reports(kept)[-1][0] in ("CustomScripts(RunBeforeSysprep.ps1)", "Updates")
