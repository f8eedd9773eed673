"""The first moments of a command line: interrupted, in a hostile folder, with odd words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from winimagetools.data import data_path

INTERRUPTED_AT = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv = ["winimagetools", "doctor"]
runpy.run_module({start!r}, run_name="__main__", alter_sys=True)
"""


def call(
    *words: str | bytes, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run Python on this tree and wait for its end."""
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "module",
    ["winimagetools.cli.main", "argparse", "winimagetools.log", "winimagetools.checks.doctor"],
)
@pytest.mark.parametrize("start", ["winimagetools", "winimagetools.builder"])
def test_interrupted_while_python_imports(start: str, module: str) -> None:
    """Ctrl-C before the command line is even read: code 130 and one line."""
    done = call("-c", INTERRUPTED_AT.format(module=module, start=start))
    assert done.returncode == 130
    assert done.stderr == "error: Interrupted; nothing was begun.\n"


def test_ignored_interrupts_stay_ignored() -> None:
    """What runs in the background is not stopped by its terminal, at the start either."""
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code = INTERRUPTED_AT.format(module="winimagetools.cli.main", start="winimagetools")
    done = call("-c", ignore + code.replace('"doctor"', '"--version"'))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_foreign_module_in_the_current_folder(tmp_path: Path) -> None:
    """Started as the PowerShell modules do, Python does not import what lies there."""
    for name in ("json", "logging", "requests"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken over')")
    text = (data_path("powershell") / "Python.ps1").read_text(encoding="ascii")
    (arguments,) = re.findall(r"\$python\.Before \+ '(.*)'", text)
    words = arguments.replace("--arguments-from-env WINIMAGETOOLS_ARGUMENTS", "--version").split()
    done = call(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("winimagetools ")


@pytest.mark.parametrize("name", ["image_name", "vm.administrator_password", "vm.disk_size", "x"])
def test_undecodable_bytes(tmp_path: Path, name: str) -> None:
    """Bytes that are no UTF-8 in a setting are one clear error."""
    config = tmp_path / "config.ini"
    config.write_text("[DEFAULT]\n")
    setting = os.fsencode(name) + b"=a\xff\xfeb"
    done = call("-m", "winimagetools", "cloud-image", str(config), "--dry-run", "--set", setting)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    expected = "There is no option" if name == "x" else "The value holds bytes that are no text."
    assert expected in done.stderr


def test_half_a_character_in_a_configuration(tmp_path: Path) -> None:
    """A lone surrogate in UTF-16 is told with its line."""
    config = tmp_path / "config.ini"
    text = "\ufeff[DEFAULT]\r\nimage_name=a\ud800\r\nmine=\udc00\r\n"
    config.write_bytes(text.encode("utf-16-le", "surrogatepass"))
    done = call("-m", "winimagetools", "show-config", str(config))
    assert done.returncode == 2
    assert "line 2: The line holds bytes that are no text." in done.stderr
    assert "line 3: The line holds bytes that are no text." in done.stderr


def test_escape_sequences_in_names(tmp_path: Path) -> None:
    """What is in a name does not move the cursor or set the title of the window."""
    done = call("-m", "winimagetools", "wim-info", str(tmp_path / "\x1b]0;x\x07\x1b[2J.wim"))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert r"\x1b]0;x\x07\x1b[2J.wim does not exist" in done.stderr


def test_libraries_print_nothing() -> None:
    """What they log would be shown as it is: with tracebacks, secrets and letters of media."""
    code = (
        "import logging\nfrom winimagetools import log\nlog.setup()\n"
        "logging.getLogger('urllib3.connectionpool').warning('http://me:secret@x \\x1b[2J')\n"
        "logging.getLogger('pycdlib').warning('Missing UDF File Set Terminator')\n"
        "log.info('ours')\n"
    )
    done = call("-c", code)
    assert done.stdout == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d +ours\n", done.stderr)


def test_the_end_is_not_interrupted() -> None:
    """Ctrl-C when everything is done does not make a failure of it."""
    code = (
        "import atexit, os, signal, sys\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from winimagetools.cli.main import main\n"
        "sys.exit(main(['ini', 'get', sys.argv[1], 'a', '--default', 'b']))\n"
    )
    done = call("-c", code, str(data_path("powershell") / "Python.ps1"))
    assert (done.returncode, done.stdout) == (0, "b\n")
    assert signal.SIGINT and "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["cloud-image", "--help"]])
def test_a_question_waits_for_no_library(words: list[str]) -> None:
    """What is only asked imports nothing that makes images, and none of their libraries."""
    code = (
        "import sys\n"
        "from winimagetools.cli.main import main\n"
        f"sys.argv[1:] = {words!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = call("-c", code)
    modules = set(done.stderr.split())
    assert "winimagetools" in done.stdout and "winimagetools.cli.commands" in modules
    assert not modules & {"requests", "pycdlib", "pyzipper", "defusedxml", "winimagetools.plan"}
