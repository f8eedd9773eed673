"""How long a whole offline build takes beside what it cannot do without.

``python -m tests.benchmark`` makes a stand-in medium with 2 GiB of files (once, kept in the
folder given with ``--folder``) and then measures in turn, on the same file system:

* ``wimlib-imagex apply`` of the image into an NTFS file: the floor for a RAW image,
* a whole build to RAW without its checksum, and how long the checksum takes,
* ``wimlib-imagex apply`` and ``qemu-img convert`` in a row: the floor for a QCOW2 image,
* a whole build to QCOW2.

Times are the smallest of several rounds; memory is the largest resident set of any process;
disk is the most that lay in the folder beside the finished image.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.media import MediaSpec, make
from tests.integration.linux.build import Job
from winimagetools.log import size as show_size
from winimagetools.model import GIB, MIB
from winimagetools.settings.declaration import parse_size


@dataclass(frozen=True)
class Result:
    """One measured program: seconds, peak resident bytes, most disk bytes in use, output."""

    seconds: float
    memory: int
    disk: int
    output: str


def disk_use(folder: Path) -> int:
    """Bytes that all files below a folder occupy."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def measure(argv: Sequence[str], folder: Path) -> Result:
    """Run a program to its end and measure it. Exits when the program fails."""
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            most = max(most, disk_use(folder))

    os.sync()
    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read() if process.stdout is not None else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    if status:
        sys.exit(f"{argv[0]} failed:\n{output}")
    return Result(seconds, usage.ru_maxrss * 1024, most, output)


def floor_of(wim: Path, folder: Path, size: int, *, convert: bool) -> Result:
    """The floor: an NTFS volume in a file, wimlib-imagex into it, and its conversion."""
    volume = folder / "floor.ntfs"
    with volume.open("wb") as file:
        file.truncate(size)
    script = 'mkntfs -F -f -q "$1" && wimlib-imagex apply "$2" 1 "$1" --quiet'
    if convert:
        script += ' && qemu-img convert -f raw -O qcow2 "$1" "$1.qcow2"'
    environment = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    result = measure(
        ["env", f"PATH={environment}", "sh", "-c", script, "sh", str(volume), str(wim)], folder
    )
    volume.unlink()
    volume.with_name("floor.ntfs.qcow2").unlink(missing_ok=True)
    return result


def build(wim: Path, folder: Path, size: int, disk_format: str) -> tuple[Result, float]:
    """A whole build, and the seconds of it that went into the checksum."""
    image = folder / f"image.{disk_format.lower()}"
    job = Job(
        folder,
        wim,
        {
            "DEFAULT.image_path": image,
            "DEFAULT.virtual_disk_format": disk_format,
            "vm.disk_size": size,
        },
    )
    argv = [sys.executable, "-m", "winimagetools", "cloud-image", str(job.write())]
    result = measure(argv, folder)
    image.unlink()
    match = re.search(r"^Compute the checksum: ([\d.]+) s$", result.output, re.MULTILINE)
    return result, float(match[1]) if match else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmark"))
    parser.add_argument("--bulk", type=parse_size, default=2 * GIB, help="files in the image")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    folder: Path = options.folder.absolute()
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    wim = folder / f"install-{options.bulk}.wim"
    if not wim.exists():
        print(f"Making a medium with {show_size(options.bulk)} of files, once")
        spec = MediaSpec(editions=("ServerStandard",), bulk=options.bulk)
        make(spec, folder / "media").rename(wim)
    size = (1 - (-options.bulk * 5 // 4 // GIB)) * GIB
    applied, raw, converted, qcow2 = [], [], [], []
    for number in range(1, options.rounds + 1):
        print(f"Round {number} of {options.rounds}", flush=True)
        applied.append(floor_of(wim, work, size, convert=False))
        raw.append(build(wim, work, size, "RAW"))
        converted.append(floor_of(wim, work, size, convert=True))
        qcow2.append(build(wim, work, size, "QCOW2"))
    report("RAW", "apply", applied, raw)
    report("QCOW2", "apply + convert", converted, qcow2)
    memory = max(result.memory for result, _ in [*raw, *qcow2])
    print(f"{'peak memory of a build':32}{memory / MIB:8.0f} MiB")
    shutil.rmtree(work)


def report(
    disk_format: str, floor: str, floors: list[Result], builds: list[tuple[Result, float]]
) -> None:
    """Print what was measured for one format."""
    least = min(result.seconds for result in floors)
    built = min(result.seconds - checksum for result, checksum in builds)
    checksum = min(checksum for _, checksum in builds)
    disk = max(result.disk for result, _ in builds)
    print(f"{floor:32}{least:8.2f} s")
    print(f"{f'build to {disk_format}':32}{built:8.2f} s, {built / least:.2f} times the floor")
    print(f"{'  and its checksum':32}{checksum:8.2f} s")
    print(f"{'  most disk in use, image included':32}{disk / MIB:8.0f} MiB")


if __name__ == "__main__":
    main()
