"""``matrix-stage`` as the engine starts it, with a machine whose guest plays Windows.

Where the file ``fail`` lies in the folder the matrix was started in, a stage of a cell it names
fails, as if the program it calls had failed.
"""

from __future__ import annotations

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


def run(words: list[str]) -> int:
    """Make the stage whose job is the first word."""
    job = read_job(Path(words[0]).read_text(encoding="utf-8"))
    fail = job.folder / "fail"
    fails = fail.exists() and job.stage.cell in fail.read_text().splitlines()
    machine = Played((guest.BEGUN, guest.DONE), leave_traces if fails else finish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "select_host", lambda: replace(linux_host(), vm=machine))
        if fails:
            patch.setattr(stage, "convert_image", _fail)
        return main(["--quiet", "matrix-stage", *words])


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
