from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.unit.formats.test_png import read_png
from tests.unit.host.windows.recorder import Recorder, kvp_item
from winimagetools.errors import BuildError, CommandError
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.host.windows.vm import (
    SCREEN,
    HyperV,
    Screen,
    convert_kvp_data,
    processor_problems,
    switch_problems,
)
from winimagetools.model import GIB
from winimagetools.plan import VmRequest

REQUEST = VmRequest(
    name="WindowsOnlineImage-Sysprep1",
    disk=Path("C:\\images\\win [1].vhdx"),
    memory=2 * GIB,
    cpu_count=4,
    switch="external $(x)",
    generation=2,
    disable_secure_boot=True,
)


def test_convert_kvp_data() -> None:
    """Reports are told from other items by their name; what is unreadable is passed over."""
    items = [
        kvp_item("ImageGenerationLog-Updates", "12 &lt;installed&gt;"),
        kvp_item("OSName", "Windows"),
        "<broken",
        '<!DOCTYPE a [<!ENTITY b "c">]><INSTANCE>&b;</INSTANCE>',
    ]
    assert convert_kvp_data(items) == {"Updates": "12 <installed>"}


def machine(*statuses: dict[str, Any]) -> Recorder:
    """A machine that goes through these statuses."""
    left = list(statuses)
    return Recorder({"VM_STATUS": lambda _: left.pop(0)})


@pytest.fixture
def request_(tmp_path: Path) -> VmRequest:
    """The request with a folder for logs."""
    return dataclasses.replace(REQUEST, logs=tmp_path)


def test_run_sysprep(caplog: pytest.LogCaptureFixture, request_: VmRequest) -> None:
    """The machine is made from values, followed until it is off, and taken away."""
    caplog.set_level("INFO")
    recorder = machine(
        {"state": "Running", "uptime": 9, "items": None},
        {"state": "Running", "uptime": 9, "items": kvp_item("ImageGenerationLog-Updates", "none")},
        {
            "state": "Running",
            "uptime": 9,
            "items": [kvp_item("ImageGenerationLog-StatusFinal", "done")],
        },
        {"state": "Off", "uptime": 0, "items": []},
    )
    slept: list[float] = []
    HyperV(PowerShell(recorder), slept.append).run_sysprep(request_)
    assert recorder.calls[0] == (
        "CREATE_VM",
        {
            "name": "WindowsOnlineImage-Sysprep1",
            "disk": "C:\\images\\win [1].vhdx",
            "memory": 2 * GIB,
            "cpu_count": 4,
            "switch": "external $(x)",
            "generation": 2,
            "disable_secure_boot": True,
        },
    )
    asked = ["VM_STATUS", "VM_SCREEN"]
    assert recorder.scripts == ["CREATE_VM", "VM_STATUS", *asked * 2, "VM_STATUS", "REMOVE_VM"]
    assert slept == [5.0, 1.0, 1.0, 1.0]
    assert caplog.text.count("Updates: none") == 1
    assert "Waiting for WindowsOnlineImage-Sysprep1 to finish and power off" in caplog.text


def test_pictures(request_: VmRequest) -> None:
    """One for each new stage and one when it is given up; those that cannot be had are left out."""
    width, height = SCREEN
    screens: list[object] = [
        base64.b64encode(b"\xff" * width * height * 2).decode(),
        "",
        CommandError("powershell.exe", 1, "no screen"),
        base64.b64encode(b"\0" * width * height * 2).decode(),
    ]
    news = [
        kvp_item(f"ImageGenerationLog-{stage}", "x") for stage in ("Updates", "Drivers", "Hooks")
    ]
    states = [{"state": "Running", "uptime": 9, "items": news[: number + 1]} for number in range(3)]
    recorder = Recorder(
        {
            "VM_STATUS": lambda _: states.pop(0) if len(states) > 1 else states[0],
            "VM_SCREEN": lambda _: screens.pop(0),
        }
    )
    moments = iter(range(0, 10_000, 20))
    machine = HyperV(PowerShell(recorder), lambda _: None, lambda: next(moments))
    with pytest.raises(BuildError, match="nothing new"):
        machine.run_sysprep(dataclasses.replace(request_, silence=300))
    assert ("VM_SCREEN", {"name": request_.name, "width": width, "height": height}) in (
        recorder.calls
    )
    pictures = sorted(request_.logs.glob("*.png"))
    assert [path.name for path in pictures] == ["screen-001-Updates.png", "screen-002-end.png"]
    first, last = (read_png(path.read_bytes()) for path in pictures)
    assert first[:2] == last[:2] == SCREEN
    assert set(b"".join(first[2])) == {255}
    assert set(b"".join(last[2])) == {0}


