"""How long whole builds take beside what they cannot do without, and beside other ways.

``python -m tests.benchmark`` makes stand-in media (once, kept in the folder given with
``--folder``) and measures on the file system of that folder:

* the programs anybody has: ``wimlib-imagex apply`` of the image into an NTFS file, the same and
  ``qemu-img convert -W -m 16``, the same and ``tar cS | pigz -p 2``; nothing of that is flushed;
* whole builds, flushed and complete: RAW, QCOW2 with and without its checksum, VHDX, VMDK, a
  fixed VHD, tar.gz, and RAW from an ISO; but for one of them the SHA-256 of the medium is known
  from a build before;
* a finished image: all its checks, RAW and QCOW2, and ``shrink`` of the RAW one;
* with ``--growth`` also RAW builds of 1 and 4 GiB of files, and of 5,000 and 60,000 files.

All of them run once in each round, one after the other, so that whatever else the machine does
falls on all of them. Memory is measured in a round of its own, as looking at it takes time. Printed
are medians, the ratio to what each is compared with, the most memory all of its processes had
together at one time, and the most disk space in use beside the result.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import winimagetools
from fixtures.media import MediaFormat, MediaSpec, make
from tests.integration.linux.build import Job
from winimagetools.files.copy import copy_file
from winimagetools.files.digests import DigestMemory
from winimagetools.log import size as show_size
from winimagetools.model import GIB, MIB
from winimagetools.net.cache import default_cache
from winimagetools.settings.declaration import parse_size

_APPLY = 'mkntfs -F -f -q "$1" && wimlib-imagex apply "$2" 1 "$1" --quiet'
_CONVERT = ' && qemu-img convert -W -m 16 -f raw -O qcow2 "$1" "$1.qcow2"'
_PACK = ' && tar -C "$(dirname "$1")" -cS "$(basename "$1")" | pigz -p 2 > "$1.tar.gz"'
_WATCH = 0.1
"""Seconds between two looks at memory and disk space."""


@dataclass(frozen=True)
class Result:
    """One run: seconds, most bytes of memory, most disk bytes in use beside the result."""

    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class Contestant:
    """Something to measure.

    Args:
        name: what the table calls it.
        run: does it once; told whether to look at its memory.
        against: name of what it is compared with; empty for none.
    """

    name: str
    run: Callable[[bool], Result]
    against: str = ""


def disk_use(folder: Path) -> int:
    """Bytes that all files below a folder occupy; a file shown through FUSE occupies none."""
    total, device = 0, folder.stat().st_dev
    for parent, _, names in os.walk(folder):  # which files and folders leave meanwhile
        for name in names:
            with suppress(OSError):
                status = Path(parent, name).lstat()
                total += status.st_blocks * 512 if status.st_dev == device else 0
    return total


def family(process: int) -> list[int]:
    """A process and all that it started, which may end meanwhile."""
    found = [process]
    for each in found:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").glob("*/children"):
                found += map(int, task.read_text().split())
    return found


def memory_of(processes: Sequence[int]) -> int:
    """Bytes of memory processes have together.

    What they share counts once: the proportional part of each (proc_pid_smaps(5)), and files in
    memory as a whole, whether or not anybody has mapped them.
    """
    total, files = 0, dict[int, int]()
    for process in processes:
        with suppress(OSError):
            for mapping in re.split(
                r"(?m)^(?=[0-9a-f]+-)", Path(f"/proc/{process}/smaps").read_text()
            ):
                if share := re.search(r"(?m)^Pss: +([0-9]+) kB", mapping):
                    total += 0 if " /memfd:" in mapping else int(share[1]) * 1024
            for name in Path(f"/proc/{process}/fd").iterdir():
                if str(name.readlink()).startswith("/memfd:"):
                    status = name.stat()
                    files[status.st_ino] = status.st_blocks * 512
    return total + sum(files.values())


def measure(argv: Sequence[str | Path], folder: Path, look: bool) -> Result:
    """Run a program that leaves its result in a folder, and empty that. Exits when it fails.

    Args:
        argv: its command line.
        folder: where the result goes.
        look: look at the memory of its processes, which makes it slower.
    """
    most = memory = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most, memory
        while not done.wait(_WATCH):
            most = max(most, disk_use(folder))
            memory = max(memory, memory_of(family(process.pid)) if look else 0)

    os.sync()
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.stdout.read() if process.stdout is not None else ""
    status = process.wait()
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    if status:
        sys.exit(f"{argv[0]} failed:\n{output}")
    beside = max(most - disk_use(folder), 0)
    shutil.rmtree(folder)
    folder.mkdir()
    return Result(seconds, memory, beside)


@dataclass(frozen=True)
class Bench:
    """What all runs share.

    Args:
        work: an empty folder to work in.
        disk_size: bytes of the disk.
        new_media: builds do not know the SHA-256 of their medium.
    """

    work: Path
    disk_size: int
    new_media: bool = False

    def shell(self, script: str, wim: Path) -> Callable[[bool], Result]:
        """A script that gets the NTFS file to make and the WIM."""
        volume = self.work / "floor.ntfs"
        path = f"PATH={os.environ['PATH']}:/usr/sbin:/sbin"

        def run(look: bool) -> Result:
            with volume.open("wb") as file:
                file.truncate(self.disk_size)
            return measure(["env", path, "sh", "-c", script, "sh", volume, wim], self.work, look)

        return run

    def build(
        self, medium: Path, ending: str, *more: str, **options: str
    ) -> Callable[[bool], Result]:
        """A whole build."""

        def run(look: bool) -> Result:
            values: dict[str, object] = {
                "DEFAULT.image_path": self.work / f"image.{ending}",
                "vm.disk_size": self.disk_size,
                **{f"DEFAULT.{name}": value for name, value in options.items()},
            }
            config = str(Job(self.work, medium, values).write())
            argv = [sys.executable, "-m", "winimagetools", "cloud-image", config, *more]
            forgets = ["env", f"XDG_CACHE_HOME={self.work / 'cache'}"] if self.new_media else []
            return measure([*forgets, *argv], self.work, look)

        return run


def contestants(bench: Bench, wim: Path, iso: Path) -> list[Contestant]:
    """Everything that is measured in each round."""
    floor, converted, packed = "apply", "apply + qemu-img convert", "apply + tar | pigz"
    build = bench.build
    qcow2 = {"virtual_disk_format": "QCOW2"}
    fixed = {"virtual_disk_format": "VHD", "vhd_subformat": "fixed"}
    tar_gz = {"virtual_disk_format": "RAW", "compression_format": "tar.gz"}
    return [
        Contestant(floor, bench.shell(_APPLY, wim)),
        Contestant(converted, bench.shell(_APPLY + _CONVERT, wim)),
        Contestant(packed, bench.shell(_APPLY + _PACK, wim)),
        Contestant("RAW", build(wim, "raw"), floor),
        Contestant("RAW of a new medium", replace(bench, new_media=True).build(wim, "raw"), "RAW"),
        Contestant("RAW by libwim", build(wim, "raw", apply_engine="libwim"), floor),
        Contestant("RAW from an ISO", build(iso, "raw"), "RAW"),
        Contestant("QCOW2", build(wim, "qcow2", **qcow2), converted),
        Contestant(
            "QCOW2 without checksum", build(wim, "qcow2", "--no-checksum", **qcow2), converted
        ),
        Contestant("VHDX", build(wim, "vhdx", virtual_disk_format="VHDX"), "RAW"),
        Contestant("VMDK", build(wim, "vmdk", virtual_disk_format="VMDK"), "RAW"),
        Contestant("fixed VHD", build(wim, "vhd", **fixed), "RAW"),
        Contestant("tar.gz of RAW", build(wim, "raw.tar.gz", **tar_gz), packed),
    ]


def looking(folder: Path, bench: Bench, wim: Path) -> list[Contestant]:
    """A finished image looked at, and made smaller; it is built once, when one is measured."""
    start = [sys.executable, "-m", "winimagetools"]

    def check(disk_format: str) -> Callable[[bool], Result]:
        return lambda look: measure(
            [*start, "test-image", finished(folder, bench, wim, disk_format)], bench.work, look
        )

    def shrink(look: bool) -> Result:
        copy = bench.work / "shrunk.raw"
        copy_file(finished(folder, bench, wim, "raw"), copy)
        return measure([*start, "shrink", copy], bench.work, look)

    return [
        Contestant("test-image of RAW", check("raw")),
        Contestant("test-image of QCOW2", check("qcow2")),
        Contestant("shrink of RAW", shrink),
    ]


def finished(folder: Path, bench: Bench, wim: Path, disk_format: str) -> Path:
    """An image in a container, made once."""
    raw, qcow2 = folder / "finished.raw", folder / "finished.qcow2"
    if not qcow2.exists():
        print("Making a finished image once", flush=True)
        values: dict[str, object] = {"DEFAULT.image_path": raw, "vm.disk_size": bench.disk_size}
        assert Job(folder, wim, values).build("--no-checksum") == 0
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, qcow2], check=True)
    return raw if disk_format == "raw" else qcow2


def growing(folder: Path, work: Path) -> list[Contestant]:
    """The same build with more bytes, and with more files."""
    specs = {
        "1 GiB": MediaSpec(editions=("ServerStandard",), bulk=GIB),
        "4 GiB": MediaSpec(editions=("ServerStandard",), bulk=4 * GIB),
        "5000 files": MediaSpec(editions=("ServerStandard",), files=5_000),
        "60000 files": MediaSpec(editions=("ServerStandard",), files=60_000),
    }
    before = {"4 GiB": "RAW of 1 GiB", "60000 files": "RAW of 5000 files"}
    bench = Bench(work, 6 * GIB)
    return [
        Contestant(
            f"RAW of {name}",
            bench.build(medium(folder, name, spec), "raw", virtual_disk_format="RAW"),
            before.get(name, ""),
        )
        for name, spec in specs.items()
    ]


def medium(folder: Path, name: str, spec: MediaSpec) -> Path:
    """A medium that is made once."""
    path = folder / f"{name.replace(' ', '-')}.{spec.media_format}"
    if not path.exists():
        print(f"Making a medium once: {path.name}", flush=True)
        make(spec, folder / "media").rename(path)
    return path


def report(
    results: dict[str, list[Result]], measured: Sequence[Contestant], memory: dict[str, int]
) -> None:
    """Print medians, ratios, memory and disk."""
    medians = {
        name: statistics.median(result.seconds for result in runs) for name, runs in results.items()
    }
    print(f"\n| {'what':26} | seconds | ratio | to {'':22} | memory MiB | disk beside MiB |")
    print(f"|{'-' * 28}|{'-' * 9}|{'-' * 7}|{'-' * 27}|{'-' * 12}|{'-' * 17}|")
    for each in measured:
        ratio = f"{medians[each.name] / medians[each.against]:.2f}" if each.against else ""
        disk = max(result.disk for result in results[each.name]) / MIB
        print(
            f"| {each.name:26} | {medians[each.name]:7.2f} | {ratio:>5} | {each.against:25} "
            f"| {memory[each.name] / MIB:10.0f} | {disk:15.0f} |"
        )


def compile_package() -> None:
    """Leave the package as pip installs it: where nothing may be kept, each process compiles it."""
    compileall.compile_dir(Path(winimagetools.__file__).parent, quiet=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmark"))
    parser.add_argument("--bulk", type=parse_size, default=2 * GIB, help="bytes of files")
    parser.add_argument("--files", type=int, default=60_000, help="how many there are at least")
    parser.add_argument("--disk-size", type=parse_size, default=20 * GIB)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="names to measure, joined by commas")
    parser.add_argument("--growth", action="store_true", help="more bytes and more files as well")
    options = parser.parse_args(arguments)
    compile_package()
    folder: Path = options.folder.absolute()
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    name = f"{show_size(options.bulk)} in {options.files} files"
    wim_spec = MediaSpec(editions=("ServerStandard",), bulk=options.bulk, files=options.files)
    iso_spec = replace(wim_spec, media_format=MediaFormat.ISO)
    wim, iso = medium(folder, name, wim_spec), medium(folder, name, iso_spec)
    for path in (wim, iso):
        DigestMemory(default_cache() / "digests").of(path, {"": path})
    measured = contestants(Bench(work, options.disk_size), wim, iso)
    measured += looking(folder, Bench(work, options.disk_size), wim)
    if options.only:
        wanted = {each.strip() for each in options.only.split(",")}
        if unknown := wanted - {each.name for each in measured}:
            sys.exit(f"Nothing is called {', '.join(sorted(unknown))}.")
        for each in reversed(measured):  # what is compared with stands in front
            wanted |= {each.against} if each.name in wanted else set()
        measured = [each for each in measured if each.name in wanted]
    if options.growth:
        measured += growing(folder, work)
    results: dict[str, list[Result]] = {each.name: [] for each in measured}
    for number in range(1, options.rounds + 1):
        print(f"Round {number} of {options.rounds}", flush=True)
        for each in measured:
            results[each.name].append(each.run(False))
            print(f"  {each.name}: {results[each.name][-1].seconds:.2f} s", flush=True)
    print("Memory", flush=True)
    report(results, measured, {each.name: each.run(True).memory for each in measured})
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
