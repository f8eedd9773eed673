"""All images of a matrix on one page: a grid of cells that says what is there and what is not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from winimagetools import log
from winimagetools.matrix.description import Description
from winimagetools.matrix.outcome import CellOutcome
from winimagetools.matrix.stages import TITLES
from winimagetools.output.report.page import document, section
from winimagetools.version import __version__

_ROWS, _COLUMNS = ("medium", "edition", "firmware"), ("target", "container")
_STATUSES = ("made", "reused", "failed", "not made")


def overview_html(description: Description, cells: Sequence[CellOutcome], seconds: float) -> str:
    """The page, which loads nothing and runs nothing; its links are relative to the images.

    Args:
        description: the matrix.
        cells: what became of each cell.
        seconds: what the last run took.
    """
    name = description.path.name
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return document(
        f"{name}: overview",
        name,
        f"{len(cells)} images, looked at {now}, in {log.duration(seconds)}",
        _sections(description, cells),
        f"Made by winimagetools {__version__}.",
        "matrix.css",
    )


def _sections(description: Description, cells: Sequence[CellOutcome]) -> Iterator[str]:
    yield section("Summary", _counts(cells))
    failed = [cell for cell in cells if cell.message]
    if failed:
        yield section("Failures", "".join(_failure(cell) for cell in failed), "warn")
    yield section("Images", _grid(description, cells))
    yield section("Stages", _stages(cells))


def _counts(cells: Sequence[CellOutcome]) -> str:
    counts = {word: sum(cell.status == word for cell in cells) for word in _STATUSES}
    items = (f"<li><b>{count}</b>{word}</li>" for word, count in counts.items() if count)
    return f'<ul class="counts">{"".join(items)}</ul>'


def _failure(cell: CellOutcome) -> str:
    text = log.printable(f"{cell.message} {cell.hint}".rstrip())
    kept = f"<br>Kept in <code>{escape(cell.evidence)}</code>" if cell.evidence else ""
    return f"<p><b>{escape(cell.name)}</b>: {escape(text)}{kept}</p>"


def _grid(description: Description, cells: Sequence[CellOutcome]) -> str:
    rows = list(dict.fromkeys(_of(cell, _ROWS) for cell in cells))
    columns = list(dict.fromkeys(_of(cell, _COLUMNS) for cell in cells))
    by_place = {(_of(cell, _ROWS), _of(cell, _COLUMNS)): cell for cell in cells}
    head = "".join(f'<th scope="col">{escape(_label(words))}</th>' for words in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(_label(row))}</th>'
        + "".join(_cell(description, by_place.get((row, column))) for column in columns)
        + "</tr>"
        for row in rows
    )
    # What scrolls must be reachable with the keyboard.
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="grid of images">'
        f'<table class="grid"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _of(cell: CellOutcome, axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.values[axis] for axis in axes)


def _label(words: Sequence[str]) -> str:
    return " · ".join(word for word in words if word) or "image"


def _cell(description: Description, cell: CellOutcome | None) -> str:
    if cell is None:
        return '<td class="none">-</td>'
    kind = cell.status.partition(" ")[0] if cell.status != "not made" else "none"
    lines = [f"<b>{escape(cell.status)}</b>"]
    if cell.image:
        lines.append(f"<small>{escape(log.size(cell.size))}, {_times(cell)}</small>")
        lines.append(f"<small>{_links(description, cell)}</small>")
    return f'<td class="{kind}">{"".join(lines)}</td>'


def _times(cell: CellOutcome) -> str:
    made = time.strftime("%Y-%m-%d %H:%M", time.gmtime(cell.finished))
    return escape(f"{log.duration(cell.seconds)}, {made}")


def _links(description: Description, cell: CellOutcome) -> str:
    image = Path(cell.image)
    links = [("image", image)]
    page = image.with_name(f"{image.name}.report") / "report.html"
    links += [("report", page)] if page.is_file() else []
    links += [("publish", Path(cell.published))] if cell.published else []
    return " ".join(
        f'<a href="{escape(_address(description, path))}">{escape(text)}</a>'
        for text, path in links
    )


def _address(description: Description, path: Path) -> str:
    """Relative in the folder of the page, so that it can be moved or served as a whole."""
    if path.is_relative_to(description.images):
        return quote(path.relative_to(description.images).as_posix())
    return path.as_uri()


def _stages(cells: Sequence[CellOutcome]) -> str:
    kinds = [kind for kind in TITLES if any(kind in _by_kind(cell) for cell in cells)]
    head = "".join(f'<th scope="col">{escape(TITLES[kind].capitalize())}</th>' for kind in kinds)
    rows = "".join(_stage_row(cell, kinds) for cell in cells)
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="stages"><table>'
        f'<thead><tr><th scope="col">Cell</th>{head}<th scope="col">Why</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _by_kind(cell: CellOutcome) -> Mapping[str, str]:
    return {
        stage.kind: f"{stage.status}, {log.duration(stage.seconds)}"
        if stage.status in ("made", "failed")
        else stage.status
        for stage in cell.stages
    }


def _stage_row(cell: CellOutcome, kinds: Sequence[str]) -> str:
    told = _by_kind(cell)
    why = next((f"{TITLES[stage.kind]} {stage.why}" for stage in cell.stages if stage.why), "")
    texts = (cell.name, *(told.get(kind, "") for kind in kinds), why)
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"
