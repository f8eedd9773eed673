"""Calling PowerShell with values as data and answers as data.

The code of a script is constant text of this project; what varies reaches it as JSON in one
environment variable and is read there into ``$v``. So a path with blanks, quotes, ``$``,
brackets or any letter arrives unchanged and is never taken for code. Scripts answer with
one JSON document, never with text in the language of the system; so do their failures.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from winimagetools.errors import BuildError, CommandError
from winimagetools.run import Tool, run

POWERSHELL = Tool("powershell.exe", "Windows PowerShell 4 or newer", "work with disks and Hyper-V")
VALUES = "WINIMAGETOOLS_VALUES"
"""The environment variable that carries the values."""
MARK = "#winimagetools-answer:"
"""What the answer begins with; whatever cmdlets print before it is not part of it."""
FAILURE_MARK = "#winimagetools-failure:"
"""What the description of a failure begins with."""

_BEFORE = f"""\
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$v = ConvertFrom-Json $env:{VALUES}
try {{ $answer = & {{
"""
_AFTER = f"""
}} }} catch {{
    $failure = @{{
        message = [string]$_.Exception.Message
        category = [string]$_.CategoryInfo.Category
        line = [int]$_.InvocationInfo.ScriptLineNumber
    }}
    [Console]::Out.WriteLine('{FAILURE_MARK}' + (ConvertTo-Json -InputObject $failure -Compress))
    exit 0
}}
if ($null -eq $answer) {{ $json = 'null' }}
else {{ $json = ConvertTo-Json -InputObject $answer -Depth 4 -Compress }}
[Console]::Out.WriteLine('{MARK}' + $json)
"""

Runner = Callable[..., str]
"""Has the signature of :func:`winimagetools.run.run`."""


def whole_script(body: str) -> str:
    """The script as it is run: the body between reading ``$v`` and writing the answer."""
    return _BEFORE + body.strip("\n") + _AFTER


def arguments(body: str) -> list[str]:
    """The arguments of ``powershell.exe`` for a script body."""
    encoded = base64.b64encode(whole_script(body).encode("utf-16-le")).decode("ascii")
    return [
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "Bypass",
        # Otherwise errors of an encoded command come as CLIXML.
        "-OutputFormat",
        "Text",
        "-EncodedCommand",
        encoded,
    ]


def step(body: str) -> str:
    """What a script body is to do, from its first line; empty when that is no comment."""
    first = body.strip("\n").partition("\n")[0]
    return first.removeprefix("# ") if first.startswith("# ") else ""


def shown(body: str) -> str:
    """A script as it is named to the user."""
    return f"powershell.exe ({step(body)})" if step(body) else "powershell.exe"


def said(body: str, failure: Mapping[str, Any]) -> str:
    """What PowerShell said, with the category of the error and the line of the body."""
    lines = body.strip("\n").splitlines()
    number = int(failure["line"]) - _BEFORE.count("\n")
    where = f": {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""
    return f"{str(failure['message']).strip()} ({failure['category']}{where})"


def environment(values: Mapping[str, object]) -> dict[str, str]:
    """The environment that carries ``values``: plain ASCII JSON, whatever is in them."""
    return {VALUES: json.dumps(dict(values), ensure_ascii=True, default=str)}


class PowerShell:
    """A door to PowerShell.

    Args:
        runner: runs a program; :func:`winimagetools.run.run` unless a test listens in.
    """

    def __init__(self, runner: Runner = run) -> None:
        self._runner = runner

    def invoke(self, body: str, **values: object) -> Any:
        """Run a script body and return its answer.

        Args:
            body: PowerShell that reads ``$v.NAME`` and leaves its answer in the pipeline; what
                it is to do stands in its first line, as a comment.
            values: what ``$v`` holds; anything JSON can carry, paths as their text.

        Raises:
            CommandError: the script failed; it names the step and what PowerShell said.
            BuildError: it ended without an answer.
        """
        output = self._run(body, values)
        _, failed, failure = output.rpartition(FAILURE_MARK)
        if failed:
            raise CommandError(shown(body), 1, said(body, json.loads(failure)), "failed")
        _, mark, answer = output.rpartition(MARK)
        if not mark:
            message = f"PowerShell was to {step(body)} and ended without an answer."
            raise BuildError(message, f"It printed: {output[-500:]}")
        return json.loads(answer)

    def _run(self, body: str, values: Mapping[str, object]) -> str:
        try:
            return self._runner(POWERSHELL, arguments(body), env=environment(values))
        except CommandError as error:
            # A kilobyte of Base64 stands in the command line.
            raise CommandError(shown(body), error.returncode, error.output) from error

    def attempt(self, body: str, **values: object) -> CommandError | None:
        """Run a script body for its effect; return the failure instead of raising it."""
        try:
            self.invoke(body, **values)
        except CommandError as error:
            return error
        return None


def as_list(answer: Any) -> Sequence[Any]:
    """An answer as a list: PowerShell unwraps lists of one and of none."""
    if answer is None:
        return []
    return answer if isinstance(answer, list) else [answer]
