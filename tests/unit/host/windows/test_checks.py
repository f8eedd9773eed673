"""What a Windows host lacks for a build."""

from __future__ import annotations

from tests.unit.host.windows.recorder import Recorder
from winimagetools.errors import Problem, ToolMissingError
from winimagetools.found import MachineFacts
from winimagetools.host.windows.checks import WindowsChecks
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements
from winimagetools.run import Tool


def checks(administrator: bool, qemu: bool) -> list[Problem]:
    """What a machine with these lacks."""

    def find(tool: Tool) -> str:
        if not qemu:
            raise ToolMissingError(tool.name, tool.package, tool.reason)
        return tool.name

    recorder = Recorder({"IS_ADMINISTRATOR": administrator})
    wanted = Requirements(DiskLayout.BIOS, formats=(DiskFormat.QCOW2,))
    return list(WindowsChecks(PowerShell(recorder), find).check(wanted))


def test_rights_and_programs() -> None:
    """Missing rights and missing programs are told together, as faults of the machine."""
    assert checks(administrator=True, qemu=True) == []
    problems = checks(administrator=False, qemu=False)
    assert [problem.message.split()[0] for problem in problems] == ["Images", "qemu-img"]
    assert all(problem.host for problem in problems)


def test_what_the_machine_is() -> None:
    """A single switch comes without a list around it, as PowerShell unwraps it."""
    answer = {"system": "Windows 11 Pro 10.0.26100", "memory": 8 << 30, "processors": 4}
    for switches, expected in (("external", ("external",)), (["b", "a"], ("a", "b")), (None, ())):
        recorder = Recorder({"MACHINE": {**answer, "switches": switches}})
        found = WindowsChecks(PowerShell(recorder)).machine()
        assert found == MachineFacts("Windows 11 Pro 10.0.26100", 8 << 30, 4, expected)
