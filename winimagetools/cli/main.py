"""The command line: arguments, exit codes, and the only place that prints.

Every command has two spellings that do the same: ``winimagetools cloud-image config.ini``
and ``New-WindowsCloudImage -ConfigFilePath config.ini``, the PowerShell one in any letter
case. Exit codes: 0 done, 1 the build failed, 2 the request or the configuration is wrong,
3 this machine lacks something, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winimagetools import interruption, log
from winimagetools.cli import actions
from winimagetools.cli.powershell_modules import expand_arguments
from winimagetools.cli.signals import obey_signals
from winimagetools.errors import Interrupted, RequestError, WinImageError
from winimagetools.version import __version__

PROGRAM = "winimagetools"
_FORMATTER = argparse.RawDescriptionHelpFormatter
"""Lines stay as they are written: PowerShell's names have hyphens to break at."""


@dataclass(frozen=True)
class Parameter:
    """One PowerShell parameter and the argument it stands for.

    Args:
        name: PowerShell name without the dash.
        argument: ``name`` of a positional argument, or ``--option``.
        switch: takes no value.
    """

    name: str
    argument: str
    switch: bool = False


@dataclass(frozen=True)
class Command:
    """One command in both spellings.

    Args:
        names: words of the command, such as ``("ini", "get")``.
        cmdlet: the PowerShell function; empty for a command of this project only.
        parameters: of the PowerShell function, positional ones in order.
        help: one line.
        add_arguments: declares the arguments.
        action: does it; returns the exit code.
    """

    names: tuple[str, ...]
    cmdlet: str
    parameters: tuple[Parameter, ...]
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    action: Callable[[argparse.Namespace], int]


_CONFIG = (Parameter("ConfigFilePath", "config"),)
_INI = (
    Parameter("Key", "key"),
    Parameter("Section", "--section"),
    Parameter("Path", "path"),
)


def _config_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="configuration file (config.ini)")


def _settings_arguments(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="win over an option of the file; may be repeated",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse what otherwise only is warned about"
    )


def _workflow_arguments(parser: argparse.ArgumentParser) -> None:
    _settings_arguments(parser)
    _checksum_argument(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be done, and do nothing"
    )


def _checksum_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checksum",
        action=argparse.BooleanOptionalAction,
        help="compute the SHA-256 of the image; usual except for RAW, which is mostly holes",
    )


def _golden_arguments(parser: argparse.ArgumentParser) -> None:
    """No dry run: which drivers fit depends on the Windows inside the golden image."""
    _settings_arguments(parser)
    _checksum_argument(parser)


def _show_config_arguments(parser: argparse.ArgumentParser) -> None:
    _settings_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON for a program, passwords included"
    )


def _wim_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wim", metavar="WIM", help="a WIM, ESD, SWM or ISO")
    parser.add_argument("--json", action="store_true", help="print JSON with all fields")


def _shrink_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("disk", metavar="DISK", help="a virtual disk")
    parser.add_argument(
        "--free-space", default="500MB", metavar="SIZE", help="bytes to leave spare (500MB)"
    )


def _virtio_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("drive", metavar="DRIVE", help="drive letter of the Windows volume")
    parser.add_argument("iso", metavar="ISO", help="the virtio ISO")
    parser.add_argument(
        "--image-version", required=True, metavar="VERSION", help="of Windows, as in wim-info"
    )
    parser.add_argument(
        "--image-architecture", required=True, metavar="NAME", help="amd64, x86 or arm64"
    )
    parser.add_argument(
        "--installation-type", required=True, metavar="TYPE", help="Client, Server, Server Core"
    )


def _modules_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="where to write them")


def _ini_arguments(*names: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="the file")
        for name in names:
            parser.add_argument(name, metavar=name.upper())
        parser.add_argument("--section", default="DEFAULT", help="section (DEFAULT)")

    return add


def _ini_get_arguments(parser: argparse.ArgumentParser) -> None:
    _ini_arguments("key")(parser)
    parser.add_argument("--default", default=None, help="what to print when there is no value")
    parser.add_argument("--as-boolean", action="store_true", help="print True or False")


def _no_arguments(_: argparse.ArgumentParser) -> None:
    return None


