"""``doctor``: what this machine has and lacks."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from winimagetools.checks import doctor
from winimagetools.cli import main
from winimagetools.errors import Problem
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements

FONTS = Problem("There are no fonts.", "Install them.", host=True)
TABLES = Problem("sfdisk is missing.", host=True)


class Checks:
    """A machine that lacks something for each firmware and something for both."""

    def __init__(self, *lacking: Problem) -> None:
        self.lacking = lacking
        self.asked: list[Requirements] = []

    def check(self, requirements: Requirements) -> Sequence[Problem]:
        """What is missing."""
        self.asked.append(requirements)
        return self.lacking


def machine(monkeypatch: pytest.MonkeyPatch, *lacking: Problem) -> Checks:
    """Let this be a machine that lacks something."""
    checks = Checks(*lacking)
    monkeypatch.setattr(doctor, "select_host", lambda: SimpleNamespace(name="Linux", checks=checks))
    return checks


def test_everything_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both firmwares and every container are asked about; exit code 0."""
    checks = machine(monkeypatch)
    assert main.main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "This is a Linux host.",
        "Everything needed to make BIOS and UEFI images in every format is here.",
    ]
    assert {item.layout for item in checks.asked} == set(DiskLayout)
    assert all(set(item.formats) == set(DiskFormat) for item in checks.asked)


def test_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each thing is told once, with what to do; exit code 3."""
    machine(monkeypatch, TABLES, FONTS)
    assert main.main(["doctor"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "This is a Linux host.",
        "missing: There are no fonts. Install them.",
        "missing: sfdisk is missing.",
    ]
