"""Options of the test run."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings

from winimagetools import log

# No test is about time, so a busy machine is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def log_as_imported() -> None:
    """Let pytest see all lines, whatever a command line that ran before has set up."""
    log.LOGGER.handlers.clear()
    log.LOGGER.propagate = True
    log.LOGGER.setLevel(logging.NOTSET)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite-transcripts``."""
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write the golden transcripts of the workflows anew instead of comparing them",
    )
