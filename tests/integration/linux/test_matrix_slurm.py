"""The same matrix as jobs of a real Slurm, on loopback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.linux.slurm import slurm
from tests.integration.linux.test_matrix import STAGE, count, folder, make, named, write
from tests.needs import program
from winimagetools.files.hash import sha256_of
from winimagetools.workflows.matrix.run import Engine, make_matrix

__all__ = ["folder"]
OPTIONS = (
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=1",
    "--seconds-between-status-checks=1",
    "--slurm-no-account",
)
AXES = """
[axes]
editions = ["*STANDARD"]
firmware = ["BIOS"]
containers = ["VHDX", "RAW"]
[limits]
jobs = 4
"""


def test_slurm(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell fails and the others are made; the images have the bytes they have without it."""
    for name, package in (("slurmctld", "slurm-wlm"), ("munged", "munge")):
        program(name, package)
    path = write(folder, AXES)
    broken = "windows-server-2022-serverstandard-bios-raw"
    (folder / "fail").write_text(f"{broken}\n")
    engine = Engine(True, "slurm", OPTIONS, STAGE)
    with slurm(tmp_path_factory.mktemp("slurm")) as programs:
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        first = make_matrix(path, engine=engine)
    assert named(first, "failed") == [broken]
    assert count(first, "made") == {"offline": 1, "image": 1}
    there = {cell.name: sha256_of(Path(cell.image)) for cell in first.cells if cell.image}
    (folder / "fail").unlink()
    path = write(folder, AXES, 'images = "here"')
    path.write_text(path.read_text().replace('cache = "cache"', 'cache = "another"'))
    second = make(path)
    assert count(second, "made") == {"offline": 1, "image": 2}
    here = {cell.name: sha256_of(Path(cell.image)) for cell in second.cells}
    assert {name: here[name] for name in there} == there
