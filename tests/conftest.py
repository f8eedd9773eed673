"""Options of the test run."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# No test is about time, so a busy machine is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite-transcripts``."""
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write the golden transcripts of the workflows anew instead of comparing them",
    )
