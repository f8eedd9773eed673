"""A build that is stopped, killed or doubled leaves nothing half made."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fixtures.media import MediaSpec
from tests import needs
from tests.integration.linux.build import Job, command, start
from winimagetools.files.sparse import extents
from winimagetools.formats.wim.editions import read_wim
from winimagetools.model import MIB

OLD = b"the image of yesterday"
PATIENCE = 300
"""Seconds after which a test gives up. It measures nothing: machines are slow or busy."""


@pytest.fixture(scope="module")
def large_wim(install_media: Callable[[MediaSpec], Path]) -> Path:
    """A medium that takes some seconds to apply."""
    return install_media(MediaSpec(editions=("ServerStandard",), bulk=300 * MIB))


@pytest.fixture
def job(tmp_path: Path, large_wim: Path) -> Job:
    """A build of some seconds over an older image."""
    made = Job(tmp_path, large_wim, {"DEFAULT.disk_layout": "BIOS"})
    made.image.write_bytes(OLD)
    return made


def is_old(image: Path) -> bool:
    """Whether the older image is still there; a new one is too large to be compared by pytest."""
    return image.stat().st_size == len(OLD) and image.read_bytes() == OLD


def volume_bytes(folder: Path) -> int:
    """How much of a Windows volume was written so far, while files come and go.

    Blocks do not tell: those of the contents are taken before they are written.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            if name == "whole.raw":
                with suppress(FileNotFoundError), Path(parent, name).open("rb") as file:
                    parts = extents(file.fileno())
                    return sum(part.length for part in parts if part.offset is not None)
    return 0


def wait_until_writing(job: Job, process: subprocess.Popen[str]) -> None:
    """Wait until the Windows volume is being filled."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if volume_bytes(job.folder) > 40 * MIB:
            return
        time.sleep(0.02)
    pytest.fail(f"the build did not get so far: {process.communicate()}")


def most_written(job: Job, process: subprocess.Popen[str]) -> int:
    """How large the Windows volume ever was until the end; a whole one has over 300 MiB."""
    largest = 0
    while process.poll() is None:
        largest = max(largest, volume_bytes(job.folder))
        time.sleep(0.01)
    return largest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_applying(job: Job, number: signal.Signals) -> None:
    """Ctrl-C and its relatives end it half-way with code 130; the older image is untouched."""
    process = start(job)
    wait_until_writing(job, process)
    process.send_signal(number)
    assert most_written(job, process) < 200 * MIB
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert error.splitlines()[-2].startswith("error: ")
    assert error.splitlines()[-1] == "       To begin anew, run the same command again."
    assert is_old(job.image)
    assert job.left_over() == []


def test_impatience(job: Job) -> None:
    """Ctrl-C again and again does not keep the build from cleaning up."""
    process = start(job)
    wait_until_writing(job, process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, error = process.communicate(timeout=PATIENCE)
    assert "Still cleaning up" in error
    assert "Traceback" not in error
    assert is_old(job.image)
    assert job.left_over() == []


@pytest.mark.parametrize("delay", [0.05, 0.2])
def test_stopped_while_python_starts(job: Job, delay: float) -> None:
    """Python itself may show where it was; the older image is there and nothing else."""
    process = start(job)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert is_old(job.image)
    assert job.left_over() == []


@pytest.mark.parametrize("delay", [0, 0.05, 0.1, 0.3, 0.6])
def test_stopped_before_the_volume_is_written(job: Job, delay: float) -> None:
    """Whenever Ctrl-C comes after the first line, the older image is there and nothing else."""
    process = start(job)
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in error
    assert is_old(job.image)
    assert job.left_over() == []


def test_killed_then_run_again(job: Job) -> None:
    """What ``kill -9`` leaves does not disturb the next run, which removes it."""
    process = start(job)
    wait_until_writing(job, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert is_old(job.image)
    assert job.left_over() != []
    again = start(job)
    _, error = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, error
    assert job.image.stat().st_size == 2 << 30
    assert job.left_over() == []


def test_two_builds_of_the_same_image(job: Job) -> None:
    """The second one is refused while the first is there, and the first one finishes."""
    first = start(job)
    wait_until_writing(job, first)
    os.killpg(first.pid, signal.SIGSTOP)  # so that it cannot be done before the second comes
    try:
        second = start(job)
        _, error = second.communicate(timeout=PATIENCE)
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode == 2
    assert f"process {first.pid}" in error
    _, error = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, error
    assert job.image.stat().st_size == 2 << 30


ON_A_SMALL_DISK = """
small=$1/small; mkdir "$small"; mount -t tmpfs -o size=$2 none "$small" || exit 99
cp "$1/win.raw" "$small"; shift 2
"$@"; code=$?
ls -A "$small"; cat "$small/win.raw"
exit $code
"""
"""Runs a command while a small file system with an older image is there, and shows it."""


def test_file_system_is_full(tmp_path: Path, large_wim: Path) -> None:
    """One sentence; the older image, and nothing else, is on the full file system.

    There is room for the files of the medium, which is known before, but not for the volume.
    """
    room = read_wim(large_wim).images[0].disk_bytes + MIB
    mount = needs.own_mounts()
    (tmp_path / "win.raw").write_bytes(OLD)
    image = tmp_path / "small" / "win.raw"
    job = Job(tmp_path, large_wim, {"DEFAULT.disk_layout": "BIOS", "DEFAULT.image_path": image})
    argv = [*mount, "sh", "-c", ON_A_SMALL_DISK, "sh", str(tmp_path), str(room), *command(job)]
    process = subprocess.run(argv, capture_output=True, check=False, timeout=PATIENCE)
    error = process.stderr.decode()
    assert process.returncode == 1, error
    assert "no room left" in error.casefold()
    assert "Traceback" not in error
    assert process.stdout == b"win.raw\n" + OLD
