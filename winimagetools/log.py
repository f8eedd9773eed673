"""What the user sees while a build runs: named and timed steps, progress, no secrets.

Lines go through the standard ``logging`` logger ``winimagetools``; :func:`setup` attaches
it to standard error. On a terminal long steps draw one bar that redraws itself; in a log
file they leave a plain line every :data:`LOG_INTERVAL` seconds. The outermost steps of a
build are numbered once it is known how many there will be.

This module owns the lists of steps that were done and of warnings, for as long as the process
lives; the list of secrets is that of :mod:`winimagetools.masking`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TextIO

from winimagetools.errors import RequestError
from winimagetools.masking import add_secret as add_secret
from winimagetools.masking import add_url as add_url
from winimagetools.masking import mask as mask

LOGGER = logging.getLogger("winimagetools")
LOG_INTERVAL = 10.0
"""Seconds between progress lines when standard error is not a terminal."""
_REDRAW_INTERVAL = 0.1
_BAR_WIDTH = 24
_SHORTEST_BAR = 6
_USUAL_COLUMNS = 80
_FREE_COLUMNS = 3
_FORESEEABLE = 0.01
"""Share of the work before which the time left is anybody's guess."""
_DATE = "%Y-%m-%d %H:%M:%S"
_DATE_LENGTH = len("2026-01-31 23:59:59 ")
_LOG_HEAD = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
"""How each log begins that this module wrote."""

_NO_LETTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tabulator and line feed, and what turns the direction of writing."""
_steps: list[StepRecord] = []
_warnings: list[str] = []
_drawing: list[Progress] = []
"""Bars that may be on the terminal; a line that is logged goes in their place."""
_depth = 0
_number = _expected = 0
"""The outermost step that goes on, and how many there will be; 0 while nobody knows."""
_bars = True


@dataclass(frozen=True)
class StepRecord:
    """A step that was completed: its name, nesting depth from 0 and duration in seconds."""

    name: str
    depth: int
    seconds: float


def printable(text: str) -> str:
    """A text as it may go to a terminal: no secrets, and nothing that is no letter.

    Names from media and output of programs may hold escape sequences, which set the title of
    a window, move the cursor, or let a line say something else than it does.
    """
    return _NO_LETTERS.sub(_written_out, mask(text))


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class _Handler(logging.StreamHandler[TextIO]):
    """Lines for people, in the place of bars."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "bar", False) and self.stream.isatty():
            return  # it is on the terminal already
        if getattr(record, "result", False):
            return  # it is on standard output
        for progress in _drawing:
            progress.erase()
        super().emit(record)


class _FileHandler(logging.FileHandler):
    """A log that can no longer be written does not end a build."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        LOGGER.removeHandler(self)
        warning(f"{self.baseFilename} cannot be written any more, so nothing is added to it.")


class _Formatter(logging.Formatter):
    """Time, a word unless all is well, text; no secrets."""

    _WORDS: ClassVar[dict[int, str]] = {
        logging.INFO: "    ",
        logging.WARNING: "warning:",
        logging.ERROR: "error:",
    }

    def format(self, record: logging.LogRecord) -> str:
        word = self._WORDS.get(record.levelno, record.levelname)
        return printable(f"{self.formatTime(record, self.datefmt)} {word} {record.getMessage()}")


class _TerminalFormatter(_Formatter):
    """The error that ends a command stands out: without the time, below what went before."""

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno == logging.ERROR:
            return printable(f"error: {record.getMessage()}")
        return super().format(record)


def setup(
    stream: TextIO | None = None,
    level: int = logging.INFO,
    *,
    quiet: bool = False,
    file: Path | None = None,
) -> None:
    """Send the lines of this project where they are wanted.

    Those of the libraries go nowhere: they would be printed as they are, with whole URLs,
    letters of a medium and tracebacks about headers of a server.

    Args:
        stream: where people read them; standard error by default.
        level: the least important ones that are wanted.
        quiet: leave out of ``stream`` what is neither a warning nor an error, and all bars.
        file: a log that is added to, with everything whatever ``quiet`` says.

    Raises:
        RequestError: the file cannot be written, or is something else than a log.
    """
    global _bars
    _bars = not quiet
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_TerminalFormatter(datefmt="%H:%M:%S"))
    handler.setLevel(logging.WARNING if quiet else level)
    for old in LOGGER.handlers:
        if isinstance(old, _FileHandler):
            old.close()
    LOGGER.handlers[:] = [handler]
    if file is not None:
        LOGGER.addHandler(_file_handler(file))
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def _file_handler(file: Path) -> logging.Handler:
    try:
        if file.is_file() and not _is_log(file):
            raise RequestError(
                f"{file} is not a log of winimagetools, so nothing is added to it.",
                "Let --log-file name another file.",
            )
        # A named pipe that nobody reads is refused by this, where opening it would wait for ever.
        looked = os.open(file, os.O_WRONLY | os.O_NONBLOCK) if file.is_fifo() else None
        handler = _FileHandler(file, encoding="utf-8", errors="backslashreplace")
        if looked is not None:
            os.close(looked)
    except OSError as error:
        raise RequestError(
            f"The log {file} cannot be written: {error.strerror}.",
            "Let --log-file name a file in a folder that exists and that you may write to.",
        ) from error
    handler.setFormatter(_Formatter(datefmt=_DATE))
    return handler


def _is_log(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(_DATE_LENGTH)
    return not head or bool(_LOG_HEAD.fullmatch(head))


def warnings_only() -> None:
    """Leave out what goes on, unless programs are shown too: a dry run lists it elsewhere."""
    if LOGGER.level == logging.INFO:
        LOGGER.setLevel(logging.WARNING)


def info(message: str) -> None:
    """One line about what goes on. Port of ``Write-Log``."""
    LOGGER.info("%s%s", "  " * _depth, message)


def warning(message: str) -> None:
    """One line about something the user probably did not mean."""
    _warnings.append(message)
    LOGGER.warning("%s", message)


def result(text: str) -> None:
    """What standard output shows when a command is done: it belongs into a log file as well."""
    for line in text.splitlines():
        LOGGER.info("%s", line, extra={"result": True})


def error(message: str, hint: str = "") -> None:
    """What ended a command, and what to do about it."""
    LOGGER.error("%s", f"{message}\n       {hint}" if hint else message)


def expect_steps(count: int) -> None:
    """Number the outermost steps, of which there will be ``count``, those done included."""
    global _expected
    _expected = count


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step; log its beginning, and how long it took when it ends well."""
    global _depth, _number
    if _depth == 0:
        _number += 1
    info(f"Step {_number} of {_expected}: {name}" if _expected and _depth == 0 else name)
    _depth += 1
    place = len(_steps)
    began = time.monotonic()
    try:
        yield
    finally:
        _depth -= 1
    seconds = time.monotonic() - began
    _steps.insert(place, StepRecord(name, _depth, seconds))
    if seconds >= 1:
        info(f"{name}: done in {duration(seconds)}")


