"""Whether KVM runs a guest here; that there is a ``/dev/kvm`` does not say so.

In a virtual machine without nested virtualization, or in a container, the device may be there,
may be opened, and every guest crashes all the same. So a guest is run: SeaBIOS starts a sector
that ends QEMU with a number of ours, which takes a fraction of a second.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from winimagetools.errors import CommandError, HostError
from winimagetools.host.linux.qemu.machine import PROCESSORS, QEMU
from winimagetools.run import run

_DEVICE = Path("/dev/kvm")
_NUMBER = 0x2A
_EXIT_CODE = _NUMBER << 1 | 1
"""What QEMU's ``isa-debug-exit`` makes of a byte that is written to its port."""
_PATIENCE = 15.0
_ADVICE = (
    "Use a machine with hardware virtualization, or software, which takes ten to twenty times as "
    "long: accel = tcg in [vm] of a configuration, --accel tcg for boot and test-image."
)


def trial_sector() -> bytes:
    """A boot sector that writes the number to port 0xF4: ``mov al, N; out 0xF4, al; hlt``."""
    code = bytes([0xB0, _NUMBER, 0xE6, 0xF4, 0xF4])
    return code.ljust(510, b"\0") + b"\x55\xaa"


def trial_arguments(accel: str, sector: Path) -> list[str]:
    """Arguments of QEMU for the trial."""
    return [
        *("-nodefaults", "-no-user-config", "-display", "none", "-m", "32M"),
        # Some hosts run a plain processor and crash with the one the real machine has.
        *("-machine", "pc", "-accel", accel, "-cpu", PROCESSORS[accel], "-no-reboot"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        *("-drive", f"if=ide,format=raw,file={str(sector).replace(',', ',,')}"),
    ]


def choose_accelerator(wanted: str) -> str:
    """The accelerator to use: ``kvm`` unless TCG was asked for.

    Raises:
        HostError: KVM does not run a guest here.
    """
    if wanted == "tcg":
        return "tcg"
    problem = kvm_problem()
    if problem:
        raise HostError(f"KVM does not run a virtual machine here: {problem}", _ADVICE)
    return "kvm"


@cache
def kvm_problem() -> str:
    """Why KVM cannot be used, as a whole sentence; empty when a guest ran."""
    if not _DEVICE.exists():
        return f"there is no {_DEVICE}."
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return f"you may not use {_DEVICE}; join the group kvm."
    return trial_problem("kvm")


def trial_problem(accel: str) -> str:
    """Run the trial guest; why it did not come to its end, empty when it did.

    Raises:
        ToolMissingError: QEMU is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
        sector = Path(folder, "trial.img")
        sector.write_bytes(trial_sector())
        try:
            run(QEMU, trial_arguments(accel, sector), timeout=_PATIENCE, accept=(_EXIT_CODE,))
        except CommandError as error:
            lines = [line for line in error.output.splitlines() if line.strip()]
            return f"a guest that was tried crashed ({lines[0] if lines else 'without a word'})."
    return ""
