from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.windows.recorder import Recorder
from winimagetools.errors import BuildError, CommandError
from winimagetools.host.windows import powershell, scripts
from winimagetools.host.windows.powershell import PowerShell

NASTY = 'C:\\Bilder & mehr\\$env:TEMP `"quoted"\' [x] (y); 100% ü 漢\n'


def test_command_line() -> None:
    """No profile, no questions, errors as text, the script as UTF-16LE in base 64."""
    line = powershell.arguments("1 + 1")
    assert line[:-1] == [
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "Bypass",
        "-OutputFormat",
        "Text",
        "-EncodedCommand",
    ]
    assert base64.b64decode(line[-1]).decode("utf-16-le") == powershell.whole_script("1 + 1")


@given(st.text())
def test_values_are_data(text: str) -> None:
    """Whatever a value holds reaches the script unchanged, as ASCII, outside of its code."""
    environment = powershell.environment({"path": text})
    (value,) = environment.values()
    assert value.isascii()
    assert json.loads(value) == {"path": text}


def test_values_never_stand_in_the_code() -> None:
    """The code is the same whatever the values are."""
    recorder = Recorder({"SWITCH_TYPE": "External"})
    shell = PowerShell(recorder)
    assert shell.invoke(scripts.SWITCH_TYPE, name=NASTY) == "External"
    assert recorder.calls == [("SWITCH_TYPE", {"name": NASTY})]


def test_scripts_hold_no_holes() -> None:
    """No script has a placeholder of Python that a value could be pasted into."""
    bodies = {name: body for name, body in vars(scripts).items() if name.isupper()}
    assert len(bodies) > 10
    for name, body in bodies.items():
        assert not re.search(r"\{\d*\}|%s|\{[a-z_]+\}", body), name


def test_formatting_is_done_as_in_the_powershell_tools() -> None:
    """Volumes by drive letter (by partition fails in the field), the EFI one by format.com."""
    for body in (scripts.PARTITION_UEFI, scripts.PARTITION_BIOS):
        assert re.findall(r"Format-Volume (-\S+ \S+)", body) == [
            "-DriveLetter $windows.DriveLetter"
        ]
    assert '& format.com "$($system.DriveLetter):" /FS:FAT32 /Q /Y' in scripts.PARTITION_UEFI


@pytest.mark.parametrize("answer", [None, 4, "text", ["a", "b"], {"state": "Off"}])
def test_answers_are_json(answer: object) -> None:
    """The answer is what follows the mark; anything printed before is passed over."""
    assert PowerShell(Recorder({"HYPERV_STATE": answer})).invoke(scripts.HYPERV_STATE) == answer


def test_no_answer_is_an_error() -> None:
    """Output without an answer is an error that shows the output."""
    with pytest.raises(BuildError, match=r"without an answer\. It printed: out of order"):
        PowerShell(lambda *_, **__: "out of order").invoke(scripts.HYPERV_STATE)


def test_a_failure_can_be_asked_for() -> None:
    """``attempt`` returns what went wrong instead of raising it."""
    failure = CommandError("powershell.exe", 1, "no")
    shell = PowerShell(Recorder({"EXTEND_PARTITION": failure}))
    assert shell.attempt(scripts.EXTEND_PARTITION, letter="E") is failure
    assert PowerShell(Recorder()).attempt(scripts.EXTEND_PARTITION, letter="E") is None


@pytest.mark.parametrize(("answer", "items"), [(None, []), ("a", ["a"]), (["a", "b"], ["a", "b"])])
def test_lists_of_one_are_lists(answer: object, items: list[str]) -> None:
    """PowerShell unwraps lists of one and of none; they are wrapped again."""
    assert powershell.as_list(answer) == items
