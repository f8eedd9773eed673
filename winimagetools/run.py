"""The one door to other programs.

Command lines are lists and never pass through a shell. Output is captured; a failure
shows the command, the exit code and the last lines. Secrets are declared where the
command is built and are masked wherever it is shown. A program that is missing is named
together with the package it comes in and the reason it is needed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from winimagetools import log
from winimagetools.errors import CommandError, ToolMissingError

_OUTPUT_LINES = 20
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where Debian keeps mkntfs and sfdisk; not in the PATH of an ordinary user."""


@dataclass(frozen=True)
class Tool:
    """A program this project calls.

    Args:
        name: file name of the program.
        package: Debian/Ubuntu package it is in.
        reason: what it is needed for, completing "needed to ...".
    """

    name: str
    package: str
    reason: str

    def find(self) -> str:
        """Full path of the program. Raises ToolMissingError."""
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS])
        found = shutil.which(self.name, path=search)
        if found is None:
            raise ToolMissingError(self.name, self.package, self.reason)
        return found


def show(argv: Sequence[str | os.PathLike[str]]) -> str:
    """A command line as it may be shown: quoted, secrets masked."""
    return log.mask(shlex.join(os.fspath(part) for part in argv))


def run(
    tool: Tool,
    arguments: Sequence[str | os.PathLike[str]],
    *,
    input_text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    accept: Sequence[int] = (0,),
) -> str:
    """Run a program to its end and return what it printed (standard output and error).

    Args:
        tool: the program.
        arguments: its arguments, one item each.
        input_text: text for its standard input; nothing is connected otherwise.
        env: variables added to this process's environment.
        cwd: folder to run it in.
        timeout: seconds after which it is killed; None means never.
        accept: exit codes that are not failures.

    Raises:
        ToolMissingError: the program is not installed.
        CommandError: it returned another exit code, or the time ran out.

    Port of ``Start-Executable``.
    """
    argv = [tool.find(), *(os.fspath(part) for part in arguments)]
    shown = show([tool.name, *arguments])
    log.LOGGER.debug("running: %s", shown)
    try:
        done = subprocess.run(
            argv,
            input=input_text,
            stdin=subprocess.DEVNULL if input_text is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(shown, -9, f"It was stopped after {timeout} seconds.") from error
    if done.returncode not in accept:
        raise CommandError(shown, done.returncode, _tail(done.stdout))
    return done.stdout


def follow(
    tool: Tool,
    arguments: Sequence[str | os.PathLike[str]],
    on_text: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program and hand over its output as it comes (a progress display, say).

    Raises:
        ToolMissingError: the program is not installed.
        CommandError: it returned an exit code other than 0.
    """
    argv = [tool.find(), *(os.fspath(part) for part in arguments)]
    shown = show([tool.name, *arguments])
    log.LOGGER.debug("running: %s", shown)
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
    ) as process:
        output = cast(IO[bytes], process.stdout)
        recent = ""
        try:
            while chunk := os.read(output.fileno(), 4096):
                text = chunk.decode(errors="replace")
                recent = (recent + text)[-4096:]
                on_text(text)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise CommandError(shown, process.returncode, _tail(recent))


def _tail(output: str) -> str:
    lines = [line for line in output.replace("\r", "\n").splitlines() if line.strip()]
    return log.mask("\n".join(lines[-_OUTPUT_LINES:]))
