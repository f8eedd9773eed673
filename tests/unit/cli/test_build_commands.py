"""The three commands that make an image: what reaches the workflow and what is printed."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from winimagetools import log
from winimagetools.cli import main
from winimagetools.model import MIB
from winimagetools.workflows import build
from winimagetools.workflows.build import BuildReport

REPORT = BuildReport(
    Path("/images/win.raw.gz"),
    "RAW, wrapped as gz",
    5 * MIB,
    "ab" * 32,
    (
        log.StepRecord("Read the image", 1, 61.0),
        log.StepRecord("Make the disk", 0, 62.0),
        log.StepRecord("Deliver", 0, 3.0),
    ),
)
COMMANDS = {
    "cloud-image": "new_windows_cloud_image",
    "online-image": "new_windows_online_image",
    "golden-image": "new_windows_from_golden_image",
}


class Workflow:
    """Stands in for a workflow: keeps what it was asked, returns the report."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, dict[str, Any]]] = []
        self.report = REPORT

    def __call__(self, config_file_path: object, **options: Any) -> BuildReport:
        """Do what the workflow would."""
        self.asked.append((config_file_path, options))
        return self.report


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    """The name of each command."""
    return str(request.param)


@pytest.fixture
def workflow(command: str, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    """The workflow of the command."""
    double = Workflow()
    monkeypatch.setattr(build, COMMANDS[command], double)
    return double


def test_a_build_ends_with_a_summary(
    command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time for each step and in all, then path, format, size and checksum; exit code 0."""
    assert main.main([command, "my config.ini", "--set", "force=True", "--strict"]) == 0
    asked = {"overrides": ["force=True"], "strict": True, "checksum": None, "mode": None}
    options = {**asked, "report": True, "sign_key": None}
    assert workflow.asked == [("my config.ini", options)]
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        f"  Read the image: {log.duration(61)}",
        f"Make the disk: {log.duration(62)}",
        f"Deliver: {log.duration(3)}",
        f"Total: {log.duration(65)}",
        f"Image:   {REPORT.path}",
        "Format:  RAW, wrapped as gz",
        f"Size:    {log.size(5 * MIB)} (5242880 bytes)",
        f"SHA-256: {'ab' * 32}",
    ]


def test_without_checksum(
    command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """On request it is left out, and the summary says so."""
    workflow.report = dataclasses.replace(REPORT, sha256="")
    assert main.main([command, "config.ini", "--no-checksum"]) == 0
    assert workflow.asked[0][1]["checksum"] is False
    assert (
        capsys.readouterr().out.splitlines()[-1] == "SHA-256: not computed; --checksum computes it"
    )


def test_summary_for_a_program(
    command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same as one JSON object, in bytes and seconds; quiet or not."""
    assert main.main([command, "config.ini", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "image": str(REPORT.path),
        "format": "RAW, wrapped as gz",
        "size": 5242880,
        "sha256": "ab" * 32,
        "report": None,
        "seconds": 65.0,
        "steps": [
            {"name": "Read the image", "depth": 1, "seconds": 61.0},
            {"name": "Make the disk", "depth": 0, "seconds": 62.0},
            {"name": "Deliver", "depth": 0, "seconds": 3.0},
        ],
    }
    workflow.report = dataclasses.replace(REPORT, sha256="")
    assert main.main([command, "config.ini", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] is None


def test_quiet(command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]) -> None:
    """A build that went well says nothing, wherever the option stands."""
    for words in (["--quiet", command, "config.ini"], [command, "config.ini", "--quiet"]):
        assert main.main(words) == 0
    assert len(workflow.asked) == 2
    assert capsys.readouterr() == ("", "")


def test_mode(command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]) -> None:
    """Octal digits reach the workflow as a number; anything else is refused before it."""
    assert main.main([command, "config.ini", "--mode", "640"]) == 0
    assert workflow.asked[0][1]["mode"] == 0o640
    assert main.main([command, "config.ini", "--mode", "rw"]) == 2
    assert len(workflow.asked) == 1
    error = capsys.readouterr().err
    assert "error: 'rw' is not the mode of a file.\n       Write three octal digits" in error


def test_the_summary_is_in_the_log(
    command: str, workflow: Workflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is printed; standard error does not repeat it."""
    file = tmp_path / "build.log"
    assert main.main([command, "config.ini", "--json", "--log-file", str(file)]) == 0
    lines = [line[25:] for line in file.read_text().splitlines()]
    assert lines[-1] == f"SHA-256: {'ab' * 32}"
    assert lines[-4] == f"Image:   {REPORT.path}"
    assert "SHA-256" not in capsys.readouterr().err
    assert len(workflow.asked) == 1


@pytest.mark.parametrize("command", ["cloud-image", "online-image"])
def test_a_dry_run_prints_the_plan(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was decided stands on standard output; nothing is built and there is no summary."""
    asked: list[tuple[object, ...]] = []

    def describe(workflow: object, path: object, **options: object) -> list[str]:
        asked.append((workflow, path, options))
        return ["The disk:", "  make it"]

    monkeypatch.setattr(build, "describe_build", describe)
    assert main.main([command, "config.ini", "--dry-run", "--set", "force=True"]) == 0
    ((workflow, path, options),) = asked
    assert (getattr(workflow, "name", ""), path) == (command.split("-")[0].upper(), "config.ini")
    assert options == {"overrides": ["force=True"], "strict": False}
    assert log.LOGGER.level == logging.WARNING
    assert capsys.readouterr().out == "The disk:\n  make it\nNothing was done.\n"


def test_the_report_of_an_image(
    command: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary says where it is; one flag leaves it out, another names the key that signs."""
    place = Path("/images/win.raw.gz.report")
    workflow.report = dataclasses.replace(REPORT, report=place)
    assert main.main([command, "config.ini", "--sign-key", "key.pem"]) == 0
    assert workflow.asked[0][1]["sign_key"] == "key.pem"
    assert capsys.readouterr().out.splitlines()[-1] == f"Report:  {place}"
    assert main.main([command, "config.ini", "--no-report", "--json"]) == 0
    assert workflow.asked[1][1]["report"] is False
    assert json.loads(capsys.readouterr().out)["report"] == str(place)
