"""``test-image --boot``: an image is started by real firmware and stays as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fixtures import guest
from tests.integration.linux.processes import machines
from tests.integration.linux.test_boot_command import digest
from tests.integration.linux.test_vm import wait_until
from tests.needs import program
from winimagetools.cli.main import main
from winimagetools.files.copy import copy_file
from winimagetools.host.linux.existing_disk import open_existing
from winimagetools.host.linux.qemu import proof
from winimagetools.model import MIB

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """What all of these tests need."""
    program("qemu-system-x86_64", "qemu-system-x86")


def start(image: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit code, and the result of the check."""
    capsys.readouterr()
    code = main(["test-image", str(image), "--boot", "--accel", "tcg", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert checks[-1]["name"] == "boot"
    return code, checks[-1]


@pytest.mark.parametrize("layout", ["BIOS", "UEFI"])
def test_an_image_that_starts(
    layout: str, images: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0; its image has the same bytes and the same time."""
    image = images(layout)
    before = digest(image), image.stat().st_mtime_ns
    code, result = start(image, capsys)
    assert (code, result["state"]) == (0, "ok"), result
    assert result["text"] == "The boot manager started, and the guest powered the machine off."
    assert (digest(image), image.stat().st_mtime_ns) == before


def test_an_image_that_does_not_start(
    images: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, with what the firmware said and the command to see it oneself."""
    image = tmp_path / "win.raw"
    copy_file(images("UEFI"), image)
    with open_existing(image, read_only=True) as disk:
        efi = disk.facts().partitions[0]
    with image.open("r+b") as file:
        file.seek(efi.start)
        file.write(bytes(4 * MIB))
    code, result = start(image, capsys)
    assert (code, result["state"]) == (1, "failed")
    assert result["text"] == "The firmware found nothing to start on the disk."
    assert f"winimagetools boot {image}" in result["hint"]


def test_a_boot_manager_that_waits(
    images: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is given up, and what it did is said."""
    image = tmp_path / "win.raw"
    copy_file(images("BIOS"), image)
    guest.play(image, "hang")
    monkeypatch.setitem(proof.PATIENCE, "tcg", 8.0)
    code, result = start(image, capsys)
    assert code == 1
    assert "The boot manager was started and read only" in result["text"]


def thrown_away(folder: Path) -> list[Path]:
    """What machines of a folder write to, which has no name any more."""
    found = []
    for machine in machines(folder):
        with suppress(OSError):  # it ended, or closed a file
            for entry in Path(f"/proc/{machine}/fd").iterdir():
                found.append(Path(str(entry.readlink()).removesuffix(" (deleted)")))
    return [file for file in found if file.name.startswith("vl.")]


def test_ctrl_c(images: Callable[[str], Path], tmp_path: Path, nothing_left: Path) -> None:
    """It ends the machine within a moment, and nothing is left."""
    image = tmp_path / "win.raw"
    copy_file(images("BIOS"), image)
    guest.play(image, "hang")
    process = subprocess.Popen(
        [sys.executable, "-m", "winimagetools", "test-image", image, "--boot", "--accel", "tcg"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until(lambda: thrown_away(nothing_left) != [])
        # QEMU that is killed before it takes the name of this file away leaves it where it is.
        assert [file.parent.parent for file in thrown_away(nothing_left)] == [nothing_left]
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(5) == 130
    finally:
        process.kill()
    wait_until(lambda: machines(nothing_left) == [])
    assert time.monotonic() - began < 5
    assert [item.name for item in tmp_path.iterdir()] == ["win.raw"]
