"""Programs a test needs."""

from __future__ import annotations

import shutil

import pytest


def need(program: str, package: str) -> None:
    """Skip the test when a program is missing; in CI that is a failure."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing (apt install {package})")
