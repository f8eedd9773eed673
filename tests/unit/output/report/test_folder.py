"""The folder of a report: with its image or not at all, and compared with it later."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
from pathlib import Path

import pytest

from tests.unit.output.report.sample import REPORT
from tests.unit.output.report.test_provenance import write_keys
from winimagetools.cli.main import main
from winimagetools.errors import BuildError, MediaError, RequestError
from winimagetools.output.image_files import ImageFiles
from winimagetools.output.report import folder
from winimagetools.output.report.facts import Report
from winimagetools.output.report.provenance import load_key

CONTENT = b"an image"
FILES = ["SHA256SUMS", "provenance.dsse.json", "report.html", "report.json", "sbom.cdx.json"]


def report_for(content: bytes = CONTENT) -> Report:
    """The sample, about an image with this content."""
    digest = hashlib.sha256(content).hexdigest()
    return dataclasses.replace(
        REPORT, image=dataclasses.replace(REPORT.image, sha256=digest, size=len(content))
    )


def build(
    place: Path, content: bytes = CONTENT, key: Path | None = None, *, report: bool = True
) -> Path:
    """Deliver an image with its report, as a build does; the image."""
    private = place / ".building"
    private.mkdir()
    (private / "disk").write_bytes(content)
    told = private / "report" if report else None
    if told is not None:
        folder.write(told, report_for(content), load_key(key) if key else None)
    try:
        ImageFiles().publish(private / "disk", place / "win.qcow2", report=told)
    finally:
        left = sorted(item.name for item in private.iterdir())
        for item in private.rglob("*"):
            if item.is_file():
                item.unlink()
        for item in sorted(private.rglob("*"), reverse=True):
            item.rmdir()
        private.rmdir()
    assert left == []
    return place / "win.qcow2"


def listing(place: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def test_an_image_and_its_report(tmp_path: Path) -> None:
    """Five files beside the image, which verify finds right."""
    private, public = write_keys(tmp_path / "keys")
    out = tmp_path / "out"
    out.mkdir()
    image = build(out, key=private)
    assert listing(out) == [
        "win.qcow2",
        "win.qcow2.report",
        *(f"win.qcow2.report/{name}" for name in FILES),
    ]
    assert folder.check(image, public) == [
        "5 files have the SHA-256 they were made with.",
        f"The provenance is of this image, signed with {public}.",
    ]


def test_a_second_build_replaces_both(tmp_path: Path) -> None:
    """The older report is gone with the older image."""
    build(tmp_path)
    image = build(tmp_path, b"another image")
    assert image.read_bytes() == b"another image"
    assert len(listing(tmp_path)) == 2 + len(FILES)
    assert folder.check(image)[0] == "5 files have the SHA-256 they were made with."


def test_without_a_report_the_older_one_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be about another image; a line says so."""
    caplog.set_level("INFO")
    build(tmp_path)
    assert "is gone" not in caplog.text
    build(tmp_path, b"another image", report=False)
    assert listing(tmp_path) == ["win.qcow2"]
    line = f"{tmp_path / 'win.qcow2.report'} was of the image before and is gone."
    assert line in caplog.messages


def test_an_image_that_cannot_be_put_there_leaves_both_as_they_were(tmp_path: Path) -> None:
    """The older report comes back, and the new one is not seen."""
    image = build(tmp_path)
    before = (tmp_path / "win.qcow2.report" / "report.json").read_bytes()
    private = tmp_path / ".building"
    private.mkdir()
    folder.write(private / "report", report_for(b"another image"))
    with pytest.raises(BuildError, match="cannot be put at"):
        ImageFiles().publish(private / "missing", image, report=private / "report")
    assert image.read_bytes() == CONTENT
    assert (tmp_path / "win.qcow2.report" / "report.json").read_bytes() == before
    assert sorted(item.name for item in private.iterdir()) == ["report"]


