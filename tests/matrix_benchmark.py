"""How long a matrix takes beside separate builds, with nothing to do, and for each stage.

``python -m tests.matrix_benchmark`` makes media of two editions (kept in the folder given with
``--folder``) and measures on the file system of that folder:

* ``separate``: 2 editions x 2 firmware x 3 containers, each with ``cloud-image``, one after the
  other; ``two at a time``: the same, as two shells would;
* ``matrix``: the same images with ``matrix``, into an empty cache;
* ``again``: the same matrix with nothing to do, and one of 100 cells;
* ``per stage``: what a matrix takes for a stage whose work is known. A matrix of publications, that
  only write a file of some lines, is made with one and with eleven of them on one processor; the
  tenth of the difference is what a stage costs, its work of milliseconds included.

Everything is done in processes of its own, as a user would. Of several rounds the median is shown.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fixtures.media import MediaSpec, make
from tests.benchmark import compile_package
from tests.integration.linux.build import MSI
from winimagetools.settings.declaration import parse_size

ROOT = Path(__file__).parents[1]
EDITIONS = ("SERVERSTANDARD", "SERVERDATACENTER")
FIRMWARE = ("BIOS", "UEFI")
CONTAINERS = ("QCOW2", "VHDX", "RAW")
STAGES = 10
"""How many stages more one matrix has than the other."""


@dataclass(frozen=True)
class Bench:
    """A folder with a medium, a configuration and matrices."""

    folder: Path

    def run(self, *words: str) -> None:
        """Run a command line; what it says is shown when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "winimagetools", "--quiet", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}:\n{done.stderr}")

    def write(self, name: str, text: str) -> None:
        """Write a matrix whose images and stages are in a folder called like it."""
        head = f'base = "config.ini"\nimages = "{name}/images"\ncache = "{name}/cache"\n'
        (self.folder / f"{name}.toml").write_text(head + text, encoding="utf-8")

    def clear(self, name: str) -> None:
        """Forget what was made."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def matrix(self, name: str) -> None:
        """Make one."""
        self.run("matrix", f"{name}.toml")


def lay_out(folder: Path, bulk: int) -> Bench:
    """The medium, unless it is there, and everything else."""
    folder.mkdir(parents=True, exist_ok=True)
    medium = folder / f"medium-{bulk}"
    if not medium.exists():
        make(MediaSpec(editions=("ServerStandard", "ServerDatacenter"), bulk=bulk), medium)
    (folder / "ci.msi").write_bytes(MSI)
    (folder / "config.ini").write_text(
        f"[DEFAULT]\nwim_file_path={medium}/install.wim\nimage_type=HYPER-V\n"
        "[vm]\ndisk_size=2GB\n[cloudbase_init]\nmsi_path=ci.msi\n"
    )
    bench = Bench(folder)
    bench.write(
        "twelve",
        f'[axes]\neditions = ["*"]\nfirmware = {list(FIRMWARE)}\ncontainers = {list(CONTAINERS)}\n',
    )
    bench.write("hundred", _targets(25, publish=0, axes='firmware = ["BIOS", "UEFI"]'))
    return bench


def _targets(count: int, *, publish: int, axes: str = "") -> str:
    """Targets with images of their own, the first of which are published."""
    edition = "*" if axes else "*STANDARD"
    lines = [f'[axes]\neditions = ["{edition}"]\n{axes}\n[limits]\njobs = 1\n']
    for number in range(count):
        lines.append(f'[target.t{number:02}]\ncontainer = "VHDX"\n')
        if number < publish:
            lines.append('publish = "hyperv"\nwith = { switch = "external" }\n')
    return "".join(lines)


def separate(bench: Bench, shells: int) -> None:
    """The twelve images, each on its own."""
    bench.clear("separate")
    (bench.folder / "separate").mkdir()

    def build(cell: tuple[str, str, str]) -> None:
        edition, firmware, container = cell
        options = {
            "image_name": f"Windows Server 2022 {edition}",
            "disk_layout": firmware,
            "virtual_disk_format": container,
            "image_path": f"separate/{edition}-{firmware}.{container.lower()}",
        }
        words = [f"--set={key}={value}" for key, value in options.items()]
        bench.run("cloud-image", "config.ini", *words)

    with ThreadPoolExecutor(shells) as pool:
        list(pool.map(build, itertools.product(EDITIONS, FIRMWARE, CONTAINERS)))


def timed(action: Callable[[], None]) -> float:
    """Seconds of an action, which does not wait for what the one before left to be written."""
    os.sync()
    began = time.monotonic()
    action()
    return time.monotonic() - began


def twelve(bench: Bench) -> dict[str, float]:
    """One round of the twelve images, each way."""
    bench.clear("twelve")
    return {
        "separate": timed(lambda: separate(bench, 1)),
        "two at a time": timed(lambda: separate(bench, 2)),
        "matrix": timed(lambda: bench.matrix("twelve")),
        "again": timed(lambda: bench.matrix("twelve")),
    }


def per_stage(bench: Bench) -> dict[str, float]:
    """One round of publications; their images are made beforehand."""
    took = {}
    for name, count in (("one", 1), ("eleven", 1 + STAGES)):
        bench.clear(name)
        bench.write(name, _targets(1 + STAGES, publish=0))
        bench.matrix(name)
        bench.write(name, _targets(1 + STAGES, publish=count))
        took[name] = timed(lambda name=name: bench.matrix(name))  # type: ignore[misc]
    return {**took, "per stage": (took["eleven"] - took["one"]) / STAGES}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where everything is made")
    parser.add_argument("--bulk", default="0", help="bytes of further files in each edition")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=("twelve", "hundred", "stage"), action="append")
    given = parser.parse_args(arguments)
    compile_package()
    only = given.only or ["twelve", "hundred", "stage"]
    bench = lay_out(given.folder, parse_size(given.bulk) if given.bulk != "0" else 0)
    rounds: list[dict[str, float]] = []
    if "hundred" in only:
        bench.matrix("hundred")
    for _ in range(given.rounds):
        took = twelve(bench) if "twelve" in only else {}
        if "hundred" in only:
            took["again, 100 cells"] = timed(lambda: bench.matrix("hundred"))
        rounds.append({**took, **(per_stage(bench) if "stage" in only else {})})
    for name in rounds[0]:
        middle = statistics.median(took[name] for took in rounds)
        ratio = ""
        if name in ("matrix", "two at a time"):
            alone = statistics.median(took["separate"] for took in rounds)
            ratio = f"  {middle / alone:5.2f} x separate"
        sys.stdout.write(f"{name:18} {middle:7.2f} s{ratio}\n")


if __name__ == "__main__":
    main()
