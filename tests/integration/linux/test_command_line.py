"""What a terminal and a pipe get from the commands, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_names_the_terminal_has_no_letters_for(tmp_path: Path) -> None:
    """They are printed as numbers instead of ending a complete build with a traceback."""
    config = tmp_path / "config.ini"
    config.write_text("[DEFAULT]\nimage_path=größe/专.vhdx\n", encoding="utf-8")
    for encoding, shown in (
        ("ascii", "gr\\xf6\\xdfe/\\u4e13.vhdx"),
        ("latin-1:strict", "größe/\\u4e13.vhdx"),
        ("utf-8", "größe/专.vhdx"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "winimagetools", "show-config", config],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=True,
        )
        codec = encoding.partition(":")[0]
        assert f"image_path = {shown}\n" in done.stdout.decode(codec)


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("{} doctor >&- 2>&-", 0),
        ("{} doctor > /dev/full", 1),
    ],
)
def test_nobody_reads(shell: str, code: int) -> None:
    """Neither closed outputs nor a full disk cause a traceback."""
    command = shell.format(f"{sys.executable} -m winimagetools")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_reader_that_has_gone() -> None:
    """``| head`` does not cause a traceback either."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "winimagetools", "doctor"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_functions_of_the_package() -> None:
    """Each is that of the builder; the package itself imports none of it."""
    for name in winimagetools.__all__[1:]:
        assert getattr(winimagetools, name) is getattr(builder, name)
    done = run("-c", "import sys, winimagetools; print('winimagetools.builder' in sys.modules)")
    assert done.stdout == "False\n"
