"""What a Linux host lacks for a virtual machine, and how it would start one."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from winimagetools.errors import BuildError, HostError, ToolMissingError
from winimagetools.host.linux import vm
from winimagetools.host.linux.qemu import accelerator
from winimagetools.host.linux.qemu.firmware import Firmware
from winimagetools.host.linux.vm import LinuxVm, bridge_of, switch_problem
from winimagetools.model import GIB
from winimagetools.plan import VmRequest
from winimagetools.run import Tool

REQUEST = VmRequest("Sysprep1", Path("/images/win.raw"), GIB, 1, "external", 2)
OVMF = Firmware(Path("/ovmf/code.fd"), Path("/ovmf/vars.fd"), True, True, True)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with everything, and no network bridge; returns where its devices are listed."""
    monkeypatch.setattr(Tool, "find", lambda tool: f"/usr/bin/{tool.name}")
    monkeypatch.setattr(vm, "read_firmware", lambda: [OVMF])
    monkeypatch.setattr(accelerator, "kvm_problem", lambda: "")
    monkeypatch.setattr(vm, "_BRIDGES", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("complete")
def test_nothing_is_missing() -> None:
    """A machine that has everything, and no machine at all."""
    assert LinuxVm().check(REQUEST, force=False) == []
    assert LinuxVm().check(None, force=False) == []
    assert LinuxVm().check_tpm() == []


@pytest.mark.usefixtures("complete")
def test_everything_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is told together, each with what to do."""

    def find(tool: Tool) -> str:
        raise ToolMissingError(tool.name, tool.package, tool.reason)

    monkeypatch.setattr(Tool, "find", find)
    monkeypatch.setattr(vm, "read_firmware", list)
    monkeypatch.setattr(accelerator, "kvm_problem", lambda: "there is no /dev/kvm.")
    request = replace(REQUEST, cpu_count=4096, memory=1 << 50, switch="lan")
    problems = [*LinuxVm().check(request, force=False), *LinuxVm().check_tpm()]
    assert [problem.message.split(";")[0].split(":")[0] for problem in problems] == [
        "qemu-system-x86_64 was not found",
        "OVMF was not found",
        "KVM does not run a virtual machine here",
        problems[3].message,
        problems[4].message,
        "This host has no network bridge 'lan'.",
        "swtpm was not found",
    ]
    assert [problem.key for problem in problems[3:6]] == [
        "cpu_count",
        "ram_size",
        "external_switch",
    ]
    assert "accel = tcg" in problems[2].hint
    assert "install" in problems[0].hint
    assert "qemu" in problems[0].hint


@pytest.mark.usefixtures("complete")
def test_bios_needs_no_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaBIOS comes with QEMU."""
    monkeypatch.setattr(vm, "read_firmware", list)
    assert LinuxVm().check(replace(REQUEST, generation=1), force=False) == []


def test_software_needs_no_kvm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for it gets the slow way."""
    monkeypatch.setattr(accelerator, "kvm_problem", lambda: "there is no /dev/kvm.")
    assert accelerator.choose_accelerator("tcg") == "tcg"
    for wanted in ("auto", "kvm"):
        with pytest.raises(HostError, match=r"there is no /dev/kvm\..*accel = tcg"):
            accelerator.choose_accelerator(wanted)


def test_kvm_is_used_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a guest ran it is taken."""
    monkeypatch.setattr(accelerator, "kvm_problem", lambda: "")
    assert accelerator.choose_accelerator("auto") == "kvm"


def test_switch(complete: Path) -> None:
    """A bridge, none, or the network of QEMU; a name nothing has is a problem."""
    (complete / "br0" / "bridge").mkdir(parents=True)
    (complete / "eth0").mkdir()
    for name, bridge in (("", ""), ("none", ""), ("external", ""), ("br0", "br0")):
        assert switch_problem(name) is None
        assert bridge_of(replace(REQUEST, switch=name)) == bridge
    for name in ("eth0", "Default Switch", "../x/br0"):
        problem = switch_problem(name)
        assert problem is not None
        assert (problem.section, problem.key) == ("vm", "external_switch")
    (complete / "external" / "bridge").mkdir(parents=True)
    assert bridge_of(REQUEST) == "external"


@pytest.mark.usefixtures("complete")
def test_describe() -> None:
    """A dry run shows the command line as it would be typed."""
    (line,) = LinuxVm().describe(REQUEST)
    assert line.startswith("qemu-system-x86_64 -name Sysprep1 -nodefaults")
    assert "-machine q35,smm=on -accel kvm" in line
    assert "file=RUN/variables.fd" in line
    (slow,) = LinuxVm().describe(replace(REQUEST, accel="tcg"))
    assert "-accel tcg" in slow


def test_trial_sector() -> None:
    """512 bytes that a BIOS starts."""
    sector = accelerator.trial_sector()
    assert (len(sector), sector[:5].hex(), sector[-2:].hex()) == (512, "b02ae6f4f4", "55aa")


class Quitting:
    """A QEMU that is told to end; ``answer`` is raised then, ``end`` when it is waited for."""

    def __init__(self, answer: Exception | None = None, end: Exception | None = None) -> None:
        self._answer, self._end = answer, end
        self.events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self.asked: list[str] = []
        self.patience = 0.0

    def execute(self, command: str, **_: object) -> Any:
        """Note what is asked."""
        self.asked.append(command)
        if self._answer:
            raise self._answer

    def picture(self, path: Path) -> Path | None:
        """None."""
        return None

    def wait(self, timeout: float | None = None) -> int:
        """End, or not."""
        self.patience += timeout or 0
        if self._end:
            raise self._end
        return 0


@pytest.mark.parametrize("answer", [None, OSError("QEMU is gone"), TimeoutError()])
def test_the_end_of_qemu(answer: Exception | None) -> None:
    """It is waited for, also where it does not answer: it writes out what it has."""
    qemu = Quitting(answer)
    vm._quit(qemu, qemu)
    assert (qemu.asked, qemu.patience) == (["quit"], 120.0)


def test_no_end_of_qemu() -> None:
    """Is told as such, and what was made of the disk is kept as of any run that failed."""
    qemu = Quitting(end=TimeoutError())
    with pytest.raises(BuildError, match="QEMU does not end, 120 seconds after its guest") as told:
        vm._quit(qemu, qemu)
    assert "dmesg" in told.value.hint


@pytest.mark.usefixtures("complete")
def test_a_file_in_the_place_of_the_screen(tmp_path: Path) -> None:
    """Is not lost to the socket that QEMU would make there."""
    (tmp_path / "precious").touch()
    request = replace(REQUEST, vnc=str(tmp_path / "precious"))
    (problem,) = LinuxVm().check(request, force=False)
    assert problem.message == f"{tmp_path}/precious is there and is no socket; it would be lost."
