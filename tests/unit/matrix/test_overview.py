"""The page of a matrix."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from winimagetools.matrix.description import Description
from winimagetools.matrix.outcome import CellOutcome, StageOutcome
from winimagetools.matrix.overview import overview_html
from winimagetools.model import MIB


class _Page(HTMLParser):
    """Texts of cells and targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.classes: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        values = dict(attrs)
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if href := values.get("href"):
            self.links.append(href)
        if tag == "td" and (kind := values.get("class")):
            self.classes.append(kind)

    def handle_endtag(self, tag: str) -> None:
        """Every element that is open is closed, in order."""
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Two firmwares, two containers, of which one has no cell and one failed."""
    images = tmp_path / "images"
    (images / "a b.qcow2.report").mkdir(parents=True)
    (images / "a b.qcow2.report" / "report.html").touch()

    def cell(firmware: str, container: str, status: str, **more: object) -> CellOutcome:
        values = {
            "medium": "",
            "edition": "<Server>",
            "firmware": firmware,
            "target": "",
            "container": container,
        }
        stages = (
            StageOutcome("offline", "made", "is new", 61.0),
            StageOutcome("image", status, "", 2),
        )
        name = f"{firmware}-{container}"
        return CellOutcome(name, values, status, stages, **more)  # type: ignore[arg-type]

    made = {"image": str(images / "a b.qcow2"), "size": 5 * MIB, "finished": 86400.0}
    cells = [
        cell("BIOS", "QCOW2", "made", **made),
        cell("BIOS", "VHDX", "failed", message="It <b>broke</b>.", hint="Mend it.", evidence="/k"),
        cell("UEFI", "QCOW2", "not made"),
    ]
    return overview_html(Description(tmp_path / "m.toml", Path(), images=images), cells, 75)


def test_the_grid(page: str) -> None:
    """A row for each edition and firmware, a column for each container, a colour for each end."""
    parsed = _Page()
    parsed.feed(page)
    assert parsed.open == []
    assert parsed.classes == ["made", "failed", "none", "none"]
    assert "&lt;Server&gt; · BIOS" in page
    assert "5.0 MiB, 1 min 03 s, 1970-01-02 00:00" in page
    assert "<b>1</b>made" in page
    assert "<b>1</b>not made" in page


def test_links_are_relative(page: str) -> None:
    """To the image and its report, so the folder can be moved or served."""
    parsed = _Page()
    parsed.feed(page)
    assert parsed.links == ["a%20b.qcow2", "a%20b.qcow2.report/report.html"]


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    """An image that is kept elsewhere has a link that names the whole path."""
    values = dict.fromkeys(("medium", "edition", "firmware", "target", "container"), "")
    image = tmp_path / "other" / "a b.raw"
    cells = [CellOutcome("a", values, "reused", (), image=str(image))]
    description = Description(tmp_path / "m.toml", Path(), images=tmp_path / "images")
    parsed = _Page()
    parsed.feed(overview_html(description, cells, 1))
    assert parsed.links == [f"{tmp_path.as_uri()}/other/a%20b.raw"]


def test_failures(page: str) -> None:
    """What failed, what to do and where everything is, in no language but text."""
    assert "It &lt;b&gt;broke&lt;/b&gt;. Mend it." in page
    assert "<code>/k</code>" in page


def test_it_loads_nothing(page: str) -> None:
    """No script, no style sheet and no picture from anywhere; light and dark."""
    parsed = _Page()
    parsed.feed(page)
    assert not {"script", "link", "img", "iframe"} & set(parsed.tags)
    assert "default-src 'none'" in page
    assert page.count("prefers-color-scheme: dark") == 2
    assert "url(" not in page
