"""``publish``: prints the commands that take an image to where it runs, or does it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools.output.publish.choose import TARGETS, commands, run
from winimagetools.workflows.publish import look_at_image


def publish_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, a target, and what has to be known of it."""
    parser.add_argument("image", metavar="IMAGE", help="a finished image")
    parser.add_argument(
        "target", metavar="TARGET", choices=tuple(TARGETS), help=f"one of {', '.join(TARGETS)}"
    )
    parser.add_argument(
        "--with",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the target; one that is missing is asked for by its name",
    )
    able = " and ".join(target.name for target in TARGETS.values() if target.run is not None)
    parser.add_argument(
        "--run", action="store_true", help=f"do it instead of printing the commands ({able})"
    )


def publish(arguments: argparse.Namespace) -> int:
    """Print the commands, for a reader or a shell; with ``--run`` the name the image has there."""
    image = look_at_image(Path(arguments.image))
    act = run if arguments.run else commands
    lines = act(TARGETS[arguments.target], image, arguments.parameters)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
