"""Following a virtual machine until it is off, or until it has to be given up."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.guest.reports import Report, by_stage, parse_report, show
from winimagetools.guest.watch import MOST_PICTURES, Watch, picture_name
from winimagetools.host.linux.qemu.machine import FIRMWARE_LOG, REPORTS, SERIAL
from winimagetools.plan import VmRequest

STATUS_INTERVAL = 30.0
"""Seconds between two lines about what the guest does."""
_ASK_INTERVAL = 5.0
"""Seconds between two questions whether QEMU still answers."""
_UNANSWERED = 3
_LONGEST_LINE = 64 << 10
"""Bytes kept of a line that does not end; a report has a hundredth."""
MOST_REPORTED, MOST_LOGGED = 8 << 20, 64 << 20
"""Bytes a guest may write to its port for reports, and to each other one, which are files of this
host: a whole run with every option makes some ten thousand."""
_GLANCE = 0.25
_NOTHING = "The firmware found nothing to start on the disk."
_NOT_STARTED = {
    "Access Denied": "The firmware refused the boot manager of the disk: Access Denied. It is not "
    "signed by an authority whose key is in the firmware.",
    "Security Violation": "The firmware refused the boot manager of the disk: Security Violation.",
    "BdsDxe: No bootable option or device was found": _NOTHING,
    "UEFI Interactive Shell": _NOTHING,
    "No bootable device.": _NOTHING,
}
"""What firmware says when it does not start the disk, in words of OVMF and SeaBIOS."""
_TERMINAL_CODES = re.compile(rb"\x1b\[[=0-9;]*[A-Za-z]")


class Process(Protocol):
    """A running QEMU."""

    @property
    def pid(self) -> int: ...

    def running(self) -> bool: ...


class Connection(Protocol):
    """What is asked of :class:`~winimagetools.host.linux.qemu.monitor.Monitor`."""

    @property
    def events(self) -> queue.SimpleQueue[Mapping[str, Any]]: ...

    def execute(self, command: str, **arguments: object) -> Any: ...

    def picture(self, path: Path) -> Path | None: ...


def why_not_started(said: bytes) -> str:
    """Why firmware did not start a disk, of what it says; empty when it does not say so."""
    text = _TERMINAL_CODES.sub(b"", said).decode(errors="replace")
    return next((sentence for sign, sentence in _NOT_STARTED.items() if sign in text), "")


class Growing:
    """The new lines of a file that a guest writes.

    Args:
        path: the file; it may not be there yet.
        most: bytes it may have; a guest that writes on and on would fill the file system.
    """

    def __init__(self, path: Path, most: int = MOST_LOGGED) -> None:
        self._path, self._most = path, most
        self._at = 0
        self._rest = b""

    def check(self) -> None:
        """Raise BuildError when the file is larger than it may be."""
        with suppress(FileNotFoundError):
            size = self._path.stat().st_size
            if size > self._most:
                raise BuildError(
                    f"The guest wrote {log.size(size)} to a port of its machine "
                    f"({self._path.name}), more than the {log.size(self._most)} that are taken.",
                    "Something in it writes without end: see what in the last lines of that file.",
                )

    def news(self) -> bytes:
        """What was added since the last call, up to a MiB of it."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._at)
            added = file.read(1 << 20)
            self._at += len(added)
            return added
        return b""

    def lines(self) -> list[str]:
        """Whole lines that were added."""
        found: list[str] = []
        while news := self.news():
            *whole, rest = (self._rest + news).split(b"\n")
            self._rest = rest[-_LONGEST_LINE:]
            found += (line.decode(errors="replace") for line in whole)
        return found


