"""The parser of the command line, made of the table of commands."""

from __future__ import annotations

import argparse

from winimagetools.cli.arguments import common_arguments
from winimagetools.cli.commands import COMMANDS, Command
from winimagetools.version import __version__

PROGRAM = "winimagetools"
_GROUPS = {"ini": "read and change ini files", "cache": "look after the stages of matrices"}
_FORMATTER = argparse.RawDescriptionHelpFormatter
"""Lines stay as they are written: PowerShell's names have hyphens to break at."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the plain spelling, with all commands."""
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
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    common_arguments(parser)
    _show_help_when_bare(parser)
    top = parser.add_subparsers(title="commands", metavar="COMMAND")
    groups = {"": top}
    for command in COMMANDS:
        group = " ".join(command.names[:-1])
        if group not in groups:
            outer = top.add_parser(group, help=_GROUPS[group])
            common_arguments(outer)
            _show_help_when_bare(outer)
            groups[group] = outer.add_subparsers(title="commands", metavar="COMMAND")
        about = command.help[0].upper() + command.help[1:] + "."
        sub = groups[group].add_parser(
            command.names[-1],
            help=command.help,
            description=about,
            epilog=_in_powershell(command),
            formatter_class=_FORMATTER,
        )
        command.add_arguments(sub)
        common_arguments(sub)
        sub.set_defaults(action=command.action)
    return parser


def _show_help_when_bare(parser: argparse.ArgumentParser) -> None:
    def show(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(action=show)


def _in_powershell(command: Command) -> str:
    if not command.cmdlet:
        return ""
    words = [command.cmdlet]
    for parameter in command.parameters:
        value = "" if parameter.switch else f" {parameter.argument.lstrip('-').upper()}"
        text = f"-{parameter.name}{value}"
        words.append(f"[{text}]" if parameter.argument.startswith("--") else text)
    return f"The same in PowerShell's words:\n  {' '.join(words)}"
