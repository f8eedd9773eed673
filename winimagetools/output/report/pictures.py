"""Which pictures of the screen go into a report: few, small, and of different moments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from winimagetools.errors import MediaError
from winimagetools.model import MIB
from winimagetools.output.report.facts import PictureFacts

MOST = 8
LARGEST = MIB
"""Bytes of one picture; a desktop of 1280 x 800 with a photograph has fewer."""
_NAME = re.compile(r"screen-\d+-([^/\\]+)\.png")
"""As the machine saves them: a number, and the stage the guest had reached."""
_PNG = b"\x89PNG\r\n\x1a\n"


def take_pictures(folder: Path) -> dict[str, bytes]:
    """The pictures of a run that tell most, by file name, in order.

    One that shows what the one before it showed is left out.

    Args:
        folder: where the run left them; there may be none.
    """
    different: dict[str, bytes] = {}
    last = b""
    for path in sorted(folder.glob("screen-*.png")):
        if path.stat().st_size > LARGEST:
            continue
        data = path.read_bytes()
        if data.startswith(_PNG) and data != last:
            different[path.name] = last = data
    return {name: different[name] for name in spread(tuple(different))}


def spread(names: Sequence[str], most: int = MOST) -> list[str]:
    """At most so many of them, evenly spread, with the first and the last."""
    if len(names) <= most:
        return list(names)
    return [names[round(number * (len(names) - 1) / (most - 1))] for number in range(most)]


def facts_of(pictures: Mapping[str, bytes]) -> tuple[PictureFacts, ...]:
    """What the report says of pictures."""
    return tuple(PictureFacts(name, _shows(name)) for name in pictures)


def _shows(name: str) -> str:
    found = _NAME.fullmatch(name)
    stage = found[1] if found else name
    return "the end" if stage == "end" else stage


def read_pictures(folder: Path, record: Mapping[str, Any]) -> dict[str, bytes]:
    """The pictures that a written report names.

    Args:
        folder: the report.
        record: what its ``report.json`` says.

    Raises:
        MediaError: one is missing, or is none.
    """
    found = {}
    for item in record["pictures"]:
        path = folder / item["file"]
        if not _NAME.fullmatch(path.name) or path.name != item["file"] or not path.is_file():
            raise _no_picture(path)
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if not data.startswith(_PNG) or len(data) > LARGEST:
            raise _no_picture(path)
        found[path.name] = data
    return found


def _no_picture(path: Path) -> MediaError:
    return MediaError(
        f"The report {path.parent} is damaged: the picture {path.name} is missing, or none.",
        "Move it away.",
    )
