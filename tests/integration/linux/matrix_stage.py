"""``matrix-stage`` as the engine starts it, with a machine whose guest plays Windows.

Where the file ``fail`` lies in the folder the matrix was started in, a stage of a cell it names
fails, as if the program it calls had failed; with a file ``bug`` it has a fault of its own, and
with a file ``kill`` it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import guest
from fixtures.played import Played, finish
from tests.integration.linux.test_online_image import leave_traces
from winimagetools.cli.main import main
from winimagetools.errors import CommandError
from winimagetools.host.linux import linux_host
from winimagetools.matrix.stages import read_job
from winimagetools.workflows.matrix import stage


def _fail(*_: object, **__: object) -> None:
    raise CommandError("qemu-img convert", 1, "No space left on the moon")


def _bug(*_: object, **__: object) -> None:
    raise ZeroDivisionError("the moon is round")


def _kill(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


WAYS = {"fail": _fail, "bug": _bug, "kill": _kill}


def run(words: list[str]) -> int:
    """Make the stage whose job is the first word."""
    job = read_job(Path(words[0]).read_text(encoding="utf-8"))
    ways = [
        action
        for name, action in WAYS.items()
        if (job.folder / name).exists()
        and job.stage.cell in (job.folder / name).read_text().splitlines()
    ]
    machine = Played((guest.BEGUN, guest.DONE), leave_traces if ways else finish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "select_host", lambda: replace(linux_host(), vm=machine))
        for action in ways:
            patch.setattr(stage, "convert_image", action)
        return main(["--quiet", "matrix-stage", *words])


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
