"""The report as a page: everything told, nothing loaded, nothing that runs."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

from tests.unit.output.report.sample import DIGEST, REPORT
from winimagetools.output.report.facts import as_record
from winimagetools.output.report.page import page_html


class Reader(HTMLParser):
    """Collects tags, their attributes and the text, and sees whether all tags are closed."""

    EMPTY = ("meta", "img")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the innermost."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what people see."""
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def read(report: object = REPORT) -> Reader:
    """The page of a report."""
    assert isinstance(report, type(REPORT))
    return Reader(page_html(as_record(report)))


def test_everything_is_told() -> None:
    """Each fact stands on the page as it is, letters of HTML included."""
    page = read()
    assert page.open == []
    text = " ".join(page.texts)
    for told in (
        "Windows Server 2022 <Standard> & more 10.0.20348.587, amd64",
        "117.7 MiB (123456789 bytes)",
        "40.0 GiB, UEFI",
        DIGEST,
        "windows.iso",
        "cd" * 32,
        "viostor",
        "100.95.104",
        "QEMU guest agent",
        "kb5031364.msu",
        "TelnetClient",
        "OpenSSH.Server",
        "dism /Online",
        "image_type",
        "No input changed while it was read.",
        "[DEFAULT] disk_size: it is small.",
        "EFI system partition",
        "1 min 40 s",
    ):
        assert told in text, told


def test_nothing_runs_and_nothing_is_loaded() -> None:
    """No script, no link, no picture, no frame, no handler, no address in the style."""
    page = read()
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form", "a"})
    attributes = {name for _, found in page.tags for name in found}
    assert not any(name.startswith("on") or name in ("src", "href") for name in attributes)
    style = re.search(r"<style>(.*?)</style>", page_html(as_record(REPORT)), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    policy = [found["content"] for tag, found in page.tags if "http-equiv" in found]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_timeline_is_in_proportion() -> None:
    """Outermost steps lie behind each other; 30 of 100 seconds are 30 % of the width."""
    bars = [found["style"] for tag, found in read().tags if tag == "i" and "left" in str(found)]
    assert bars == ["left:0.00%;width:30.00%", "left:30.00%;width:70.00%"]


def test_what_a_phone_has_no_room_for_leaves_no_gap() -> None:
    """Each step has a name, a middle that the style can hide, and a time."""
    page = page_html(as_record(REPORT))
    middles = re.findall(r'<span class="(track|blank)">', page)
    assert middles == ["track", "blank", "track"]
    assert ".steps .track, .steps .blank { display: none; }" in page


def test_the_disk_is_in_proportion() -> None:
    """Each partition is as wide as it is large."""
    bars = [found["style"] for tag, found in read().tags if tag == "i" and "flex" in str(found)]
    assert bars == [f"flex:{300 << 20}", f"flex:{39 << 30}"]


def test_what_there_is_none_of_has_no_heading() -> None:
    """No empty tables; a checksum that was not computed is said to be missing."""
    image = dataclasses.replace(REPORT.image, sha256="", partitions=())
    bare = dataclasses.replace(
        REPORT,
        image=image,
        inputs=(),
        drivers=(),
        agents=(),
        updates=(),
        features=(),
        capabilities=(),
        left_to_guest=(),
        steps=(),
        warnings=(),
        checks=(),
    )
    text = " ".join(read(bare).texts)
    assert "not computed" in text
    for heading in ("Drivers", "Agents", "Inputs", "Updates", "Warnings", "Checks", "Disk "):
        assert f" {heading} " not in text.replace("\n", " ") or heading == "Disk "
    headings = [tag for tag, _ in read(bare).tags if tag == "h2"]
    assert len(headings) == 4


def test_the_page_is_for_phone_paper_and_the_dark() -> None:
    """The style has rules for each."""
    page = page_html(as_record(REPORT))
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "max-width: 34rem" in page
    assert '<html lang="en">' in page
