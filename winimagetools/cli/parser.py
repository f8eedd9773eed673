"""The parser of the command line, made of the table of commands."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from winimagetools.cli.commands import COMMANDS, Action, Command
from winimagetools.cli.common import common_arguments

PROGRAM = "winimagetools"
_GROUPS = {"ini": "read and change ini files", "cache": "look after the stages of matrices"}
_FORMATTER = argparse.RawDescriptionHelpFormatter
"""Lines stay as they are written: PowerShell's names have hyphens to break at."""


class _CommandParser(argparse.ArgumentParser):
    """The parser of one command, which gets its arguments when it is the one that is asked.

    Args:
        command: the command; None for a group of them.
        words: further arguments of any parser.
    """

    def __init__(self, command: Command | None = None, **words: Any) -> None:
        super().__init__(**words)
        self._unasked = command

    def parse_known_args(self, *args: Any, **words: Any) -> Any:
        """As any parser, once it has its arguments."""
        self.declare()
        return super().parse_known_args(*args, **words)

    def declare(self) -> None:
        """Add the arguments of the command, once."""
        command, self._unasked = self._unasked, None
        if command is not None:
            command.add_arguments(self)
            common_arguments(self)
            self.set_defaults(find_action=command.find_action)


class _ShowVersion(argparse.Action):
    """``--version``: only whoever asks for it waits until the metadata are read."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from winimagetools.version import __version__

        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        parser.exit()


def build_parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """The parser of the plain spelling, with all commands.

    Args:
        whole: with the arguments of every command, not only of the one that is used.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Make Windows images for clouds.",
        epilog="Names of the commands in PowerShell, which work too:\n"
        + "\n".join(
            f"  {command.cmdlet:<28}{' '.join(command.names)}"
            for command in COMMANDS
            if command.cmdlet
        ),
        formatter_class=_FORMATTER,
    )
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="show program's version number and exit"
    )
    common_arguments(parser)
    _show_help_when_bare(parser)
    top = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_CommandParser)
    groups = {"": top}
    for command in COMMANDS:
        group = " ".join(command.names[:-1])
        if group not in groups:
            outer = top.add_parser(group, help=_GROUPS[group])
            common_arguments(outer)
            _show_help_when_bare(outer)
            groups[group] = outer.add_subparsers(title="commands", metavar="COMMAND")
        sub = groups[group].add_parser(
            command.names[-1],
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=_in_powershell(command),
            formatter_class=_FORMATTER,
            command=command,
        )
        if whole:
            sub.declare()
    return parser


def _show_help_when_bare(parser: argparse.ArgumentParser) -> None:
    def show(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    def find_action() -> Action:
        return show

    parser.set_defaults(find_action=find_action)


def _in_powershell(command: Command) -> str:
    if not command.cmdlet:
        return ""
    words = [command.cmdlet]
    for parameter in command.parameters:
        value = "" if parameter.switch else f" {parameter.argument.lstrip('-').upper()}"
        text = f"-{parameter.name}{value}"
        words.append(f"[{text}]" if parameter.argument.startswith("--") else text)
    return f"The same in PowerShell's words:\n  {' '.join(words)}"
