"""How long a server may take: an answer within a time, and a least rate for what follows.

A time-out of a socket is for silence only. A server that sends a byte now and then never
runs into it and would keep a build waiting for days.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


def within(
    seconds: float, action: Callable[[], Result], forget: Callable[[Result], object]
) -> Result:
    """The result of something that may take too long.

    It runs in a thread of its own, so that Ctrl-C is heard meanwhile.

    Args:
        seconds: to wait for it.
        action: what to do.
        forget: lets go of a result that comes too late.

    Raises:
        TimeoutError: it took longer.
        Exception: whatever ``action`` raised.
    """
    results: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
    late = threading.Event()

    def work() -> None:
        try:
            result = action()
        except BaseException as error:  # it belongs to whoever waits
            results.put((None, error))
        else:
            results.put((result, None))
            if late.is_set():
                forget(result)

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except BaseException as waited:
        late.set()
        with suppress(queue.Empty):
            found, _ = results.get_nowait()
            if found is not None:
                forget(found)
        if isinstance(waited, queue.Empty):
            raise TimeoutError from None
        raise
    if error is not None:
        raise error
    return result  # type: ignore[return-value] # there is one when there is no error


class Pace:
    """Watches over the rate of a transfer while it is entered.

    Args:
        cut: ends the transfer; called from another thread.
        seconds: the time over which the rate is measured.
        slowest: bytes a second that must come at least.
    """

    def __init__(self, cut: Callable[[], object], seconds: float, slowest: int) -> None:
        self.done = 0
        """Bytes that came so far; whoever receives them counts."""
        self.too_slow = False
        """Whether the transfer was ended."""
        self._cut = cut
        self._seconds = seconds
        self._least = seconds * slowest
        self._over = threading.Event()

    def __enter__(self) -> Pace:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        before = self.done
        while not self._over.wait(self._seconds):
            if self.done - before < self._least:
                self.too_slow = True
                self._cut()
                return
            before = self.done