def test_as_many_pictures_as_anybody_looks_at(
    request_: VmRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one of the end."""
    monkeypatch.setattr("winimagetools.host.windows.vm.MOST_PICTURES", 3)
    picture = base64.b64encode(bytes(2 * SCREEN[0] * SCREEN[1])).decode()
    recorder = Recorder({"VM_SCREEN": picture})
    screen = Screen(PowerShell(recorder), request_)
    for stage in ("Updates", "Updates", "Drivers", "Hooks", "Hooks"):
        screen.picture(stage)
    assert len(recorder.calls) == 3
    screen.picture("end")
    assert sorted(path.name for path in request_.logs.glob("screen-*.png")) == [
        "screen-001-Updates.png",
        "screen-002-Updates.png",
        "screen-003-Drivers.png",
        "screen-004-end.png",
    ]


def test_no_room_for_a_picture(request_: VmRequest) -> None:
    """Does not end the run."""
    picture = base64.b64encode(bytes(2 * SCREEN[0] * SCREEN[1])).decode()
    screen = Screen(PowerShell(Recorder({"VM_SCREEN": picture})), request_)
    request_.logs.rmdir()
    screen.picture("Updates")
    assert not request_.logs.exists()


def test_what_failed_in_the_guest_is_a_warning(
    caplog: pytest.LogCaptureFixture, request_: VmRequest
) -> None:
    """The image goes on without a driver, and the user is told."""
    caplog.set_level("INFO")
    failed = kvp_item("ImageGenerationLog-Drivers(failed)", "1 of 2 failed: exit code 5: b.inf")
    recorder = machine(
        {"state": "Running", "uptime": 9, "items": failed},
        {
            "state": "Running",
            "uptime": 9,
            "items": [failed, kvp_item("ImageGenerationLog-StatusFinal", "done")],
        },
        {"state": "Off", "uptime": 0, "items": []},
    )
    HyperV(PowerShell(recorder), lambda _: None).run_sysprep(request_)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "Drivers(failed): 1 of 2 failed: exit code 5: b.inf"
    ]


def test_the_machine_is_removed_after_a_failure(request_: VmRequest) -> None:
    """A failure report of the guest fails the build, and no machine stays."""
    recorder = machine(
        {"state": "Off", "uptime": 0, "items": kvp_item("ImageGenerationLog-ERROR", "no MSI")}
    )
    with pytest.raises(BuildError, match="reported a failure: no MSI"):
        HyperV(PowerShell(recorder), lambda _: None).run_sysprep(request_)
    assert recorder.scripts[-1] == "REMOVE_VM"


def test_a_golden_image_brings_old_reports_along(request_: VmRequest) -> None:
    """What the run that made it said is no verdict on the run that uses it."""
    old = [
        kvp_item("ImageGenerationLog-StatusFinal", "gold"),
        kvp_item("ImageGenerationLog-Updates", "2"),
    ]
    recorder = machine(
        {"state": "Running", "uptime": 9, "items": old},
        {
            "state": "Running",
            "uptime": 9,
            "items": kvp_item("ImageGenerationLog-StatusInitial", "begun"),
        },
        {"state": "Off", "uptime": 0, "items": None},
    )
    reports = HyperV(PowerShell(recorder), lambda _: None).run_sysprep(request_)
    assert reports == {"StatusInitial": "begun"}


def test_a_silent_machine_is_given_up(request_: VmRequest) -> None:
    """The PowerShell tools wait for ever; the reports are kept, and the machine is taken away."""
    moments = iter(range(0, 10_000, 20))
    recorder = Recorder(
        {
            "VM_STATUS": {
                "state": "Running",
                "uptime": 9,
                "items": kvp_item("ImageGenerationLog-Updates", "3 found"),
            }
        }
    )
    machine = HyperV(PowerShell(recorder), lambda _: None, lambda: next(moments))
    with pytest.raises(BuildError, match="nothing new for 5 min 00 s; its last stage was Updates"):
        machine.run_sysprep(dataclasses.replace(request_, silence=300))
    assert recorder.scripts[-1] == "REMOVE_VM"
    assert (request_.logs / "reports.jsonl").read_text() == (
        '{"stage": "Updates", "message": "3 found", "result": "running"}\n'
    )


def test_one_missing_answer_is_no_failure(request_: VmRequest) -> None:
    """Hyper-V may be unable to answer for a moment; only half a minute of that is a failure."""
    answers: list[object] = [
        CommandError("powershell.exe", 1, "The object was not found."),
        {"state": "Off", "uptime": 0, "items": kvp_item("ImageGenerationLog-StatusFinal", "done")},
    ]
    recorder = Recorder({"VM_STATUS": lambda _: answers.pop(0)})
    HyperV(PowerShell(recorder), lambda _: None).run_sysprep(request_)
    assert recorder.scripts == ["CREATE_VM", "VM_STATUS", "VM_STATUS", "REMOVE_VM"]
    silent = Recorder({"VM_STATUS": CommandError("powershell.exe", 1, "gone")})
    slept: list[float] = []
    with pytest.raises(CommandError):
        HyperV(PowerShell(silent), slept.append).run_sysprep(request_)
    assert sum(slept[1:]) == 31.0
    assert silent.scripts[-1] == "REMOVE_VM"


@pytest.mark.parametrize(
    ("name", "kind", "force", "found"),
    [
        ("", "", False, None),
        ("external", "External", False, None),
        ("lan", "", False, "There is no virtual switch 'lan'."),
        ("lan", "", True, "There is no virtual switch 'lan'."),
        ("lan", "Internal", True, None),
        ("lan", "Private", False, "is Private, not External"),
    ],
)
def test_switch(name: str, kind: str, force: bool, found: str | None) -> None:
    """A switch must exist; it must be external unless the user insists."""
    problems = switch_problems(name, kind, force)
    if found is None:
        assert problems == []
    else:
        assert found in problems[0].message
        assert (problems[0].section, problems[0].key) == ("vm", "external_switch")


def test_processors() -> None:
    """All processors may be used, and no more."""
    assert processor_problems(4, 4) == []
    assert [str(problem) for problem in processor_problems(8, 4)] == [
        "[vm] cpu_count: 8 processors are more than the 4 of this machine. Use at most 4."
    ]


def test_check_reports_everything() -> None:
    """A wrong switch and too many processors are told together."""
    recorder = Recorder({"HYPERV_STATE": "Enabled", "PROCESSOR_COUNT": 2, "SWITCH_TYPE": ""})
    problems = HyperV(PowerShell(recorder)).check(REQUEST, force=False)
    assert [problem.key for problem in problems] == ["cpu_count", "external_switch"]


def test_check_without_hyperv() -> None:
    """Without Hyper-V nothing else can be asked; the advice says how to turn it on."""
    recorder = Recorder({"HYPERV_STATE": "Disabled"})
    (problem,) = HyperV(PowerShell(recorder)).check(REQUEST, force=False)
    assert problem.host
    assert "Enable-WindowsOptionalFeature" in problem.hint
    assert recorder.scripts == ["HYPERV_STATE"]


def test_check_without_a_machine() -> None:
    """Without sysprep there is no machine whose switch could be wrong."""
    recorder = Recorder({"HYPERV_STATE": "Enabled"})
    assert HyperV(PowerShell(recorder)).check(None, force=True) == []