COMMANDS: tuple[Command, ...] = (
    Command(
        ("new-config",),
        "New-WindowsImageConfig",
        _CONFIG,
        "write a configuration file with every option, its default and what it is for",
        _config_argument,
        actions.new_config,
    ),
    Command(
        ("show-config",),
        "Get-WindowsImageConfig",
        _CONFIG,
        "show every option with the value a build would use",
        _show_config_arguments,
        actions.show_config,
    ),
    Command(
        ("wim-info",),
        "Get-WimFileImagesInfo",
        (Parameter("WimFilePath", "wim"),),
        "list the editions of an installation medium",
        _wim_arguments,
        actions.wim_info,
    ),
    Command(
        ("cloud-image",),
        "New-WindowsCloudImage",
        _CONFIG,
        "make an image that finishes itself when it first starts",
        _workflow_arguments,
        actions.cloud_image,
    ),
    Command(
        ("online-image",),
        "New-WindowsOnlineImage",
        _CONFIG,
        "make an image and finish it in a virtual machine",
        _workflow_arguments,
        actions.online_image,
    ),
    Command(
        ("golden-image",),
        "New-WindowsFromGoldenImage",
        _CONFIG,
        "make an image from a copy of a golden one",
        _golden_arguments,
        actions.golden_image,
    ),
    Command(
        ("test-image",),
        "Test-OfflineWindowsImage",
        _CONFIG,
        "check a finished image without starting it",
        _settings_arguments,
        actions.check_image,
    ),
    Command(
        ("shrink",),
        "Resize-VHDImage",
        (Parameter("VirtualDiskPath", "disk"), Parameter("FreeSpace", "--free-space")),
        "make a virtual disk and its largest volume as small as they can be",
        _shrink_arguments,
        actions.shrink,
    ),
    Command(
        ("add-virtio-drivers",),
        "Add-VirtIODriversFromISO",
        (Parameter("VhdDriveLetter", "drive"), Parameter("IsoPath", "iso")),
        "add virtio drivers to Windows on an attached volume (on Windows only)",
        _virtio_arguments,
        actions.add_virtio_drivers,
    ),
    Command(
        ("ini", "get"),
        "Get-IniFileValue",
        (*_INI, Parameter("Default", "--default"), Parameter("AsBoolean", "--as-boolean", True)),
        "print a value of an ini file",
        _ini_get_arguments,
        actions.ini_get,
    ),
    Command(
        ("ini", "set"),
        "Set-IniFileValue",
        (*_INI, Parameter("Value", "value")),
        "set a value in an ini file",
        _ini_arguments("key", "value"),
        actions.ini_set,
    ),
    Command(
        ("ini", "remove"),
        "Remove-IniFileValue",
        _INI,
        "remove a value from an ini file",
        _ini_arguments("key"),
        actions.ini_remove,
    ),
    Command(
        ("powershell-modules",),
        "",
        (),
        "write PowerShell modules for scripts of the PowerShell tools",
        _modules_arguments,
        actions.powershell_modules,
    ),
    Command(
        ("doctor",),
        "",
        (),
        "say what this machine has and lacks",
        _no_arguments,
        actions.doctor,
    ),
)


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
    parser.add_argument("--debug", action="store_true", help="show every program that is called")
    top = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    groups = {"": top}
    for command in COMMANDS:
        group = " ".join(command.names[:-1])
        if group not in groups:
            outer = top.add_parser(group, help=f"read and change {group} files")
            groups[group] = outer.add_subparsers(title="commands", metavar="COMMAND", required=True)
        about = command.help[0].upper() + command.help[1:] + "."
        sub = groups[group].add_parser(
            command.names[-1],
            help=command.help,
            description=about,
            epilog=_in_powershell(command),
            formatter_class=_FORMATTER,
        )
        command.add_arguments(sub)
        sub.set_defaults(action=command.action)
    return parser


def _in_powershell(command: Command) -> str:
    if not command.cmdlet:
        return ""
    words = [command.cmdlet]
    for parameter in command.parameters:
        value = "" if parameter.switch else f" {parameter.argument.lstrip('-').upper()}"
        text = f"-{parameter.name}{value}"
        words.append(f"[{text}]" if parameter.argument.startswith("--") else text)
    return f"The same in PowerShell's words:\n  {' '.join(words)}"


def translate(argv: Sequence[str]) -> list[str]:
    """Turn the PowerShell spelling into the plain one; anything else stays as it is.

    Parameters are written ``-Name value``, ``-Name:value`` or by position; names may be
    shortened as long as they are unambiguous, as in PowerShell. Options of the plain
    spelling (``--dry-run``) may follow.

    Raises:
        RequestError: a parameter that the function does not have.
    """
    command = _cmdlet(argv[0]) if argv else None
    if command is None:
        return list(argv)
    given: dict[str, str] = {}
    loose: list[str] = []
    options: list[str] = []
    rest = list(argv[1:])
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            options.append(word)
            if word == "--set" and rest:
                options.append(rest.pop(0))
        elif word.startswith("-") and len(word) > 1 and not word[1:2].isdigit():
            parameter, value = _parameter(command, word)
            if parameter.switch:
                given[parameter.argument] = value or "true"
            elif value or rest:
                given[parameter.argument] = value or rest.pop(0)
            else:
                raise RequestError(f"{word} of {command.cmdlet} needs a value.")
        else:
            loose.append(word)
    return [*command.names, *options, *_arguments(command, given, loose)]


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        argv: the words after the program name; those of this process by default.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    words = [word for word in given if word != "--debug"]  # it may stand anywhere
    debug = len(words) < len(given)
    _print_anything()
    log.setup(level=logging.DEBUG if debug else logging.INFO)
    obey_signals()
    try:
        words = expand_arguments(words, os.environ)
        arguments = build_parser().parse_args(translate(words))
        action: Callable[[argparse.Namespace], int] = arguments.action
        code = action(arguments)
        with interruption.completing():
            sys.stdout.flush()
        return code
    except WinImageError as error:
        _print_error(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _print_error("Interrupted; nothing was left behind.", "")
        return Interrupted.exit_code
    except BrokenPipeError:
        _drop_output()  # whoever read it has gone; there is nobody left to tell
        return 1
    except OSError as error:
        _print_error(_describe(error), "")
        _drop_output()
        return 1


def _drop_output() -> None:
    """Do not let Python fail again, at its end, at writing what could not be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_anything() -> None:
    """A build that is complete must not fail at saying so.

    A name the terminal has no letters for is printed as numbers, as Python does on standard
    error. Outputs that were closed before this started are opened, also so that no file of
    the build gets their numbers.
    """
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the life of the process
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename} cannot be used: {reason}." if error.filename else f"{reason}."


def _print_error(message: str, hint: str) -> None:
    print(log.printable(f"error: {message}"), file=sys.stderr)
    if hint:
        print(log.printable(f"       {hint}"), file=sys.stderr)
