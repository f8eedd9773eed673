"""The options every command takes."""

from __future__ import annotations

import argparse


def common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command takes, before its name or behind it."""
    group = parser.add_argument_group("messages")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show every program that is called",
    )
    amount.add_argument(
        "--quiet",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show warnings and errors only",
    )
    group.add_argument(
        "--log-file",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="also add everything that is said, with date and time, to a file",
    )
