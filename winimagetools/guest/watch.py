"""How long a guest may take: for each step without news, for everything, and how many restarts.

The PowerShell tools wait for ever. Here a guest that reports something new is waited for; one
that says nothing, or the same over and over, is given up after a while, and so is one that
restarts again and again without getting any further.
"""

from __future__ import annotations

import re

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.guest.reports import Report

RESTARTS = 6
"""Restarts without any news between them. Windows restarts up to three times before its first
report, and the firmware may do so once more."""

SAME_RESTART = 2.0
"""Seconds in which another restart is a part of the first: SeaBIOS restarts once more when it
finds that it ran before."""


MOST_PICTURES = 200
"""Pictures of the screen that are kept of one run, the last one not counted."""


def picture_name(number: int, stage: str) -> str:
    """What a picture of the screen is called, without its extension.

    Args:
        number: of the picture in its run, from 1.
        stage: what the guest did last, or ``end``.
    """
    plain = re.sub(r"\W+", "-", stage).strip("-")[:40]
    return f"screen-{number:03}-{plain}"


class Watch:
    """What was heard of a guest, and when.

    Args:
        silence: seconds without news after which it is given up.
        time_limit: seconds after which it is given up whatever it says.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, silence: float, time_limit: float, now: float) -> None:
        self._silence = silence
        self._time_limit = time_limit
        self._began = self._heard = self._stage_began = now
        self._said: set[tuple[str, str]] = set()
        self._restarts_in_vain = 0
        self._restarted = -SAME_RESTART
        self.restarts = 0
        self.stage = "Starting"

    def hear(self, report: Report, now: float) -> bool:
        """Take a report in; whether it says anything that was not said before."""
        words = (report.stage, report.message)
        if words in self._said:
            return False
        self._said.add(words)
        self._heard, self._restarts_in_vain = now, 0
        if report.stage != self.stage:
            self.stage, self._stage_began = report.stage, now
        return True

    def restarted(self, now: float) -> bool:
        """Count a restart; whether it is one of its own.

        Raises:
            BuildError: there were too many without anything new.
        """
        if now - self._restarted < SAME_RESTART:
            return False
        self._restarted = now
        self.restarts += 1
        self._restarts_in_vain += 1
        if self._restarts_in_vain >= RESTARTS:
            raise BuildError(
                f"The virtual machine restarts again and again: {RESTARTS} times without getting "
                f"any further, in the stage {self.stage}."
            )
        return True

    def check(self, now: float) -> None:
        """Raise BuildError when the guest has taken too long."""
        if now - self._began > self._time_limit:
            raise BuildError(
                f"The virtual machine was not done within {log.duration(self._time_limit)}; its "
                f"last stage was {self.stage}.",
                "Give it more time with vm_minutes in [vm].",
            )
        if now - self._heard > self._silence:
            raise BuildError(
                f"The virtual machine said nothing new for {log.duration(self._silence)}; its "
                f"last stage was {self.stage}.",
                "Give it more time with silent_minutes in [vm].",
            )

    def describe(self, now: float) -> str:
        """Stage, its age and the last sign of life, for people."""
        text = f"{self.stage} for {log.duration(now - self._stage_began)}"
        if now - self._heard >= 1:
            text += f", last sign of life {log.duration(now - self._heard)} ago"
        return f"{text}, {self.restarts} restarts" if self.restarts else text
