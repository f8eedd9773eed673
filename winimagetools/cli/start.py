"""Where every command line begins: interruptible before Python has imported the rest.

Importing takes a third of a second, in which Ctrl-C would end in a traceback.
"""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress

_INTERRUPTED = 130


def start() -> int:
    """Run the command line of this process and return its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from winimagetools.cli.main import main

    code = main()
    gc.freeze()  # looking for cycles in all modules once more takes as long as a tenth of a start
    return code


def _leave(_number: int, _frame: object) -> None:
    """End at once: nothing was begun. Raising would be caught by what is half imported."""
    with suppress(OSError):
        os.write(2, b"error: Interrupted; nothing was begun.\n")
    os._exit(_INTERRUPTED)
