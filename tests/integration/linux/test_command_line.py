"""What a terminal and a pipe get from the commands, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import winimagetools
from winimagetools import builder


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words."""
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )


@pytest.mark.parametrize("module", ["winimagetools", "winimagetools.builder"])
def test_each_module_that_can_be_run(module: str) -> None:
    """Both say what they can do and nothing else; Python has nothing to warn about."""
    done = run("-m", module, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"winimagetools {winimagetools.__version__}\n"


def test_the_functions_of_the_package() -> None:
    """Each is that of the builder; the package itself imports none of it."""
    for name in winimagetools.__all__[1:]:
        assert getattr(winimagetools, name) is getattr(builder, name)
    done = run("-c", "import sys, winimagetools; print('winimagetools.builder' in sys.modules)")
    assert done.stdout == "False\n"
