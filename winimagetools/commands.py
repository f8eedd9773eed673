"""What each command of the command line does; results go to standard output."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from winimagetools import builder, config, ini, log
from winimagetools.host import describe_hosts, select_host
from winimagetools.host.base import Host
from winimagetools.host.dry_run import dry_run_host
from winimagetools.model import WimImage
from winimagetools.wim import get_wim_file_images_info


def _write(text: str) -> None:
    sys.stdout.write(log.mask(text) + "\n")


def new_config(arguments: argparse.Namespace) -> int:
    """``new-config``."""
    config.new_windows_image_config(arguments.config)
    log.info(f"{arguments.config} was written.")
    return 0


def wim_info(arguments: argparse.Namespace) -> int:
    """``wim-info``: a table for people or JSON for programs."""
    images = get_wim_file_images_info(Path(arguments.wim))
    _write(images_json(images) if arguments.json else images_table(images))
    return 0


def images_json(images: Sequence[WimImage]) -> str:
    """All fields of all images as JSON."""
    records = [{**dataclasses.asdict(image), "version": str(image.version)} for image in images]
    return json.dumps(records, indent=2, ensure_ascii=False)


def images_table(images: Sequence[WimImage]) -> str:
    """The fields one chooses an edition by, as a table."""
    head = ("Index", "Name", "Architecture", "Version", "Type", "Size", "Language")
    rows = [
        (
            str(image.index),
            image.name,
            str(image.architecture),
            str(image.version),
            image.installation_type,
            log.size(image.size),
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


def cloud_image(arguments: argparse.Namespace) -> int:
    """``cloud-image``."""
    return _build(builder.new_windows_cloud_image, arguments)


def _build(workflow: builder.WorkflowFunction, arguments: argparse.Namespace) -> int:
    host: Host | None = None
    if arguments.dry_run:
        real = select_host()
        host = dry_run_host(real.media, _write, work_format=real.disks.work_format)
    report = workflow(
        arguments.config,
        overrides=arguments.overrides,
        strict=arguments.strict,
        host=host,
    )
    if not arguments.dry_run:
        _write(summary(report))
    return 0


def summary(report: builder.BuildReport) -> str:
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
            f"SHA-256: {report.sha256}",
        ]
    )


def ini_get(arguments: argparse.Namespace) -> int:
    """``ini get``."""
    value = ini.get_ini_file_value(
        arguments.path,
        arguments.key,
        arguments.section,
        arguments.default,
        as_boolean=arguments.as_boolean,
    )
    _write(str(value if value is not None else ""))
    return 0


def ini_set(arguments: argparse.Namespace) -> int:
    """``ini set``."""
    ini.set_ini_file_value(arguments.path, arguments.key, arguments.value, arguments.section)
    return 0


def ini_remove(arguments: argparse.Namespace) -> int:
    """``ini remove``."""
    ini.remove_ini_file_value(arguments.path, arguments.key, arguments.section)
    return 0


def doctor(_: argparse.Namespace) -> int:
    """``doctor``: exit code 3 when something is missing."""
    lines, complete = describe_hosts()
    _write("\n".join(lines))
    return 0 if complete else 3
