"""The guides: one Markdown file each in ``data/guides``, and those made of tables here."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable

from winimagetools.checks.causes import troubleshooting
from winimagetools.cli.output import write
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.settings.guide import options_guide

_FOLDER = data_path("guides")
_MADE: dict[str, Callable[[], str]] = {
    "options": options_guide,
    "troubleshooting": troubleshooting,
}


def names() -> list[str]:
    """The guides, sorted."""
    return sorted([*_MADE, *(path.stem for path in _FOLDER.glob("*.md"))])


def list_guides() -> str:
    """Each guide with its title."""
    width = max(len(name) for name in names())
    return "\n".join(
        f"{name:<{width}}  {_read(name).splitlines()[0].lstrip('# ')}" for name in names()
    )


def read_guide(name: str) -> str:
    """The text of a guide.

    Raises:
        RequestError: there is none of this name.
    """
    if name.lower() not in names():
        near = difflib.get_close_matches(name.lower(), names(), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names())}."
        raise RequestError(f"There is no guide {name!r}.", hint)
    return _read(name.lower())


def _read(name: str) -> str:
    if name in _MADE:
        return _MADE[name]()
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8").rstrip()


def guide(arguments: argparse.Namespace) -> int:
    """``guide``: one of them, or what there is."""
    write(read_guide(arguments.name) if arguments.name else list_guides())
    return 0
