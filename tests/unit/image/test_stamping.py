"""What the ids and times of an image depend on, and what not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from winimagetools.image import stamping
from winimagetools.image.request import Request, Workflow
from winimagetools.image.stamping import decide_stamp, read_epoch
from winimagetools.model import Architecture, DiskFormat, DiskLayout, ImageType, WimImage
from winimagetools.model import WindowsVersion as Version
from winimagetools.plan import Delivery
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import OPTIONS, WindowsImageConfig
from winimagetools.stamp import Stamp

MADE = 1_700_000_000
EDITION = WimImage(
    1, "Server", Architecture.AMD64, Version(10, 0, 20348), modified=Stamp(MADE, b"").filetime
)


def stamp(
    edition: WimImage | None = EDITION,
    workflow: Workflow = Workflow.CLOUD,
    epoch: int | None = None,
    **options: Any,
) -> Stamp:
    """The stamp of an image."""
    delivery = Delivery(Path("win"), DiskFormat.RAW, (), "win")
    request = Request(workflow, DiskLayout.UEFI, ImageType.KVM, delivery, 1 << 33)
    return decide_stamp(request, edition, WindowsImageConfig(**options), epoch)


def test_it_is_the_same_each_time() -> None:
    """With the time of the medium."""
    assert stamp() == stamp()
    assert stamp().time == MADE


def test_the_time_that_was_asked_for() -> None:
    """Wins over that of the medium and changes no id."""
    assert stamp(epoch=5).time == 5
    assert stamp(epoch=0).time == 0
    assert stamp(epoch=5).seed == stamp().seed


def test_a_medium_that_tells_no_time() -> None:
    """Gives one that does not depend on the day."""
    assert stamp(replace(EDITION, modified=0)).time == 946_684_800


@pytest.mark.parametrize("modified", [1, 1 << 63])
def test_an_odd_time_of_a_medium(modified: int) -> None:
    """Is brought into what every format can say."""
    assert 0 <= stamp(replace(EDITION, modified=modified)).time < 1 << 32


def test_secrets_and_places_are_no_part_of_it() -> None:
    """Nobody can try passwords on an id, and another folder or container changes none."""
    secret: dict[str, Any] = {option.name: "hunter2" for option in OPTIONS if option.secret}
    assert set(secret) == {"administrator_password", "zip_password", "product_key"}
    assert stamp(**secret) == stamp()
    places: dict[str, Any] = {
        option.name: "/elsewhere" for option in OPTIONS if option.name.endswith("_path")
    }
    assert "image_path" in places
    assert stamp(**places, url="https://user:hunter2@x/", vnc_socket="/run/x") == stamp()
    assert stamp(virtual_disk_format="QCOW2", compression_format="gz") == stamp()


@pytest.mark.parametrize(
    "options", [{"disk_size": 1 << 35}, {"install_net_3_5": True}, {"image_type": "KVM"}]
)
def test_another_option_gives_other_ids(options: dict[str, Any]) -> None:
    """So that two images are told apart where both are attached to one machine."""
    assert stamp(**options).seed != stamp().seed


def test_another_medium_or_version_gives_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edition as its medium describes it."""
    before = stamp()
    assert stamp(replace(EDITION, size=1)).seed != before.seed
    monkeypatch.setattr(stamping, "__version__", "another")
    assert stamp().seed != before.seed


@pytest.mark.parametrize("workflow", [Workflow.ONLINE, Workflow.GOLDEN])
def test_what_a_running_windows_finishes_has_new_ids(workflow: Workflow) -> None:
    """No two of them are the same anyhow."""
    assert stamp(workflow=workflow).seed != stamp(workflow=workflow).seed


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"SOURCE_DATE_EPOCH": ""}, None),
        ({"SOURCE_DATE_EPOCH": " 1700000000\n"}, 1_700_000_000),
        ({"SOURCE_DATE_EPOCH": "0"}, 0),
        ({"SOURCE_DATE_EPOCH": "4294967295"}, 4_294_967_295),
    ],
)
def test_source_date_epoch(environment: dict[str, str], expected: int | None) -> None:
    """Seconds since 1970; empty counts as not set."""
    found = Findings(WindowsImageConfig())
    assert read_epoch(environment, found) == expected
    assert found.problems == []


@pytest.mark.parametrize("text", ["-1", "1.5", "today", "4294967296", "٣", "1" * 5000])
def test_a_source_date_epoch_that_is_none(text: str) -> None:
    """Is refused before the build: an image of another time would be found much later."""
    found = Findings(WindowsImageConfig())
    assert read_epoch({"SOURCE_DATE_EPOCH": text}, found) is None
    assert [problem.message[:20] for problem in found.problems] == ["SOURCE_DATE_EPOCH is"]
