"""The door to PowerShell, with the real one behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.data import data_path
from winimagetools.errors import CommandError
from winimagetools.host.windows import scripts
from winimagetools.host.windows.powershell import PowerShell, as_list, whole_script

NASTY = ["a b", 'say "hi"', "it's", "$env:TEMP", "[x]*", "C:\\ä\\日本\\", "`n;exit 3", "%PATH%", ""]
BODIES = [body for name, body in vars(scripts).items() if name.isupper() and "\n" in str(body)]
FILES = sorted(path for path in data_path("").rglob("*.ps*1") if path.is_file())
PARSE = r"""
$tokens = $null
$errors = $null
$parser = [System.Management.Automation.Language.Parser]
$parser::ParseInput($v.text, [ref]$tokens, [ref]$errors) | Out-Null
@($errors | ForEach-Object { [string]$_.Message })
"""


@pytest.mark.parametrize("value", NASTY)
def test_values_arrive_unchanged(shell: PowerShell, value: str) -> None:
    """A value is data on its way in and on its way back."""
    assert shell.invoke("[string]$v.text", text=value) == value


def test_kinds_of_answers(shell: PowerShell) -> None:
    """Nothing, a number, a truth, a list and a table come back as such."""
    assert shell.invoke("$null") is None
    assert shell.invoke("$v.a + $v.b", a=2, b=40) == 42
    assert shell.invoke("$v.a -gt 1", a=2) is True
    assert as_list(shell.invoke("@('x')")) == ["x"]
    assert shell.invoke("@{ a = 'ü'; b = 1 }") == {"a": "ü", "b": 1}


def test_what_cmdlets_print_is_no_answer(shell: PowerShell) -> None:
    """Messages before the answer are passed over."""
    assert shell.invoke("Write-Host 'noise'; 'answer'") == "answer"


def test_a_failure_says_what_happened(shell: PowerShell) -> None:
    """What is thrown ends the script and is in the message."""
    with pytest.raises(CommandError, match="out of cheese"):
        shell.invoke("throw 'out of cheese'")
    with pytest.raises(CommandError, match="no-such-file"):
        shell.invoke("Get-Item -LiteralPath $v.path", path="C:\\no-such-file")


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.strip().splitlines()[0][:40])
def test_scripts_of_the_host_parse(shell: PowerShell, body: str) -> None:
    """PowerShell's own parser finds no error in what this project sends it."""
    assert as_list(shell.invoke(PARSE, text=whole_script(body))) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_parse(shell: PowerShell, path: Path) -> None:
    """PowerShell's own parser finds no error in the modules and the guest's scripts."""
    assert as_list(shell.invoke(PARSE, text=path.read_text(encoding="ascii"))) == []


def test_the_parser_finds_errors(shell: PowerShell) -> None:
    """The check above can fail."""
    assert as_list(shell.invoke(PARSE, text="if ($a) { 'x"))