def take_steps() -> list[StepRecord]:
    """The steps done since the last call, in the order in which they began."""
    global _number, _expected
    _number = _expected = 0
    steps = _steps[:]
    _steps.clear()
    return steps


def steps_so_far() -> tuple[StepRecord, ...]:
    """The steps done since :func:`take_steps` was called last; they stay in the list."""
    return tuple(_steps)


def take_warnings() -> tuple[str, ...]:
    """What was warned about since the last call, not masked."""
    warnings = tuple(_warnings)
    _warnings.clear()
    return warnings


def duration(seconds: float) -> str:
    """A duration for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def size(count: float) -> str:
    """A number of bytes for people: ``512 bytes``, ``1.5 GiB``."""
    if count < 1024:
        return f"{count:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"


class Progress:
    """Progress of one long step, counted in bytes.

    Args:
        name: what is going on, such as ``Applying image``.
        total: bytes in all; 0 when unknown.
        stream: where to draw; standard error by default.

    Use as a context manager and call :meth:`update` with the bytes done so far.
    """

    def __init__(self, name: str, total: int = 0, stream: TextIO | None = None) -> None:
        self.name = printable(name)
        self.total = total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._drawn = 0
        self._began = self._seen = self._logged = time.monotonic()

    def __enter__(self) -> Progress:
        _drawing.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _drawing.remove(self)
        self.erase()

    def update(self, done: int, total: int | None = None) -> None:
        """Say that ``done`` bytes are complete (and that the total is ``total`` after all)."""
        if total is not None:
            self.total = total
        now = time.monotonic()
        if self._terminal and _bars and now - self._seen >= _REDRAW_INTERVAL:
            self._seen = now
            place = f"[{_number}/{_expected}] " if _expected else ""
            columns = _columns(self._stream)
            line = self.line(done, now - self._began, columns - len(place))
            self._draw(f"{place}{line}"[:columns])
        if now - self._logged >= LOG_INTERVAL:
            self._logged = now
            text = self.line(done, now - self._began)
            LOGGER.info("%s%s", "  " * _depth, text, extra={"bar": True})

    def erase(self) -> None:
        """Take the bar off the terminal; the next update draws it again."""
        if self._drawn:
            # The whole line: the terminal may have written ^C behind the bar.
            blanks = " " * (_columns(self._stream) + _FREE_COLUMNS - 1)
            self._stream.write(f"\r{blanks}\r")
            self._stream.flush()
            self._drawn = 0

    def _draw(self, text: str) -> None:
        # Blanks, not an escape sequence: not every terminal knows any.
        self._stream.write(f"\r{text.ljust(self._drawn)}")
        self._stream.flush()
        self._drawn = len(text)

    def line(self, done: int, seconds: float, columns: int = 0) -> str:
        """The progress line: share, amount, rate and time left.

        Args:
            done: bytes.
            seconds: since the beginning.
            columns: room for the line, of which a bar takes what is left; 0 for no bar.
        """
        rate = done / seconds if seconds > 0 else 0.0
        speed = f"{size(rate)}/s"
        if not self.total:
            return f"{self.name}: {size(done)}, {speed}"
        share = min(done / self.total, 1.0)
        text = f"{share:4.0%} {size(done)} of {size(self.total)}, {speed}"
        if _FORESEEABLE <= share < 1:
            text += f", {duration(max(self.total - done, 0) / rate)} left"
        width = min(columns - len(f"{self.name} [] {text}"), _BAR_WIDTH)
        if width < _SHORTEST_BAR:
            return f"{self.name}: {text.lstrip()}"
        filled = int(share * width)
        return f"{self.name} [{'#' * filled}{'.' * (width - filled)}] {text}"


def _columns(stream: TextIO) -> int:
    """Columns to draw in.

    One stays free because some terminals break the line when all are used, and two for the ^C
    of who interrupts: on a line of its own it would leave the bar where it is.
    """
    try:
        # A terminal on a serial line may say that it has none.
        return (os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS) - _FREE_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS - _FREE_COLUMNS
