"""Ranges of a file, each shown as a read-only file: no copy, no mount, no root.

``qemu-storage-daemon`` exports a range of a raw image through FUSE, on top of an ordinary file
(qemu-storage-daemon(1), ``--export type=fuse``, and ``offset`` and ``size`` of the ``raw``
driver). It works in units of 512 bytes, so the file ends up to 511 bytes after the range;
libwim does not mind. The daemon ends, and takes its files away, when this process lets go of
it, and also when this process is killed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from winimagetools.errors import CommandError, HostError, ToolMissingError
from winimagetools.run import TIE, Program, Tail, Tool, run, spawn

STORAGE_DAEMON = Tool(
    "qemu-storage-daemon", "qemu-system-common", "use a WIM inside an ISO without a copy of it"
)
_FUSERMOUNT = Tool("fusermount3", "fuse3", "show a WIM inside an ISO as a file")
_DEVICE = Path("/dev/fuse")
_UNIT = 512
_PATIENCE = 10.0
"""Seconds for the daemon to begin, and to end; it takes a few hundredths."""
_PAUSE = 0.01
_KINDS = ("io_uring", "threads")
"""How the daemon reads. Threads change hands twice for each read, which is a quarter of what it
costs; io_uring is not in every build of QEMU, and is forbidden in most containers."""


@dataclass(frozen=True)
class Slice:
    """A range of a file, and where it is to be a file of its own."""

    offset: int
    length: int
    path: Path


class Slices(Protocol):
    """What shows ranges of a file as files."""

    def obstacle(self) -> str:
        """Why it cannot work on this machine, as a sentence; empty when it should."""

    def show(self, source: Path, slices: Sequence[Slice]) -> AbstractContextManager[None]:
        """Show ``slices`` of ``source`` for as long as the context lasts.

        Raises:
            HostError: it does not work here after all; nothing is left.
        """


class FuseSlices:
    """Shows them with ``qemu-storage-daemon``; implements :class:`Slices`.

    Args:
        device: how FUSE file systems are reached.
    """

    def __init__(self, device: Path = _DEVICE) -> None:
        self._device = device

    def obstacle(self) -> str:
        try:
            STORAGE_DAEMON.find()
            TIE.find()
            if os.geteuid() != 0:
                _FUSERMOUNT.find()
        except ToolMissingError as error:
            return str(error)
        if not os.access(self._device, os.R_OK | os.W_OK):
            return f"{self._device} cannot be used, so there is no FUSE here."
        return ""

    @contextmanager
    def show(self, source: Path, slices: Sequence[Slice]) -> Iterator[None]:
        for each in slices:
            each.path.touch(mode=0o600, exist_ok=False)
        try:
            with ExitStack() as stack:
                _begin(stack, source, slices)
                yield
        finally:
            for each in slices:
                _unmount(each.path)
                each.path.unlink(missing_ok=True)


def _begin(stack: ExitStack, source: Path, slices: Sequence[Slice]) -> None:
    """Start the daemon in the first way that works here; the stack ends it."""
    for kind in _KINDS:
        try:
            stack.enter_context(_running(source, slices, kind))
            return
        except HostError:
            if kind == _KINDS[-1]:
                raise


@contextmanager
def _running(source: Path, slices: Sequence[Slice], kind: str) -> Iterator[None]:
    with spawn(STORAGE_DAEMON, daemon_arguments(source, slices, kind), tied="TERM") as daemon:
        Tail(daemon.output)
        complaints = Tail(daemon.error)
        try:
            _wait_for(daemon, slices, complaints)
            yield
        finally:
            _stop(daemon)


def daemon_arguments(source: Path, slices: Sequence[Slice], kind: str) -> list[str]:
    """Arguments of ``qemu-storage-daemon``.

    Args:
        source: the file that holds the ranges.
        slices: the ranges, where there is an empty file for each.
        kind: how the source is read, see ``aio`` of the ``file`` driver.
    """
    file = {
        "driver": "file",
        "node-name": "source",
        "filename": str(source),
        "aio": kind,
        "read-only": True,
    }
    arguments = ["--blockdev", json.dumps(file)]
    for number, each in enumerate(slices):
        node = {
            "driver": "raw",
            "node-name": f"slice{number}",
            "file": "source",
            "offset": each.offset,
            "size": shown_size(each),
            "read-only": True,
        }
        export = {
            "type": "fuse",
            "id": f"export{number}",
            "node-name": f"slice{number}",
            "mountpoint": str(each.path),
        }
        arguments += ["--blockdev", json.dumps(node), "--export", json.dumps(export)]
    return arguments


def shown_size(each: Slice) -> int:
    """Size of the file that shows a slice: a multiple of 512 bytes."""
    return each.length + -each.length % _UNIT


def _wait_for(daemon: Program, slices: Sequence[Slice], complaints: Tail) -> None:
    """Wait until all slices are there. Raises HostError when the daemon cannot do it."""

    def ended() -> bool:
        with suppress(TimeoutError):
            daemon.wait(0)
            return True
        return False

    def shown() -> bool:
        return all(each.path.stat().st_size == shown_size(each) for each in slices)

    if _within(lambda: ended() or shown()) and not ended():
        return
    _stop(daemon)
    said = complaints.text().strip().splitlines()
    reason = said[-1] if said else "it did not begin in time"
    raise HostError(f"qemu-storage-daemon cannot show the WIM as a file: {reason}.")


def _stop(daemon: Program) -> None:
    """End the daemon in a way that it takes its files away."""
    daemon.terminate()
    with suppress(TimeoutError):
        daemon.wait(_PATIENCE)


def _unmount(path: Path) -> None:
    """Take away what a daemon left that was killed; there is nothing to do after any other."""
    if not os.path.ismount(path) and _can_be_read(path):
        return
    with suppress(CommandError, ToolMissingError):
        run(_FUSERMOUNT, ["-u", "-z", path])


def _can_be_read(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _within(happened: Callable[[], bool]) -> bool:
    """Whether something happens in time."""
    deadline = time.monotonic() + _PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
