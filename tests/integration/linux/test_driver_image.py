"""An image built with virtio drivers, read back with programs that had no part in making it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures import virtio
from fixtures.boot_proof import boot
from fixtures.media import MediaFormat, MediaSpec
from tests.hive_reader import read_regipy
from tests.integration.linux.build import Job
from winimagetools.model import MIB, Architecture

MakeMedia = Callable[[MediaSpec], Path]
PCI = ("VEN_1AF4&DEV_1001", "VEN_1AF4&DEV_1042")
NAMESPACE = "{urn:schemas-microsoft-com:unattend}"


class Volume:
    """The Windows volume of a raw BIOS disk, read with ntfs-3g's own programs."""

    def __init__(self, disk: Path, folder: Path) -> None:
        self._path = folder / "volume.ntfs"
        with disk.open("rb") as source, self._path.open("wb") as target:
            source.seek(MIB)
            while block := source.read(4 * MIB):
                if block.count(0) == len(block):
                    target.seek(len(block), 1)
                else:
                    target.write(block)
            target.truncate()

    def read(self, path: str) -> bytes:
        """Content of a file. Fails when it is not there."""
        argv = ["ntfscat", "-f", str(self._path), path]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def list(self, path: str) -> list[str]:
        """Names in a folder."""
        argv = ["ntfsls", "-f", "-p", path, str(self._path)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        return sorted(name for name in done.stdout.splitlines() if name not in (".", ".."))

    def is_clean(self) -> bool:
        """Whether ntfsfix has nothing to do."""
        argv = ["ntfsfix", "-n", str(self._path)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        return done.returncode == 0 and "processed successfully" in done.stdout


def build(folder: Path, wim: Path, iso: Path, name: str) -> Job:
    """Build an image with the drivers of a virtio ISO."""
    job = Job(
        folder,
        wim,
        {
            "DEFAULT.image_name": name,
            "DEFAULT.disk_layout": "BIOS",
            "drivers.virtio_iso_path": iso,
        },
    )
    assert job.build() == 0
    return job


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> tuple[Job, Volume]:
    """Server 2022 with virtio-win 0.1.285."""
    folder = tmp_path_factory.mktemp("server")
    iso = virtio.write_iso(tmp_path_factory.mktemp("iso") / "virtio-win.iso", "0.1.285")
    job = build(folder, install_wim, iso, "Windows Server 2022 SERVERSTANDARD")
    return job, Volume(job.image, tmp_path_factory.mktemp("volume"))


def values(volume: Volume, folder: Path, key: str) -> dict[str, Any]:
    """Data of the values of one key of the SYSTEM hive in the image, read with regipy."""
    path = folder / "SYSTEM"
    path.write_bytes(volume.read("/Windows/System32/config/SYSTEM"))
    return {name: data for name, (_, data) in read_regipy(path, key)[key].items()}


@pytest.mark.parametrize("driver", ["viostor", "vioscsi"])
def test_boot_drivers_are_in_place(server: tuple[Job, Volume], driver: str) -> None:
    """The storage drivers lie where the boot loader looks, with the bytes of the ISO."""
    _, volume = server
    wanted = virtio.virtio_files("0.1.285")[f"{driver}/2k22/amd64/{driver}.sys"]
    assert volume.read(f"/Windows/System32/drivers/{driver}.sys") == wanted


def test_services_are_registered(server: tuple[Job, Volume], tmp_path: Path) -> None:
    """Windows loads viostor at boot, with the parameters of its INF."""
    service = values(server[1], tmp_path, r"ControlSet001\Services\viostor")
    assert service["Start"] == 0
    assert service["Group"] == "SCSI miniport"
    assert service["ImagePath"].casefold() == r"system32\drivers\viostor.sys"
    parameters = values(server[1], tmp_path, r"ControlSet001\Services\vioscsi\Parameters")
    assert parameters["BusType"] == 0x0A


@pytest.mark.parametrize("device", PCI)
def test_devices_find_their_driver(server: tuple[Job, Volume], tmp_path: Path, device: str) -> None:
    """The driver database names a driver for the disk, old and new device alike."""
    found = values(server[1], tmp_path, rf"DriverDatabase\DeviceIds\PCI\{device}")
    assert any("viostor" in name for name in found)


def test_everything_else_is_installed_at_first_boot(server: tuple[Job, Volume]) -> None:
    """Whole packages are staged and the specialize pass installs each of them."""
    _, volume = server
    names = volume.list("/Windows/Drivers/winimagetools")
    assert {"netkvm", "balloon", "viorng", "vioser", "viostor", "vioscsi"} <= set(names)
    assert "netkvm.cat" in volume.list("/Windows/Drivers/winimagetools/netkvm")
    script = volume.read("/Windows/Drivers/winimagetools/install.cmd").decode("ascii")
    for name in names:
        if "." not in name:
            assert f"%HERE%{name}\\" in script
    answers = ElementTree.fromstring(volume.read("/Unattend.xml"))
    commands = [
        command.findtext(f"{NAMESPACE}Path", "")
        for settings in answers.iter(f"{NAMESPACE}settings")
        if settings.get("pass") == "specialize"
        for command in settings.iter(f"{NAMESPACE}RunSynchronousCommand")
    ]
    assert r"\Drivers\winimagetools\install.cmd" in commands[0]


def test_the_volume_is_clean(server: tuple[Job, Volume]) -> None:
    """Edits and additions leave nothing for chkdsk."""
    assert server[1].is_clean()


@pytest.mark.parametrize("interface", ["virtio", "virtio-scsi"])
def test_it_starts_on_virtio(server: tuple[Job, Volume], interface: str) -> None:
    """The stand-in boot manager starts from the disks the drivers are for."""
    report = boot(server[0].image, "raw", "bios", interface)  # type: ignore[arg-type]
    assert report.started
    assert report.bcd_size > 8192


def test_windows_7_knows_its_disk_by_the_old_way(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, install_media: MakeMedia
) -> None:
    """Before Windows 8 there is no driver database: critical devices name the service."""
    wim = install_media(MediaSpec("7", Architecture.X86))
    iso = virtio.write_iso(tmp_path_factory.mktemp("iso") / "virtio-win.iso", "0.1.160")
    job = build(tmp_path, wim, iso, "1")
    folder = tmp_path_factory.mktemp("volume")
    volume = Volume(job.image, folder)
    database = r"ControlSet001\Control\CriticalDeviceDatabase"
    entry = values(volume, folder, rf"{database}\PCI#VEN_1AF4&DEV_1001&REV_00")
    assert entry["Service"] == "viostor"
    assert entry["ClassGUID"].casefold() == "{4d36e97b-e325-11ce-bfc1-08002be10318}"
    script = volume.read("/Windows/Drivers/winimagetools/install.cmd").decode("ascii")
    assert "/add-driver" not in script
    assert "-i -a" in script
    assert volume.is_clean()


def test_an_iso_without_fitting_drivers(
    tmp_path: Path, install_media: MakeMedia, capsys: pytest.CaptureFixture[str]
) -> None:
    """An ISO from before the Windows version is refused, with what there is on it, at once."""
    wim = install_media(MediaSpec("11", Architecture.ARM64, media_format=MediaFormat.ISO))
    iso = tmp_path / "virtio-win.iso"
    virtio.write_iso(iso, "0.1.102")
    job = Job(
        tmp_path,
        wim,
        {"DEFAULT.image_name": "1", "drivers.virtio_iso_path": iso},
    )
    assert job.build() == 2
    message = capsys.readouterr().err
    assert "amd64" in message
    assert "w8.1" in message
    assert "Copy install.wim" not in message
    assert job.left_over() == ["virtio-win.iso"]
