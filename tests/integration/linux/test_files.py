"""Containers and archives, read by the programs of others."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from pathlib import Path

import pytest

from winimagetools.errors import CommandError, MediaError
from winimagetools.model import MIB, DiskFormat
from winimagetools.output.image_files import ImageFiles
from winimagetools.run import Tool, run

QEMU_IMG = Tool("qemu-img", "qemu-utils", "read containers")
GZIP = Tool("gzip", "gzip", "read archives")
TAR = Tool("tar", "tar", "read archives")
UNZIP = Tool("unzip", "unzip", "read archives")
SEVEN_ZIP = Tool("7z", "p7zip-full", "read archives")
SIZE = 61 * MIB
"""No size that a CHS geometry has."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A raw disk with some data in it."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        for place in (0, 30 * MIB, SIZE - 4096):
            file.seek(place)
            file.write(random.Random(place).randbytes(4096))
    return path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("disk_format", list(DiskFormat))
def test_each_container_holds_the_same_disk(
    image: Path, tmp_path: Path, disk_format: DiskFormat, compress: bool
) -> None:
    """Same size, same content, the right container, holes kept."""
    made = tmp_path / f"image.{disk_format.extension}"
    ImageFiles().convert(image, made, disk_format, compress)
    information = json.loads(run(QEMU_IMG, ["info", "--output=json", made]))
    assert information["virtual-size"] == SIZE
    assert ImageFiles().image_format(made) == disk_format.qemu_name
    formats = ["-f", "raw", "-F", disk_format.qemu_name]
    assert "Images are identical" in run(QEMU_IMG, ["compare", *formats, image, made])
    assert made.stat().st_blocks * 512 < 10 * MIB


@pytest.mark.parametrize("disk_format", [DiskFormat.VHD, DiskFormat.VHDX])
def test_scattered_files_do_not_fill_a_container(tmp_path: Path, disk_format: DiskFormat) -> None:
    """ntfs-3g begins a file every 16 MiB; what has to be uploaded stays a fraction of the disk."""
    source = tmp_path / "disk.raw"
    with source.open("wb") as file:
        file.truncate(2048 * MIB)
        for place in range(0, 2048 * MIB, 16 * MIB):
            file.seek(place)
            file.write(b"file")
    made = tmp_path / f"image.{disk_format.extension}"
    ImageFiles().convert(source, made, disk_format, False)
    assert made.stat().st_size < 300 * MIB


def test_a_raw_disk_is_never_taken_for_another_container(tmp_path: Path) -> None:
    """A guest that writes a QCOW2 header into its disk reads no file of the host."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"host" * 128)
    source = tmp_path / "disk.raw"
    run(QEMU_IMG, ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, source])
    ImageFiles().convert(source, tmp_path / "out.qcow2", DiskFormat.QCOW2, False)
    ImageFiles().convert(tmp_path / "out.qcow2", tmp_path / "back.raw", DiskFormat.RAW, False)
    assert (tmp_path / "back.raw").read_bytes()[:4] == b"QFI\xfb"


def test_a_source_that_is_no_disk_is_an_error(tmp_path: Path) -> None:
    """With the words of qemu-img."""
    (tmp_path / "a.qcow2").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(CommandError, match="not in qcow2 format"):
        ImageFiles().convert(tmp_path / "a.qcow2", tmp_path / "b.raw", DiskFormat.RAW, False)
    with pytest.raises(MediaError, match="does not exist"):
        ImageFiles().image_format(tmp_path / "missing.qcow2")


def test_maas_can_unpack_a_tar_gz(image: Path, tmp_path: Path) -> None:
    """What curtin does: tar -xOzf - writes the raw disk and nothing else."""
    expected = hashlib.sha256(image.read_bytes()).hexdigest()
    packed = ImageFiles().compress(image, ["tar", "gz"], "")
    assert packed.name == "disk.raw.tar.gz"
    assert run(TAR, ["-tf", packed]) == "disk.raw\n"
    (tmp_path / "out").mkdir()
    run(TAR, ["-xzf", packed, "-C", tmp_path / "out"])
    made = (tmp_path / "out" / "disk.raw").read_bytes()
    assert hashlib.sha256(made).hexdigest() == expected


def test_gunzip_reads_our_gzip(image: Path) -> None:
    """Complete and without a warning; the name and size inside are right."""
    expected = image.read_bytes()
    packed = ImageFiles().compress(image, ["gz"], "")
    said = subprocess.run([GZIP.find(), "-t", "-v", packed], check=True, stderr=subprocess.PIPE)
    assert said.stderr.decode().split() == [f"{packed}:", "OK"]
    assert run(GZIP, ["-l", packed]).splitlines()[1].split()[1] == str(SIZE)
    run(GZIP, ["-d", packed])
    assert image.read_bytes() == expected


@pytest.mark.parametrize(
    ("program", "password"), [("unzip", ""), ("7z", ""), ("7z", "correct horse")]
)
def test_others_read_our_zip(image: Path, tmp_path: Path, program: str, password: str) -> None:
    """Tested and unpacked without a complaint; unzip does not know AES, which 7-Zip does."""
    expected = hashlib.sha256(image.read_bytes()).hexdigest()
    packed = ImageFiles().compress(image, ["zip"], password, checksum=True)
    out = tmp_path / "out"
    out.mkdir()
    if program == "unzip":
        assert "No errors detected" in run(UNZIP, ["-t", packed])
        run(UNZIP, ["-q", packed, "-d", out])
    else:
        assert "Everything is Ok" in run(SEVEN_ZIP, ["t", f"-p{password}", packed])
        run(SEVEN_ZIP, ["x", f"-p{password}", f"-o{out}", packed])
    assert [item.name for item in out.iterdir()] == ["disk.raw"]
    assert hashlib.sha256((out / "disk.raw").read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("formats", [["gz"], ["tar", "gz"]])
def test_7_zip_and_pigz_read_our_gzip(image: Path, formats: list[str]) -> None:
    """As do those that share no code with gzip."""
    packed = ImageFiles().compress(image, formats, "")
    assert "Everything is Ok" in run(SEVEN_ZIP, ["t", packed])
    assert run(Tool("pigz", "pigz", "read archives"), ["-t", packed]) == ""


def test_a_fixed_vhd_is_known_by_its_end(image: Path, tmp_path: Path) -> None:
    """Programs that look at the beginning take it for a raw disk."""
    made = tmp_path / "disk.vhd"
    files = ImageFiles()
    assert files.image_format(image) == "raw"
    files.become(image, made, DiskFormat.VHD, fixed=True)
    assert files.image_format(made) == "vpc"
    back = tmp_path / "back.raw"
    files.convert(made, back, DiskFormat.RAW, False)
    assert back.stat().st_size == SIZE
