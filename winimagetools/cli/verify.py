"""``verify``: whether an image and its report are what was made, and would be made again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools import log
from winimagetools.output.report.folder import check
from winimagetools.workflows.rebuild import rebuild


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, the key its provenance must be signed with, and how to build it again."""
    parser.add_argument("image", metavar="IMAGE", help="an image with its report beside it")
    parser.add_argument(
        "--key", metavar="PEM", help="the public key the provenance must be signed with"
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="build it again from the inputs its report names, and compare every byte",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="with --rebuild: its configuration; else the options in the report are taken",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="with --rebuild: what no report tells, or where an input lies now; may be repeated",
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", help="with --rebuild: where to build; else beside the image"
    )


def verify(arguments: argparse.Namespace) -> int:
    """Say what was found right; the first thing that is not ends it.

    The exit code is 2 when image, report or inputs are not what they were, and 1 when the image
    that was built again is another one.
    """
    image = Path(arguments.image)
    config, folder = (Path(text) if text else None for text in (arguments.config, arguments.folder))
    _say(check(image, Path(arguments.key) if arguments.key else None))
    if arguments.rebuild:
        _say(rebuild(image, config=config, overrides=arguments.overrides, folder=folder))
    return 0


def _say(told: list[str]) -> None:
    sys.stdout.write(log.printable("\n".join(told)) + "\n")
