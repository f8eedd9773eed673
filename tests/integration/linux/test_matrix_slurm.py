"""The same matrix as jobs of a real Slurm, on loopback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.linux.slurm import slurm
from tests.integration.linux.test_matrix import STAGE, cell, count, folder, make, named, write
from tests.integration.linux.test_publish_registry import data, layer, open_registry
from tests.needs import program
from winimagetools.files.hash import sha256_of
from winimagetools.workflows.matrix.run import Engine, make_matrix

__all__ = ["data", "folder", "open_registry"]
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
[limits]
jobs = 4
[target.plain]
container = "RAW"
[target.kubevirt]
container = "QCOW2"
publish = "containerdisk"
with = {{ image = "{place}", plain_http = "yes" }}
run = true
"""
NAME = "windows-server-2022-serverstandard-bios"


def test_slurm(
    folder: Path,
    open_registry: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One cell fails and the other is made and published, with the bytes it has without it."""
    for name, package in (("slurmctld", "slurm-wlm"), ("munged", "munge")):
        program(name, package)
    place = f"127.0.0.1:{open_registry}/slurm/windows:2022"
    axes = AXES.format(place=place)
    path = write(folder, axes)
    broken = f"{NAME}-plain"
    (folder / "fail").write_text(f"{broken}\n")
    engine = Engine(True, "slurm", OPTIONS, STAGE)
    with slurm(tmp_path_factory.mktemp("slurm")) as programs:
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        first = make_matrix(path, engine=engine)
    assert named(first, "failed") == [broken]
    assert count(first, "made") == {"offline": 1, "image": 1, "published": 1}
    made = cell(first, f"{NAME}-kubevirt")
    assert Path(made.published).read_text().startswith(f"{place.removesuffix(':2022')}@sha256:")
    image = Path(made.image)
    member, content = layer(tmp_path_factory.mktemp("copy") / "image", place)
    assert (member.name, content == image.read_bytes()) == (f"disk/{image.name}", True)
    (folder / "fail").unlink()
    path = write(folder, axes.replace("run = true", ""), 'images = "here"')
    path.write_text(path.read_text().replace('cache = "cache"', 'cache = "another"'))
    second = make(path)
    assert count(second, "made") == {"offline": 1, "image": 2, "published": 1}
    assert sha256_of(Path(cell(second, f"{NAME}-kubevirt").image)) == sha256_of(image)
