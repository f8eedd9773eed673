"""A TPM 2.0 for a virtual machine, played by swtpm for as long as the machine runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winimagetools.errors import BuildError
from winimagetools.host.linux.qemu.machine import TPM_SOCKET
from winimagetools.run import Program, Tail, Tool, spawn

SWTPM = Tool("swtpm", "swtpm", "give Windows the TPM it asks for")
_PATIENCE = 20.0
_GLANCE = 0.02


def arguments(runtime: Path) -> list[str]:
    """The arguments of swtpm; its state goes with the machine."""
    return [
        *("socket", "--tpm2", "--tpmstate", f"dir={runtime / 'tpm-state'}"),
        *("--ctrl", f"type=unixio,path={runtime / TPM_SOCKET}", "--terminate"),
    ]


@contextmanager
def emulated_tpm(runtime: Path) -> Iterator[None]:
    """Run a TPM that listens in the private folder of a machine.

    Raises:
        ToolMissingError: swtpm is not installed.
        BuildError: it does not listen.
    """
    (runtime / "tpm-state").mkdir(mode=0o700)
    with spawn(SWTPM, arguments(runtime), tied="KILL") as program:
        complaints, _ = Tail(program.error), Tail(program.output)
        _await(runtime / TPM_SOCKET, program, complaints)
        yield


def _await(socket: Path, program: Program, complaints: Tail) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not socket.exists():
        if not program.running() or time.monotonic() > give_up:
            said = complaints.text().strip() or "nothing"
            raise BuildError(f"swtpm does not listen. It said: {said}")
        time.sleep(_GLANCE)
