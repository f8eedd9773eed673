"""Skip here, fail in CI: a missing tool never hides there.

Only tests that need Windows, and those against data that is not part of the project, may
be skipped in CI.
"""

from __future__ import annotations

import os

import pytest

MAY_SKIP = ("needs Windows", "reference data")
"""How the reason of a skip begins that is all right everywhere."""

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember tests that were skipped for another reason."""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in CI when such tests were skipped."""
    if os.environ.get("CI") and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    if os.environ.get("CI") and _skipped:
        terminalreporter.section("skipped in CI, which is a failure")
        for line in _skipped:
            terminalreporter.line(line)
