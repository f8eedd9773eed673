"""The same inputs, options and version give the same bytes, whoever builds where and when."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fixtures import virtio
from fixtures.media import MediaSpec
from tests.integration.linux.build import Job, as_ordinary_user, command
from winimagetools.host.linux import libntfs
from winimagetools.host.linux.frozen_clock import frozen_clock

MakeMedia = Callable[[MediaSpec], Path]
MEMORY = Path("/dev/shm")
PASSWORD = "not to be guessed"
EVERYTHING = {
    "DEFAULT.custom_resources_path": "resources",
    "DEFAULT.custom_scripts_path": "scripts",
    "DEFAULT.wallpaper_solid_color": "0 78 152",
    "DEFAULT.extra_features": "Web-Server",
    "vm.administrator_password": PASSWORD,
    "drivers.virtio_iso_path": "virtio-win.iso",
    "updates.install_updates": "True",
    "custom.ntp_servers": "0.pool.ntp.org",
    "custom.time_zone": "Europe/Berlin",
}


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder of everybody's in memory."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="reproducible-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def virtio_iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtio ISO."""
    return virtio.write_iso(tmp_path_factory.mktemp("iso") / "virtio-win.iso", "0.1.285")


def lay_out(folder: Path, wim: Path, options: Mapping[str, object], iso: Path | None = None) -> Job:
    """A job in a folder that has everything it reads, so that anybody can read it."""
    name = str(options.get("DEFAULT.image_path", "win.raw"))
    values: dict[str, object] = {**options, "DEFAULT.image_path": folder / name}
    for key in ("DEFAULT.custom_resources_path", "DEFAULT.custom_scripts_path"):
        if key in values:
            values[key] = folder / str(values[key])
            Path(str(values[key])).mkdir()
    if iso is not None:
        values["drivers.virtio_iso_path"] = folder / iso.name
        shutil.copyfile(iso, folder / iso.name)
        (folder / "resources" / "inner").mkdir()
        (folder / "resources" / "inner" / "a file.txt").write_text("resource")
        (folder / "scripts" / "RunBeforeSysprep.ps1").write_text("exit 0\r\n")
    shutil.copyfile(wim, folder / "install.wim")
    return Job(folder, folder / "install.wim", values)


def build_elsewhere(job: Job) -> None:
    """As another user, in another time zone, with another umask and environment."""
    environment = {**os.environ, "TZ": "Pacific/Auckland", "LANG": "C", "HOME": "/nowhere"}
    done = subprocess.run(
        as_ordinary_user(command(job, "--quiet"), job.folder),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment,
        umask=0o077,
    )
    assert done.returncode == 0, done.stderr


def build_twice(
    here: Path,
    there: Path,
    wim: Path,
    options: Mapping[str, object],
    iso: Path | None = None,
) -> tuple[Path, Path]:
    """The same image in two folders, with inputs of other times and names in another order."""
    one = lay_out(here, wim, options, iso)
    assert one.build("--quiet") == 0
    two = lay_out(there, wim, options, iso)
    build_elsewhere(two)
    return one.image, two.image


def assert_same(one: Path, two: Path) -> None:
    """Every byte."""
    done = subprocess.run(["cmp", one, two], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("layout", ["BIOS", "UEFI"])
def test_with_everything(
    tmp_path: Path, in_memory: Path, install_wim: Path, virtio_iso: Path, layout: str
) -> None:
    """Drivers, answer file, registry edits, resources, scripts and agents."""
    options = {**EVERYTHING, "DEFAULT.disk_layout": layout}
    assert_same(*build_twice(tmp_path, in_memory, install_wim, options, virtio_iso))


CONTAINERS = {
    "qcow2": {"DEFAULT.virtual_disk_format": "QCOW2"},
    "compressed qcow2": {
        "DEFAULT.virtual_disk_format": "QCOW2",
        "DEFAULT.compress_qcow2": "True",
    },
    "vhdx": {"DEFAULT.virtual_disk_format": "VHDX"},
    "vmdk": {"DEFAULT.virtual_disk_format": "VMDK"},
    "vhd": {"DEFAULT.virtual_disk_format": "VHD"},
    "fixed vhd": {"DEFAULT.virtual_disk_format": "VHD", "DEFAULT.vhd_subformat": "fixed"},
    "gz": {"DEFAULT.compression_format": "gz"},
    "qcow2 in a tar.gz": {
        "DEFAULT.virtual_disk_format": "QCOW2",
        "DEFAULT.compression_format": "tar.gz",
    },
    "vhd in a zip": {"DEFAULT.virtual_disk_format": "VHD", "DEFAULT.compression_format": "zip"},
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_and_archives(
    tmp_path: Path, in_memory: Path, install_wim: Path, kind: str
) -> None:
    """On a file system that moves ranges of files and on one that does not."""
    options: dict[str, object] = {"DEFAULT.disk_layout": "BIOS", **CONTAINERS[kind]}
    name = str(options.get("DEFAULT.virtual_disk_format", "raw")).lower()
    wrapped = str(options.get("DEFAULT.compression_format", ""))
    options["DEFAULT.image_path"] = f"win.{name}" + (f".{wrapped}" if wrapped else "")
    assert_same(*build_twice(tmp_path, in_memory, install_wim, options))


def test_the_clock_of_the_library_goes_on_afterwards() -> None:
    """It is stopped for as long as a volume is written, also when that fails."""
    with pytest.raises(KeyError), frozen_clock(libntfs.load()) as works:
        assert works
        raise KeyError
    with frozen_clock(libntfs.load()) as works:
        assert works
