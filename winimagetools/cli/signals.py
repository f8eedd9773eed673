"""Ctrl-C and its relatives stop a build once; cleaning up is not disturbed by more of them.

The handlers belong to the command line: a program that imports this package keeps its own.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType

from winimagetools import interruption
from winimagetools.errors import Interrupted

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C, what ``kill`` and systemd send, a terminal that goes away, Ctrl-Break on Windows."""


def obey_signals() -> None:
    """Let the first signal raise in the main thread; later ones say that it was heard.

    One that comes when the result is complete (:mod:`winimagetools.interruption`) changes
    nothing any more.

    A signal that is ignored stays so: ``nohup`` and shells that start something in the
    background mean it.
    """
    stopping = False
    interruption.begin()

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stopping
        if stopping or interruption.is_complete():
            answer = b"Still cleaning up.\n" if stopping else b"The image is complete already.\n"
            # Not through sys.stderr, which may be in the middle of a line.
            with suppress(OSError):
                os.write(2, answer)
            return
        stopping = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interrupted(f"Stopped by {signal.Signals(number).name}; nothing was left behind.")

    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(ValueError):  # not in the main thread: the caller has its own signals
                signal.signal(number, stop)
