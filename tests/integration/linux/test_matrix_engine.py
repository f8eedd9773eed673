"""What happens to stages that end without a word, or lose Snakemake."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from tests.integration.linux.test_matrix import (
    _processes,
    cell,
    count,
    folder,
    in_the_middle,
    make,
    named,
    write,
)
from winimagetools.matrix.stages import IMAGE, OFFLINE

__all__ = ["folder"]
AXES = """
[axes]
editions = ["*STANDARD"]
firmware = ["BIOS"]
containers = ["QCOW2", "VHDX", "RAW"]
"""
NAME = "windows-server-2022-serverstandard-bios"


def test_a_stage_that_is_killed_or_has_a_fault(folder: Path) -> None:
    """Each is a failure of its cell alone; what Python says of a fault is kept."""
    path = write(folder, AXES)
    (folder / "kill").write_text(f"{NAME}-vhdx\n")
    (folder / "bug").write_text(f"{NAME}-raw\n")
    report = make(path)
    assert count(report, "made") == {OFFLINE: 1, IMAGE: 1}
    assert named(report, "failed") == [f"{NAME}-vhdx", f"{NAME}-raw"]
    for name in named(report, "failed"):
        assert cell(report, name).message == "The image ended without a result."
    assert report.logs is not None
    said = (report.logs / "engine.log").read_text()
    assert re.search(r"fault .*: ZeroDivisionError in matrix_stage\.py.*: the moon is round", said)
    for way in ("kill", "bug"):
        (folder / way).unlink()
    assert count(make(path), "made") == {IMAGE: 2}


def test_snakemake_is_killed(folder: Path) -> None:
    """The stages it ran take away what they began, and the next run makes them."""
    path = write(folder, AXES)
    with in_the_middle(path) as process:
        os.kill(_child(process.pid), signal.SIGKILL)
        _, said = process.communicate(timeout=90)
    assert process.returncode == 1, said
    deadline = time.monotonic() + 20
    while running := _processes(folder):
        assert time.monotonic() < deadline, running
        time.sleep(0.1)
    assert list((folder / "cache" / "stages").iterdir()) == []
    assert list((folder / "cache" / "runs").iterdir()) == []
    assert count(make(path), "made") == {OFFLINE: 1, IMAGE: 3}
    assert list((folder / "cache" / "work").iterdir()) == []


def _child(process: int) -> int:
    """The process that another one has started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    (child,) = text.split()
    return int(child)
