"""PowerShell's spelling of a command line, turned into the plain one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from winimagetools.cli.commands import COMMANDS, Command, Parameter
from winimagetools.cli.common import common_arguments
from winimagetools.errors import RequestError


def translate(argv: Sequence[str]) -> list[str]:
    """Turn the PowerShell spelling into the plain one; anything else stays as it is.

    Parameters are written ``-Name value``, ``-Name:value`` or by position; names may be
    shortened as long as they are unambiguous, as in PowerShell. Options of the plain
    spelling (``--dry-run``) may follow.

    Raises:
        RequestError: a parameter that the function does not have.
    """
    place = _first_word(argv)
    command = _cmdlet(argv[place]) if place < len(argv) else None
    if command is None:
        return list(argv)
    known = _options(command)
    given: dict[str, str] = {}
    loose: list[str] = []
    options = [*command.implied, *argv[:place]]
    rest = list(argv[place + 1 :])
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            options.append(word)
            if word in known and known[word].nargs is None and rest:
                options.append(rest.pop(0))
        elif word.startswith("-") and len(word) > 1 and not word[1:2].isdigit():
            parameter, value = _parameter(command, word)
            if parameter.switch:
                given[parameter.argument] = value or "true"
            elif value or rest:
                given[parameter.argument] = value or rest.pop(0)
            else:
                raise RequestError(
                    f"{word} of {command.cmdlet} needs a value.", f"Write {word} VALUE."
                )
        else:
            loose.append(word)
    return [*command.names, *options, *_arguments(command, given, loose)]


def _first_word(argv: Sequence[str]) -> int:
    """Where the name of the command stands: behind options that all commands have."""
    parser = argparse.ArgumentParser(add_help=False)
    common_arguments(parser)
    place = 0
    while place < len(argv) and argv[place].startswith("--"):
        option = parser._option_string_actions.get(argv[place])
        place += 2 if option is not None and option.nargs is None else 1
    return place


def _options(command: Command) -> dict[str, argparse.Action]:
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    common_arguments(parser)
    return parser._option_string_actions


def _cmdlet(word: str) -> Command | None:
    for command in COMMANDS:
        if command.cmdlet and command.cmdlet.casefold() == word.casefold():
            return command
    return None


def _parameter(command: Command, word: str) -> tuple[Parameter, str]:
    name, _, value = word[1:].partition(":")
    matches = [
        parameter
        for parameter in command.parameters
        if parameter.name.casefold().startswith(name.casefold())
    ]
    exact = [item for item in matches if item.name.casefold() == name.casefold()]
    if len(exact or matches) != 1:
        names = ", ".join(f"-{parameter.name}" for parameter in command.parameters)
        raise RequestError(
            f"{command.cmdlet} has no parameter -{name}.", f"Its parameters are {names}."
        )
    return (exact or matches)[0], value


def _arguments(command: Command, given: dict[str, str], loose: list[str]) -> list[str]:
    """Positional arguments in the order of the parser, then options."""
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    order = [action.dest for action in parser._get_positional_actions()]
    for parameter in command.parameters:
        if parameter.argument in order and parameter.argument not in given and loose:
            given[parameter.argument] = loose.pop(0)
    result = []
    for parameter in command.parameters:
        if parameter.argument.startswith("--") and parameter.argument in given:
            result.append(parameter.argument)
            if not parameter.switch:
                result[-1] += f"={given[parameter.argument]}"
    positional = [given[name] for name in order if name in given]
    return [*result, "--", *positional, *loose] if positional or loose else result
