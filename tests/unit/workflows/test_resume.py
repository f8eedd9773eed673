"""Going on with an image whose first start failed: its report comes with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.dry_build import SERVER_2022, FakeMedia, config_text, lay_out
from tests.unit.recording_host import recording_host
from tests.unit.workflows.test_report import OPTIONS, PASSWORD, TOKEN, Keeping, _written
from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import BuildError, RequestError
from winimagetools.model import DiskFormat
from winimagetools.plan import VmRequest
from winimagetools.workflows.build import new_windows_online_image
from winimagetools.workflows.resume import resume_image

RUN = "Run the stage in the virtual machine"
SO_FAR = "report-so-far.json"


class Failing:
    """A machine that fails the first time.

    Args:
        host: whose machine does not.
    """

    def __init__(self, host: Host) -> None:
        self._vm = host.vm
        self.failed = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._vm, name)

    def run_sysprep(self, request: VmRequest) -> Mapping[str, str]:
        """Leave a disk and fail, or be ready."""
        if not self.failed:
            self.failed = True
            request.disk.write_bytes(b"a disk")
            raise BuildError(f"The machine failed with {PASSWORD}.")
        return self._vm.run_sysprep(request)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with everything a configuration names, as the current one."""
    lay_out(tmp_path)
    (tmp_path / "install.wim").write_bytes(b"a medium")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def fail(here: Path, *, report: bool = True) -> tuple[Host, Path]:
    """Let an online build fail; the host, and the folder that was kept."""
    wanted = {"image_path": "win.raw", "virtual_disk_format": "RAW", "image_type": "KVM"}
    left = {"compression_format", "zip_password"}
    options = {key: value for key, value in OPTIONS.items() if key not in left} | wanted
    (here / "config.ini").write_text(config_text(options), encoding="utf-8")
    host = recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.RAW, offline=True)
    doubles = {"files": Keeping(host, here / "kept"), "vm": Failing(host)}
    host = dataclasses.replace(host, **doubles)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match="The machine failed"):
        new_windows_online_image(here / "config.ini", host=host, report=report, checksum=True)
    (folder,) = here.glob("win.raw.failed-*")
    return host, folder


def test_the_report_comes_with_the_image(here: Path) -> None:
    """What was read and decided before the failure, and the steps of both runs in their order."""
    host, folder = fail(here)
    made = resume_image(folder, host=host)
    assert made.report == here / "win.raw.report"
    record = json.loads((here / "kept" / "report.json").read_text())
    assert record["workflow"] == "New-WindowsOnlineImage"
    assert record["image"]["file"] == "win.raw"
    assert (record["image"]["size"], record["image"]["sha256"]) == (1234, "ef" * 32)
    assert record["windows"]["name"] == SERVER_2022
    inputs = {item["role"]: item["sha256"] for item in record["inputs"]}
    assert inputs["wim_file_path"] == hashlib.sha256(b"a medium").hexdigest()
    assert {item["name"] for item in record["drivers"]} >= {"viostor"}
    names = [step["name"] for step in record["steps"] if step["depth"] == 0]
    assert names.count(RUN) == 1
    assert names.index("Take Windows from the medium") < names.index(RUN)
    assert names[names.index(RUN) :] == [RUN, "Make the disk small"]
    assert "The SHA-256 of the image was computed." in record["checks"]
    assert "The first start of this image failed" in record["warnings"][-1]
    assert {item.name for item in (here / "kept").iterdir()} == {
        *("report.json", "report.html", "SHA256SUMS", "sbom.cdx.json", "provenance.dsse.json")
    }


def test_no_secret_is_kept_for_it(here: Path) -> None:
    """Neither with the failed run nor in the report."""
    host, folder = fail(here)
    resume_image(folder, host=host)
    files = [folder / SO_FAR, *(here / "kept").iterdir()]
    for path in files:
        text = path.read_text(encoding="utf-8")
        for secret in (PASSWORD, TOKEN, str(OPTIONS["product_key"])):
            assert not [written for written in _written(secret) if written in text], path


def test_a_run_without_report(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that wanted none, or that an older version kept: the image, and one line."""
    host, folder = fail(here, report=False)
    assert not (folder / SO_FAR).exists()
    caplog.set_level("INFO", log.LOGGER.name)
    assert resume_image(folder, host=host).report is None
    assert not (here / "kept").exists()
    said = [text for text in caplog.messages if "no report" in text]
    assert said == [f"The image gets no report: {folder.name} has no {SO_FAR}."]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 0}'])
def test_a_damaged_report(text: str, here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Costs nobody the image."""
    host, folder = fail(here)
    (folder / SO_FAR).write_text(text, encoding="utf-8")
    assert resume_image(folder, host=host).report is None
    assert [text for text in caplog.messages if "is damaged or of another version" in text]


def test_what_is_in_its_way_is_refused(here: Path) -> None:
    """Before the machine starts."""
    host, folder = fail(here)
    (here / "win.raw.report").mkdir()
    with pytest.raises(RequestError, match="is in the way"):
        resume_image(folder, host=host)
    assert not list(folder.glob("resumed-*"))
