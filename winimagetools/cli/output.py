"""What a command prints: its result, on standard output."""

from __future__ import annotations

import sys

from winimagetools import log


def write(text: str) -> None:
    """Print text and end its line, with secrets hidden and nothing a terminal would obey."""
    sys.stdout.write(log.printable(text) + "\n")
