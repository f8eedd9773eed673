"""What happens to stages that end without a word, or lose Snakemake."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.linux.test_matrix import (
    ROOT,
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
from winimagetools.run import Tail
from winimagetools.workflows.matrix.ahead import started_engine

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


def test_snakemake_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages it ran take away what they began, and the next run makes them."""
    path = write(folder, AXES)
    for name in ("TMPDIR", "XDG_CACHE_HOME"):
        (folder / name).mkdir()
        monkeypatch.setenv(name, str(folder / name))
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
    for name in ("TMPDIR", "XDG_CACHE_HOME"):
        assert list((folder / name).rglob("*snakemake*")) == []
    assert count(make(path), "made") == {OFFLINE: 1, IMAGE: 3}
    assert list((folder / "cache" / "work").iterdir()) == []


def test_an_engine_nobody_asks() -> None:
    """It makes nothing, says nothing, and ends when whoever started it does."""
    with started_engine() as program:
        output, error = Tail(program.output), Tail(program.error)
        with pytest.raises(TimeoutError):
            program.wait(0.2)
        assert program.input is not None
        program.input.close()
        assert program.wait(30) == 0
        assert output.text() + error.text() == ""


@pytest.mark.parametrize(("ending", "code"), [("3", 3), ("None", 0), ("'so'", 1)])
def test_timers_that_are_left(tmp_path: Path, ending: str, code: int) -> None:
    """The end of a program that is run so is not that of its timers; it is tidy all the same."""
    (tmp_path / "program.py").write_text(
        "import atexit, sys, threading\n"
        "atexit.register(lambda: print('tidied'))\n"
        "threading.Timer(600, print).start()\n"
        "print(*sys.argv[1:])\n"
        f"sys.exit({ending})\n"
    )
    words = "from winimagetools.workflows.matrix import engine as e; "
    words += "e._leave(e._run_module(['program', 'a', 'b']))"
    done = subprocess.run(
        [sys.executable, "-c", words],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = "so\n" if ending == "'so'" else ""
    assert (done.returncode, done.stdout, done.stderr) == (code, "a b\ntidied\n", said)


def _child(process: int) -> int:
    """The process that another one has started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    (child,) = text.split()
    return int(child)
