"""Whether a Windows machine can do a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from winimagetools.errors import Problem, ToolMissingError
from winimagetools.found import MachineFacts
from winimagetools.host.windows import scripts
from winimagetools.host.windows.powershell import PowerShell, as_list
from winimagetools.output.convert import QEMU_IMG
from winimagetools.plan import Requirements
from winimagetools.run import Tool


class WindowsChecks:
    """Implements :class:`winimagetools.contract.Checks`.

    Args:
        shell: runs PowerShell.
        find: looks a program up; raises ToolMissingError.
    """

    def __init__(self, shell: PowerShell, find: Callable[[Tool], str] = Tool.find) -> None:
        self._shell = shell
        self._find = find

    def check(self, requirements: Requirements) -> Sequence[Problem]:
        """Rights and programs. Port of ``Is-Administrator``."""
        problems = []
        if not self._shell.invoke(scripts.IS_ADMINISTRATOR):
            problems.append(
                Problem(
                    "Images can only be made by an administrator.",
                    "Start the shell with Run as administrator.",
                    host=True,
                )
            )
        if requirements.formats:
            try:
                self._find(QEMU_IMG)
            except ToolMissingError as error:
                advice = (
                    "Install QEMU for Windows (winget install SoftwareFreedomConservancy.QEMU) "
                    "and add its folder to PATH."
                )
                problems.append(Problem(error.message, advice, host=True))
        return problems

    def versions(self, requirements: Requirements) -> Sequence[tuple[str, str]]:
        """Windows itself, of which all tools but qemu-img are a part."""
        return [("system", self.machine().system)]

    def machine(self) -> MachineFacts:
        """What CIM tells of this machine, and the virtual switches where there is Hyper-V."""
        answer = self._shell.invoke(scripts.MACHINE)
        return MachineFacts(
            system=answer["system"],
            memory=int(answer["memory"]),
            processors=int(answer["processors"]),
            bridges=tuple(sorted(as_list(answer["switches"]))),
        )
