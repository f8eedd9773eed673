"""Matrices of stand-in media, made by Snakemake on this machine."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import guest
from fixtures.boot_proof import boot
from fixtures.media import MediaSpec
from fixtures.played import Played, finish
from fixtures.virtio import package_files
from tests.integration.linux.build import MSI
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.host.linux import linux_host
from winimagetools.matrix.outcome import CellOutcome
from winimagetools.matrix.stages import IMAGE, OFFLINE
from winimagetools.matrix.store import record_of
from winimagetools.workflows.matrix import again
from winimagetools.workflows.matrix.run import Engine, MatrixReport, decide_matrix, make_matrix

STAGE = ("tests.integration.linux.matrix_stage",)
ROOT = Path(__file__).parents[3]
AXES = """
[axes]
editions = ["*"]
firmware = ["BIOS", "UEFI"]
containers = ["QCOW2", "VHDX", "RAW"]
[[when]]
firmware = "UEFI"
options = { drivers.drivers_path = "drivers" }
"""


@pytest.fixture
def folder(
    tmp_path: Path, install_media: Callable[[MediaSpec], Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder, with a base configuration, drivers and a medium of two editions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    wim = install_media(MediaSpec(editions=("ServerStandard", "ServerDatacenter")))
    (tmp_path / "ci.msi").write_bytes(MSI)
    for path, data in package_files("x", "0.1.285", "viostor", "2k22", "amd64").items():
        (tmp_path / "drivers" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "drivers" / path).write_bytes(data)
    (tmp_path / "config.ini").write_text(
        f"[DEFAULT]\nwim_file_path={wim}\nimage_type=KVM\n[vm]\ndisk_size=2GB\naccel=tcg\n"
        "external_switch=none\nram_size=512MB\n[cloudbase_init]\nmsi_path=ci.msi\n"
    )
    return tmp_path


def write(folder: Path, text: str = AXES, head: str = "") -> Path:
    """A matrix whose stages are kept in the folder."""
    path = folder / "matrix.toml"
    path.write_text(f'base = "config.ini"\ncache = "cache"\n{head}\n{text}')
    return path


def make(path: Path, *choices: str, keep_going: bool = True) -> MatrixReport:
    """Run a matrix."""
    return make_matrix(path, choices, engine=Engine(keep_going, stage=STAGE))


def count(report: MatrixReport, status: str) -> dict[str, int]:
    """How many stages of each kind ended so."""
    kinds = [stage.name.partition("-")[0] for stage in report.stages if stage.status == status]
    return {kind: kinds.count(kind) for kind in kinds}


def named(report: MatrixReport, status: str) -> list[str]:
    """The cells with this status."""
    return [cell.name for cell in report.cells if cell.status == status]


def cell(report: MatrixReport, name: str) -> CellOutcome:
    """One of them."""
    return next(cell for cell in report.cells if cell.name == name)


def test_a_matrix(folder: Path) -> None:
    """One cell fails, the others are made; then only what is missing; then what changed."""
    path = write(folder)
    broken = "windows-server-2022-serverdatacenter-uefi-vhdx"
    (folder / "fail").write_text(f"{broken}\n")
    first = make(path)
    assert named(first, "failed") == [broken]
    assert len(named(first, "made")) == 11
    assert count(first, "made") == {OFFLINE: 4, IMAGE: 11}
    assert "No space left on the moon" in cell(first, broken).message
    assert first.logs is not None
    assert any("No space left" in log.read_text() for log in first.logs.iterdir())
    page = first.overview.read_text(encoding="utf-8")
    assert "No space left on the moon" in page
    assert page.count(">report</a>") == 11
    images = {cell.name: Path(cell.image) for cell in first.cells if cell.image}
    assert boot(images["windows-server-2022-serverstandard-uefi-qcow2"], "qcow2", "uefi").started
    assert main(["verify", str(images["windows-server-2022-serverstandard-bios-vhdx"])]) == 0
    assert main(["cache", "verify", "--cache", str(folder / "cache")]) == 0

    (folder / "fail").unlink()
    second = make(path)
    assert count(second, "made") == {IMAGE: 1}
    assert (named(second, "made"), len(named(second, "reused"))) == ([broken], 11)
    assert make(path).stages == ()

    (driver,) = (folder / "drivers").rglob("*.sys")
    driver.write_bytes(driver.read_bytes() + b"\0")
    decided = decide_matrix(path)
    why = {item.why for cell in decided.decisions.values() for item in cell if item.why}
    assert why == {
        "has other inputs: content of drivers_path",
        "has other inputs: its offline disk",
    }
    third = make(path)
    assert count(third, "made") == {OFFLINE: 2, IMAGE: 6}
    assert all("-uefi-" in name for name in named(third, "made"))
    assert len(named(third, "reused")) == 6
    assert sorted(item.name for item in folder.iterdir()) == [
        "cache",
        "ci.msi",
        "config.ini",
        "drivers",
        "images",
        "matrix.toml",
    ]


def test_what_is_damaged_is_made_again(folder: Path) -> None:
    """An image and a disk that were written to, and an image that is gone."""
    path = write(folder, '[axes]\neditions = ["*STANDARD"]\ncontainers = ["QCOW2", "VHDX"]')
    assert count(make(path, "container=VHDX"), "made") == {OFFLINE: 1, IMAGE: 1}
    page = (folder / "images" / "matrix.html").read_text()
    assert ("<b>1</b>made" in page, "<b>1</b>not made" in page) == (True, True)
    first = make(path)
    assert count(first, "made") == {IMAGE: 1}
    qcow2, vhdx = (Path(cell.image) for cell in first.cells)
    qcow2.unlink()
    assert count(make(path), "made") == {IMAGE: 1}
    with vhdx.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"scratch")
    decided = decide_matrix(path)
    assert [item.why for item in decided.decisions[first.cells[1].name]] == ["", "is damaged"]
    (disk,) = (folder / "cache" / "stages").glob("offline-*/disk.raw")
    with disk.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"scratch")
    assert count(make(path), "made") == {OFFLINE: 1, IMAGE: 1}
    assert main(["cache", "verify", "--cache", str(folder / "cache")]) == 0


def test_a_killed_run_resumes(folder: Path) -> None:
    """``kill -9`` ends every stage too; the next run makes what was not complete."""
    path = write(folder)
    words = [sys.executable, "-m", "winimagetools", "matrix", str(path), "--json"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 120
        while not list((folder / "cache" / "stages").glob("image-*")):
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while running := _processes(folder):
        assert time.monotonic() < deadline, running
        time.sleep(0.1)
    complete = len(list((folder / "cache" / "stages").iterdir()))
    assert 2 <= complete < 16
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["stages"] == {"made": 16 - complete, "reused": 0, "failed": 0}
    assert len({cell["image"] for cell in record["cells"]}) == 12
    assert list((folder / "cache" / "work").iterdir()) == []
    assert list((folder / "cache" / "runs").iterdir()) == []


def _processes(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str((path.parent / "cwd").readlink())
        except OSError:
            continue
        if path.parent.name != str(os.getpid()) and str(folder) in f"{text} {where}":
            found.append(text)
    return found


def test_two_builders_at_once(folder: Path) -> None:
    """Each stage is made by one of them, and both have all images."""
    path = write(folder, '[axes]\neditions = ["*STANDARD"]\ncontainers = ["QCOW2", "VHDX"]')
    words = [sys.executable, "-m", "winimagetools", "matrix", str(path), "--json"]
    builders = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [builder.communicate(timeout=120) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], told
    records = [json.loads(output) for output, _ in told]
    assert sum(record["stages"]["made"] for record in records) == 3
    assert records[0]["cells"][0]["sha256"] == records[1]["cells"][0]["sha256"]
    assert all(cell["status"] in ("made", "reused") for r in records for cell in r["cells"])
    assert list((folder / "cache" / "claims").iterdir()) == []


def test_a_hundred_cells_with_nothing_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stage is looked into that has not changed, and Snakemake is not started."""
    targets = "".join(f"[target.t{number:02}]\n" for number in range(25))
    path = write(folder, f'[axes]\neditions = ["*"]\nfirmware = ["BIOS", "UEFI"]\n{targets}')
    decided = decide_matrix(path)
    stages = {stage.name: stage for plan in decided.matrix.cells for stage in plan.stages}
    assert len(stages) == 104
    for name, stage in stages.items():
        with decided.store.private(name) as private:
            file = Path(stage.target) if stage.target else private / "disk.raw"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"x")
            shown = stage.target or file.name
            record = record_of(file, shown, seconds=1, parts=dict(stage.parts))
            decided.store.commit(name, private, record)
    monkeypatch.setitem(sys.modules, "snakemake", None)
    began = time.monotonic()
    report = make_matrix(path)
    assert [cell.status for cell in report.cells] == ["reused"] * 100
    # On a quiet machine it takes one second; this is for one that has other things to do.
    assert time.monotonic() - began < 15


