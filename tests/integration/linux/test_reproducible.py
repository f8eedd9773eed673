"""The same inputs, options and version give the same bytes, whoever builds where and when."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from dissect.ntfs import NTFS
from dissect.util.stream import RangeStream

from fixtures import odd_tree, virtio
from fixtures.media import MediaSpec
from tests.integration.linux.build import Job, as_ordinary_user, command
from tests.ntfs import check_file
from winimagetools.checks.difference import find_difference
from winimagetools.cli.main import main
from winimagetools.host.linux import libntfs, volume
from winimagetools.host.linux.frozen_clock import frozen_clock, obstacle
from winimagetools.host.linux.wimlib import Wim
from winimagetools.model import MIB
from winimagetools.stamp import Stamp

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
    values: dict[str, object] = {
        "vm.disk_size": "1GB",
        **options,
        "DEFAULT.image_path": folder / name,
    }
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
    """As another user, in another time zone, with another umask, on one processor."""
    one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    environment = {**os.environ, "TZ": "Pacific/Auckland", "LANG": "C", "HOME": "/nowhere"}
    done = subprocess.run(
        [*one, *as_ordinary_user(command(job, "--quiet"), job.folder)],
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
    """Every byte; what is shown otherwise is where to look."""
    assert find_difference(one, two) == ""
    done = subprocess.run(["cmp", one, two], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("layout", "engine"), [("BIOS", "auto"), ("UEFI", "auto"), ("UEFI", "libwim")]
)
def test_with_everything(
    tmp_path: Path,
    in_memory: Path,
    install_wim: Path,
    virtio_iso: Path,
    layout: str,
    engine: str,
) -> None:
    """Drivers, answer file, registry edits, resources, scripts and agents."""
    options = {**EVERYTHING, "DEFAULT.disk_layout": layout, "DEFAULT.apply_engine": engine}
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


@pytest.fixture(scope="module")
def uefi(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Job:
    """A RAW image with UEFI, in a folder of its own with all it was made of."""
    job = lay_out(tmp_path_factory.mktemp("uefi"), install_wim, {})
    assert job.build("--quiet") == 0
    return job


@contextmanager
def flipped(image: Path, at: int) -> Iterator[None]:
    """One bit of a file is another one for a while."""
    with image.open("r+b", buffering=0) as file:
        before = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([before[0] ^ 1]), at)
        try:
            yield
        finally:
            os.pwrite(file.fileno(), before, at)


WINDOWS = 329 * MIB


def place_of(image: Path, text: bytes, start: int) -> int:
    """Where a text is in an image."""
    with image.open("rb") as file:
        file.seek(start)
        while chunk := file.read(64 * MIB):
            if (found := chunk.find(text)) >= 0:
                return file.tell() - len(chunk) + found
    raise AssertionError(text)


PLACES: dict[str, tuple[Callable[[Path], int], str]] = {
    "boot code": (lambda _: 10, "the master boot record"),
    "table": (lambda _: 512 + 56, "the partition table (GPT)"),
    "backup table": (lambda image: image.stat().st_size - 500, "the partition table (GPT)"),
    "reserved": (lambda _: 250 * MIB, "partition 2"),
    "FAT serial": (lambda _: MIB + 67, "the boot sector of the FAT volume"),
    "FAT": (lambda _: MIB + 33 * 512, "the allocation table of the FAT volume"),
    "BCD": (
        lambda image: place_of(image, b"NewStoreRoot", MIB),
        "the file EFI/Microsoft/Boot/BCD of the FAT volume",
    ),
    "serial": (lambda _: WINDOWS + 75, "the serial number of the NTFS volume"),
    "record": (
        lambda _: WINDOWS + 4 * 4096 + 5 * 1024 + 100,
        "byte 100 of MFT record 5 (.) of the NTFS volume",
    ),
    "file": (
        lambda image: place_of(image, b"[DEFAULT]\r\n", WINDOWS) + 20,
        "byte 20 of the content of config.ini of the NTFS volume",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_difference_is_named(uefi: Job, tmp_path: Path, name: str) -> None:
    """By the structure it is in, so that the next engineer sees it at once."""
    place, said = PLACES[name]
    at, copy = place(uefi.image), tmp_path / "copy.raw"
    subprocess.run(["cp", "--sparse=always", uefi.image, copy], check=True)
    assert find_difference(copy, uefi.image) == ""
    with flipped(copy, at):
        assert find_difference(copy, uefi.image) == f"{said} (byte {at} of the file)"


def test_a_difference_in_a_container_is_named(uefi: Job, tmp_path: Path) -> None:
    """In the disk it holds, or around it."""
    one, two = tmp_path / "one.image", tmp_path / "two.image"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", uefi.image, one], check=True)
    shutil.copyfile(one, two)
    at = place_of(two, b"NewStoreRoot", 0)
    said = "the file EFI/Microsoft/Boot/BCD of the FAT volume, in the disk"
    with flipped(two, at):
        assert find_difference(two, one) == f"{said} (byte {at} of the file)"
    at = one.stat().st_size
    with two.open("ab") as file:
        file.write(bytes(512))
    said = "the QCOW2 around the disk, which is the same"
    assert find_difference(two, one) == f"{said} (byte {at} of the file)"


def test_verify_builds_again(uefi: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """From the report alone: the same bytes, or the place of the first that is another one."""
    image = str(uefi.image)
    before = sorted(uefi.folder.iterdir())
    assert main(["verify", image, "--rebuild"]) == 0
    assert "Built again from the same inputs win.raw has the same bytes." in capsys.readouterr().out
    assert sorted(uefi.folder.iterdir()) == before
    with flipped(uefi.image, WINDOWS + 4 * 4096 + 5 * 1024 + 100):
        assert main(["verify", image]) == 0  # a RAW image has no SHA-256 unless asked for
        assert main(["verify", image, "--rebuild"]) == 1
    said = capsys.readouterr().err
    assert "win.raw is not what its inputs give: the first difference is in byte 100 of MFT" in said
    assert "ntfs-3g" in said


def test_verify_with_another_input(uefi: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before anything is built, and what can be done."""
    medium = uefi.wim.read_bytes()
    uefi.wim.write_bytes(medium + b"\0")
    try:
        assert main(["verify", str(uefi.image), "--rebuild"]) == 2
    finally:
        uefi.wim.write_bytes(medium)
    said = capsys.readouterr().err
    assert "wim_file_path install.wim has another content now" in said
    assert "Apply" not in said


