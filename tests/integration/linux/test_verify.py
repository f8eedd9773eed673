"""``--verify``: a volume that contradicts itself never becomes an image."""

from __future__ import annotations

import json
import mmap
import struct
from pathlib import Path

import pytest

from fixtures.ntfs_editor import NtfsEditor
from tests.integration.linux.build import Job
from winimagetools.cli.main import main
from winimagetools.host.linux import disks
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.apply.parallel import Laid
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.model import MIB
from winimagetools.output.foretold import Foretell

STEP = "Verify the Windows volume"
CONTAINERS = {
    "raw": {},
    "qcow2": {"DEFAULT.virtual_disk_format": "QCOW2"},
    "vhd": {"DEFAULT.virtual_disk_format": "VHD"},
    "raw.tar.gz": {"DEFAULT.compression_format": "tar.gz"},
}
WINDOWS = {"UEFI": 117 * MIB, "BIOS": MIB}
"""Where the Windows volume begins."""


def make_job(folder: Path, wim: Path, ending: str = "raw", **more: str) -> Job:
    """A build into a container, over an older image."""
    image = folder / f"win.{ending}"
    image.write_bytes(b"an older image")
    values = {f"DEFAULT.{name}": value for name, value in more.items()}
    return Job(folder, wim, {"DEFAULT.image_path": image, **CONTAINERS[ending], **values})


def damage(path: Path, start: int = 0) -> int:
    """Let a file of Windows say that it has one more name than it has; the number of its record."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, offset=start) as volume:
        editor = NtfsEditor(volume)  # type: ignore[arg-type]
        number = editor.number_of("ntoskrnl.exe")

        def change(block: bytearray) -> None:
            links = struct.unpack_from("<H", block, 18)[0]
            struct.pack_into("<H", block, 18, links + 1)

        editor.change(number, change)
        return number


@pytest.fixture(params=["parallel", "libwim"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each of both engines."""
    return str(request.param)


@pytest.fixture
def damaging(engine: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Volumes are damaged when the engine is done with them; the records that are."""
    records: list[int] = []

    def write_and_damage(
        disk: LinuxDisk, target: Path, start: int, size: int, foretell: Foretell | None
    ) -> Laid | None:
        done = write_inside(disk, target, start, size, foretell)
        if done:
            records.append(damage(target, start))
        return done

    def extract_and_damage(disk: LinuxDisk, volume: Path) -> None:
        extract_volume(disk, volume)
        records.append(damage(volume))

    monkeypatch.setattr(disks, "write_inside", write_and_damage)
    monkeypatch.setattr(disks.LinuxDisks.__init__, "__defaults__", (extract_and_damage,))
    return records


ENGINES = {
    "auto": "libntfs-3g laid the volume out, and several processes filled it.",
    "parallel": "libntfs-3g laid the volume out, and several processes filled it.",
    "libwim": "libwim applies the image: apply_engine = libwim.",
}
"""How the log says which engine was taken."""


@pytest.mark.parametrize("ending", CONTAINERS)
def test_a_sound_volume(
    tmp_path: Path,
    install_wim: Path,
    engine: str,
    ending: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The image is made, and how long the check took is a line of its own."""
    job = make_job(tmp_path, install_wim, ending, apply_engine=engine)
    assert job.build("--verify") == 0
    printed = capsys.readouterr()
    assert f"  {STEP}: " in printed.out
    assert "files, folders, clusters and security of the volume agree" in printed.err
    assert ENGINES[engine] in printed.err
    report = json.loads((tmp_path / f"{job.image.name}.report" / "report.json").read_text())
    assert STEP in [step["name"] for step in report["steps"]]
    assert job.left_over() == []


@pytest.mark.parametrize("ending", CONTAINERS)
def test_a_damaged_volume(
    tmp_path: Path,
    install_wim: Path,
    engine: str,
    ending: str,
    damaging: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One error says what is wrong, and where, and what to do; the older image stays."""
    job = make_job(tmp_path, install_wim, ending, apply_engine=engine)
    assert job.build("--verify") == 1
    (number,) = damaging
    error = capsys.readouterr().err.partition("error: ")[2]
    assert error == (
        f"{job.image.name} was not made. The NTFS volume is damaged. Record {number} has 1 names "
        "and says 2.\n       Build it again with apply_engine = libwim; when that fails as well, "
        "test the memory and the disk of this machine.\n"
    )
    assert job.image.read_bytes() == b"an older image"
    assert job.left_over() == []


def test_without_it_nobody_looks(
    tmp_path: Path, install_wim: Path, damaging: list[int], engine: str
) -> None:
    """The damage is one that only the strict check finds, so the tests above are about that."""
    job = make_job(tmp_path, install_wim, apply_engine=engine)
    assert job.build() == 0
    assert len(damaging) == 1


ONLINE = {"DEFAULT.image_type": "KVM", "vm.accel": "tcg", "vm.external_switch": "none"}


@pytest.fixture
def no_machine(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Virtual machines that were started; none is."""
    started: list[object] = []

    def run_sysprep(_: object, request: object) -> dict[str, str]:
        started.append(request)
        raise AssertionError("a machine was started")

    monkeypatch.setattr("winimagetools.host.linux.vm.LinuxVm.run_sysprep", run_sysprep)
    return started


def test_before_the_first_start(
    tmp_path: Path,
    install_wim: Path,
    damaging: list[int],
    no_machine: list[object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No Windows is started in a damaged volume."""
    job = Job(tmp_path, install_wim, ONLINE)
    assert main(["online-image", str(job.write()), "--verify"]) == 1
    assert f"Record {damaging[0]} has 1 names and says 2." in capsys.readouterr().err
    assert no_machine == []
    assert job.left_over() == []


def test_a_disk_that_was_made_before(
    tmp_path: Path, install_wim: Path, no_machine: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy is looked at as well, in a step that is counted."""
    job = Job(tmp_path, install_wim, {**ONLINE, "DEFAULT.disk_layout": "BIOS"})
    assert job.build() == 0
    disk = job.image.rename(tmp_path / "offline.raw")
    number = damage(disk, WINDOWS["BIOS"])
    words = ["online-image", str(job.write()), "--offline-disk", str(disk), "--verify"]
    assert main(words) == 1
    printed = capsys.readouterr().err
    assert f"Record {number} has 1 names and says 2." in printed
    assert f"Step 2 of 5: {STEP}" in printed
    assert no_machine == []
