"""``verify``: whether an image and its report are what was made, and would be made again."""

from __future__ import annotations

import argparse
from pathlib import Path

from winimagetools.cli.output import write
from winimagetools.output.report.folder import check
from winimagetools.workflows.rebuild import rebuild


def verify(arguments: argparse.Namespace) -> int:
    """Say what was found right; the first thing that is not ends it.

    The exit code is 2 when image, report or inputs are not what they were, and 1 when the image
    that was built again is another one.
    """
    image = Path(arguments.image)
    config, folder = (Path(text) if text else None for text in (arguments.config, arguments.folder))
    write("\n".join(check(image, Path(arguments.key) if arguments.key else None)))
    if arguments.rebuild:
        told = rebuild(image, config=config, overrides=arguments.overrides, folder=folder)
        write("\n".join(told))
    return 0
