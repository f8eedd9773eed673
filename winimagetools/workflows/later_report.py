"""The report of an image whose machine failed at first: kept with the disk, written later."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.errors import WinImageError
from winimagetools.facts.boot_authority import BootManager
from winimagetools.files.small import read_json
from winimagetools.output.report.facts import SCHEMA, Report
from winimagetools.output.report.folder import write_record
from winimagetools.output.report.pictures import facts_of, take_pictures
from winimagetools.plan import BuildPlan, Delivery
from winimagetools.workflows.prepare import Prepared
from winimagetools.workflows.report import Recorder, checks_of, find_parts, now

SO_FAR = "report-so-far.json"
"""In the folder of a failed run: the report without what is only known of a finished image."""
_RESUMED = "The first start of this image failed; the disk it left was started again later."
_FIELDS = {"schema", *(field.name for field in dataclasses.fields(Report))}


def keep_report(
    recorder: Recorder,
    prepared: Prepared,
    plan: BuildPlan,
    manager: BootManager | None,
    logs: Path,
) -> None:
    """Write down for later what the report of a failed run needs; what is wrong is only told.

    Args:
        recorder: of the build.
        prepared: what was asked.
        plan: what was decided.
        manager: the boot manager of the disk.
        logs: where it goes.
    """
    try:
        record = recorder.so_far(prepared, plan, manager)
        if record is not None:
            text = json.dumps(record, indent=2)
            (logs / SO_FAR).write_text(text + "\n", encoding="utf-8")
    except (OSError, WinImageError) as error:
        log.warning(f"What the report needs is not kept with the failed run: {error}")


def read_report(folder: Path) -> dict[str, Any] | None:
    """What :func:`keep_report` has written; None when there is none to go on with.

    Args:
        folder: of the failed run.
    """
    path = folder / SO_FAR
    try:
        record = read_json(path)
    except FileNotFoundError:
        log.info(f"The image gets no report: {folder.name} has no {SO_FAR}.")
        return None
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or record.keys() != _FIELDS or record["schema"] != SCHEMA:
        log.warning(f"The image gets no report: {path} is damaged or of another version.")
        return None
    return record


def write_later(
    folder: Path,
    record: dict[str, Any],
    delivery: Delivery,
    image: Path,
    measured: tuple[int, str],
    logs: Path,
) -> None:
    """Write the report of an image that was finished after all.

    The timeline has what was done before the failure, and then what was done now.

    Args:
        folder: where; it is made.
        record: see :func:`read_report`.
        delivery: what the image is.
        image: the file.
        measured: its bytes and its SHA-256, which may be empty.
        logs: what the machine left this time.
    """
    size, sha256 = measured
    pictures = take_pictures(logs)
    parts = find_parts(delivery, record["image"]["disk_size"], image)
    found = {"size": size, "sha256": sha256, "partitions": _plain(parts)}
    warnings = [_RESUMED, *map(log.mask, log.take_warnings())]
    told = {
        "finished": now().isoformat(timespec="seconds"),
        "image": {**record["image"], **found},
        "steps": [*record["steps"], *_plain(log.steps_so_far())],
        "checks": list(checks_of(sha256)),
        "warnings": [*record["warnings"], *warnings],
        "pictures": _plain(facts_of(pictures)),
    }
    write_record(folder, {**record, **told}, None, pictures)


def _plain(items: Any) -> list[dict[str, Any]]:
    return [dataclasses.asdict(item) for item in items]
