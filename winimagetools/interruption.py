"""Whether an interruption may still end the work that is going on.

Once an image stands under its name the build has succeeded; what follows is tidying up and
saying so. A Ctrl-C at that moment must not report a failure of what is there and complete.
This module owns that knowledge for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_complete = False


def is_complete() -> bool:
    """Whether the result is there, so that being interrupted would change nothing."""
    return _complete


def begin() -> None:
    """Something is begun that an interruption may end."""
    global _complete
    _complete = False


@contextmanager
def completing() -> Iterator[None]:
    """The block makes the result visible; from its beginning on nothing interrupts.

    When it fails there is no result, and interruptions count again.
    """
    global _complete
    _complete = True
    try:
        yield
    except BaseException:
        _complete = False
        raise
