"""The report as one page for people: no script, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from winimagetools import log
from winimagetools.data import data_path

_COLOURS = 4
_HEADS = {"sha256": "SHA-256", "boot_critical": "At boot", "inf": "INF"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page_html(record: dict[str, Any], pictures: Mapping[str, bytes] | None = None) -> str:
    """The page.

    Args:
        record: what :func:`winimagetools.output.report.facts.as_record` made.
        pictures: in PNG, by the file names the record has; they become part of the page.
    """
    file = record["image"]["file"]
    return document(
        f"{file}: report",
        file,
        _headline(record),
        _sections(record, pictures or {}),
        _footer(record),
    )


def document(
    title: str, heading: str, subtitle: str, sections: Iterable[str], footer: str, *styles: str
) -> str:
    """A whole page that loads nothing and runs nothing.

    Args:
        title: of the window.
        heading: in large letters.
        subtitle: below it.
        sections: in HTML.
        footer: below all.
        styles: names of further style sheets beside ``page.css``.
    """
    sheets = [data_path("report") / name for name in ("page.css", *styles)]
    style = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    parts = "\n".join(sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<h1>{escape(heading)}</h1>
<p>{escape(subtitle)}</p>
</header>
{parts}
<footer>{escape(footer)}</footer>
</main>
</body>
</html>
"""


def _headline(record: dict[str, Any]) -> str:
    windows = record["windows"]
    name = windows["name"] or "Windows"
    return f"{name} {windows['version']}, {windows['architecture']}"


def _footer(record: dict[str, Any]) -> str:
    own = record["tools"].get("winimagetools", "")
    return f"Made by {record['workflow']} of winimagetools {own}. The same is in report.json."


