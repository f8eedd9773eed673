"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite-transcripts``."""
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write the golden transcripts of the workflows anew instead of comparing them",
    )
