"""What the command line shows: configurations, editions, builds, as text or JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from winimagetools import log
from winimagetools.model import WimImage
from winimagetools.settings.options import OPTIONS, WindowsImageConfig

if TYPE_CHECKING:  # a configuration is shown without what makes images
    from winimagetools.workflows.build import BuildReport


def config_json(settings: WindowsImageConfig) -> str:
    """All options by name as one JSON object, passwords and keys included."""
    return json.dumps({option.name: getattr(settings, option.name) for option in OPTIONS}, indent=2)


def config_lines(settings: WindowsImageConfig) -> str:
    """All options by section as an ini file would have them; the log knows what to hide."""
    lines: list[str] = []
    for option in OPTIONS:
        if f"[{option.section}]" not in lines:
            lines.append(f"[{option.section}]")
        value = getattr(settings, option.name)
        lines.append(f"{option.name} = {value}".rstrip())
    return "\n".join(lines)


def images_json(images: Sequence[WimImage]) -> str:
    """All fields of all images as JSON."""
    records = [{**dataclasses.asdict(image), "version": str(image.version)} for image in images]
    return json.dumps(records, indent=2)


def images_table(images: Sequence[WimImage]) -> str:
    """The fields one chooses an edition by, as a table."""
    head = ("Index", "Name", "Architecture", "Version", "Type", "On disk", "Language")
    rows = [
        (
            str(image.index),
            image.name,
            str(image.architecture),
            str(image.version),
            image.installation_type,
            log.size(image.disk_bytes),
            image.default_language,
        )
        for image in images
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


_NO_CHECKSUM = "not computed; --checksum computes it"


def report_json(report: BuildReport) -> str:
    """What was made, for a program: durations in seconds, sizes in bytes."""
    record = {
        "image": str(report.path),
        "format": report.description,
        "size": report.size,
        "sha256": report.sha256 or None,
        "report": str(report.report) if report.report else None,
        "seconds": sum(step.seconds for step in report.steps if step.depth == 0),
        "steps": [dataclasses.asdict(step) for step in report.steps],
    }
    return json.dumps(record, indent=2)


def summary(report: BuildReport) -> str:
    """What was made: time per step, size, format, checksum."""
    lines = [
        f"{'  ' * step.depth}{step.name}: {log.duration(step.seconds)}" for step in report.steps
    ]
    total = sum(step.seconds for step in report.steps if step.depth == 0)
    return "\n".join(
        [
            *lines,
            f"Total: {log.duration(total)}",
            f"Image:   {report.path}",
            f"Format:  {report.description}",
            f"Size:    {log.size(report.size)} ({report.size} bytes)",
            f"SHA-256: {report.sha256 or _NO_CHECKSUM}",
            *([f"Report:  {report.report}"] if report.report else []),
        ]
    )