class Follower:
    """One run of a machine.

    Args:
        request: what runs.
        process: QEMU.
        monitor: connected to it.
        clock: seconds.
    """

    def __init__(
        self,
        request: VmRequest,
        process: Process,
        monitor: Connection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._request, self._process, self._monitor = request, process, monitor
        self._clock = clock
        self._watch = Watch(request.silence, request.time_limit, clock())
        self._reports: list[Report] = []
        self._lines = Growing(request.logs / REPORTS, MOST_REPORTED)
        self._firmware = [Growing(request.logs / name) for name in (SERIAL, FIRMWARE_LOG)]
        self._firmware_said = b""
        self._asked = self._told = clock()
        self._unanswered = self._pictures = 0
        self._activity = Activity(process.pid)

    def follow(self) -> dict[str, str]:
        """Wait until the guest powers off; its reports by stage.

        Raises:
            BuildError: it did not start, takes too long, restarts for ever, or QEMU is gone.
        """
        try:
            while not self._off():
                self._hear()
                self._watch.check(self._clock())
                self._ask()
            self._hear()
        except BuildError:
            self.picture("end")
            raise
        self.picture("end")
        return by_stage(self._reports)

    def picture(self, name: str) -> None:
        """Save what the screen shows; a guest that is on its way out may not have one."""
        if self._pictures >= MOST_PICTURES and name != "end":
            return
        self._pictures += 1
        with suppress(TimeoutError):
            self._monitor.picture(self._request.logs / picture_name(self._pictures, name))

    def _off(self) -> bool:
        """Take events in; whether the guest is off."""
        try:
            event = self._monitor.events.get(timeout=_GLANCE)
        except queue.Empty:
            if not self._process.running():
                raise BuildError("QEMU ended while the guest was running.") from None
            return False
        return self._handle(event["event"], event.get("data", {}))

    def _handle(self, name: str, data: Mapping[str, Any]) -> bool:
        if name == "SHUTDOWN":
            if data.get("guest"):
                return True
            raise BuildError(f"QEMU was ended from outside ({data.get('reason')}).")
        if name == "RESET" and data.get("guest"):
            self._hear()
            if self._watch.restarted(self._clock()):
                log.info("The virtual machine restarts")
        elif name == "BLOCK_IO_ERROR" and data.get("action") == "stop":
            self._fail_on_disk(data)
        elif name == "GUEST_PANICKED":
            raise BuildError("Windows stopped with a blue screen.")
        return False

    def _fail_on_disk(self, data: Mapping[str, Any]) -> None:
        if data.get("nospace"):
            raise BuildError(
                f"No room is left for the disk of the virtual machine, {self._request.disk}.",
                "Free some space where the image is made.",
            )
        raise BuildError(
            f"The disk of the virtual machine cannot be written to: {data.get('reason')}"
        )

    def _hear(self) -> None:
        for growing in (self._lines, *self._firmware):
            growing.check()
        for line in self._lines.lines():
            report = parse_report(line)
            if report is None:
                continue
            self._reports.append(report)
            if self._watch.hear(report, self._clock()):
                show(report.stage, report.message)
                self.picture(report.stage)
        if not self._reports:
            self._hear_firmware()

    def _hear_firmware(self) -> None:
        """Nobody has to wait for a guest whose firmware gave up."""
        for growing in self._firmware:
            self._firmware_said = (self._firmware_said + growing.news())[-16384:]
        refusal = why_not_started(self._firmware_said)
        if refusal:
            raise BuildError(refusal)

    def _ask(self) -> None:
        """See whether QEMU still answers, and say now and then what the guest does."""
        now = self._clock()
        if now - self._asked < _ASK_INTERVAL:
            return
        self._asked = now
        try:
            blocks = self._monitor.execute("query-blockstats")
            self._unanswered = 0
        except TimeoutError:
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED:
                raise BuildError("QEMU runs and does not answer any more.") from None
            return
        except OSError:
            return  # it has ended, which the next look notices
        busy = self._activity.since_last(blocks, now)
        if now - self._told >= STATUS_INTERVAL:
            self._told = now
            log.info(f"{self._watch.describe(now)}; {busy}")


class Activity:
    """How busy a guest is.

    Args:
        pid: of QEMU.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._last = (0.0, 0.0, 0)

    def since_last(self, blocks: Any, now: float) -> str:
        """Processor and disk since the last call, for people.

        Args:
            blocks: answer to ``query-blockstats``.
            now: seconds.
        """
        moved = sum(
            item["stats"]["rd_bytes"] + item["stats"]["wr_bytes"]
            for item in blocks
            if item.get("device") == "disk0"
        )
        before, self._last = self._last, (now, processor_seconds(self._pid), moved)
        seconds = max(now - before[0], 0.001)
        share = (self._last[1] - before[1]) / seconds
        return f"processor {share:.0%}, disk {log.size((moved - before[2]) / seconds)}/s"


def processor_seconds(pid: int) -> float:
    """Seconds of processor time a process has used (proc(5)); 0 when it is gone."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
