"""What the guest reports while it finishes itself, and what its end means."""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools import log
from winimagetools.errors import BuildError

PREFIX = "ImageGenerationLog-"
"""How the guest's scripts begin the names of their reports in the key-value exchange."""


STAGE_DONE = "StatusFinal"


STAGE_STOPPED = "StatusStopped"
"""A hook script asked for the power off, which the PowerShell tools take for success too."""


STAGE_FAILED = "ERROR"


def merge_reports(known: Mapping[str, str], news: Mapping[str, str]) -> dict[str, str]:
    """What counts of all reports so far.

    A machine that is off, or starting, shows none: the known ones stay. When one of them is
    gone, the guest has begun anew and taken its old reports away: they no longer count. A
    golden image comes with the reports of the run that made it.
    """
    if news and not known.keys() <= news.keys():
        return dict(news)
    return {**known, **news}


def judge(reports: Mapping[str, str]) -> None:
    """Decide whether a machine that is off has done its work.

    The PowerShell tools take every power-off for success. A guest that reported nothing at all is
    let pass with a warning: the key-value exchange may be turned off.

    Raises:
        BuildError: the guest said that it failed, or powered off before it was done.
    """
    if STAGE_FAILED in reports:
        raise BuildError(
            f"The virtual machine reported a failure: {reports[STAGE_FAILED]}",
            "Its log is UnattendResources\\image-generation-log.txt on the disk.",
        )
    if not reports:
        log.warning("The virtual machine powered off without a report; check the image.")
    elif STAGE_STOPPED in reports:
        log.warning(f"The image may not be generalized: {reports[STAGE_STOPPED]}")
    elif STAGE_DONE not in reports:
        last = list(reports.items())[-1]
        raise BuildError(
            f"The virtual machine powered off before it was done; its last report was {last[0]}: "
            f"{last[1]}"
        )
