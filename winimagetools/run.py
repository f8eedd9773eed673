"""The one door to other programs.

Command lines are lists and never pass through a shell. What a program prints on standard
output is an answer that may be parsed; standard error (warnings of the program, of the
loader, of the system) is kept apart from it and is shown with the answer when the program
fails. Neither can fill the memory. Whatever happens here, no program outlives the call that
started it. Secrets are declared where the command is built and are masked wherever it is
shown. A program that is missing is named together with the package it comes in and the
reason it is needed.
"""

from __future__ import annotations

import codecs
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from winimagetools import log
from winimagetools.errors import CommandError, ToolMissingError

ANSWER_LIMIT = 16 << 20
"""Bytes of standard output that are kept to be parsed; the tables and lists of the tools
called here have some KiB."""
_TAIL = 16 << 10
"""Bytes kept of what is only shown when the program fails."""
_TAIL_LINES = 20
_CHUNK = 64 << 10
_CANNOT_START = 126
"""What shells return then (POSIX, Shell Command Language, 2.8.2)."""
_DRAINED = 5.0
"""Seconds in which a stream ends once its program is gone. Only a process that left the group
and kept the stream open takes longer; it is not waited for."""
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where Debian keeps mkntfs and sfdisk; not in the PATH of an ordinary user."""


@dataclass(frozen=True)
class Tool:
    """A program this project calls.

    Args:
        name: file name of the program.
        package: Debian/Ubuntu package it is in.
        reason: what it is needed for, completing "needed to ...".
    """

    name: str
    package: str
    reason: str

    def find(self) -> str:
        """Full path of the program. Raises ToolMissingError.

        Only whole paths of ``PATH`` count: ``shutil.which`` on Windows, and an empty or
        relative entry of ``PATH`` anywhere, would take a program from the current folder.
        """
        folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *_SYSTEM_FOLDERS]
        for folder in (Path(entry.strip('"')) for entry in folders):
            for name in (self.name, f"{self.name}.exe"):
                if folder.is_absolute() and (found := shutil.which(folder / name)):
                    return os.fspath(found)
        raise ToolMissingError(self.name, self.package, self.reason)


TIE = Tool("setpriv", "util-linux", "end another program together with this one")
_UNLESS_ORPHANED = ("/bin/sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')
"""Runs a program if this process, whose number comes first, has not died in the meantime."""


def tied(words: Sequence[str], name: str = "TERM") -> list[str]:
    """A command that gets a signal when whoever starts it dies; as it is where that cannot be.

    The kernel does it for a child of the process that dies, and for no grandchild.
    """
    try:
        return [TIE.find(), "--pdeathsig", name, "--", *words]
    except ToolMissingError:
        return list(words)


def show(argv: Sequence[str | os.PathLike[str]]) -> str:
    """A command line as it may be shown: quoted, secrets masked."""
    return log.mask(shlex.join(os.fspath(part) for part in argv))


class Program:
    """A program that :func:`spawn` started.

    Attributes:
        pid: its number.
        shown: its command line as it may be shown.
        output: its standard output, unbuffered; whoever starts it has to read it.
        error: its standard error, likewise.
        input: its standard input; None when nothing is connected.
    """

    def __init__(self, process: subprocess.Popen[bytes], shown: str) -> None:
        self._process = process
        self.pid = process.pid
        self.shown = shown
        self.output = cast(IO[bytes], process.stdout)
        self.error = cast(IO[bytes], process.stderr)
        self.input = process.stdin

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code, which is negative for a signal.

        Args:
            timeout: seconds to wait; None means for ever.

        Raises:
            TimeoutError: it still runs.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self.shown} still runs after {timeout} seconds.") from error

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to end itself in an orderly way; nothing happens when it has ended."""
        self._process.terminate()

    def interrupt(self) -> None:
        """Do to it what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def terminate_group(self) -> None:
        """Ask it and every process of its group to end in an orderly way."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGTERM)
        else:
            self.terminate()

    def end(self) -> None:
        """End it and every process of its group at once."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


class Tail:
    """Reads a stream to its end in a thread of its own and keeps the last of it.

    Args:
        stream: standard output or error of a program.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was kept, once the stream has ended."""
        self._thread.join(_DRAINED)
        return bytes(self._kept).decode(errors="replace")

    def keep(self, chunk: bytes) -> None:
        """Add what was read."""
        self._kept += chunk
        del self._kept[:-_TAIL]

    def _read(self) -> None:
        with suppress(ValueError, OSError):  # closed by spawn while it was being read
            while chunk := self._stream.read(_CHUNK):
                self.keep(chunk)


class _Answer(Tail):
    """Keeps everything, and ends a program that prints more than anybody parses."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.endless = False
        super().__init__(program.output)

    def keep(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > ANSWER_LIMIT and not self.endless:
            self.endless = True
            self._program.end()
        if self.endless:
            del self._kept[:-_TAIL]


@contextmanager
def spawn(
    tool: Tool,
    arguments: Sequence[str | os.PathLike[str]],
    *,
    input_text: str | None = None,
    open_input: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    tied: Literal["", "KILL", "TERM"] = "",
) -> Iterator[Program]:
    """Start a program; on leaving, it and all processes of its group are ended.

    Windows has no such groups; there only the program itself is ended.

    Args:
        tool: the program.
        arguments: its arguments, one item each.
        input_text: text for its standard input; nothing is connected otherwise.
        open_input: connect its standard input, for whoever starts it to write to and close.
        env: variables added to this process's environment.
        cwd: folder to run it in.
        tied: the signal with which the kernel ends it when this process dies, be it killed: for
            programs that would run on for ever. Linux only.

    Yields:
        The running program. It stops when nobody reads what it prints.

    Raises:
        ToolMissingError: the program is not installed.
        CommandError: the system cannot start it.
    """
    shown = show([tool.name, *arguments])
    argv = [tool.find(), *(os.fspath(part) for part in arguments)]
    if tied:
        tie = [TIE.find(), "--pdeathsig", tied, "--", *_UNLESS_ORPHANED, str(os.getpid())]
        argv = [*tie, *argv]
    log.LOGGER.debug("running: %s", shown)
    program: Program | None = None
    connected = open_input or input_text is not None
    try:
        with held_signals():
            program = Program(_start(argv, connected, env or {}, cwd), shown)
        if input_text is not None:
            _feed(cast(IO[bytes], program.input), input_text)
        yield program
    except OSError as error:
        if program is not None:
            raise
        reason = f"could not be started ({error.strerror})"
        raise CommandError(shown, _CANNOT_START, "", reason) from error
    finally:
        if program is not None:
            program.end()
            program.output.close()
            program.error.close()
            if open_input and program.input is not None:
                program.input.close()


@contextmanager
def held_signals() -> Iterator[None]:
    """Let signals of the user wait, so that nothing comes between a start and knowing it.

    Handlers run in the main thread only; elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    numbers = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    handlers = {
        number: handler
        for number in numbers
        if number is not None and callable(handler := signal.getsignal(number))
    }
    try:
        for number in handlers:
            signal.signal(number, lambda caught, _: held.append(caught))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(held):
            signal.raise_signal(number)


def _start(
    argv: Sequence[str], with_input: bool, env: Mapping[str, str], cwd: Path | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        bufsize=0,
        stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C", **env},
        cwd=cwd,
        # A group of its own; Ctrl-C reaches this process alone, which then ends the group.
        start_new_session=True,
    )


def _feed(stream: IO[bytes], text: str) -> None:
    """Write to standard input in a thread, so that a program that reads nothing blocks nobody."""

    def write() -> None:
        with suppress(OSError), stream:
            view = memoryview(text.encode())
            while view:
                view = view[stream.write(view) :]

    threading.Thread(target=write, daemon=True).start()


def run(
    tool: Tool,
    arguments: Sequence[str | os.PathLike[str]],
    *,
    input_text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    accept: Sequence[int] = (0,),
) -> str:
    """Run a program to its end and return what it printed on standard output.

    Args:
        tool: the program.
        arguments: its arguments, one item each.
        input_text: text for its standard input; nothing is connected otherwise.
        env: variables added to this process's environment.
        cwd: folder to run it in.
        timeout: seconds after which it is ended; None means never.
        accept: exit codes that are not failures.

    Raises:
        ToolMissingError: the program is not installed.
        CommandError: it returned another exit code, the time ran out, or it printed more
            than an answer can be.

    Port of ``Start-Executable``.
    """
    with spawn(tool, arguments, input_text=input_text, env=env, cwd=cwd) as program:
        answer, complaints = _Answer(program), Tail(program.error)
        code, reason = _wait(program, timeout)
        output, error = _lines(answer.text()), complaints.text()
    if answer.endless:
        reason = f"was stopped because it printed more than {log.size(ANSWER_LIMIT)}"
    if reason or code not in accept:
        raise CommandError(program.shown, code, _said(output, error), reason)
    if error.strip():
        log.LOGGER.debug("%s warned: %s", tool.name, _last_lines(error))
    return output


def _wait(program: Program, timeout: float | None) -> tuple[int, str]:
    """Let a program end: its exit code, and why it was not let run to its end, if so."""
    reason = ""
    try:
        program.wait(timeout)
    except TimeoutError:
        reason = f"was stopped after {timeout} seconds"
    program.end()
    return program.wait(), reason


def follow(
    tool: Tool,
    arguments: Sequence[str | os.PathLike[str]],
    on_text: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program and hand over its standard output as it comes (a progress display, say).

    Raises:
        ToolMissingError: the program is not installed.
        CommandError: it returned an exit code other than 0.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with spawn(tool, arguments, env=env) as program:
        complaints, recent = Tail(program.error), ""
        while chunk := program.output.read(4096):
            text = decoder.decode(chunk)
            recent = (recent + text)[-_TAIL:]
            on_text(text)
        code = program.wait()
        program.end()
        error = complaints.text()
    if code != 0:
        raise CommandError(program.shown, code, _said(recent, error))


def _lines(text: str) -> str:
    """Text with the line ends of this program, whatever the other one writes."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _said(output: str, error: str) -> str:
    """What is shown of a program that failed: the end of both streams."""
    return "\n".join(filter(None, (_last_lines(output), _last_lines(error))))


def _last_lines(output: str) -> str:
    lines = [line for line in _lines(output).splitlines() if line.strip()]
    return log.mask("\n".join(lines[-_TAIL_LINES:]))
