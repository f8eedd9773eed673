"""The stage in a virtual machine: not on a Linux host yet, and said so before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from winimagetools.errors import HostError, Problem
from winimagetools.plan import VmRequest

_SENTENCE = "The stage in a virtual machine is not available on a Linux host yet."
_ADVICE = (
    "Make the image with New-WindowsCloudImage and start it once on its hypervisor; it "
    "finishes itself and powers off."
)


class LinuxVm:
    """Answers that there is no such stage here."""

    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        """One problem when a machine is asked for."""
        return [] if request is None else [Problem(_SENTENCE, _ADVICE, host=True)]

    def run_sysprep(self, request: VmRequest) -> None:
        """Raises HostError; :meth:`check` has said so before."""
        raise HostError(_SENTENCE, _ADVICE)
