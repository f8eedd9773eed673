"""Options of the test run, and what becomes of tests that are skipped."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings

from tests import needs
from winimagetools import log

# No test is about time, so a busy machine is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_skipped: dict[str, str] = {}


@pytest.fixture(autouse=True)
def log_as_imported() -> None:
    """Let pytest see all lines, whatever a command line that ran before has set up."""
    log.LOGGER.handlers.clear()
    log.LOGGER.propagate = True
    log.LOGGER.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def obey_ctrl_c() -> Iterator[None]:
    """Let SIGINT be heard, here and by what a test starts.

    Whatever a script starts in the background, perhaps this run of the tests, ignores it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite-transcripts``."""
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write the golden transcripts of the workflows anew instead of comparing them",
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a test that was skipped."""
    _remember(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember a whole module that was skipped."""
    _remember(report)


def _remember(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")


def _unexcused() -> list[str]:
    has_powershell = shutil.which("pwsh") is not None
    is_debian = False
    with suppress(OSError):
        is_debian = platform.freedesktop_os_release()["ID"] == "debian"
    return needs.unexcused(_skipped, os.environ, has_powershell=has_powershell, is_debian=is_debian)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which tests were skipped that must not be."""
    if _unexcused():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    if lines := _unexcused():
        terminalreporter.section("skipped in CI, which is a failure")
        for line in lines:
            terminalreporter.line(line)