@contextmanager
def in_the_middle(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command that makes a matrix, while its first disk is being made."""
    words = [sys.executable, "-m", "winimagetools", "matrix", str(path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list((path.parent / "cache").glob("work/offline-*/.disk.raw.building")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process


def test_interrupted(folder: Path) -> None:
    """Ctrl-C lets the stages take away what they began."""
    path = write(folder)
    with in_the_middle(path) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=90)
    assert process.returncode == 130, said
    assert _processes(folder) == []
    assert list((folder / "cache" / "work").iterdir()) == []
    assert list((folder / "cache" / "runs").iterdir()) == []
    assert list((folder / "cache" / "claims").iterdir()) == []


def test_online(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine runs once for all containers; one that failed goes on where it was."""
    program("qemu-system-x86_64", "qemu-system-x86")
    path = write(
        folder,
        '[axes]\neditions = ["*STANDARD"]\ncontainers = ["QCOW2", "VHDX"]\nfirmware = ["BIOS"]',
        'workflow = "online"\n[options]\nvm.administrator_password = "secret"\n',
    )
    name = "windows-server-2022-serverstandard-bios-qcow2"
    (folder / "fail").write_text(f"{name}\n")
    first = make(path, keep_going=False)
    assert count(first, "made") == {OFFLINE: 1}
    assert [(cell.status, cell.message[:30]) for cell in first.cells] == [
        ("failed", cell(first, name).message[:30])
    ] * 2
    evidence = Path(cell(first, name).evidence)
    assert evidence.parent == folder / "cache" / "failed"
    assert (evidence / "disk.raw").is_file()
    assert str(evidence) in cell(first, name).hint
    assert "secret" not in "".join(
        item.read_text(errors="replace") for item in evidence.glob("*.json")
    )
    (folder / "fail").unlink()
    words = shlex.split(cell(first, name).hint.rpartition(": ")[2])
    assert words[:2] == ["winimagetools", "resume"]
    done = replace(linux_host(), vm=Played((guest.BEGUN, guest.DONE), finish))
    monkeypatch.setattr(again, "select_host", lambda: done)
    assert main(words[1:]) == 0
    assert main(words[1:]) == 2
    assert "was made in the meantime" in capsys.readouterr().err
    second = make(path)
    assert count(second, "made") == {IMAGE: 2}
    image = Path(cell(second, name).image)
    assert boot(image, "qcow2", "bios").started
    assert main(["verify", str(image)]) == 0
    steps = json.loads((Path(f"{image}.report") / "report.json").read_text())["steps"]
    names = [step["name"] for step in steps]
    assert names.count("Run the stage in the virtual machine") == 1
    assert main(["cache", "verify", "--cache", str(folder / "cache")]) == 0


def test_golden(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One golden image is installed for all targets, and a copy of it finished for each.

    A copy whose machine failed goes on where it was.
    """
    program("qemu-system-x86_64", "qemu-system-x86")
    path = write(
        folder,
        """
        [axes]
        editions = ["*STANDARD"]
        firmware = ["BIOS"]
        [target.kubevirt]
        container = "QCOW2"
        [target.hyper-v]
        container = "VHDX"
        options = { image_type = "HYPER-V" }
        """,
        'workflow = "golden"',
    )
    name = "windows-server-2022-serverstandard-bios-hyper-v"
    (folder / "fail").write_text(f"{name}\n")
    report = make(path)
    assert named(report, "failed") == [name]
    assert count(report, "made") == {OFFLINE: 1, "finished": 1, "golden": 1, IMAGE: 1}
    assert boot(Path(report.cells[0].image), "qcow2", "bios").started
    (folder / "fail").unlink()
    done = replace(linux_host(), vm=Played((guest.BEGUN, guest.DONE), finish))
    monkeypatch.setattr(again, "select_host", lambda: done)
    assert main(shlex.split(cell(report, name).hint.rpartition(": ")[2])[1:]) == 0
    second = make(path)
    assert [item.status for item in second.cells] == ["reused", "made"]
    assert count(second, "made") == {IMAGE: 1}
    assert main(["verify", cell(second, name).image]) == 0


def test_publication(folder: Path) -> None:
    """The commands for each target lie beside its image."""
    path = write(
        folder,
        """
        [axes]
        editions = ["*STANDARD"]
        [target.kubevirt]
        container = "QCOW2"
        publish = "containerdisk"
        with = { image = "registry.example/windows:{firmware}2022" }
        [target.plain]
        container = "RAW"
        """,
    )
    report = make(path)
    kubevirt, plain = report.cells
    script = Path(kubevirt.published).read_text()
    assert Path(kubevirt.image).name in script
    assert "registry.example/windows:2022" in script
    assert plain.published == ""
    assert count(report, "made") == {OFFLINE: 1, IMAGE: 2, "published": 1}


def test_everything_is_refused_before_anything_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All problems of all cells in one message, each with the cells that have it."""
    path = write(
        folder,
        """
        [axes]
        editions = ["*"]
        firmware = ["BIOS", "UEFI"]
        containers = ["QCOW2", "VHDX"]
        [options]
        custom.time_zone = "Mars/Olympus"
        [[when]]
        firmware = "UEFI"
        options = { drivers.drivers_path = "nowhere" }
        [[when]]
        container = "VHDX"
        options = { compression_format = "rar" }
        [target.cloud]
        publish = "nowhere"
        [target.office]
        publish = "hyperv"
        run = true
        """,
    )
    assert main(["matrix", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("Mars/Olympus") == 1
    assert said.count("The folder nowhere does not exist.") == 1
    assert "'rar' is not a compression format. (in " in said
    assert said.count("There is no target 'nowhere'. (in ") == 1
    assert said.count("Nothing brings images to Hyper-V here. (in ") == 1
    assert not (folder / "cache" / "runs").exists()
    assert list((folder / "cache" / "stages").iterdir()) == []
    # No medium was read either, which for a real one takes as long as a build.
    assert not (folder / "cache" / "digests").exists()


def test_without_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message with the command; listing needs no Snakemake, and so has everything else."""
    monkeypatch.setitem(sys.modules, "snakemake", None)
    path = write(folder)
    assert main(["matrix", str(path), "--list"]) == 0
    assert main(["matrix", str(path)]) == 3
    assert "pip install 'winimagetools[matrix]'" in capsys.readouterr().err
    assert list((folder / "cache" / "stages").iterdir()) == []


def test_a_wrong_engine_option(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What Snakemake says about it is shown."""
    path = write(folder, '[axes]\neditions = ["*STANDARD"]')
    assert main(["matrix", str(path), "--engine-option=--no-such-thing"]) == 1
    assert "--no-such-thing" in capsys.readouterr().err


def test_list_and_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cells with what would be made, as a table and for programs."""
    path = write(folder)
    assert main(["matrix", str(path), "--list", "--only", "edition=*standard container=raw"]) == 0
    lines = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Cell",
        "windows-server-2022-serverstandard-bios-raw",
        "windows-server-2022-serverstandard-uefi-raw",
    ]
    assert main(["matrix", str(path), "--list", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 12
    assert {stage["decision"] for record in records for stage in record["stages"]} == {"make"}
    offline = {record["stages"][0]["sha256"] for record in records}
    assert len(offline) == 4
    assert not (folder / "images").exists()
