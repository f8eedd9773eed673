"""A finished disk becomes images in other containers."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import guest
from fixtures.boot_proof import boot
from fixtures.played import Played, finish
from tests.integration.linux.build import Job
from tests.integration.linux.test_reproducible import assert_same
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.host.linux import linux_host
from winimagetools.image import preflight
from winimagetools.workflows.build import new_windows_online_image


@pytest.fixture
def disk(tmp_path: Path, install_wim: Path) -> Path:
    """A finished raw disk with its report."""
    job = Job(tmp_path, install_wim, {"DEFAULT.disk_layout": "BIOS"})
    assert job.build() == 0
    return job.image


def same_content(first: Path, second: Path) -> bool:
    """Whether two disks hold the same bytes, whatever their containers."""
    return (
        subprocess.run(["qemu-img", "compare", first, second], capture_output=True).returncode == 0
    )


@pytest.mark.parametrize("container", ["RAW", "QCOW2", "VHDX", "VMDK", "VHD"])
def test_every_container(tmp_path: Path, disk: Path, container: str) -> None:
    """The image has the content of the disk, which stays, and its report with what is new."""
    before = disk.stat().st_mtime_ns
    image = tmp_path / f"out.{container.lower()}"
    more = ["--set", f"image_path={image}", "--set", f"virtual_disk_format={container}"]
    assert main(["convert", str(disk), str(tmp_path / "config.ini"), *more]) == 0
    assert same_content(disk, image)
    assert disk.stat().st_mtime_ns == before
    assert main(["verify", str(image)]) == 0
    report = json.loads((tmp_path / f"{image.name}.report" / "report.json").read_text())
    assert report["image"]["file"] == image.name
    assert report["image"]["format"] == container
    assert report["image"]["size"] == image.stat().st_size
    assert report["windows"]["name"] == "Windows Server 2022 SERVERSTANDARD"
    options = {item["key"]: item["value"] for item in report["options"]}
    assert options["virtual_disk_format"] == container
    names = [step["name"] for step in report["steps"]]
    assert {"Take Windows from the medium", f"Make the {container} of {disk.name}"} <= set(names)


@pytest.fixture
def without_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with everything but qemu-img, which the folders of the system have not either."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in reversed(os.get_exec_path()):
        for path in Path(place).glob("*"):
            link = folder / path.name
            if path.name != "qemu-img":
                link.unlink(missing_ok=True)
                link.symlink_to(path)
    monkeypatch.setenv("PATH", str(folder))


def test_without_qemu_img(
    tmp_path: Path,
    disk: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is missed where it is used, before anything is done, and nowhere else."""
    name = str(tmp_path / "config.ini")
    vhd, out = tmp_path / "disk.vhd", tmp_path / "out.vhdx"
    dynamic = ["--set", "virtual_disk_format=VHD", "--set", f"image_path={vhd}"]
    assert main(["convert", str(disk), name, *dynamic]) == 0
    before = vhd.read_bytes()
    request.getfixturevalue("without_qemu_img")
    more = ["--set", "virtual_disk_format=VHDX", "--set", f"image_path={out}"]
    assert main(["convert", str(disk), name, *more]) == 0
    assert main(["test-image", str(out)]) == 0
    assert main(["cloud-image", name, *more]) == 0
    capsys.readouterr()
    for line in (
        ["convert", str(disk), name, *dynamic],
        ["convert", str(out), name, *more, "--set", f"image_path={tmp_path / 'other.vhdx'}"],
        ["cloud-image", name, *dynamic],
        ["shrink", str(vhd)],
    ):
        assert main(line) == 3
        said = capsys.readouterr().err
        assert "qemu-img was not found" in said and "Step 1" not in said
    assert vhd.read_bytes() == before


@pytest.mark.parametrize(
    "more",
    [
        {"virtual_disk_format": "QCOW2"},
        {"virtual_disk_format": "VHDX"},
        {"virtual_disk_format": "VMDK"},
        {"virtual_disk_format": "VHD", "vhd_subformat": "fixed"},
        {"virtual_disk_format": "VHD"},
    ],
    ids=lambda more: "-".join(more.values()),
)
def test_the_same_bytes_as_a_build(
    tmp_path: Path, install_wim: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    """Whether a build makes the container, or it is made of the raw disk of the same build.

    The copy of config.ini on the disk names container and file, so it is left out here.
    """
    monkeypatch.setattr(preflight, "guest_config_text", lambda _: "[DEFAULT]\r\n")
    disk = Job(tmp_path, install_wim)
    assert disk.build() == 0
    image = tmp_path / f"image.{more['virtual_disk_format'].lower()}"
    options = {f"DEFAULT.{key}": value for key, value in more.items()}
    assert Job(tmp_path, install_wim, {**options, "DEFAULT.image_path": image}).build() == 0
    again = tmp_path / "again" / image.name
    again.parent.mkdir()
    config = str(tmp_path / "config.ini")
    assert main(["convert", str(disk.image), config, f"--set=image_path={again}"]) == 0
    assert_same(image, again)


def test_wrapped_and_without_a_report(tmp_path: Path, disk: Path) -> None:
    """An archive, of a disk nothing is known of."""
    image = tmp_path / "out.tar.gz"
    config = tmp_path / "config.ini"
    more = [f"--set=image_path={image}", "--set=compression_format=tar.gz", "--no-report"]
    assert main(["convert", str(disk), str(config), *more]) == 0
    with tarfile.open(image) as archive:
        assert archive.getnames() == ["out.raw"]
    assert not (tmp_path / "out.tar.gz.report").exists()


def test_refused(tmp_path: Path, disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The disk itself as the image, no such disk, and what is no disk: nothing is changed."""
    config = str(tmp_path / "config.ini")
    before = disk.read_bytes()[:512]
    assert main(["convert", str(disk), config]) == 2
    assert "is the disk itself" in capsys.readouterr().err
    more = ["--set", f"image_path={tmp_path / 'out.vhdx'}", "--set=virtual_disk_format=VHDX"]
    assert main(["convert", str(tmp_path / "none.raw"), config, *more]) == 2
    assert "none.raw does not exist" in capsys.readouterr().err
    assert disk.read_bytes()[:512] == before
    assert not (tmp_path / "out.vhdx").exists()


def test_online_from_an_offline_disk(tmp_path: Path, disk: Path, install_wim: Path) -> None:
    """The machine starts on a copy of the disk; the medium is not taken again."""
    program("qemu-system-x86_64", "qemu-system-x86")
    options = {
        "DEFAULT.image_path": tmp_path / "online.qcow2",
        "DEFAULT.virtual_disk_format": "QCOW2",
        "DEFAULT.image_type": "KVM",
        "DEFAULT.disk_layout": "BIOS",
        "vm.accel": "tcg",
        "vm.external_switch": "none",
        "vm.ram_size": "512MB",
    }
    job = Job(tmp_path, install_wim, options)
    before = disk.stat().st_mtime_ns
    host = replace(linux_host(), vm=Played((guest.BEGUN, guest.DONE), finish))
    report = new_windows_online_image(job.write(), host=host, offline_disk=disk)
    steps = [step.name for step in report.steps]
    assert "Copy win.raw" in steps
    assert "Take Windows from the medium" not in steps
    assert disk.stat().st_mtime_ns == before
    assert boot(job.image, "qcow2", "bios").started
