"""Reading, opening and deciding: once each, and everything that is wrong in one message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.dry_build import (
    IMAGES,
    SERVER_2022,
    FakeInstall,
    FakeMedia,
    config_text,
    lay_out,
)
from tests.unit.recording_host import recording_host
from winimagetools import builder
from winimagetools.contract import InstallMedia
from winimagetools.errors import ConfigurationError, MediaError, Problem
from winimagetools.files import source_folder
from winimagetools.formats.inf.driver import DriverInf
from winimagetools.image.request import Workflow
from winimagetools.model import DiskFormat
from winimagetools.plan import SourceTree
from winimagetools.workflows.build import describe_build

CLOUD: dict[str, str | bool | int] = {
    "wim_file_path": "install.wim",
    "image_name": SERVER_2022,
    "image_path": "win.raw",
    "virtual_disk_format": "RAW",
}


class CountingMedia(FakeMedia):
    """Keeps how often each medium was opened."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()

    @contextmanager
    def open_install(self, path: Path) -> Iterator[InstallMedia]:
        """Count it."""
        self.opened[path.name] += 1
        with super().open_install(path) as medium:
            yield medium

    @contextmanager
    def open_source(self, path: Path) -> Iterator[SourceTree]:
        """Count it."""
        self.opened[path.name] += 1
        with super().open_source(path) as source:
            yield source


class OneRelease(FakeMedia):
    """A medium as Microsoft makes them: its editions are of one version."""

    @contextmanager
    def open_install(self, path: Path) -> Iterator[InstallMedia]:
        """Server 2022, or whatever is asked for by its index."""
        yield FakeInstall(path, IMAGES[2:3])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file a configuration may name; the current one."""
    lay_out(tmp_path)
    (tmp_path / "own.xml").write_text(ANSWERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ANSWERS = """<?xml version="1.0"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="oobeSystem">
<component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"/>
</settings></unattend>
"""


def write(**options: str | bool | int) -> str:
    """A configuration for a cloud image."""
    Path("config.ini").write_text(config_text({**CLOUD, **options}))
    return "config.ini"


def problems(strict: bool = False, **options: str | bool | int) -> list[Problem]:
    """Everything that is wrong with a build, in one message."""
    host = recording_host(OneRelease(), lambda _: None, offline=False)
    with pytest.raises(ConfigurationError) as caught:
        builder.new_windows_cloud_image(write(**options), host=host, strict=strict)
    return list(caught.value.problems)


@pytest.mark.parametrize("offline", [True, False])
def test_every_medium_is_opened_once_and_every_inf_read_once(
    monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    """In a whole build with a virtio ISO, a virtio folder, other drivers and the guest agent."""
    read: Counter[str] = Counter()
    real = DriverInf.read

    def count(data: bytes, name: str) -> DriverInf:
        read[name] += 1
        return real(data, name)

    monkeypatch.setattr(DriverInf, "read", count)
    media, lines = CountingMedia(), list[str]()
    host = recording_host(media, lines.append, work_format=DiskFormat.RAW, offline=offline)
    options: dict[str, str | bool | int] = {
        "virtio_iso_path": "virtio.iso",
        "virtio_base_path": "virtio",
        "drivers_path": "drivers",
        "install_qemu_ga": True,
        "source": "iso",
    }
    builder.new_windows_cloud_image(write(**options), host=host)
    assert dict(media.opened) == {"install.wim": 1, "virtio.iso": 1, "virtio": 1, "drivers": 1}
    assert len(read) == 5
    assert set(read.values()) == {1}


def test_one_mistake_of_each_kind() -> None:
    """Reading the file, checking it, choosing the edition and the drivers: one message."""
    Path("vendor").mkdir()
    Path("vendor/broken.inf").write_bytes(b"[Version]\r\nSignature=x\r\n")
    found = problems(
        ram_size="much", image_type="TOASTER", image_name="Windows 3.11", drivers_path="vendor"
    )
    assert {problem.key: problem.section for problem in found} == {
        "ram_size": "vm",
        "image_type": "DEFAULT",
        "image_name": "DEFAULT",
        "drivers_path": "drivers",
    }
    lines = Path("config.ini").read_text().splitlines()
    for problem in found:
        assert problem.line is not None
        assert lines[problem.line - 1].startswith(problem.key)
        assert problem.hint


WARNED: dict[str, dict[str, str | bool | int]] = {
    "the file": {"install_maas_hooks": "perhaps"},
    "preflight": {"compress_qcow2": True},
    "the edition": {"disk_size": "400MB"},
    "the agent": {"install_qemu_ga": True, "url": "https://example.org/a.msi"},
    "the name of the image": {"image_path": "win.vmdk"},
    "the platform": {"image_type": "KVM"},
    "the key": {"product_key": "N69G4-B89J2-4G8F4-WWYCC-J464C"},
    "the answer file": {"unattend_xml_path": "own.xml"},
}
"""Options that are warned about, by who warns."""


@pytest.mark.parametrize("who", WARNED)
def test_strict_sees_every_warning(who: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is only warned about is refused with ``strict``, wherever it arises."""
    host = recording_host(OneRelease(), lambda _: None, offline=False)
    builder.new_windows_cloud_image(write(**WARNED[who]), host=host)
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    (problem,) = problems(strict=True, **WARNED[who])
    assert problem.message in warned[0].getMessage()


def test_a_plan_does_nothing() -> None:
    """No folder is made, nothing is downloaded and the host is asked for nothing."""
    lines: list[str] = []
    before = sorted(Path.cwd().rglob("*"))
    host = recording_host(FakeMedia(), lines.append)
    path = write(zero_unused_volume_sectors=True, install_qemu_ga=True)
    plan = describe_build(Workflow.CLOUD, path, host=host)
    assert any("download https://" in line for line in plan)
    assert lines == []
    assert sorted(Path.cwd().rglob("*")) == sorted([*before, Path.cwd() / "config.ini"])


def test_an_answer_file_nobody_finishes(caplog: pytest.LogCaptureFixture) -> None:
    """It is a warning for an image that starts later, and a problem where the build waits."""
    host = recording_host(OneRelease(), lambda _: None)
    builder.new_windows_cloud_image(write(unattend_xml_path="own.xml"), host=host)
    assert "starts Logon.ps1" in caplog.text
    path = write(unattend_xml_path="own.xml", image_path="win.vhdx", image_type="HYPER-V")
    with pytest.raises(ConfigurationError, match=r"starts Logon\.ps1"):
        builder.new_windows_online_image(path, host=host)


@pytest.mark.parametrize("name", ["virtio.iso", "scripts/RunBeforeSysprep.ps1", "agent.msi"])
def test_an_input_that_changes_stops_the_build(name: str) -> None:
    """What was looked at is what is read: a file that was exchanged meanwhile is noticed."""

    def exchange(line: str) -> None:
        if line.startswith("apply image"):
            Path(name).write_bytes(b"something else")

    host = recording_host(FakeMedia(), exchange, work_format=DiskFormat.RAW)
    path = write(virtio_iso_path="virtio.iso", custom_scripts_path="scripts", msi_path="agent.msi")
    with pytest.raises(MediaError, match=f"{Path(name).name} changed while it was used"):
        builder.new_windows_cloud_image(path, host=host)


def test_a_folder_nobody_puts_into_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who names the root of this machine learns so before it was walked through."""
    monkeypatch.setattr(source_folder, "MOST_ENTRIES", 3)
    for number in range(9):
        Path("resources", str(number)).touch()
    (problem,) = problems(custom_resources_path="resources")
    assert "has more than 3 files and folders" in problem.message
