"""The page of a report in a real browser, and for people who cannot see it."""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import report_picture
from fixtures.browser import Page, browser
from fixtures.sample_report import REPORT
from tests import needs
from winimagetools.output.report.facts import PictureFacts, as_record
from winimagetools.output.report.page import page_html

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
AXE = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")
LOOKS = [(1280, False), (1280, True), (390, False), (390, True)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser that shows a report with everything in it, a picture too."""
    needs.browser()
    path = tmp_path_factory.mktemp("report") / "report.html"
    report = dataclasses.replace(REPORT, pictures=(PictureFacts("screen-1-end.png", "the end"),))
    path.write_text(page_html(as_record(report), {"screen-1-end.png": PNG}), encoding="utf-8")
    with browser() as found:
        found.open(path)
        yield found


def test_nothing_is_asked_for_and_nothing_complained_of(page: Page) -> None:
    """The page itself is the only request; the console stays empty; the picture is shown."""
    assert page.evaluate("document.images[0].naturalWidth") == 1
    asked = [url for url in page.asked if not url.startswith("data:")]
    assert [url.rpartition("/")[2] for url in asked] == ["report.html"]
    assert page.said == []


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_everybody_can_read_it(page: Page, width: int, dark: bool) -> None:
    """axe-core finds nothing serious: contrast, headings, names, what is reached by keys."""
    page.look(width=width, dark=dark)
    page.evaluate(AXE)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"
    )
    assert [item for item in found if item[0] in ("serious", "critical")] == []
    passed = page.evaluate("axe.run().then(r => r.passes.map(p => p.id))")
    assert "color-contrast" in passed


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_it_fits(page: Page, width: int, dark: bool) -> None:
    """Nothing makes the page wider than the window; the dark one is dark."""
    page.look(width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colour = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    red = int(colour.removeprefix("rgb(").split(",")[0])
    assert (red < 64) is dark


def test_a_complaint_would_be_heard(page: Page, tmp_path: Path) -> None:
    """A page that asks for something, fails and has no name for a picture is found out."""
    bad = tmp_path / "bad.html"
    bad.write_text("<html><body><img src='none.png'><script>nonsense()</script></body></html>")
    with browser() as other:
        other.open(bad)
        assert any("nonsense" in line for line in other.said)
        assert any(url.endswith("none.png") for url in other.asked)
        other.evaluate(AXE)
        assert "image-alt" in other.evaluate("axe.run().then(r => r.violations.map(v => v.id))")


def test_the_picture_of_the_readme(tmp_path: Path) -> None:
    """It can be made again, and the one that is there is no larger than a page should load."""
    needs.browser()
    path = tmp_path / "report.png"
    report_picture.draw(path)
    size = (700, 1050)
    for picture in (path, report_picture.PICTURE):
        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">II", data[16:24]) == size
        assert len(data) < 150_000
