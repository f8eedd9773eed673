"""Our readers of disk images against the images that qemu-img makes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from winimagetools.errors import MediaError
from winimagetools.formats.images.probe import container_of, open_image
from winimagetools.model import KIB, MIB, DiskFormat
from winimagetools.output.convert import QEMU_IMG, convert
from winimagetools.run import run
from winimagetools.workflows.start import plan_start

SIZE = 70 * MIB + 512
CONTAINERS = {
    "raw": (DiskFormat.RAW, ["-O", "raw"]),
    "qcow2": (DiskFormat.QCOW2, ["-O", "qcow2"]),
    "qcow2-v2": (DiskFormat.QCOW2, ["-O", "qcow2", "-o", "compat=0.10"]),
    "qcow2-4k": (DiskFormat.QCOW2, ["-O", "qcow2", "-o", "cluster_size=4096"]),
    "qcow2-2m": (DiskFormat.QCOW2, ["-O", "qcow2", "-o", "cluster_size=2M,preallocation=metadata"]),
    "qcow2-compressed": (DiskFormat.QCOW2, ["-c", "-O", "qcow2"]),
    "vhd": (DiskFormat.VHD, ["-O", "vpc", "-o", "force_size=on"]),
    "vhd-fixed": (DiskFormat.VHD, ["-O", "vpc", "-o", "subformat=fixed,force_size=on"]),
    "vhdx": (DiskFormat.VHDX, ["-O", "vhdx"]),
    "vhdx-1m": (DiskFormat.VHDX, ["-O", "vhdx", "-o", "block_size=1M"]),
    "vhdx-fixed": (DiskFormat.VHDX, ["-O", "vhdx", "-o", "subformat=fixed"]),
    "vmdk": (DiskFormat.VMDK, ["-O", "vmdk"]),
    "vmdk-stream": (DiskFormat.VMDK, ["-O", "vmdk", "-o", "subformat=streamOptimized"]),
}
"""The container, and how qemu-img is asked for it."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with data here and there, some of it compressible, up to its last byte."""
    path, source = tmp_path_factory.mktemp("disk") / "disk.raw", random.Random(1)
    with path.open("wb") as file:
        for at in (0, 65 * KIB, MIB - 512, 3 * MIB, 31 * MIB + 4 * KIB, 64 * MIB, SIZE - 700):
            file.seek(at)
            file.write(source.randbytes(300 * KIB)[: SIZE - at])
            file.write(b"text " * (9 * KIB) if at < 60 * MIB else b"")
        file.truncate(SIZE)
    return path


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_qemu_img_writes_is_read(name: str, disk: Path, tmp_path: Path) -> None:
    """Container told by content; every byte, in one go and in odd pieces; the file unchanged."""
    container, options = CONTAINERS[name]
    path = tmp_path / "image"
    run(QEMU_IMG, ["convert", "-f", "raw", *options, disk, path])
    before = hashlib.sha256(path.read_bytes()).digest()
    data = disk.read_bytes()
    assert container_of(path) is container
    with open_image(path) as image:
        assert image.size in (SIZE, -(-SIZE // (64 * KIB)) * 64 * KIB)
        assert image.read(0, SIZE) == data
        source = random.Random(2)
        for _ in range(300):
            at, length = source.randrange(SIZE), source.randrange(1, 200 * KIB)
            assert image.read(at, length)[: SIZE - at] == data[at : at + length]
        assert len(image.read(image.size - 10, 100)) == 10
    assert hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ("raw", "vhd-fixed")])
def test_an_image_that_is_cut_off(name: str, disk: Path, tmp_path: Path) -> None:
    """Refused when it is opened or when what is missing is read; never another exception."""
    container, options = CONTAINERS[name]
    path = tmp_path / "image"
    run(QEMU_IMG, ["convert", "-f", "raw", *options, disk, path])
    whole = path.read_bytes()
    for length in (100, 600, 70_000, len(whole) // 2):
        path.write_bytes(whole[:length])
        if container_of(path) is not container:
            continue
        with pytest.raises(MediaError, match="is damaged"), open_image(path) as image:
            image.read(0, image.size)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-f", "qcow2", "-b", "base.raw", "-F", "raw"], "it lies above a backing file"),
        (["-f", "qcow2", "-o", "data_file=data"], "its data are in another file"),
        (["-f", "qcow2", "-o", "extended_l2=on"], "it has subclusters"),
        (["-f", "qcow2", "-o", "compression_type=zstd"], "its clusters are compressed with zstd"),
        (["-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk"], "only the differences"),
        (["-f", "vmdk", "-o", "subformat=monolithicFlat"], "data are in other files"),
    ],
)
def test_images_that_need_more(options: list[str], reason: str, tmp_path: Path) -> None:
    """Each is refused with what it needs and what to do."""
    run(QEMU_IMG, ["create", "-f", "raw", "base.raw", "1M"], cwd=tmp_path)
    run(QEMU_IMG, ["create", "-f", "vmdk", "base.vmdk", "1M"], cwd=tmp_path)
    run(QEMU_IMG, ["create", *options, "image", "1M"], cwd=tmp_path)
    with pytest.raises(MediaError, match=reason) as caught:
        open_image(tmp_path / "image").close()
    assert "qemu-img convert" in caught.value.hint


def test_a_file_that_is_empty_or_missing(tmp_path: Path) -> None:
    """One sentence each."""
    (tmp_path / "empty").touch()
    with pytest.raises(MediaError, match="is empty"):
        open_image(tmp_path / "empty")
    with pytest.raises(MediaError, match="does not exist"):
        open_image(tmp_path / "missing")


@pytest.mark.parametrize(
    "options",
    [
        ["-f", "qcow2", "-b", "secret.raw", "-F", "raw"],
        ["-f", "qcow2", "-o", "data_file=secret.raw,data_file_raw=on"],
        ["-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk"],
    ],
    ids=["backing", "data", "parent"],
)
def test_what_others_made_opens_no_file_of_this_machine(options: list[str], tmp_path: Path) -> None:
    """An image that names one is neither converted nor started: both would show its content."""
    (tmp_path / "base.raw").write_bytes(bytes(1 << 20))
    run(QEMU_IMG, ["convert", "-O", "vmdk", "base.raw", "base.vmdk"], cwd=tmp_path)
    run(QEMU_IMG, ["create", "-f", "raw", "secret.raw", "1M"], cwd=tmp_path)
    run(QEMU_IMG, ["create", *options, "image.img", "1M"], cwd=tmp_path)
    (tmp_path / "secret.raw").write_bytes(b"secret".ljust(1 << 20))
    with pytest.raises(MediaError, match=r"image.img has data in other files"):
        convert(tmp_path / "image.img", tmp_path / "made.raw", DiskFormat.RAW, False)
    assert not (tmp_path / "made.raw").exists()
    with pytest.raises(MediaError, match=r"image.img has data in other files"):
        plan_start(tmp_path / "image.img")
