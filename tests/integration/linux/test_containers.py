"""Containers made in place, judged by QEMU, on the file systems this machine lets us have."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import needs
from winimagetools import log
from winimagetools.files import sparse
from winimagetools.model import GIB, MIB, DiskFormat
from winimagetools.output.become import become

TIB = 1024 * GIB
CONTAINERS = (DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.VMDK, DiskFormat.VHD)
SIZES = [1, 511, 4096, 65536, 3 * MIB + 512, 100 * MIB + 12_345_600]
FILE_SYSTEMS = ["here", "xfs", "btrfs", "tmpfs"]


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """A folder on a file system of a kind; skips where that cannot be had."""
    if kind == "here":
        yield folder
        return
    if kind == "overlay":
        with mounted("ext4", folder) as place:
            yield from _laid_over(place)
        return
    image, point = folder / "file-system", folder / "mounted"
    point.mkdir()
    if kind == "tmpfs":
        options = ["-t", "tmpfs", "tmpfs"]
    else:
        packages = {"xfs": "xfsprogs", "btrfs": "btrfs-progs", "ext4": "e2fsprogs"}
        needs.program(f"mkfs.{kind}", packages[kind])
        with image.open("wb") as file:
            file.truncate(600 * MIB)
        subprocess.run([f"mkfs.{kind}", "-q", image], check=True)
        options = ["-o", "loop", str(image)]
    yield from _mounted(options, point)


def _laid_over(place: Path) -> Iterator[Path]:
    """What containers have: a folder that writes into another one."""
    lower, upper, work, point = (place / name for name in ("lower", "upper", "work", "point"))
    for folder in (lower, upper, work, point):
        folder.mkdir()
    folders = f"lowerdir={lower},upperdir={upper},workdir={work}"
    yield from _mounted(["-t", "overlay", "overlay", "-o", folders], point)


def _mounted(options: list[str], point: Path) -> Iterator[Path]:
    done = subprocess.run(["mount", *options, point], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{needs.MOUNT}: {done.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def make_raw(path: Path, size: int, seed: int) -> None:
    """A disk with data and holes of all sizes, up to half of it and 24 MiB."""
    noise, position = random.Random(seed), 0
    with path.open("wb") as file:
        file.truncate(size)
        written = 0
        while position < size and written < 24 * MIB:
            length = min(noise.choice([512, 4096, 70_000, 1_500_000]), size - position)
            file.seek(position)
            file.write(noise.randbytes(length))
            written += length
            position += length + noise.choice([0, 4096, 300_000, 2_000_000, 9_000_000])


def copy_of(raw: Path) -> Path:
    """What the container has to hold; holes kept."""
    copy = raw.with_name("copy.raw")
    subprocess.run(["cp", "--sparse=always", raw, copy], check=True)
    return copy


def qemu_img(*arguments: str | Path) -> str:
    """Run qemu-img."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_same(container: Path, disk_format: DiskFormat, raw: Path) -> None:
    """Every byte, and no complaint."""
    kind = disk_format.qemu_name
    if disk_format is not DiskFormat.VHD:  # qemu-img cannot check one
        check = json.loads(qemu_img("check", "-f", kind, "--output=json", container))
        assert {key: check.get(key, 0) for key in ("check-errors", "corruptions", "leaks")} == {
            "check-errors": 0,
            "corruptions": 0,
            "leaks": 0,
        }
    assert "identical" in qemu_img("compare", "-f", kind, "-F", "raw", container, raw)
    back = raw.with_name("back.raw")
    qemu_img("convert", "-f", kind, "-O", "raw", container, back)
    assert "identical" in qemu_img("compare", "-f", "raw", "-F", "raw", back, raw)
    back.unlink()


@pytest.mark.parametrize("disk_format", CONTAINERS)
@pytest.mark.parametrize("size", SIZES)
def test_every_size(tmp_path: Path, size: int, disk_format: DiskFormat) -> None:
    """Sizes that are no multiple of a cluster, a sector or anything."""
    needs.program("qemu-img", "qemu-utils")
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.x"
    make_raw(raw, size, size)
    copy = copy_of(raw)
    become(raw, made, disk_format, fixed=True)
    assert_same(made, disk_format, copy)
    assert sorted(tmp_path.iterdir()) == [copy, made]


