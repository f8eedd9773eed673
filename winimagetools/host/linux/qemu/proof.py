"""Whether a disk starts: its firmware starts the boot manager, and that goes on to read Windows.

A boot manager that cannot go on shows an error and waits, so what tells is how much it reads:
loader, kernel and the hive SYSTEM are tens of MiB, and everything that comes before them, its
fonts and its store included, is less than a quarter of that.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.host.linux.qemu.follow import Connection, Growing, Process, why_not_started
from winimagetools.host.linux.qemu.machine import FIRMWARE_LOG, SERIAL
from winimagetools.model import MIB

ENOUGH = 32 * MIB
PATIENCE = {"kvm": 120.0, "tcg": 600.0}
"""Seconds a boot manager gets to read so much, by accelerator."""
_GLANCE = 0.25
_STARTED = (b"BdsDxe: starting Boot", b"Booting from Hard Disk")
"""What OVMF and SeaBIOS say when they hand over to the disk."""
_KEPT = 16384


class StartProof:
    """One start of a disk.

    Args:
        logs: folder with what firmware says.
        process: QEMU.
        monitor: connected to it.
        patience: seconds to wait.
        clock: seconds.
    """

    def __init__(
        self,
        logs: Path,
        process: Process,
        monitor: Connection,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process, self._monitor, self._clock = process, monitor, clock
        self._patience, self._began = patience, clock()
        self._ports = [Growing(logs / name) for name in (SERIAL, FIRMWARE_LOG)]
        self._said = b""
        self._started = False
        self._read = 0

    def watch(self) -> str:
        """Wait until the disk has shown that it starts; what was seen, a sentence.

        Raises:
            BuildError: the firmware did not start it, or its boot manager did not go on.
        """
        while not self._off():
            self._look()
            if self._started and self._read >= ENOUGH:
                return f"The boot manager started and read {log.size(self._read)} of the disk."
            if self._clock() - self._began > self._patience:
                raise BuildError(self._how_far())
        self._hear()
        if not self._started:
            raise BuildError("The machine ended before its firmware had started the disk.")
        return "The boot manager started, and the guest powered the machine off."

    def _off(self) -> bool:
        try:
            event = self._monitor.events.get(timeout=_GLANCE)
        except queue.Empty:
            return not self._process.running()
        if event["event"] == "GUEST_PANICKED":
            raise BuildError("Windows stopped with a blue screen.")
        return event["event"] == "SHUTDOWN" and bool(event.get("data", {}).get("guest"))

    def _look(self) -> None:
        self._hear()
        try:
            blocks = self._monitor.execute("query-blockstats")
        except (TimeoutError, OSError):
            return  # it hangs, which patience ends, or has ended, which the next look notices
        self._read = sum(
            item["stats"]["rd_bytes"] for item in blocks if item.get("device") == "disk0"
        )

    def _hear(self) -> None:
        for port in self._ports:
            port.check()
            self._said += port.news()
        self._started = self._started or any(sign in self._said for sign in _STARTED)
        self._said = self._said[-_KEPT:]
        refusal = why_not_started(self._said)
        if refusal:
            raise BuildError(refusal)

    def _how_far(self) -> str:
        after = log.duration(self._patience)
        if not self._started:
            return f"The firmware did not start the disk within {after}."
        return (
            f"The boot manager was started and read only {log.size(self._read)} of the disk "
            f"within {after}: it shows an error, or waits."
        )
