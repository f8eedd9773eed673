"""What a build says of itself: how many steps it has, and what it will replace."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.unit.dry_build import Case, config_text, lay_out, plan_lines, transcript
from tests.unit.recording_host import recording_host
from tests.unit.transcript_cases import CASES
from tests.unit.workflows.test_prepare import CLOUD, OneRelease
from winimagetools import builder, log
from winimagetools.image.request import Workflow

MAKING = [name for name, case in CASES.items() if case.workflow is not Workflow.TEST]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything the configurations name."""
    folder = tmp_path_factory.mktemp("build")
    lay_out(folder)
    return folder


@pytest.mark.parametrize("name", MAKING)
def test_every_step_is_counted(name: str, here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The number of steps that is announced is the number there are, whatever is asked for."""
    caplog.set_level("INFO", log.LOGGER.name)
    transcript(CASES[name], here)
    said = [re.match(r"Step (\d+) of (\d+): ", message) for message in caplog.messages]
    places = [(int(match[1]), int(match[2])) for match in said if match]
    last = places[-1][1]
    first = 3 if CASES[name].workflow is Workflow.GOLDEN else 1
    assert places == [(number, last) for number in range(first, last + 1)]
    assert 4 <= last <= 10


@pytest.mark.parametrize("workflow", [Workflow.CLOUD, Workflow.ONLINE])
def test_what_is_replaced(
    workflow: Workflow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both the plan and the log of a build name the older image, its size and its date."""
    caplog.set_level("INFO", log.LOGGER.name)
    lay_out(tmp_path)
    case = Case(workflow, {**CLOUD, "image_path": "win.vhdx", "virtual_disk_format": "VHDX"})
    assert not [line for line in plan_lines(case, tmp_path) if "replace" in line]
    old = tmp_path / "win.vhdx"
    old.write_bytes(bytes(2048))
    os.utime(old, (0, 1_700_000_000))
    transcript(case, tmp_path)
    named = rf"he file {re.escape(str(old.resolve()))} \(2.0 KiB, written 2023-11-1\d \d\d:\d\d\)"
    assert [
        text
        for text in caplog.messages
        if re.fullmatch(rf"T{named} is replaced when the new one is complete\.", text)
    ]
    assert plan_lines(case, tmp_path)[-1].startswith("  replace the file <here>/win.vhdx")


@pytest.mark.parametrize(("mode", "said"), [(None, ""), (0o640, " with mode 640")])
def test_mode(mode: int | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may read the image is for the host to do; by default it decides itself."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.ini"
    config.write_text(config_text(CLOUD))
    lines: list[str] = []
    host = recording_host(OneRelease(), lines.append)
    builder.new_windows_cloud_image(config, host=host, mode=mode)
    assert lines[-1] == f"put win.raw in place as win.raw{said} and its report"
