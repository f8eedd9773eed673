"""What a build tells of itself, and what it never tells."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.unit.dry_build import SERVER_2022, FakeMedia, config_text, lay_out
from tests.unit.recording_host import recording_host
from winimagetools.contract import Host
from winimagetools.errors import RequestError
from winimagetools.model import DiskFormat
from winimagetools.workflows.build import BuildReport, new_windows_cloud_image

PASSWORD = "Pa$$w0rd'\"<&>ä"
ZIP = "Open Sesame/42"
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
TOKEN = "tok3n-of-the-mirror"
OWN = "hook-secret-value"
OPTIONS: dict[str, str | bool | int] = {
    "wim_file_path": "install.wim",
    "image_name": SERVER_2022,
    "image_path": "win.qcow2.zip",
    "virtual_disk_format": "QCOW2",
    "compression_format": "zip",
    "zip_password": ZIP,
    "disk_layout": "UEFI",
    "image_type": "KVM",
    "administrator_password": PASSWORD,
    "product_key": KEY,
    "virtio_iso_path": "virtio.iso",
    "install_qemu_ga": "True",
    "url": f"https://user:{OWN}@mirror.example/agent.msi?token={TOKEN}",
    "checksum": "ab" * 32,
    "extra_packages": "first.msu",
    "extra_features": "TelnetClient",
}


class Keeping:
    """The files of a host that keeps the report where a test can see it."""

    def __init__(self, host: Host, kept: Path) -> None:
        self._files = host.files
        self.kept = kept

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)

    def publish(
        self,
        source: Path,
        destination: Path,
        mode: int | None = None,
        report: Path | None = None,
    ) -> None:
        """Keep the report."""
        if report is not None:
            shutil.copytree(report, self.kept)

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        """Something."""
        return 1234, "ef" * 32


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with everything a configuration names, as the current one."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def build(here: Path, *, report: bool = True, **options: str | bool | int) -> BuildReport:
    """Build on a host that does nothing, and keep the report in ``kept``."""
    text = config_text({**OPTIONS, **options}) + f"[custom]\nmy_password = {OWN}-too\n"
    (here / "config.ini").write_text(text, encoding="utf-8")
    host = recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.RAW, offline=True)
    files = Keeping(host, here / "kept")
    host = dataclasses.replace(host, files=files)  # type: ignore[arg-type]
    return new_windows_cloud_image(here / "config.ini", host=host, report=report)


def test_what_is_told(here: Path) -> None:
    """Inputs with their hashes, the Windows, drivers, agents, updates, options."""
    (here / "install.wim").write_bytes(b"a medium")
    made = build(here)
    assert made.report == here / "win.qcow2.zip.report"
    record = json.loads((here / "kept" / "report.json").read_text())
    assert record["workflow"] == "New-WindowsCloudImage"
    assert record["image"]["file"] == "win.qcow2.zip"
    assert record["image"]["sha256"] == "ef" * 32
    assert record["windows"]["name"] == SERVER_2022
    inputs = {item["role"]: item for item in record["inputs"]}
    digest = hashlib.sha256(b"a medium").hexdigest()
    assert inputs["wim_file_path"] == {
        "role": "wim_file_path",
        "name": "install.wim",
        "size": 8,
        "sha256": digest,
    }
    assert set(inputs) == {"wim_file_path", "virtio_iso_path", "extra_packages"}
    assert {item["name"] for item in record["drivers"]} >= {"viostor"}
    assert {item["source"] for item in record["drivers"]} == {"virtio.iso"}
    assert record["updates"] == ["first.msu"]
    assert record["features"] == ["TelnetClient"]
    assert record["agents"]
    options = {item["key"]: item for item in record["options"]}
    assert options["image_type"]["value"] == "KVM"
    assert options["image_type"]["explicit"] is True
    assert options["vhd_subformat"]["explicit"] is False
    names = [step["name"] for step in record["steps"] if step["depth"] == 0]
    assert "Take Windows from the medium" in names


def test_warnings_are_told(here: Path) -> None:
    """Those of this build, and of no other."""
    build(here, image_path="win.img2", compress_qcow2=False)
    shutil.rmtree(here / "kept")
    build(here)
    record = json.loads((here / "kept" / "report.json").read_text())
    assert not any("win.img2" in warning for warning in record["warnings"])
    assert any("my_password" in warning for warning in record["warnings"])


def _written(secret: str) -> set[str]:
    return {
        secret,
        html.escape(secret),
        html.escape(secret, quote=False),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        shlex.quote(secret),
    }


def test_no_secret_is_in_any_file(here: Path) -> None:
    """Of a configuration full of them, in no way they may be written."""
    build(here)
    files = [path for path in (here / "kept").rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        data = path.read_text(encoding="utf-8")
        if path.name == "provenance.dsse.json":
            import base64

            data += base64.b64decode(json.loads(data)["payload"]).decode()
        for secret in (PASSWORD, ZIP, KEY, TOKEN, OWN):
            for written in _written(secret):
                assert written not in data, (path.name, secret)
        assert hashlib.sha256((here / "config.ini").read_bytes()).hexdigest() not in data


def test_no_report(here: Path) -> None:
    """One flag, and nothing is written or hashed."""
    assert build(here, report=False).report is None
    assert not (here / "kept").exists()


def test_what_is_in_its_way_is_refused(here: Path) -> None:
    """Before anything is done."""
    (here / "win.qcow2.zip.report").mkdir()
    with pytest.raises(RequestError, match="is in the way"):
        build(here)
    assert not (here / "kept").exists()
