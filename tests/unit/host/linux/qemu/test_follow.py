"""Following a machine: what QEMU and the guest say, and what follows from it."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux.qemu.follow import Activity, Follower, Growing
from winimagetools.plan import VmRequest

OFF: Mapping[str, Any] = {"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-shutdown"}}
RESTART: Mapping[str, Any] = {"event": "RESET", "data": {"guest": True, "reason": "guest-reset"}}
BEGUN = '{"stage": "StatusInitial", "message": "begun", "result": "running"}\n'
DONE = '{"stage": "StatusFinal", "message": "ready", "result": "done"}\n'


class Events(queue.SimpleQueue[Mapping[str, Any]]):
    """Events that come as they are taken: data, or something that is done meanwhile."""

    def __init__(self, *steps: Mapping[str, Any] | Callable[[], object]) -> None:
        self._steps = list(steps)

    def get(self, block: bool = True, timeout: float | None = None) -> Mapping[str, Any]:
        """The next one; nothing comes while something is done, and at the end."""
        step = self._steps.pop(0) if self._steps else None
        if callable(step):
            step()
            step = None
        if step is None:
            raise queue.Empty
        return step


@dataclass
class FakeQemu:
    """Process and monitor in one."""

    events: Events
    pid: int = field(default_factory=os.getpid)
    alive: bool = True
    answer: object = ()
    pictures: list[str] = field(default_factory=list)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.alive

    def execute(self, command: str, **arguments: object) -> Any:
        """The answer, or what there is instead."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def picture(self, path: Path) -> Path | None:
        """Note the name."""
        self.pictures.append(path.name)
        return path


def follow(logs: Path, qemu: FakeQemu, **more: Any) -> dict[str, str]:
    """Follow a machine with a clock that goes on by a second at every look."""
    request = VmRequest("test", logs / "win.raw", 1 << 30, 1, "", 1, logs=logs, **more)
    moments = iter(range(1_000_000))
    return Follower(request, qemu, qemu, lambda: float(next(moments))).follow()


def says(path: Path, text: str) -> Callable[[], object]:
    """Adds text to a file."""

    def say() -> None:
        with path.open("a") as file:
            file.write(text)

    return say


def test_to_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reports come as lines, halves of which wait for the rest; each new stage is a picture."""
    caplog.set_level("INFO")
    port = tmp_path / "reports.jsonl"
    half, rest = BEGUN[:20], BEGUN[20:]
    steps = says(port, half), says(port, rest), RESTART, says(port, DONE), OFF
    qemu = FakeQemu(Events(*steps))
    assert follow(tmp_path, qemu) == {"StatusInitial": "begun", "StatusFinal": "ready"}
    assert qemu.pictures == [
        "screen-001-StatusInitial",
        "screen-002-StatusFinal",
        "screen-003-end",
    ]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["StatusInitial: begun", "The virtual machine restarts", "StatusFinal: ready"]


def test_what_is_said_last_counts(tmp_path: Path) -> None:
    """A report that comes together with the end is heard."""
    says(tmp_path / "reports.jsonl", DONE)()
    assert follow(tmp_path, FakeQemu(Events(OFF))) == {"StatusFinal": "ready"}


def test_what_is_said_last_counts_after_much(tmp_path: Path) -> None:
    """However much came before it."""
    says(tmp_path / "reports.jsonl", "noise of a driver\n" * 200_000 + DONE)()
    assert follow(tmp_path, FakeQemu(Events(OFF))) == {"StatusFinal": "ready"}


@pytest.mark.parametrize(
    ("port", "most", "told"),
    [
        ("reports.jsonl", 8 << 20, "8.0 MiB"),
        ("serial.log", 64 << 20, "64.0 MiB"),
        ("firmware.log", 64 << 20, "64.0 MiB"),
    ],
)
def test_a_guest_that_writes_without_end(tmp_path: Path, port: str, most: int, told: str) -> None:
    """Is given up before it fills the file system, whatever it has reported before."""

    def fill(size: int) -> Callable[[], object]:
        (tmp_path / port).touch()
        return lambda: os.truncate(tmp_path / port, size)

    steps = (says(tmp_path / "reports.jsonl", BEGUN), fill(most), fill(most + 1), None)
    qemu = FakeQemu(Events(*steps))  # type: ignore[arg-type]
    with pytest.raises(BuildError) as caught:
        follow(tmp_path, qemu, silence=100.0)
    assert caught.value.message == (
        f"The guest wrote {told} to a port of its machine ({port}), more than the {told} that are "
        "taken."
    )
    assert len(qemu.events._steps) <= 1
    assert qemu.pictures[-1].endswith("end")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            {"event": "SHUTDOWN", "data": {"guest": False, "reason": "host-signal"}},
            r"ended from outside \(host-signal\)",
        ),
        (
            {"event": "BLOCK_IO_ERROR", "data": {"action": "stop", "nospace": True}},
            "No room is left",
        ),
        (
            {"event": "BLOCK_IO_ERROR", "data": {"action": "stop", "reason": "I/O error"}},
            "cannot be written to: I/O error",
        ),
        ({"event": "GUEST_PANICKED", "data": {}}, "blue screen"),
    ],
)
def test_ends_of_another_kind(tmp_path: Path, event: Mapping[str, Any], message: str) -> None:
    """Whatever else ends a machine is a failure with a name, and with a last picture."""
    qemu = FakeQemu(Events({"event": "RTC_CHANGE"}, event))
    with pytest.raises(BuildError, match=message):
        follow(tmp_path, qemu)
    assert qemu.pictures == ["screen-001-end"]


def test_a_dead_qemu(tmp_path: Path) -> None:
    """One that is gone is noticed, be the guest silent or not."""
    qemu = FakeQemu(Events(), alive=False)
    with pytest.raises(BuildError, match="QEMU ended while the guest was running"):
        follow(tmp_path, qemu)


def test_a_qemu_that_hangs(tmp_path: Path) -> None:
    """One that does not answer three questions in a row is given up, before the guest is."""
    qemu = FakeQemu(Events(), answer=TimeoutError())
    with pytest.raises(BuildError, match="does not answer any more"):
        follow(tmp_path, qemu, silence=10_000)


def test_silence(tmp_path: Path) -> None:
    """The limits of the request are kept."""
    with pytest.raises(BuildError, match="nothing new for 20 s"):
        follow(tmp_path, FakeQemu(Events()), silence=20)
    with pytest.raises(BuildError, match="not done within 20 s"):
        follow(tmp_path, FakeQemu(Events()), time_limit=20)


def test_restarts(tmp_path: Path) -> None:
    """Restarts of the guest are counted; those that QEMU makes are not the guest's."""
    other = {"event": "RESET", "data": {"guest": False, "reason": "host-qmp-system-reset"}}
    with pytest.raises(BuildError, match="restarts again and again"):
        follow(tmp_path, FakeQemu(Events(*[RESTART] * 6)))
    assert follow(tmp_path, FakeQemu(Events(*[other] * 20, OFF))) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("serial.log", 'BdsDxe: failed to load Boot0001 "Q": \x1b[0mAccess Den\x1b[1mied', "key"),
        ("serial.log", "BdsDxe: No bootable option or device was found.", "nothing to start"),
        ("firmware.log", "No bootable device.  Retrying in 60 seconds.", "nothing to start"),
    ],
)
def test_firmware_gives_up(tmp_path: Path, name: str, text: str, message: str) -> None:
    """What firmware says of a disk it does not start ends the run at once."""
    with pytest.raises(BuildError, match=message):
        follow(tmp_path, FakeQemu(Events(says(tmp_path / name, text))))


