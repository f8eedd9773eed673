"""The commands that look into a finished image."""

from __future__ import annotations

import argparse

from winimagetools.cli import look
from winimagetools.cli.output import write
from winimagetools.workflows import look as looking
from winimagetools.workflows.check import check_offline_image
from winimagetools.workflows.look import inspect_image


def check_image(arguments: argparse.Namespace) -> int:
    """``test-image``: a line for each check; exit code 1 when one of them failed."""
    report = check_offline_image(
        arguments.config,
        overrides=arguments.overrides,
        strict=arguments.strict,
        thorough=arguments.strict_ntfs,
        boot=arguments.boot,
        accel=arguments.accel,
    )
    write(look.report_json(report) if arguments.json else look.report_text(report))
    return 1 if report.failed else 0


def inspect(arguments: argparse.Namespace) -> int:
    """``inspect``."""
    found = inspect_image(arguments.image)
    write(look.description_json(found) if arguments.json else look.description_text(found))
    return 0


def list_folder(arguments: argparse.Namespace) -> int:
    """``ls``."""
    items = looking.list_folder(arguments.place)
    text = look.listing_json(items) if arguments.json else look.listing_text(items)
    if text:
        write(text)
    return 0


def copy_out(arguments: argparse.Namespace) -> int:
    """``copy-out``: prints the path of each file that was made."""
    for path in looking.copy_out(arguments.place, arguments.folder):
        write(str(path))
    return 0