def test_a_first_image_that_fails_leaves_no_report(tmp_path: Path) -> None:
    """Together or not at all."""
    private = tmp_path / ".building"
    private.mkdir()
    folder.write(private / "report", report_for())
    with pytest.raises(BuildError):
        ImageFiles().publish(private / "missing", tmp_path / "win.qcow2", report=private / "report")
    assert sorted(item.name for item in tmp_path.iterdir()) == [".building"]


@pytest.mark.parametrize("kind", ["folder", "file", "link", "broken link"])
def test_something_else_of_that_name_is_refused(tmp_path: Path, kind: str) -> None:
    """Before a build begins; nothing of it is touched."""
    place = tmp_path / "win.qcow2.report"
    if kind == "folder":
        place.mkdir()
        (place / "report.json").write_text("{}")
    elif kind == "file":
        place.write_text("precious")
    else:
        build(tmp_path)
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    before = listing(tmp_path)
    with pytest.raises(RequestError, match="is in the way of the report"):
        folder.check_place(tmp_path / "win.qcow2")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["win.qcow2", *(f"win.qcow2.report/{name}" for name in FILES[1:])])
def test_verify_notices_every_change(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One byte more in any of the files; the command says which and exits with 2."""
    image = build(tmp_path)
    assert main(["verify", str(image)]) == 0
    assert "have the SHA-256" in capsys.readouterr().out
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    assert main(["verify", str(image)]) == 2
    assert f"{tmp_path / name} is not what was made." in capsys.readouterr().err


def test_sums_that_were_made_anew_do_not_help(tmp_path: Path) -> None:
    """Whoever changes image and sums cannot sign the provenance."""
    private, public = write_keys(tmp_path / "keys")
    (tmp_path / "out").mkdir()
    image = build(tmp_path / "out", key=private)
    image.write_bytes(b"evil")
    sums = tmp_path / "out" / "win.qcow2.report" / "SHA256SUMS"
    old, new = (hashlib.sha256(data).hexdigest() for data in (CONTENT, b"evil"))
    sums.write_text(sums.read_text().replace(old, new))
    with pytest.raises(MediaError, match="is about another image"):
        folder.check(image, public)


def test_an_image_of_another_name_or_without_a_report(tmp_path: Path) -> None:
    """Both are told."""
    image = build(tmp_path)
    other = image.rename(tmp_path / "other.qcow2")
    with pytest.raises(MediaError, match="has no report"):
        folder.check(other)
    (tmp_path / "win.qcow2.report").rename(tmp_path / "other.qcow2.report")
    with pytest.raises(MediaError, match=r"The report is about win\.qcow2"):
        folder.check(other)


def test_no_checksum_no_provenance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said in one line what would help; the other files are there."""
    bare = dataclasses.replace(REPORT, image=dataclasses.replace(REPORT.image, sha256=""))
    with caplog.at_level(logging.INFO, "winimagetools"):
        logging.getLogger("winimagetools").propagate = True
        folder.write(tmp_path / "report", bare)
    assert sorted(item.name for item in (tmp_path / "report").iterdir()) == [
        name for name in FILES if name != "provenance.dsse.json"
    ]
    assert "--checksum computes the SHA-256 it needs" in caplog.text


def test_without_the_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What needs none is there, and one line says what is missing and how to get it."""
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    with caplog.at_level(logging.INFO, "winimagetools"):
        logging.getLogger("winimagetools").propagate = True
        folder.write(tmp_path / "report", report_for())
    names = sorted(item.name for item in (tmp_path / "report").iterdir())
    assert names == ["SHA256SUMS", "report.html", "report.json"]
    told = "The report has no SBOM and no provenance: pip install 'winimagetools[report]'"
    assert told in caplog.text


def test_report_json_is_the_record(tmp_path: Path) -> None:
    """For programs: numbers are numbers."""
    folder.write(tmp_path / "report", report_for())
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert record["schema"] == "winimagetools report 1"
    assert record["image"]["disk_size"] == 40 << 30
    assert record["steps"][0] == {
        "name": "Take Windows from the medium",
        "depth": 0,
        "seconds": 30.0,
    }