def test_windows_may_write_what_it_likes(tmp_path: Path) -> None:
    """Once the guest has reported, the words of firmware mean nothing."""
    steps = says(tmp_path / "reports.jsonl", BEGUN), says(tmp_path / "serial.log", "Access Denied")
    assert follow(tmp_path, FakeQemu(Events(*steps, OFF))) == {"StatusInitial": "begun"}


def test_status(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Now and then a line says what the guest does: stage, sign of life, processor and disk."""
    caplog.set_level("INFO")
    stats = [{"device": "disk0", "stats": {"rd_bytes": 0, "wr_bytes": 0}}]
    with pytest.raises(BuildError):
        follow(tmp_path, FakeQemu(Events(), answer=stats), time_limit=50)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Starting for 3")
    assert line.endswith("%, disk 0 bytes/s")


def test_activity() -> None:
    """Bytes of the disk and processor time, by the second; other drives do not count."""
    activity = Activity(os.getpid())

    def blocks(count: int) -> list[dict[str, Any]]:
        other = {"device": "pflash0", "stats": {"rd_bytes": 7, "wr_bytes": 7}}
        return [other, {"device": "disk0", "stats": {"rd_bytes": count, "wr_bytes": count}}]

    activity.since_last(blocks(1024), 10.0)
    assert activity.since_last(blocks(3072), 14.0) == "processor 0%, disk 1.0 KiB/s"
    assert Activity(1 << 30).since_last(blocks(0), 1.0) == "processor 0%, disk 0 bytes/s"


def test_growing(tmp_path: Path) -> None:
    """Lines that another program adds, each once, and only whole ones."""
    path = tmp_path / "port"
    growing = Growing(path)
    assert growing.lines() == []
    path.write_bytes(b"one\ntw")
    assert growing.lines() == ["one"]
    path.write_bytes(b"one\ntwo\n\xff\n")
    assert growing.lines() == ["two", "\ufffd"]


def test_a_line_without_end(tmp_path: Path) -> None:
    """Is not kept whole; what comes after it is heard."""
    path = tmp_path / "port"
    growing = Growing(path)
    with path.open("ab") as file:
        for _ in range(20):
            file.write(b"x" * (1 << 20))
            file.flush()
            assert growing.lines() == []
        file.write(b"\none\n")
    (long, one) = growing.lines()
    assert (len(long), one) == (1 << 16, "one")
