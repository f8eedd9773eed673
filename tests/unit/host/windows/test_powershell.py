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
    message = (
        r"was to ask whether Hyper-V is turned on and ended without an answer\. It printed: out"
    )
    with pytest.raises(BuildError, match=message):
        PowerShell(lambda *_, **__: "out of order").invoke(scripts.HYPERV_STATE)


def failing(message: str, line: int) -> PowerShell:
    """PowerShell that fails in a line of the script it is given."""
    failure = {"message": message, "category": "ResourceUnavailable", "line": line}
    return PowerShell(lambda *_, **__: f"noise\n{powershell.FAILURE_MARK}{json.dumps(failure)}\n")


def test_a_failure_names_the_step_and_the_line() -> None:
    """What PowerShell said comes as data, and no Base64 is shown."""
    before = powershell.whole_script("X").splitlines().index("X")
    with pytest.raises(CommandError) as caught:
        failing("Out of memory.\r\n", before + 4).invoke(scripts.CREATE_VM)
    assert str(caught.value).startswith(
        "This command failed: powershell.exe (create and start the virtual machine). It said:\n"
        "Out of memory. (ResourceUnavailable: New-VM @machine"
    )
    with pytest.raises(CommandError, match=r"It said:\nNo\. \(ResourceUnavailable\)$"):
        failing("No.", 1).invoke("1 + 1")


def test_a_powershell_that_does_not_start_is_named_by_its_step() -> None:
    """The command line with the whole script in it is not shown."""

    def run(*_: object, **__: object) -> str:
        raise CommandError("powershell.exe -EncodedCommand JABFAH", 5, "blocked")

    with pytest.raises(CommandError) as caught:
        PowerShell(run).invoke(scripts.REMOVE_VM)
    assert "JABFAH" not in str(caught.value)
    assert "powershell.exe (remove the virtual machine)" in str(caught.value)
    assert (caught.value.returncode, caught.value.output) == (5, "blocked")


def test_every_script_says_what_it_does() -> None:
    """Each in words of its own."""
    bodies = [body for name, body in vars(scripts).items() if name.isupper()]
    steps = [powershell.step(body) for body in bodies]
    assert all(re.fullmatch(r"[a-z][\w ,-]+", step, re.IGNORECASE) for step in steps)
    assert len(set(steps)) == len(bodies)


def test_a_failure_can_be_asked_for() -> None:
    """``attempt`` returns what went wrong instead of raising it."""
    shell = PowerShell(Recorder({"EXTEND_PARTITION": CommandError("powershell.exe", 1, "no")}))
    failure = shell.attempt(scripts.EXTEND_PARTITION, letter="E")
    assert failure is not None
    assert failure.output == "no"
    assert PowerShell(Recorder()).attempt(scripts.EXTEND_PARTITION, letter="E") is None


@pytest.mark.parametrize(("answer", "items"), [(None, []), ("a", ["a"]), (["a", "b"], ["a", "b"])])
def test_lists_of_one_are_lists(answer: object, items: list[str]) -> None:
    """PowerShell unwraps lists of one and of none; they are wrapped again."""
    assert powershell.as_list(answer) == items
