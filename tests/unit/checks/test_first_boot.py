"""Whether an image is finished, by its disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import regf
from tests.unit.fakes import MemoryTree
from winimagetools.checks.first_boot import (
    SOFTWARE,
    STATE_KEY,
    image_state,
    judge_first_boot,
    unfinished,
)
from winimagetools.errors import BuildError, HostError, MediaError

DONE = {"StatusFinal": "The image is ready."}
AGENT = r"Program Files\Cloudbase Solutions\Cloudbase-Init\Python\python.exe"


def software(state: str) -> bytes:
    """A SOFTWARE hive with an ``ImageState``."""
    root = regf.Key("ROOT")
    root.make(STATE_KEY).values["ImageState"] = regf.sz(state)
    return regf.dump(root)


FINISHED = {AGENT: b"", SOFTWARE: software("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE")}


@dataclass(frozen=True)
class Disks:
    """Opens one disk, or fails to."""

    files: Mapping[str, bytes]
    failure: Exception | None = None

    @contextmanager
    def open(self, path: Path, *, read_only: bool = False) -> Iterator[Any]:
        """The disk."""
        if self.failure is not None:
            raise self.failure
        assert read_only == (path.suffix != ".raw")
        yield SimpleNamespace(tree=MemoryTree(self.files))


def judge(files: Mapping[str, bytes], reports: Mapping[str, str], **more: Any) -> None:
    """Judge a disk with these files."""
    failure = more.pop("failure", None)
    host: Any = SimpleNamespace(disks=Disks(files, failure))
    judge_first_boot(host, Path(more.pop("disk", "win.raw")), reports, **{"gold": False, **more})


def test_finished(caplog: pytest.LogCaptureFixture) -> None:
    """A disk with everything and nothing too much, whose guest said that it is done."""
    judge(FINISHED, DONE)
    judge(FINISHED, DONE, disk="win.vhdx")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({r"UnattendResources\config.ini": b""}, r"\\UnattendResources is still there\."),
        ({"Unattend.xml": b""}, r"\\Unattend.xml is still there\."),
        ({r"Windows\WinSxS\pending.xml": b""}, "wait for another restart"),
        ({AGENT: None}, "Cloudbase-Init is not installed"),
        ({SOFTWARE: software("IMAGE_STATE_COMPLETE")}, "ImageState is IMAGE_STATE_COMPLETE"),
        ({SOFTWARE: None}, "ImageState is not set"),
        ({SOFTWARE: b"no hive"}, "ImageState is not set"),
    ],
)
def test_unfinished(change: Mapping[str, bytes | None], message: str) -> None:
    """Whatever the guest says: what is on the disk counts, and its last words are told."""
    files = {path: data for path, data in {**FINISHED, **change}.items() if data is not None}
    with pytest.raises(BuildError, match=message) as raised:
        judge(files, DONE)
    assert "its last report was StatusFinal: The image is ready." in raised.value.message


def test_everything_that_lacks_is_told() -> None:
    """All of it in one message."""
    files = {r"UnattendResources\config.ini": b"", "unattend.XML": b""}
    assert len(unfinished(MemoryTree(files), gold=False)) == 4


def test_golden_image() -> None:
    """A golden image keeps its answer file and is not generalized."""
    judge({"Unattend.xml": b"", SOFTWARE: software("IMAGE_STATE_COMPLETE")}, DONE, gold=True)
    with pytest.raises(BuildError, match="UnattendResources is still there"):
        judge({r"UnattendResources\a": b""}, DONE, gold=True)


def test_a_hook_that_powers_off(caplog: pytest.LogCaptureFixture) -> None:
    """Who pressed the button does not matter: with a finished disk it is success."""
    judge(FINISHED, {"CustomScripts(RunAfterSysprep.ps1)": "Running."})
    assert "did not say that it was done (its last report was CustomScripts" in caplog.text
    stopped = {"StatusStopped": "RunBeforeSysprep.ps1 asked to power off."}
    with pytest.raises(BuildError, match="asked to power off"):
        judge({**FINISHED, "Unattend.xml": b""}, stopped)


def test_a_disk_that_cannot_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    """On a host that cannot open it the reports decide; one that is damaged fails."""
    judge({}, DONE, failure=HostError("No library."))
    assert "judged by the reports of the guest alone" in caplog.text
    with pytest.raises(BuildError, match="before it was done"):
        judge({}, {"Updates": "3 found"}, failure=HostError("No library."))
    dirty = MediaError("The Windows volume in win.raw was not left clean.", "Start it once.")
    with pytest.raises(BuildError, match=r"cannot be used: .* not left clean\. Start it once\."):
        judge(FINISHED, DONE, failure=dirty)


def test_image_state() -> None:
    """Read from the registry itself."""
    assert image_state(MemoryTree(FINISHED)) == "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
    assert image_state(MemoryTree({})) == ""
