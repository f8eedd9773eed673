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
from tests.integration.linux.build import Job, command, start
from winimagetools.model import MIB

OLD = b"the image of yesterday"


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
    """How much of a Windows volume was written so far, while files come and go."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".ntfs"):
                with suppress(FileNotFoundError):
                    return Path(parent, name).stat().st_blocks * 512
    return 0


def wait_until_writing(job: Job, process: subprocess.Popen[str]) -> None:
    """Wait until the Windows volume is being filled."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if volume_bytes(job.folder) > 40 * MIB:
            return
        time.sleep(0.02)
    pytest.fail(f"the build did not get so far: {process.communicate()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_applying(job: Job, number: signal.Signals) -> None:
    """Ctrl-C and its relatives end it in seconds with code 130; the older image is untouched."""
    process = start(job)
    wait_until_writing(job, process)
    began = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith("error: ")
    assert is_old(job.image)
    assert job.left_over() == []


def test_impatience(job: Job) -> None:
    """Ctrl-C again and again does not keep the build from cleaning up."""
    process = start(job)
    wait_until_writing(job, process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, error = process.communicate(timeout=60)
    assert "Still cleaning up" in error
    assert "Traceback" not in error
    assert is_old(job.image)
    assert job.left_over() == []


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.6, 0.9])
def test_stopped_at_any_moment(job: Job, delay: float) -> None:
    """Whenever Ctrl-C comes, the older image or a complete new one is there and nothing else."""
    process = start(job)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if delay >= 0.4:  # before that Python itself may still be starting
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
    _, error = again.communicate(timeout=120)
    assert again.returncode == 0, error
    assert job.image.stat().st_size == 2 << 30
    assert job.left_over() == []


def test_two_builds_of_the_same_image(job: Job) -> None:
    """The second one is refused while the first goes on, and the first one finishes."""
    first = start(job)
    wait_until_writing(job, first)
    second = start(job)
    _, error = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"process {first.pid}" in error
    _, error = first.communicate(timeout=120)
    assert first.returncode == 0, error
    assert job.image.stat().st_size == 2 << 30


def test_file_system_is_full(tmp_path: Path, large_wim: Path) -> None:
    """A full file system while applying ends the build with one sentence and nothing left."""
    job = Job(tmp_path, large_wim, {"DEFAULT.disk_layout": "BIOS"})
    job.image.write_bytes(OLD)
    mount = (
        ["unshare", "--mount", "--map-root-user", "--user"] if os.geteuid() else ["unshare", "-m"]
    )
    script = 'mount -t tmpfs -o size=150m none "$1/small" && shift && exec "$@"'
    small = tmp_path / "small"
    small.mkdir()
    target = Job(tmp_path, large_wim, {**job.options, "DEFAULT.image_path": small / "win.raw"})
    argv = [*mount, "sh", "-c", script, "sh", str(tmp_path)]
    process = subprocess.run(
        [*argv, *command(target)], capture_output=True, text=True, check=False, timeout=120
    )
    assert process.returncode == 1, process.stderr
    assert "no room left" in process.stderr.casefold()
    assert "Traceback" not in process.stderr
    assert is_old(job.image)
