"""``completion``: the script that lets a shell complete the command line."""

from __future__ import annotations

import argparse
import sys

import shtab


def completion(arguments: argparse.Namespace) -> int:
    """``completion``: prints the script of a shell."""
    # The parser is made of the table of commands, in which this command stands.
    from winimagetools.cli.parser import build_parser

    sys.stdout.write(shtab.complete(build_parser(), arguments.shell) + "\n")
    return 0