def latest_time(image: Path, start: int) -> int:
    """The latest of all times in an NTFS volume, in nanoseconds since 1970, read with dissect."""
    with image.open("rb") as file:
        ntfs = NTFS(RangeStream(file, start, image.stat().st_size - start - MIB))
        latest: int = max(
            getattr(found.attribute, f"{kind}_time_ns")
            for record in ntfs.mft.segments()
            for found in (
                *record.attributes.STANDARD_INFORMATION,
                *record.attributes.FILE_NAME,
            )
            for kind in ("creation", "last_modification", "last_change", "last_access")
        )
    return latest


def test_source_date_epoch(
    uefi: Job, tmp_path: Path, install_wim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the image is later, and the ids are the same."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1500000000")
    job = lay_out(tmp_path, install_wim, {})
    assert job.build("--quiet") == 0
    said = find_difference(job.image, uefi.image)
    assert "of the FAT volume" in said  # the label of the partition has a time
    argv = ["mdir", "-i", f"{job.image}@@1M", "::/EFI"]
    listed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert "2017-07-14" in listed
    assert latest_time(job.image, WINDOWS) == 1_500_000_000 * 10**9


def test_odd_trees(tmp_path: Path, in_memory: Path) -> None:
    """Names of one folder, links and streams that do not fit into a record, large folders."""
    wim = odd_tree.write(tmp_path / "odd.wim", odd_tree.build(600, 150, 20))
    made = []
    for folder in (tmp_path, in_memory):
        made.append(folder / "volume")
        volume.format_volume(made[-1], MIB, 48 * MIB)
        with frozen_clock(libntfs.load()), Wim(wim) as opened:
            opened.extract_to_ntfs(1, made[-1])
        volume.settle(made[-1], Stamp(1_700_000_000, b"seed"))
    assert_same(*made)
    assert check_file(made[0], fresh=True) == ()


def test_the_clock_of_the_library_goes_on_afterwards() -> None:
    """It is stopped for as long as a volume is written, also when that fails."""
    assert obstacle(libntfs.load()) == ""
    with pytest.raises(KeyError), frozen_clock(libntfs.load()) as works:
        assert works
        raise KeyError
    with frozen_clock(libntfs.load()) as works:
        assert works