@pytest.mark.parametrize("disk_format", CONTAINERS)
@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_every_file_system(
    tmp_path: Path,
    kind: str,
    disk_format: DiskFormat,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same disk everywhere, whichever way was taken, and one line says which."""
    needs.program("qemu-img", "qemu-utils")
    monkeypatch.setattr(log.LOGGER, "propagate", True)
    caplog.set_level("INFO")
    with mounted(kind, tmp_path) as folder:
        raw, made = folder / "disk.raw", folder / "disk.x"
        make_raw(raw, 150 * MIB, 5)
        copy = copy_of(raw)
        become(raw, made, disk_format, fixed=True, checksum=True)
        assert_same(made, disk_format, copy)
        assert made.exists() and not raw.exists()
        used = made.stat().st_blocks * 512
    fixed = disk_format is DiskFormat.VHD
    expected = {
        "here": "was made in place: what is empty was cut out",
        "xfs": "was made in place: what is empty was cut out",
        "btrfs": "was made in place: it shares the data of the raw disk",
        "tmpfs": "is copied: the file system of",
    }[kind]
    assert ("all of the disk stays" if fixed else expected) in caplog.text
    assert used < 40 * MIB


def assert_ends_agree(container: Path, kind: str, raw: Path) -> None:
    """The first and the last MiB, and one in the middle."""
    parts = []
    for file, name in ((container, kind), (raw, "raw")):
        reads = [f"read -v {at} 8192" for at in (0, TIB - 4096, 2 * TIB - 8192)]
        commands = [part for read in reads for part in ("-c", read)]
        done = subprocess.run(
            ["qemu-io", "-f", name, *commands, file], capture_output=True, check=True, text=True
        )
        parts.append([line for line in done.stdout.splitlines() if ":  " in line])
    assert len(parts[0]) == 3 * 512
    assert parts[0] == parts[1]


@pytest.mark.parametrize("disk_format", CONTAINERS[:3])
def test_2_tib_with_next_to_nothing_in_it(tmp_path: Path, disk_format: DiskFormat) -> None:
    """A disk that is far larger than what holds it."""
    needs.program("qemu-img", "qemu-utils")
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.x"
    with raw.open("wb") as file:
        file.truncate(2 * TIB)
        for position in (0, TIB, 2 * TIB - 4096):
            file.seek(position)
            file.write(os.urandom(4096))
    copy = copy_of(raw)
    become(raw, made, disk_format)
    kind = disk_format.qemu_name
    qemu_img("check", "-f", kind, made)
    assert json.loads(qemu_img("info", "-f", kind, "--output=json", made))["virtual-size"] == (
        2 * TIB
    )
    if disk_format is not DiskFormat.QCOW2:  # of the others QEMU would read all
        assert_ends_agree(made, kind, copy)
    else:
        assert "identical" in qemu_img("compare", "-f", kind, "-F", "raw", made, copy)
    assert made.stat().st_blocks * 512 < 30 * MIB


@pytest.mark.parametrize("disk_format", CONTAINERS)
def test_a_guest_can_write_to_it(tmp_path: Path, disk_format: DiskFormat) -> None:
    """Into what is there, into kept holes and into what was cut out; nothing else changes."""
    needs.program("qemu-io", "qemu-utils")
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.x"
    make_raw(raw, 90 * MIB, 11)
    copy = copy_of(raw)
    become(raw, made, disk_format, fixed=True)
    places = (0, 600 * 1024, 40 * MIB, 90 * MIB - 8192)
    commands = [part for at in places for part in ("-c", f"write -P 0x5a {at} 8192")]
    kind = disk_format.qemu_name
    subprocess.run(["qemu-io", "-f", kind, *commands, made], check=True, capture_output=True)
    with copy.open("r+b") as file:
        for at in places:
            file.seek(at)
            file.write(b"\x5a" * 8192)
    assert_same(made, disk_format, copy)


def test_interrupted_at_any_moment(tmp_path: Path) -> None:
    """Nothing has the final name before it is complete."""
    needs.program("qemu-img", "qemu-utils")
    script = (
        "import sys; from pathlib import Path; from winimagetools.model import DiskFormat;"
        "from winimagetools.output.become import become\n"
        "print('on', flush=True)\n"
        "become(Path(sys.argv[1]), Path(sys.argv[2]), DiskFormat.QCOW2)"
    )
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    copy = tmp_path / "copy.raw"
    make_raw(raw, 150 * MIB, 3)
    raw.rename(copy)
    complete = 0
    for delay in (0, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.5):
        subprocess.run(["cp", "--sparse=always", copy, raw], check=True)
        argv: list[str | Path] = [sys.executable, "-c", script, raw, made]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        if made.exists():
            assert_same(made, DiskFormat.QCOW2, copy)
            made.unlink()
            complete += 1
    assert complete >= 1


def test_most_holes_are_gone(tmp_path: Path) -> None:
    """The file is about as long as its data: who uploads it sends no zeros."""
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    make_raw(raw, 150 * MIB, 5)
    with raw.open("rb") as file:
        data = sum(e.length for e in sparse.extents(file.fileno()) if e.offset is not None)
    become(raw, made, DiskFormat.QCOW2)
    assert data < made.stat().st_size < data * 1.3
