"""Pictures of the first start in a report."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import pytest

from tests.unit.output.report.sample import REPORT
from tests.unit.output.report.test_page import Reader
from winimagetools.errors import MediaError
from winimagetools.output.report import folder, sums
from winimagetools.output.report.facts import PictureFacts, as_record
from winimagetools.output.report.page import page_html
from winimagetools.output.report.pictures import (
    LARGEST,
    facts_of,
    read_pictures,
    spread,
    take_pictures,
)

PNG = b"\x89PNG\r\n\x1a\n"


def save(place: Path, number: int, stage: str, content: bytes) -> str:
    """Save a picture as the machine does; its name."""
    name = f"screen-{number:03}-{stage}.png"
    (place / name).write_bytes(content)
    return name


def test_what_is_taken(tmp_path: Path) -> None:
    """Those that show something else than the one before; none too large, none of another kind."""
    first = save(tmp_path, 1, "StatusInitial", PNG + b"first")
    save(tmp_path, 2, "Updates", PNG + b"first")
    again = save(tmp_path, 3, "Sysprep", PNG + b"other")
    save(tmp_path, 4, "Large", PNG + bytes(LARGEST))
    save(tmp_path, 5, "Broken", b"GIF")
    end = save(tmp_path, 6, "end", PNG + b"first")
    (tmp_path / "qmp.log").touch()
    pictures = take_pictures(tmp_path)
    assert pictures == {
        first: PNG + b"first",
        again: PNG + b"other",
        end: PNG + b"first",
    }
    assert facts_of(pictures) == (
        PictureFacts(first, "StatusInitial"),
        PictureFacts(again, "Sysprep"),
        PictureFacts(end, "the end"),
    )


def test_few_of_many() -> None:
    """Eight at most, the first and the last among them, each once."""
    names = [str(number) for number in range(30)]
    chosen = spread(names)
    assert (chosen[0], chosen[-1], len(set(chosen))) == ("0", "29", 8)
    assert spread(names[:8]) == names[:8]
    assert take_pictures(Path("/nowhere")) == {}


def test_in_the_report(tmp_path: Path) -> None:
    """Files beside the page, in its sums and in report.json; in the page they are part of it."""
    name = "screen-001-Updates-failed.png"
    facts = (PictureFacts(name, "Updates <3>"),)
    report = dataclasses.replace(REPORT, pictures=facts)
    place = tmp_path / "report"
    folder.write(place, report, None, {name: PNG})
    record = json.loads((place / "report.json").read_text())
    assert record["pictures"] == [{"file": name, "shows": "Updates <3>"}]
    assert (place / name).read_bytes() == PNG
    assert name in sums.read_sums((place / "SHA256SUMS").read_text(), "SHA256SUMS")
    page = Reader((place / "report.html").read_text())
    (image,) = [found for tag, found in page.tags if tag == "img"]
    assert image == {
        "src": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        "alt": "The screen at Updates <3>",
    }
    assert "Updates <3>" in page.texts
    assert read_pictures(place, record) == {name: PNG}
    (place / name).unlink()
    with pytest.raises(MediaError, match=r"the picture screen-001-Updates-failed.png is missing"):
        read_pictures(place, record)


def test_the_page_loads_no_picture() -> None:
    """Its policy allows those that are part of it, and a report without any has no section."""
    page = page_html(as_record(REPORT), {})
    assert "img-src data:" in page
    assert "First start" not in page
