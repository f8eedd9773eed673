"""What the check found: a kind for each damage, and so many examples of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

_SHOWN = 10
"""Findings of one kind that are told apart; a damaged volume may have a hundred thousand."""


@dataclass(frozen=True)
class Finding:
    """One contradiction in a volume.

    Args:
        kind: what it is about, such as ``cluster bitmap``.
        text: a whole sentence.
    """

    kind: str
    text: str


class Damage(ValueError):
    """A structure that cannot be read any further.

    Args:
        kind: what it is about.
        text: a whole sentence.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


class Report:
    """Collects findings."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, text: str) -> None:
        """Remember a finding; of one kind only the first."""
        self._counts[kind] += 1
        if self._counts[kind] <= _SHOWN:
            self._found.append(Finding(kind, text))

    def damage(self, error: Damage) -> None:
        """Remember what stopped the reading of a structure."""
        self.add(error.kind, error.text)

    def findings(self) -> tuple[Finding, ...]:
        """All of them, with a last one for each kind that had more."""
        more = [
            Finding(kind, f"There are {count - _SHOWN} more findings about the {kind}.")
            for kind, count in self._counts.items()
            if count > _SHOWN
        ]
        return (*self._found, *more)
