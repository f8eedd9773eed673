"""Trying again what failed for a reason that passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from winimagetools import log

Result = TypeVar("Result")


def execute_retry(
    action: Callable[[], Result],
    *,
    retry_on: type[Exception],
    attempts: int = 4,
    interval: float = 4.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """Do something that may fail, several times if need be.

    The PowerShell tools wait the same time before each attempt; here it doubles, and a longer
    time the error asks for (its attribute ``wait``) is honoured.

    Args:
        action: what to do.
        retry_on: errors after which it is worth trying again.
        attempts: how often to try in all.
        interval: seconds before the second attempt.
        sleep: waits a number of seconds.

    Raises:
        Exception: whatever the last attempt raised.

    Port of ``Execute-Retry``.
    """
    for attempt in range(1, attempts):
        try:
            return action()
        except retry_on as error:
            seconds = max(interval * 2 ** (attempt - 1), getattr(error, "wait", 0.0))
            log.warning(f"{error} Trying again in {log.duration(seconds)}.")
            sleep(seconds)
    return action()
