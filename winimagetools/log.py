"""What the user sees while a build runs: named and timed steps, progress, no secrets.

Lines go through the standard ``logging`` logger ``winimagetools``; :func:`setup` attaches
it to standard error. On a terminal long steps draw one bar that redraws itself; in a log
file they leave a plain line every :data:`LOG_INTERVAL` seconds.

This module owns the list of steps that were done, for as long as the process lives; the list
of secrets is that of :mod:`winimagetools.masking`.
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
from typing import ClassVar, TextIO

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
_FORESEEABLE = 0.01
"""Share of the work before which the time left is anybody's guess."""

_NO_LETTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tabulator and line feed, and what turns the direction of writing."""
_steps: list[StepRecord] = []
_drawing: list[Progress] = []
"""Bars that may be on the terminal; a line that is logged goes in their place."""
_depth = 0


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
    def emit(self, record: logging.LogRecord) -> None:
        for progress in _drawing:
            progress.erase()
        super().emit(record)


class _MaskingFormatter(logging.Formatter):
    """Time, a word unless all is well, text; no secrets."""

    _WORDS: ClassVar[dict[int, str]] = {logging.INFO: "    ", logging.WARNING: "warning:"}

    def format(self, record: logging.LogRecord) -> str:
        word = self._WORDS.get(record.levelno, record.levelname)
        return printable(f"{self.formatTime(record, self.datefmt)} {word} {record.getMessage()}")


def setup(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send the lines of this project to ``stream`` (default: standard error).

    Those of the libraries go nowhere: they would be printed as they are, with whole URLs,
    letters of a medium and tracebacks about headers of a server.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_MaskingFormatter(datefmt="%H:%M:%S"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def warnings_only() -> None:
    """Leave out what goes on, unless programs are shown too: a dry run lists it elsewhere."""
    if LOGGER.level == logging.INFO:
        LOGGER.setLevel(logging.WARNING)


def info(message: str) -> None:
    """One line about what goes on. Port of ``Write-Log``."""
    LOGGER.info("%s%s", "  " * _depth, message)


def warning(message: str) -> None:
    """One line about something the user probably did not mean."""
    LOGGER.warning("%s", message)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step; log its beginning, and how long it took when it ends well."""
    global _depth
    info(name)
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
    steps = _steps[:]
    _steps.clear()
    return steps


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
        self._interval = _REDRAW_INTERVAL if self._terminal else LOG_INTERVAL
        self._began = self._last = time.monotonic()

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
        if now - self._last < self._interval:
            return
        self._last = now
        if self._terminal:
            columns = _columns(self._stream)
            self._draw(self.line(done, now - self._began, columns)[:columns])
        else:
            info(self.line(done, now - self._began))

    def erase(self) -> None:
        """Take the bar off the terminal; the next update draws it again."""
        if self._drawn:
            # The whole line: the terminal may have written ^C behind the bar.
            self._stream.write(f"\r{' ' * _columns(self._stream)}\r")
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
    """Columns to draw in. One stays free: some terminals break the line when all are used."""
    try:
        # A terminal on a serial line may say that it has none.
        return (os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS) - 1
    except (OSError, ValueError):
        return _USUAL_COLUMNS - 1
