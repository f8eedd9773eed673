"""The main job from end to end: medium in, image out, started by real firmware."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.boot_proof import Firmware, boot
from fixtures.media import MediaFormat, MediaSpec
from tests.integration.linux.build import SERVER, Job, as_ordinary_user, command
from winimagetools.model import DiskFormat, DiskLayout

MakeMedia = Callable[[MediaSpec], Path]
ENDINGS = {DiskFormat.VHD: "vpc"}


@pytest.mark.parametrize(
    ("disk_format", "kind"),
    [*((disk_format, "dynamic") for disk_format in DiskFormat), (DiskFormat.VHD, "fixed")],
)
@pytest.mark.parametrize("layout", DiskLayout)
def test_firmware_starts_every_format(
    tmp_path: Path, install_wim: Path, layout: DiskLayout, disk_format: DiskFormat, kind: str
) -> None:
    """BIOS and UEFI find and start the boot manager in every container, and it finds the BCD."""
    image = tmp_path / f"win.{disk_format.extension}"
    job = Job(
        tmp_path,
        install_wim,
        {
            "DEFAULT.image_path": image,
            "DEFAULT.virtual_disk_format": disk_format,
            "DEFAULT.vhd_subformat": kind,
            "DEFAULT.disk_layout": layout,
        },
    )
    assert job.build() == 0
    info = json.loads(
        subprocess.run(
            ["qemu-img", "info", "-f", disk_format.qemu_name, "--output=json", image],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert info["format"] == disk_format.qemu_name
    assert info["virtual-size"] == 2 << 30
    firmware: Firmware = "uefi" if layout is DiskLayout.UEFI else "bios"
    report = boot(image, disk_format.qemu_name, firmware)
    assert report.firmware == ("UEFI x64" if layout is DiskLayout.UEFI else "BIOS")
    assert report.bcd_size > 8192
    assert report.powered_off
    assert job.left_over() == []


@pytest.mark.parametrize("interface", ["virtio", "virtio-scsi"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_firmware_starts_it_on_virtio(
    tmp_path: Path, install_wim: Path, firmware: Firmware, interface: str
) -> None:
    """The disk also starts where firmware reaches it through virtio."""
    job = Job(tmp_path, install_wim, {"DEFAULT.disk_layout": firmware.upper()})
    assert job.build() == 0
    report = boot(job.image, "raw", firmware, interface)  # type: ignore[arg-type]
    assert report.started
    assert report.bcd_size > 8192


@pytest.mark.parametrize(
    "spec",
    [
        MediaSpec(media_format=MediaFormat.ESD),
        MediaSpec(media_format=MediaFormat.SWM, split_size=200_000),
        MediaSpec(media_format=MediaFormat.ISO),
        MediaSpec(media_format=MediaFormat.ISO, install=MediaFormat.ESD),
        MediaSpec(media_format=MediaFormat.ISO, install=MediaFormat.SWM, split_size=200_000),
    ],
    ids=["esd", "swm", "iso", "iso-esd", "iso-swm"],
)
def test_every_medium(tmp_path: Path, install_media: MakeMedia, spec: MediaSpec) -> None:
    """WIM, ESD, split WIM, and an ISO with any of them give an image that starts."""
    job = Job(tmp_path, install_media(spec))
    assert job.build() == 0
    assert boot(job.image, "raw", "uefi").bcd_size > 8192
    assert job.left_over() == []


def test_an_ordinary_user_can_do_it(install_wim: Path) -> None:
    """Without root, without a capability and without a mount the image is made."""
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        folder = Path(name)
        job = Job(folder, folder / "install.wim", {"DEFAULT.disk_layout": "BIOS"})
        job.wim.write_bytes(install_wim.read_bytes())
        done = subprocess.run(
            as_ordinary_user(command(job), folder),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        assert boot(job.image, "raw", "bios").started


def test_summary_tells_what_was_made(
    tmp_path: Path, install_wim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary has path, format, size and a SHA-256 that is right, and each step's time."""
    image = tmp_path / "win.qcow2"
    job = Job(
        tmp_path,
        install_wim,
        {"DEFAULT.image_path": image, "DEFAULT.virtual_disk_format": "QCOW2"},
    )
    assert job.build() == 0
    lines = capsys.readouterr().out.splitlines()
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert f"SHA-256: {digest}" in lines
    assert f"Image:   {image}" in lines
    assert "Format:  QCOW2" in lines
    size = next(line for line in lines if line.startswith("Size:"))
    assert size.endswith(f"({image.stat().st_size} bytes)")
    assert any(line.startswith("Convert to QCOW2: ") for line in lines)


def test_without_checksum(
    tmp_path: Path, install_wim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--no-checksum`` does not read the image again and says so."""
    job = Job(tmp_path, install_wim, {"DEFAULT.virtual_disk_format": "VHDX"})
    assert job.build("--no-checksum") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "SHA-256: not computed; --checksum computes it",
        f"Report:  {job.image}.report",
    ]
    assert not any(line.startswith("Compute the checksum") for line in lines)


def test_a_second_build_replaces_the_first(tmp_path: Path, install_wim: Path) -> None:
    """The same command a second time replaces the image, and only at its very end."""
    job = Job(tmp_path, install_wim)
    job.image.write_bytes(b"an older image")
    assert job.build() == 0
    first = job.image.stat().st_ino
    assert job.image.stat().st_size == 2 << 30
    assert job.build() == 0
    assert job.image.stat().st_ino != first
    assert job.left_over() == []


@pytest.mark.parametrize(
    ("compression", "name"),
    [("tar.gz", "win.raw.tar.gz"), ("gz", "win.raw.gz"), ("zip", "win.raw.zip")],
)
def test_compression(tmp_path: Path, install_wim: Path, compression: str, name: str) -> None:
    """A wrapped image unwraps with common tools to a raw disk that starts; no path is stored."""
    job = Job(
        tmp_path,
        install_wim,
        {
            "DEFAULT.image_path": tmp_path / name,
            "DEFAULT.compression_format": compression,
        },
    )
    assert job.build() == 0
    raw = tmp_path / "out" / "win.raw"
    raw.parent.mkdir()
    if compression == "gz":
        with raw.open("wb") as file:
            subprocess.run(["gzip", "-dc", job.image], stdout=file, check=True)
    elif compression == "tar.gz":
        subprocess.run(["tar", "-xzf", job.image, "-C", raw.parent], check=True)
    else:
        subprocess.run(["python3", "-m", "zipfile", "-e", job.image, raw.parent], check=True)
    assert [item.name for item in raw.parent.iterdir()] == ["win.raw"]
    assert raw.stat().st_size == 2 << 30
    assert boot(raw, "raw", "uefi").started


def test_dry_run_refuses_what_the_build_refuses(
    tmp_path: Path,
    install_wim: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dry run tells missing programs too."""
    monkeypatch.setattr("winimagetools.run.shutil.which", lambda *_, **__: None)
    assert Job(tmp_path, install_wim).build("--dry-run") == 3
    assert "apt install ntfs-3g" in capsys.readouterr().err


def test_dry_run_does_nothing(
    tmp_path: Path, install_wim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--dry-run`` prints the plan with the real edition and leaves no trace."""
    job = Job(tmp_path, install_wim)
    assert job.build("--dry-run") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == ""
    assert "  make a UEFI disk of 2.0 GiB in the container RAW" in lines
    assert f"  apply image 1: {SERVER} (10.0.20348.587, amd64)" in lines
    assert lines[-2:] == [f"  put it in place as {job.image}", "Nothing was done."]
    assert not job.image.exists()
    assert job.left_over() == []
