"""``verify``: whether an image and its report are what was made."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools import log
from winimagetools.output.report.folder import check


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, and the key its provenance must be signed with."""
    parser.add_argument("image", metavar="IMAGE", help="an image with its report beside it")
    parser.add_argument(
        "--key", metavar="PEM", help="the public key the provenance must be signed with"
    )


def verify(arguments: argparse.Namespace) -> int:
    """Say what was found right; the first thing that is not ends it with exit code 2."""
    key = Path(arguments.key) if arguments.key else None
    told = check(Path(arguments.image), key)
    sys.stdout.write(log.printable("\n".join(told)) + "\n")
    return 0
