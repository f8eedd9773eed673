"""Processes that work for this one: started by forking, each says how it ended.

They end with this one, whatever ends it, and take no notice of Ctrl-C: this one ends them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from winimagetools.errors import WinImageError
from winimagetools.host.linux.apply.blobs import Unsupported
from winimagetools.host.linux.apply.calls import LayoutError
from winimagetools.run import held_signals

_PDEATHSIG = 1
_INTERVAL = 100
"""Milliseconds between two looks at what is going on."""
_READ = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Crew:
    """Processes that work at the same time; a context manager that leaves none behind.

    Args:
        tick: is called every now and then while they are waited for.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._children: dict[int, int] = {}
        self._said: dict[int, bytes] = {}
        self._poll = select.poll()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        with held_signals():
            for child in self._children.values():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            for reader, child in self._children.items():
                os.close(reader)
                with suppress(ChildProcessError):
                    os.waitpid(child, 0)
            self._children.clear()

    def start(self, action: Callable[[], object]) -> None:
        """Start a process that does something and then ends.

        Args:
            action: what it does; it may return anything that can be pickled.
        """
        parent = os.getpid()
        with held_signals(), warnings.catch_warnings():
            # Python 3.12 warns where there are other threads: the child takes none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            reader, writer = os.pipe2(os.O_CLOEXEC)
            child = os.fork()
            if not child:
                _work(action, writer, parent)
            os.close(writer)
            self._children[reader] = child
            self._said[reader] = b""
            self._poll.register(reader)

    def wait(self) -> list[Any]:
        """What they returned, in the order of their ends.

        Raises:
            Exception: what one of them raised.
            LayoutError: one of them ended without a word.
        """
        found = []
        while self._children:
            self._tick()
            for reader, _ in self._poll.poll(_INTERVAL):
                data = os.read(reader, _READ)
                self._said[reader] += data
                if not data:
                    found.append(self._result(reader))
        return found

    def _result(self, reader: int) -> object:
        child = self._children.pop(reader)
        self._poll.unregister(reader)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        said = self._said.pop(reader)
        if status or not said:
            raise LayoutError("a process that wrote the volume was ended")
        result: object = pickle.loads(said)  # noqa: S301 - written by _work
        if isinstance(result, BaseException):
            raise result
        return result


def _known(error: Exception) -> Exception:
    """An error as whoever waits takes it."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror)
    if isinstance(error, WinImageError):
        return LayoutError(error.message)
    if isinstance(error, (Unsupported, LayoutError)):
        return error
    return LayoutError(f"{type(error).__name__}: {error}")


def _work(action: Callable[[], object], writer: int, parent: int) -> None:
    """What a child does; it never returns."""
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        gc.disable()  # nothing here makes cycles that have to go before the end
        if os.getppid() == parent:
            try:
                result = action()
            except Exception as error:
                result = _known(error)
            data = pickle.dumps(result)
            while data:
                data = data[os.write(writer, data) :]
            os._exit(0)
    finally:
        os._exit(1)
