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
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from winimagetools import interruption, log
from winimagetools.cli.commands import Action
from winimagetools.cli.parser import build_parser
from winimagetools.cli.signals import obey_signals
from winimagetools.cli.translate import translate
from winimagetools.cli.words import expand_arguments
from winimagetools.errors import Interrupted, WinImageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        argv: the words after the program name; those of this process by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _print_anything()
    log.setup()
    try:
        words = expand_arguments(words, os.environ)
        arguments = build_parser().parse_args(translate(words))
        _set_up_log(arguments)
        action: Action = arguments.find_action()
        obey_signals()
        code = action(arguments)
        with interruption.completing():
            sys.stdout.flush()
        return code
    except WinImageError as error:
        log.error(error.message, error.hint or error.remedy)
        return error.exit_code
    except KeyboardInterrupt:
        log.error("Interrupted; nothing was left behind.", Interrupted.remedy)
        return Interrupted.exit_code
    except BrokenPipeError:
        _drop_output()  # whoever read it has gone; there is nobody left to tell
        return 1
    except OSError as error:
        log.error(_describe(error), _advice(error))
        _drop_output()
        return 1
    except MemoryError:
        log.error("There is not enough memory.", "End other programs, or use another machine.")
        return 1
    except Exception as error:
        # Python would print it with all that is in it, passwords too.
        log.LOGGER.debug("%s", traceback.format_exc())
        log.error(_fault(error), "Report it with what --debug shows.")
        return 1


def _fault(error: Exception) -> str:
    """What is said of an error that nobody expected."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"This is a fault of winimagetools: {type(error).__name__} in {where}: {error}"


def _set_up_log(arguments: argparse.Namespace) -> None:
    given = vars(arguments)
    log.setup(
        level=logging.DEBUG if given.get("debug") else logging.INFO,
        quiet=given.get("quiet", False),
        file=Path(given["log_file"]) if "log_file" in given else None,
    )


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


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError) and error.filename:
        return "Let this user have it and enter the folders above it, or name another place."
    return WinImageError.remedy


def _is_somewhere() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError) and not error.filename and not _is_somewhere():
        return "The folder this was started in does not exist any more."
    return f"{error.filename} cannot be used: {reason}." if error.filename else f"{reason}."
