"""``winimagetools boot``: a real QEMU starts an image and leaves it as it was."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import guest, media
from fixtures.virtio import write_iso
from tests.integration.linux.build import Job
from tests.integration.linux.processes import machines
from tests.integration.linux.test_vm import wait_until
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.files.copy import copy_file
from winimagetools.files.sparse import extents
from winimagetools.output.convert import QEMU_IMG
from winimagetools.run import run

MEMORY = ("--memory", "256MB")


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """What all of these tests need."""
    program("qemu-system-x86_64", "qemu-system-x86")


def digest(path: Path) -> list[tuple[int, str]]:
    """Where a sparse file has data, and the SHA-256 of each piece."""
    with path.open("rb") as file:
        found = []
        for part in extents(file.fileno()):
            if part.offset is not None:
                file.seek(part.offset)
                data = file.read(part.length)
                found.append((part.offset, hashlib.sha256(data).hexdigest()))
    return found


def own(image: Path, folder: Path) -> Path:
    """A copy of an image and its report, to be changed."""
    shutil.copytree(f"{image}.report", folder / f"{image.name}.report")
    copy_file(image, folder / image.name)
    return folder / image.name


def dry_run(image: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """The command that would be run."""
    capsys.readouterr()
    assert main(["boot", str(image), "--dry-run", "--accel", "tcg", *more]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("layout", ["BIOS", "UEFI"])
def test_it_runs_until_the_guest_powers_off(
    layout: str, images: Callable[[str], Path], tmp_path: Path
) -> None:
    """The guest starts and powers off; its image has the same bytes and the same time."""
    image = own(images(layout), tmp_path)
    guest.play(image, guest.BEGUN, guest.DONE)
    before = digest(image), image.stat().st_mtime_ns
    assert main(["boot", str(image), "--accel", "tcg", "--screen", "vnc", *MEMORY]) == 0
    assert (digest(image), image.stat().st_mtime_ns) == before


def test_ctrl_c(images: Callable[[str], Path], tmp_path: Path, nothing_left: Path) -> None:
    """A viewer is told where to look; Ctrl-C ends all of it, and nothing is left."""
    image = own(images("BIOS"), tmp_path)
    guest.play(image, guest.BEGUN, "hang")
    words = ["boot", str(image), "--accel", "tcg", "--screen", "vnc", *MEMORY]
    process = subprocess.Popen(
        [sys.executable, "-m", "winimagetools", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    said = next(line for line in process.stderr if "VNC viewer" in line)
    host, _, port = said.partition(" at ")[2].split()[0].partition(":")
    assert host == "127.0.0.1"
    greeting = [sys.executable, "-c", VIEWER, port]
    assert subprocess.run(greeting, capture_output=True, check=True).stdout.startswith(b"RFB ")
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(3) == 130
    process.stderr.close()
    wait_until(lambda: machines(nothing_left) == [])
    assert time.monotonic() - began < 3


VIEWER = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as viewer:
    sys.stdout.buffer.write(viewer.recv(12))
"""


def test_the_machine_of_its_report(
    tmp_path: Path,
    install_media: Callable[[media.MediaSpec], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Disk and network devices by the drivers inside, a TPM for Server 2025, no Secure Boot for a
    boot manager that nobody signed; without its report the disk tells the same, and of the network
    what is installed by then.
    """
    program("swtpm", "swtpm")
    wim = install_media(media.MediaSpec("2025", editions=("ServerStandard",)))
    options = {
        "DEFAULT.image_name": "Windows Server 2025 SERVERSTANDARD",
        "drivers.virtio_iso_path": write_iso(tmp_path / "virtio.iso", "0.1.285"),
    }
    job = Job(tmp_path, wim, options)
    assert job.build() == 0
    with_report = dry_run(job.image, capsys)
    for word in ("virtio-blk-pci", "virtio-net-pci", "tpm-crb", "snapshot=on", "smm=off"):
        assert word in with_report
    report = job.image.with_name(f"{job.image.name}.report")
    machine = json.loads((report / "report.json").read_text())["machine"]
    assert machine == {
        "generation": 2,
        "secure_boot": False,
        "tpm": True,
        "disk": "virtio-blk",
        "virtio_network": True,
    }
    assert "tpm-crb" not in dry_run(job.image, capsys, "--no-tpm")
    shutil.rmtree(report)
    without = dry_run(job.image, capsys)
    assert without == with_report.replace("virtio-net-pci", "e1000e")


def test_containers(
    images: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the file is counts, not what it is called."""
    image = tmp_path / "win.img"
    run(QEMU_IMG, ["convert", "-O", "vhdx", images("BIOS"), image])
    command = dry_run(image, capsys)
    assert "format=vhdx,snapshot=on" in command
    assert "-machine pc " in command


def test_refusals(
    images: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrapped, missing, empty, and with a damaged report: one message each, and nothing runs."""
    wrapped = tmp_path / "win.raw.gz"
    wrapped.write_bytes(b"\x1f\x8b")
    empty = tmp_path / "empty.raw"
    empty.touch()
    damaged = tmp_path / "win.raw"
    os.link(images("BIOS"), damaged)
    report = shutil.copytree(f"{images('BIOS')}.report", f"{damaged}.report")
    path = Path(report, "report.json")
    path.write_text(path.read_text().replace('"disk": "sata"', '"disk": "floppy"'))
    for image, says in (
        (wrapped, "is wrapped"),
        (tmp_path / "none.raw", "does not exist"),
        (empty, "is empty"),
        (damaged, "report beside .* is damaged"),
    ):
        capsys.readouterr()
        assert main(["boot", str(image), "--accel", "tcg"]) in (1, 2)
        said = " ".join(capsys.readouterr().err.split())
        assert re.search(says, said), said
