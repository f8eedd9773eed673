"""A report that somebody else wrote, or that was damaged: refused before it is used."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.output.report.sample import REPORT
from winimagetools.cli.main import main
from winimagetools.errors import MediaError
from winimagetools.output.report import folder, sums
from winimagetools.output.report.facts import MachineFacts, PictureFacts, as_read, as_record
from winimagetools.output.report.pictures import read_pictures

MACHINE = MachineFacts(2, secure_boot=True, tpm=False, disk="sata", virtio_network=False)
FULL = as_record(
    dataclasses.replace(
        REPORT, machine=MACHINE, pictures=(PictureFacts("screen-001-a.png", "a"),), untold=("a.b",)
    )
)
Place = tuple[str | int, ...]


def places(value: object, above: Place = ()) -> Iterator[Place]:
    """Where something is in a record, the record itself left out."""
    named = list(value.items()) if isinstance(value, dict) else []
    for key, item in [*named, *(enumerate(value) if isinstance(value, list) else ())]:
        yield (*above, key)
        yield from places(item, (*above, key))


def changed(place: Place, value: object) -> dict[str, Any]:
    """A record with something else at a place."""
    record: Any = copy.deepcopy(FULL)
    *above, last = place
    inner = record
    for key in above:
        inner = inner[key]
    inner[last] = value
    assert isinstance(record, dict)
    return record


def at(record: Any, place: Place) -> Any:
    """What is at a place."""
    for key in place:
        record = record[key]
    return record


def test_what_was_written_is_read() -> None:
    """As it is, JSON in between."""
    assert as_read(json.loads(json.dumps(FULL))) == FULL


def test_what_an_older_version_did_not_write() -> None:
    """Gets its default: it is not that the report is damaged."""
    record = {key: FULL[key] for key in ("schema", "workflow", "started", "finished", "tools")}
    record |= {"image": FULL["image"], "windows": FULL["windows"]}
    read = as_read(record)
    assert (read["untold"], read["machine"], read["source_date_epoch"]) == ([], None, 0)
    assert set(read) == set(FULL)


def test_every_field_of_another_kind() -> None:
    """Is noticed wherever it is, so nothing that is made of the record fails or is fooled."""
    tried = 0
    for place in places(FULL):
        wrong: object
        for wrong in ("7", 7, True, None, [[]], {"a": 1}, math.nan, math.inf, "<b>"):
            right = at(FULL, place)
            same = type(wrong) is type(right) or (type(right) is float and type(wrong) is int)
            if same and wrong not in (math.nan, math.inf, [[]], {"a": 1}):
                continue
            if place in (("machine",), ("options", 0, "value"), ("options", 1, "value")):
                continue
            if place == ("tools",) and wrong == {"a": 1}:
                continue
            with pytest.raises(ValueError, match=r"wrong|missing|no winimagetools report"):
                as_read(changed(place, wrong))
            tried += 1
    assert tried > 500


@pytest.mark.parametrize("name", ["started", "finished"])
def test_a_time_that_is_none(name: str) -> None:
    """Python says so."""
    with pytest.raises(ValueError, match="Invalid isoformat"):
        as_read({**FULL, name: "yesterday"})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with a report that says less than it should."""
    path = tmp_path / "win.raw"
    path.write_bytes(b"x" * 4096)
    facts = dataclasses.replace(REPORT.image, file="win.raw", format="RAW", size=4096, sha256="")
    folder.write(folder.folder_of(path), dataclasses.replace(REPORT, image=facts))
    record = json.loads((folder.folder_of(path) / "report.json").read_text())
    del record["windows"]["version"]
    (folder.folder_of(path) / "report.json").write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["publish", "IMAGE", "glance"],
        ["publish", "IMAGE", "containerdisk", "--run", "--with", "image=r.example/a"],
        ["verify", "IMAGE"],
        ["verify", "IMAGE", "--rebuild"],
        ["boot", "IMAGE", "--dry-run"],
    ],
)
def test_commands_say_it(words: list[str], image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with the file that is damaged, and what to do."""
    assert main([str(image) if word == "IMAGE" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert f"{image}.report/report.json is damaged: version is missing." in said
    assert said.count("error: ") == 1


@pytest.mark.parametrize("text", ["[" * 100_000, "7", '{"schema": []}', "\xff"])
def test_what_is_no_report(text: str, image: Path) -> None:
    """Is none, be it brackets without end."""
    (folder.folder_of(image) / "report.json").write_text(text, encoding="latin-1")
    assert not folder.is_report(folder.folder_of(image))
    assert folder.read_record(image) is None


@pytest.mark.parametrize("words", [["verify", "/"], ["publish", "/", "glance"], ["boot", "/"]])
def test_no_image_at_all(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The topmost folder has no name, and is refused as any other folder."""
    assert main(words) == 2
    assert "/ " in capsys.readouterr().err


def test_an_image_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is not compared with anything, and its report is not what is missing."""
    assert main(["verify", str(tmp_path / "win.raw")]) == 2
    assert f"The image {tmp_path}/win.raw does not exist." in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["../../secret", "/dev/zero", "a/../../b", "screen-001-a.png/../x", "SHA256SUMS"]
)
def test_pictures_lie_in_the_report(name: str, tmp_path: Path) -> None:
    """Nothing else is read as one, and put into the report of another image."""
    (tmp_path / "secret").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(MediaError, match="is damaged: the picture"):
        read_pictures(tmp_path / "a" / "b", {"pictures": [{"file": name, "shows": "a"}]})


@pytest.mark.parametrize("data", [b"root:x:0:0", b"\x89PNG\r\n\x1a\n" + bytes(1 << 20)])
def test_pictures_are_small_and_png(data: bytes, tmp_path: Path) -> None:
    """What is something else, or too large for a page, is refused."""
    (tmp_path / "screen-001-a.png").write_bytes(data)
    with pytest.raises(MediaError, match=r"screen-001-a.png is missing, or none"):
        read_pictures(tmp_path, {"pictures": [{"file": "screen-001-a.png", "shows": "a"}]})


def test_sums_stay_in_the_report(tmp_path: Path) -> None:
    """Only the image itself lies elsewhere; a device without end is not read."""
    paths = ("/dev/zero", "../../x", "a/b", "../other.raw")
    told = sums.differences(tmp_path, dict.fromkeys(paths, "0" * 64), "../win.raw")
    assert told == [f"{path} is no part of the report." for path in paths]


@pytest.mark.parametrize("name", ["a\x85b.raw", "a\u2028b.raw", "a\x0cb.raw", "a\x1eb.raw"])
def test_odd_names_in_sums(name: str) -> None:
    """What Unicode takes for the end of a line is a part of a name."""
    assert sums.read_sums(sums.sums_text({name: "0" * 64}), "S") == {name: "0" * 64}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A folder whose report.json is a pipe is no report."""
    os.mkfifo(tmp_path / "report.json")
    assert not folder.is_report(tmp_path)
