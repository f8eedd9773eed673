"""``completion``: the script that lets a shell complete the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import shtab

from winimagetools.cli.arguments import NAMES_FILES
from winimagetools.cli.parser import build_parser


def completion(arguments: argparse.Namespace) -> int:
    """``completion``: prints the script of a shell."""
    parser = build_parser(whole=True)
    for action in _actions(parser):
        if hasattr(action, NAMES_FILES):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    sys.stdout.write(shtab.complete(parser, arguments.shell) + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of the commands below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
