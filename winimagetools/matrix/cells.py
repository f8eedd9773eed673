"""The cells of a matrix: one of each axis, with what is excluded left out."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.matrix.description import AXES, Description, TargetPlan

EditionsOf = Callable[[Path], Sequence[str]]
"""The names of the editions of a medium."""


@dataclass(frozen=True)
class Cell:
    """One image.

    Args:
        name: unique in the matrix; that of the image, without what tells its format.
        values: axis → value; empty where the base configuration decides.
        overrides: ``section.key=value`` texts over the base configuration, later ones win.
        target: where it goes; None when there are no targets.
    """

    name: str
    values: Mapping[str, str]
    overrides: tuple[str, ...]
    target: TargetPlan | None = None


def make_cells(description: Description, editions_of: EditionsOf, base_medium: Path) -> list[Cell]:
    """All cells, in the order of the axes.

    Args:
        description: what the file says.
        editions_of: looks into a medium.
        base_medium: the medium of the base configuration.

    Raises:
        RequestError: a pattern of the axis ``editions`` fits none of the media, or nothing is
            left to make.
    """
    media = description.media or {"": base_medium}
    found = {name: _editions(description, editions_of, path) for name, path in media.items()}
    _check_patterns(description, found)
    cells = [
        _cell(description, dict(zip(AXES, values, strict=True)))
        for name in media
        for values in itertools.product(
            (name,),
            found[name],
            description.axes.get("firmware", ("",)),
            description.axes.get("target", ("",)),
            description.axes.get("container", ("",)),
        )
    ]
    left = [
        cell
        for cell in _without_twins(description, cells)
        if not any(matches(cell.values, excluded) for excluded in description.exclude)
    ]
    if not left:
        raise RequestError(
            f"{description.path} leaves nothing to make.", "Look at its axes and at [[exclude]]."
        )
    return left


def _without_twins(description: Description, cells: Sequence[Cell]) -> list[Cell]:
    """A target that takes one container has one cell, whatever the axis of containers has."""
    unique: dict[str, Cell] = {}
    for cell in cells:
        if unique.setdefault(cell.name, cell).values != cell.values:
            raise RequestError(
                f"{description.path}: two different cells would be called {cell.name}.",
                "Name media and targets so that letters and digits tell them apart.",
            )
    return list(unique.values())


def _editions(description: Description, editions_of: EditionsOf, path: Path) -> tuple[str, ...]:
    """The editions of a medium that a pattern fits, in the order of the patterns."""
    patterns = description.axes.get("edition")
    if patterns is None:
        return ("",)
    names = editions_of(path)
    fitting = (name for pattern in patterns for name in names if fits(name, pattern))
    return tuple(dict.fromkeys(fitting))


def _check_patterns(description: Description, found: Mapping[str, tuple[str, ...]]) -> None:
    names = [name for names in found.values() for name in names]
    for pattern in description.axes.get("edition", ()):
        if not any(fits(name, pattern) for name in names):
            raise RequestError(
                f'{description.path}: no medium has an edition "{pattern}".',
                "winimagetools wim-info lists the editions of a medium.",
            )


def fits(text: str, pattern: str) -> bool:
    """Whether a pattern with ``*`` and ``?`` fits a text, in any letter case."""
    return fnmatchcase(text.casefold(), pattern.casefold())


def matches(values: Mapping[str, str], patterns: Mapping[str, str]) -> bool:
    """Whether all patterns fit the values of their axes."""
    return all(fits(values[axis], pattern) for axis, pattern in patterns.items())


def _cell(description: Description, values: dict[str, str]) -> Cell:
    target = description.targets.get(values["target"])
    if target is not None and target.container:
        values["container"] = target.container
    return Cell(_name(description, values), values, _overrides(description, values, target), target)


def _name(description: Description, values: Mapping[str, str]) -> str:
    """The values of all axes that are given; a single medium needs no name."""
    shown = [axis for axis in AXES if axis in description.axes]
    if len(description.media) < 2:
        shown = [axis for axis in shown if axis != "medium"]
    words = [_slug(values[axis]) for axis in shown]
    return "-".join(words) or _slug(description.path.stem)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.casefold()).strip("-.") or "x"


def _overrides(
    description: Description, values: Mapping[str, str], target: TargetPlan | None
) -> tuple[str, ...]:
    medium = description.media.get(values["medium"])
    axes = {
        "wim_file_path": str(medium) if medium is not None else "",
        "image_name": values["edition"],
        "disk_layout": values["firmware"],
        "virtual_disk_format": values["container"],
    }
    rules = [rule.options for rule in description.rules if matches(values, rule.matching)]
    return (
        *description.options,
        *(target.options if target is not None else ()),
        *(text for options in rules for text in options),
        *(f"{key}={value}" for key, value in axes.items() if value),
    )


def parse_choice(text: str) -> Mapping[str, str]:
    """``edition=*2022* target=kubevirt``: axis → pattern.

    Raises:
        RequestError: it is something else.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    patterns = dict(word.split("=", 1) for word in words if "=" in word)
    if len(patterns) != len(words) or not words or set(patterns) - set(AXES):
        raise RequestError(
            f"{text!r} does not choose cells.",
            f"Write AXIS=PATTERN, with one of {', '.join(AXES)}: 'edition=*2022* firmware=UEFI'.",
        )
    return patterns


def choose(cells: Iterable[Cell], choices: Sequence[str]) -> list[Cell]:
    """The cells that one of the choices matches; all of them without a choice.

    Args:
        cells: of a matrix.
        choices: as :func:`parse_choice` reads them.

    Raises:
        RequestError: a choice cannot be read, or matches no cell.
    """
    cells = list(cells)
    if not choices:
        return cells
    chosen: set[str] = set()
    for text in choices:
        patterns = parse_choice(text)
        names = {cell.name for cell in cells if matches(cell.values, patterns)}
        if not names:
            raise RequestError(f"{text!r} matches no cell.", "--list shows all of them.")
        chosen |= names
    return [cell for cell in cells if cell.name in chosen]
