"""A finished disk becomes an image: what is asked of the host, refused, and told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dry_build import FakeMedia
from tests.unit.recording_host import recording_host
from tests.unit.workflows.test_report import Keeping
from tests.unit.workflows.test_report import build as build_reported
from tests.unit.workflows.test_report import here as here
from winimagetools.contract import Host
from winimagetools.errors import ConfigurationError, RequestError
from winimagetools.model import DiskFormat
from winimagetools.stamp import Stamp
from winimagetools.workflows.convert import convert_image, stamp_of


def the_host(said: list[str], kept: Path) -> Host:
    """One that works in RAW and keeps the report."""
    host = recording_host(FakeMedia(), said.append, work_format=DiskFormat.RAW)
    files = Keeping(host, kept)
    return dataclasses.replace(host, files=files)  # type: ignore[arg-type]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk without a report, and a configuration beside it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk.raw").write_bytes(b"a disk")
    return tmp_path / "disk.raw"


def configured(**options: str) -> str:
    """Write the configuration."""
    lines = [f"{key} = {value}" for key, value in options.items()]
    Path("config.ini").write_text("\n".join(["[DEFAULT]", *lines, ""]))
    return "config.ini"


@pytest.mark.parametrize(
    ("options", "steps", "described"),
    [
        (
            {"image_path": "win.raw", "virtual_disk_format": "RAW"},
            ["convert disk.raw to win.raw (RAW)"],
            "RAW",
        ),
        (
            {"image_path": "win.vhdx", "virtual_disk_format": "VHDX"},
            ["convert disk.raw to win.vhdx (VHDX)"],
            "VHDX",
        ),
        (
            {
                "image_path": "win.qcow2",
                "virtual_disk_format": "QCOW2",
                "compress_qcow2": "True",
            },
            ["convert disk.raw to win.qcow2 (QCOW2, compressed)"],
            "QCOW2 (compressed)",
        ),
        (
            {
                "image_path": "win.qcow2.gz",
                "virtual_disk_format": "QCOW2",
                "compress_qcow2": "True",
                "compression_format": "gz",
            },
            [
                "copy the disk disk.raw to win.raw",
                "convert win.raw to win.qcow2 (QCOW2, compressed)",
                "remove win.raw",
                "wrap win.qcow2 as gz",
            ],
            "QCOW2 (compressed), wrapped as gz",
        ),
    ],
    ids=["raw", "vhdx", "compressed", "wrapped"],
)
def test_what_is_asked_of_the_host(
    disk: Path, options: dict[str, str], steps: list[str], described: str
) -> None:
    """A raw disk is read once; what is wrapped is made of a copy. No report, none of the image."""
    said: list[str] = []
    host = the_host(said, disk.parent / "kept")
    made = convert_image(disk, configured(**options), host=host, checksum=True)
    assert said == steps
    assert (made.path, made.description) == (disk.parent / options["image_path"], described)
    assert (made.size, made.sha256, made.report) == (1234, "ef" * 32, None)
    assert not (disk.parent / "kept").exists()
    counted = [step.name for step in made.steps if step.depth == 0]
    assert counted[-1] == "Deliver the image"
    assert ("Copy disk.raw" in counted) is (len(steps) > 1)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("none.raw", {}, "none.raw does not exist"),
        ("disk.raw", {"image_path": "disk.raw"}, "disk.raw is the disk itself"),
        ("disk.raw.gz", {}, "is wrapped, and a disk is needed as it is"),
    ],
)
def test_what_is_refused(disk: Path, name: str, options: dict[str, str], said: str) -> None:
    """Before anything is asked of the host; the disk stays."""
    shutil.copyfile(disk, "disk.raw.gz")
    asked: list[str] = []
    config = configured(**{"image_path": "win.raw", "virtual_disk_format": "RAW", **options})
    with pytest.raises(ConfigurationError) as caught:
        convert_image(name, config, host=the_host(asked, disk.parent / "kept"))
    assert [(each.key, said in each.message) for each in caught.value.problems] == [
        ("image_path", True)
    ]
    assert asked == [] and disk.read_bytes() == b"a disk"


def test_the_report_comes_with_it(here: Path) -> None:
    """That of the disk, told of the image: its form, the options of that, and the new steps."""
    build_reported(here)
    before: dict[str, Any] = json.loads((here / "kept" / "report.json").read_text())
    (here / "disk.raw").write_bytes(b"a disk")
    (here / "kept").rename(here / "disk.raw.report")
    config = configured(image_path="out.vhdx", virtual_disk_format="VHDX", product_key="")
    made = convert_image(here / "disk.raw", config, host=the_host([], here / "kept"))
    assert made.report == here / "out.vhdx.report"
    after = json.loads((here / "kept" / "report.json").read_text())
    assert (after["image"]["file"], after["image"]["format"]) == ("out.vhdx", "VHDX")
    assert after["image"]["disk_size"] == before["image"]["disk_size"]
    assert after["windows"] == before["windows"] and after["started"] == before["started"]
    assert after["steps"][: len(before["steps"])] == before["steps"]
    assert after["steps"][len(before["steps"])]["name"] == "Make the VHDX of disk.raw"
    options = {item["key"]: item["value"] for item in after["options"]}
    others = {item["key"]: item["value"] for item in before["options"]}
    assert options["virtual_disk_format"] == "VHDX" and options["image_path"] == "out.vhdx"
    changed = {key for key, value in options.items() if value != others[key]}
    assert changed == {"image_path", "virtual_disk_format", "compression_format"}
    (here / "kept").rename(here / "kept-before")
    bare = convert_image(here / "disk.raw", config, host=the_host([], here / "kept"), report=False)
    assert bare.report is None and not (here / "kept").exists()


def test_ids_of_the_report_and_what_is_in_its_way(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The container has the ids of the disk; a folder that is no report is never replaced."""
    build_reported(here)
    record = json.loads((here / "kept" / "report.json").read_text())
    (here / "disk.raw").write_bytes(b"a disk")
    (here / "kept").rename(here / "disk.raw.report")
    config = configured(image_path="out.vhdx", virtual_disk_format="VHDX", product_key="")
    host = the_host([], here / "kept")
    stamps: list[object] = []
    monkeypatch.setattr(
        host.files, "become", lambda *_, stamp, **__: stamps.append(stamp), raising=False
    )
    convert_image(here / "disk.raw", config, host=host)
    assert stamps == [stamp_of(record)] and stamps != [None]
    (here / "out.vhdx.report").mkdir()
    with pytest.raises(RequestError, match="is in the way"):
        convert_image(here / "disk.raw", config, host=host)
    assert len(stamps) == 1


@pytest.mark.parametrize(
    ("record", "stamp"),
    [
        (None, None),
        ({}, None),
        ({"source_date_epoch": 5}, None),
        ({"source_date_epoch": 5, "seed": "no hexadecimal"}, None),
        ({"source_date_epoch": 5, "seed": "00ff"}, Stamp(5, b"\x00\xff")),
    ],
)
def test_ids_and_time_of_a_disk(record: dict[str, Any] | None, stamp: Stamp | None) -> None:
    """Those of its report, where that says them."""
    assert stamp_of(record) == stamp
