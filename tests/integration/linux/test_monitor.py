"""Talking to a real QEMU."""

from __future__ import annotations

import time
from pathlib import Path

from tests import needs
from winimagetools.host.linux.qemu.machine import QEMU
from winimagetools.host.linux.qemu.monitor import Monitor, open_monitor
from winimagetools.run import spawn

PATIENCE = 30.0


def connect(monitor: Monitor, socket: Path) -> None:
    """Connect as soon as QEMU listens."""
    deadline = time.monotonic() + PATIENCE
    while not monitor.connect(socket):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_guest_that_was_off_before_anybody_listened(tmp_path: Path) -> None:
    """Its end is told all the same, though QEMU tells each event to those who listen only."""
    needs.program(QEMU.name, "qemu-system-x86")
    socket = tmp_path / "qmp"
    words = ["-nodefaults", "-machine", "pc", "-accel", "tcg", "-display", "none", "-no-reboot"]
    words += ["-no-shutdown", "-qmp", f"unix:{socket},server=on,wait=off"]
    with spawn(QEMU, words, tied="KILL") as process:
        with open_monitor(tmp_path / "first.log") as first:
            connect(first, socket)
            first.execute("system_reset")
            assert first.events.get(timeout=PATIENCE)["event"] == "SHUTDOWN"
        with open_monitor(tmp_path / "second.log") as second:
            connect(second, socket)
            assert second.events.get(timeout=PATIENCE)["event"] == "SHUTDOWN"
            second.execute("quit")
        assert process.wait() == 0
