"""The exceptions of winimagetools: one tree, drawn here.

::

    WinImageError                 anything this project refuses or fails at
    ├── RequestError              the request or the configuration is wrong         exit 2
    │   ├── ConfigurationError    one or more Problems, all reported together
    │   ├── IniValueError         a value is not of the kind that was asked for
    │   └── MediaError            an ISO, WIM or disk image that cannot be used
    ├── HostError                 this machine lacks something                      exit 3
    │   └── ToolMissingError      a program or library, with the package it is in
    ├── BuildError                the build began and failed                        exit 1
    │   ├── CommandError          another program failed
    │   ├── DownloadError         the network or the server did not deliver
    │   │   └── ChecksumError     it delivered something else
    │   ├── UploadError           a cloud or a registry did not take an image
    │   └── DiskFullError         no room left
    └── Interrupted               Ctrl-C or SIGTERM                                 exit 130

Library code raises them; only :mod:`winimagetools.cli.main` prints them and turns
them into exit codes. Each carries a message (what failed, on which file) and a
hint (what to do next).
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

_SIGNALLED = 128
"""Shells and other programs that start programs return this and the number of the signal that
ended theirs (POSIX, Shell Command Language, 2.8.2)."""
_OUT_OF_MEMORY = ", as the kernel does when memory runs out"


class WinImageError(Exception):
    """Base of all errors of this project.

    Args:
        message: what failed and on which file or value, as a whole sentence.
        hint: what to do next, as a whole sentence; empty when nothing better can be said than
            :attr:`remedy`.

    Attributes:
        exit_code: of a command that ends with it.
        remedy: what to do about errors of this kind, for those without a hint of their own.
    """

    exit_code = 1
    remedy = "Run it again with --debug to see what happens before it, and report both."

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class RequestError(WinImageError):
    """The request or the configuration is wrong; nothing was started.

    Args:
        option: the option of the configuration that is to blame, when it is known.
    """

    exit_code = 2
    remedy = "Correct it and run the command again; --help shows what can be given."

    def __init__(self, message: str, hint: str = "", option: str = "") -> None:
        super().__init__(message, hint)
        self.option = option


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a configuration.

    Args:
        message: what is wrong, as a whole sentence.
        hint: what to do about it.
        section: section of the configuration file, empty when it is about none.
        key: option name, empty when it is about no option.
        line: line number in the configuration file, starting at 1; None when the
            value is a default or came from the command line.
        host: this machine lacks something; the request itself may be right.
    """

    message: str
    hint: str = ""
    section: str = ""
    key: str = ""
    line: int | None = None
    host: bool = False

    @property
    def finding(self) -> str:
        """Where it is and what is wrong, without the advice."""
        section = f"[{self.section}]" if self.section else ""
        where = f"{section} {self.key}".strip()
        if self.line is not None:
            where = f"{where} (line {self.line})" if where else f"line {self.line}"
        return f"{where}: {self.message}" if where else self.message

    def __str__(self) -> str:
        return f"{self.finding} {self.hint}".rstrip()


class ConfigurationError(RequestError):
    """A configuration cannot be used; carries every problem found.

    Args:
        problems: at least one problem.
        source: the configuration file they are about.
    """

    remedy = "Correct them; winimagetools doctor CONFIG says what is left, and builds nothing."

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        what = source or "The configuration"
        if len(self.problems) == 1:
            problem = self.problems[0]
            super().__init__(f"{what} cannot be used: {problem.finding}", problem.hint)
        else:
            count = len(self.problems)
            super().__init__(f"{what} cannot be used; it has {count} problems:{_list(problems)}")


class IniValueError(RequestError, ValueError):
    """A value of an ini file is not of the kind that was asked for."""


class MediaError(RequestError):
    """An ISO, WIM, ESD, SWM or disk image is missing, damaged or of another kind."""

    remedy = "Compare the file with its source (size, SHA-256), and use another copy."


class HostError(WinImageError):
    """This machine lacks something the request needs."""

    exit_code = 3
    remedy = "winimagetools doctor shows what this machine has and lacks."


class ToolMissingError(HostError):
    """A program or library is not installed.

    Args:
        tool: name of the program or library, such as ``mkntfs``.
        package: Debian/Ubuntu package it is in, such as ``ntfs-3g``.
        reason: what it is needed for, completing "needed to ...".
    """

    def __init__(self, tool: str, package: str, reason: str) -> None:
        self.tool = tool
        self.package = package
        super().__init__(
            f"{tool} was not found; it is needed to {reason}.",
            f"Install it: apt install {package}",
        )


class BuildError(WinImageError):
    """The build began and could not be completed."""

    exit_code = 1


class CommandError(BuildError):
    """Another program failed.

    Args:
        command: the command line as it may be shown (secrets already masked).
        returncode: what the program returned; negative for a signal.
        output: the last lines it printed.
        reason: why it was not let run to its end, completing "This command ..."; empty when
            the program ended by itself.
    """

    def __init__(self, command: str, returncode: int, output: str, reason: str = "") -> None:
        self.command = command
        self.returncode = returncode
        self.output = output
        tail = f" It said:\n{output}" if output else " It printed nothing."
        super().__init__(f"This command {reason or _ending(returncode)}: {command}.{tail}")


class DownloadError(BuildError):
    """A download could not be completed."""

    remedy = (
        "Check the address, the network and its proxy (https_proxy), or give a file instead of "
        "the download."
    )


class ChecksumError(DownloadError):
    """What was downloaded is not what was asked for."""

    remedy = "Compare the checksum with the one its publisher names."


class UploadError(BuildError):
    """An image could not be brought to where it should go; nothing of it is there."""

    remedy = "Check the address, the credentials and the network, and publish it again."


class DiskFullError(BuildError):
    """A file system ran out of space."""

    remedy = "Free some space there, or work on another disk."


class Interrupted(WinImageError):
    """The user (Ctrl-C) or the system (SIGTERM) asked to stop."""

    exit_code = 130
    remedy = "To begin anew, run the same command again."


def _ending(returncode: int) -> str:
    """How a program ended, completing "This command ..."."""
    if returncode < 0:
        return f"was ended by signal {_signal(-returncode) or -returncode}"
    if returncode > _SIGNALLED and (name := _signal(returncode - _SIGNALLED)):
        return f"failed with exit code {returncode}, which stands for signal {name}"
    return f"failed with exit code {returncode}"


def _signal(number: int) -> str:
    """``SIGKILL (9)``; empty for a number that is no signal here, such as any on Windows."""
    # Windows knows only the signals of the C library, and returns no exit codes made of them.
    if not hasattr(signal, "SIGKILL") or number not in set(signal.Signals):
        return ""
    name = f"{signal.Signals(number).name} ({number})"
    return name + _OUT_OF_MEMORY if number == signal.SIGKILL else name


def _list(problems: Sequence[Problem]) -> str:
    return "".join(f"\n  - {problem}" for problem in problems)


def raise_problems(problems: Sequence[Problem], source: str = "") -> None:
    """Raise one error for all problems; do nothing when there are none.

    Args:
        problems: what was found.
        source: the configuration file they are about.

    Raises:
        HostError: all of them are about this machine.
        ConfigurationError: at least one is about the request.
    """
    if not problems:
        return
    if all(problem.host for problem in problems):
        if len(problems) == 1:
            raise HostError(problems[0].finding, problems[0].hint)
        raise HostError(f"This machine is not ready:{_list(problems)}")
    raise ConfigurationError(problems, source)
