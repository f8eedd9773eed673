"""Pester under pytest: each case of a ``*.Tests.ps1`` is one test.

PowerShell and Pester take seconds to start, so one process lists the cases of all files, and two
run all files that are wanted, when the first result is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests import needs
from winimagetools.run import Tool, run

HERE = Path(__file__).parent
SHELL = Tool("pwsh", "PowerShell 7 with Pester 5", "run what Windows runs")
_SLOW = ("Scenarios.Tests.ps1", "Stages.Tests.ps1")
"""As much work as all others together."""
_CASE = re.compile(r"^\s*It '((?:[^']|'')+)'", re.MULTILINE)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take the Pester files."""
    if file_path.name.endswith(".Tests.ps1"):
        return PesterFile.from_parent(parent, path=file_path)
    return None


class PesterFile(pytest.File):
    """The cases of one file."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each case; without PowerShell as they are named in the file."""
        names = _listed().get(self.path) if shutil.which(SHELL.name) else None
        if names is None:
            names = _CASE.findall(self.path.read_text(encoding="utf-8"))
        for number, name in enumerate(names):
            yield PesterCase.from_parent(self, name=name, number=number)


class PesterCase(pytest.Item):
    """One case.

    Args:
        number: its place in the file.
    """

    def __init__(self, *, number: int, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.number = number

    def runtest(self) -> None:
        """Look its result up; the first one runs all files that are wanted."""
        needs.powershell()
        wanted = {item.path for item in self.session.items if isinstance(item, PesterCase)}
        rows = [row for row in _ran(frozenset(wanted)) if Path(row["file"]) == self.path]
        broken = [row["message"] for row in rows if not row["name"]]
        cases = [row for row in rows if row["name"]]
        if self.number >= len(cases):
            raise PesterError("\n".join(broken) or "Pester did not run this case.")
        case = cases[self.number]
        if case["result"] == "Skipped":
            pytest.skip("needs Linux" if os.name == "nt" else needs.WINDOWS)
        if case["result"] != "Passed":
            raise PesterError("\n".join([case["message"] or case["result"], *broken]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        """What Pester said, without the way through Python."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands."""
        return self.path, None, self.name


class PesterError(AssertionError):
    """Pester's word on a case."""


@cache
def _listed() -> Mapping[Path, Sequence[str]]:
    files = sorted(HERE.glob("*.Tests.ps1"))
    names: dict[Path, list[str]] = {}
    for row in _pester(files, "-List"):
        names.setdefault(Path(row["file"]), []).append(row["name"])
    return names


@cache
def _ran(files: frozenset[Path]) -> Sequence[Mapping[str, str]]:
    slow = {file for file in files if file.name in _SLOW}
    halves = [sorted(half) for half in (slow, files - slow) if half]
    with ThreadPoolExecutor(len(halves)) as pool:
        return [row for rows in pool.map(_pester, halves) for row in rows]


def _pester(files: Sequence[Path], *options: str) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cases.json"
        paths = ",".join(f"'{path}'" for path in files)
        words = f"& '{HERE / 'pester.ps1'}' -Path {paths} -Out '{out}' {' '.join(options)}"
        environment = {"WINIMAGETOOLS_TEST_PYTHON": sys.executable}
        run(SHELL, ["-NoProfile", "-NonInteractive", "-Command", words], env=environment)
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
