"""What the guest reports while it finishes itself, and what its end means.

On Hyper-V a report is a value of the key-value exchange, elsewhere a line of JSON on the second
serial port (``data/guest/lib/Report.ps1``); both are judged here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from winimagetools import log
from winimagetools.errors import BuildError

PREFIX = "ImageGenerationLog-"
"""How the guest's scripts begin the names of their reports in the key-value exchange."""


STAGE_BEGUN = "StatusInitial"
"""The first report after each start; what was said before it no longer counts."""


STAGE_DONE = "StatusFinal"


STAGE_STOPPED = "StatusStopped"
"""A hook script asked for the power off, which the PowerShell tools take for success too."""


STAGE_FAILED = "ERROR"


_RESULTS = {STAGE_DONE: "done", STAGE_STOPPED: "stopped", STAGE_FAILED: "failed"}
"""What the last report of a guest has for its result; the key-value exchange does not carry it."""


@dataclass(frozen=True)
class Report:
    """One report: its stage, what it says, and ``running``, ``done``, ``failed`` or ``stopped``."""

    stage: str
    message: str
    result: str = "running"


def parse_report(line: str) -> Report | None:
    """A line of the second serial port; None when it is no report.

    Firmware and drivers write to the port too, and a line may have lost its beginning.
    """
    try:
        fields = json.loads(line[max(line.find("{"), 0) :])
        stage, message = fields["stage"], fields["message"]
        result = fields["result"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (stage, message, result)
    return Report(*texts) if all(isinstance(text, str) for text in texts) else None


def exchanged_report(stage: str, message: str) -> Report:
    """A value of the key-value exchange as the report that it is."""
    return Report(stage, message, _RESULTS.get(stage, "running"))


def by_stage(reports: Iterable[Report]) -> dict[str, str]:
    """What counts of reports that came one after the other, as the key-value exchange has it."""
    known: dict[str, str] = {}
    for report in reports:
        if report.stage == STAGE_BEGUN:
            known.clear()
        known.pop(report.stage, None)
        known[report.stage] = report.message
    return known


def show(stage: str, message: str) -> None:
    """Log a report: as a warning when something failed and the image goes on all the same.

    The stages of those are ``Drivers(failed)``, ``Servicing(failed)`` and ``Updates(failed)``.
    """
    say = log.warning if stage.endswith("(failed)") else log.info
    say(f"{stage}: {message}")


def merge_reports(known: Mapping[str, str], news: Mapping[str, str]) -> dict[str, str]:
    """What counts of all reports so far.

    A machine that is off, or starting, shows none: the known ones stay. Otherwise only what it
    shows counts: when one of the known is gone, the guest has begun anew and taken its old
    reports away. A golden image comes with the reports of the run that made it.

    Hyper-V shows them in no order, so what is new comes last, as in :func:`by_stage`.
    """
    if not news:
        return dict(known)
    same = {stage: text for stage, text in known.items() if news.get(stage) == text}
    return {**same, **news}


def check_failure(reports: Mapping[str, str]) -> None:
    """Raise BuildError when the guest said that it failed."""
    if STAGE_FAILED in reports:
        raise BuildError(
            f"The virtual machine reported a failure: {reports[STAGE_FAILED]}",
            "Its log is UnattendResources\\image-generation-log.txt on the disk.",
        )


def last_words(reports: Mapping[str, str]) -> str:
    """The last report, for messages: ``its last report was Updates: 3 found``."""
    if not reports:
        return "it reported nothing"
    stage, message = list(reports.items())[-1]
    return f"its last report was {stage}: {message}"


def judge(reports: Mapping[str, str]) -> None:
    """Decide whether a machine that is off has done its work, by its reports alone.

    The PowerShell tools take every power-off for success. A guest that reported nothing at all is
    let pass with a warning: the key-value exchange may be turned off.

    Raises:
        BuildError: the guest said that it failed, or powered off before it was done.
    """
    check_failure(reports)
    if not reports:
        log.warning("The virtual machine powered off without a report; check the image.")
    elif STAGE_STOPPED in reports:
        log.warning(f"The image may not be generalized: {reports[STAGE_STOPPED]}")
    elif STAGE_DONE not in reports:
        raise BuildError(
            f"The virtual machine powered off before it was done; {last_words(reports)}"
        )
