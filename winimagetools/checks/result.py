"""What a check of an image comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """One line of a report.

    Args:
        name: of the check, one or two words.
        text: what was found, a whole sentence.
        hint: what to do about it, a whole sentence; empty when nothing is to be done.
    """

    name: str
    state: State
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.hint}".rstrip()


def good(name: str, text: str) -> Result:
    """A check that found what it should."""
    return Result(name, State.OK, text)


def doubtful(name: str, text: str, hint: str = "") -> Result:
    """A check that found something one should know."""
    return Result(name, State.WARNING, text, hint)


def bad(name: str, text: str, hint: str = "") -> Result:
    """A check that found a fault."""
    return Result(name, State.FAILED, text, hint)


def skipped(name: str, text: str) -> Result:
    """A check that could not be made here."""
    return Result(name, State.SKIPPED, text)


def failures(results: Sequence[Result]) -> tuple[Result, ...]:
    """The faults among results."""
    return tuple(item for item in results if item.state is State.FAILED)