def _sections(record: dict[str, Any], pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield _figures(record)
    yield section("Summary", pairs(_summary(record)))
    if record["warnings"]:
        yield section("Warnings", _list(record["warnings"]), "warn")
    if record["checks"]:
        yield section("Checks", _list(record["checks"], "good"))
    yield section("Timeline", _timeline(record["steps"]))
    if pictures:
        yield section("First start", _pictures(record["pictures"], pictures))
    if record["image"]["partitions"]:
        yield section("Disk", _disk(record["image"]))
    yield from _contents(record)
    yield section("Options", _options(record["options"]))
    yield section("Made with", pairs((escape(k), escape(v)) for k, v in record["tools"].items()))


def _contents(record: dict[str, Any]) -> Iterator[str]:
    tables = (
        ("Drivers", record["drivers"], ("name", "version", "boot_critical", "source", "inf")),
        ("Agents", record["agents"], ("name", "origins", "sha256")),
        ("Inputs", record["inputs"], ("role", "name", "size", "sha256")),
    )
    for title, rows, columns in tables:
        if rows:
            cells = [[_cell(column, row[column]) for column in columns] for row in rows]
            heads = [_HEADS.get(column, column.capitalize()) for column in columns]
            yield section(title, _table(heads, cells))
    lists = (
        ("Updates", record["updates"]),
        ("Features", record["features"]),
        ("Capabilities", record["capabilities"]),
        ("Left to the first start", record["left_to_guest"]),
    )
    small = "\n".join(section(title, _list(items)) for title, items in lists if items)
    if small:
        yield f'<div class="columns">\n{small}\n</div>'


def _figures(record: dict[str, Any]) -> str:
    """What is asked first, in large letters."""
    image, warnings = record["image"], len(record["warnings"])
    figures = (
        (log.size(image["disk_size"]), f"disk, {image['layout']}"),
        (log.size(image["size"]), image["format"]),
        (log.duration(_seconds(record["steps"])), "to make it"),
        (str(len(record["checks"])), "checks passed"),
        (str(warnings), "warning" if warnings == 1 else "warnings"),
    )
    tiles = "".join(
        f"<li><b>{escape(number)}</b> <span>{escape(what)}</span></li>" for number, what in figures
    )
    return f'<ul class="figures" aria-label="In short">{tiles}</ul>'


def _seconds(steps: Sequence[dict[str, Any]]) -> float:
    return float(sum(step["seconds"] for step in steps if step["depth"] == 0))


def _when(started: str, finished: str) -> str:
    """A time and what followed it, for people; both are UTC."""
    begin, end = (datetime.datetime.fromisoformat(text) for text in (started, finished))
    day = f"{begin.day} {begin:%B %Y}"
    later = "" if end.date() == begin.date() else f"{end.day} {end:%B %Y}, "
    return f"{day}, {begin:%H:%M:%S} to {later}{end:%H:%M:%S} UTC"


def _summary(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    image, windows = record["image"], record["windows"]
    yield "Format", escape(image["format"])
    yield "File", escape(f"{log.size(image['size'])} ({image['size']} bytes)")
    yield "Disk", escape(f"{log.size(image['disk_size'])}, {image['layout']}")
    yield "Windows", escape(f"{windows['version']} {windows['installation_type']}".strip())
    if windows["language"]:
        yield "Language", escape(windows["language"])
    if windows["boot_authority"]:
        yield "Secure Boot", escape(windows["boot_authority"])
    yield "Made", escape(_when(record["started"], record["finished"]))
    if record["reproducible"]:
        yield "Reproducible", escape(record["reproducible"])
    digest = image["sha256"]
    yield "SHA-256", f'<span class="hash">{escape(digest)}</span>' if digest else "not computed"


def _timeline(steps: Sequence[dict[str, Any]]) -> str:
    """A bar for each outermost step, where it lies in the whole build."""
    total = _seconds(steps) or 1.0
    lines, began = [], 0.0
    for step in steps:
        time = escape(log.duration(step["seconds"]))
        name = escape(step["name"])
        if step["depth"]:
            track = '<span class="blank"></span>'
        else:
            left, width = 100 * began / total, 100 * step["seconds"] / total
            bar = f'<i style="left:{left:.2f}%;width:{width:.2f}%"></i>'
            track = f'<span class="track">{bar}</span>'
            began += step["seconds"]
        kind = ' class="inner"' if step["depth"] else ""
        lines.append(f'<li{kind}><span>{name}</span>{track}<span class="time">{time}</span></li>')
    return f'<ol class="steps">{"".join(lines)}</ol>'


def _pictures(facts: Sequence[dict[str, Any]], pictures: Mapping[str, bytes]) -> str:
    """What the screen showed, stage by stage."""
    figures = []
    for fact in facts:
        data = base64.b64encode(pictures[fact["file"]]).decode("ascii")
        shows = escape(fact["shows"])
        figures.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="The screen at {shows}">'
            f"<figcaption>{shows}</figcaption></figure>"
        )
    return f'<div class="pictures">{"".join(figures)}</div>'


def _disk(image: dict[str, Any]) -> str:
    """The partitions as wide as they are large, and a line for each."""
    parts = image["partitions"]
    bars = "".join(
        f'<i class="p{number % _COLOURS}" style="flex:{part["size"]}">{_label(part, image)}</i>'
        for number, part in enumerate(parts)
    )
    rows = [
        [
            f'<span class="key p{number % _COLOURS}"></span>{escape(part["name"])}',
            escape(log.size(part["size"])),
            escape(str(part["start"])),
        ]
        for number, part in enumerate(parts)
    ]
    table = _table(["Partition", "Size", "Starts at byte"], rows)
    return f'<div class="disk" aria-hidden="true">{bars}</div>{table}'


def _label(part: dict[str, Any], image: dict[str, Any]) -> str:
    """The name of a partition that has room for it."""
    wide = part["size"] > image["disk_size"] / 4
    return f"<span>{escape(part['name'])}</span>" if wide else ""


def _options(options: Sequence[dict[str, Any]]) -> str:
    """Those that were set; the defaults are folded away."""

    def table(explicit: bool) -> str:
        rows = [
            [escape(item["section"]), escape(item["key"]), escape(str(item["value"]))]
            for item in options
            if item["explicit"] is explicit
        ]
        return _table(["Section", "Option", "Value"], rows)

    return f"{table(True)}<details><summary>Defaults</summary>{table(False)}</details>"


def _cell(column: str, value: object) -> str:
    if column == "size":
        return escape(log.size(float(str(value))))
    if column == "boot_critical":
        return "yes" if value else "no"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return f'<span class="hash">{escape(text)}</span>' if column == "sha256" else escape(text)


def section(title: str, content: str, kind: str = "") -> str:
    """A part of a page with its heading; ``content`` is HTML."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<section{attribute}>\n<h2>{escape(title)}</h2>\n{content}\n</section>"


def pairs(items: Iterable[tuple[str, str]]) -> str:
    """Names, and what is said of each in HTML."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{v}</dd>" for k, v in items) + "</dl>"


def _list(items: Iterable[str], kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<ul{attribute}>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    # What scrolls must be reachable with the keyboard.
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="table"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
