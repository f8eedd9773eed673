"""Whether a disk starts, told by what firmware says and how much is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.linux.qemu.test_follow import OFF, RESTART, Events, FakeQemu, says
from winimagetools.errors import BuildError
from winimagetools.host.linux.qemu.proof import ENOUGH, StartProof
from winimagetools.model import MIB

UEFI = 'BdsDxe: starting Boot0002 "UEFI QEMU HARDDISK" from PciRoot(0x0)\n'
BIOS = "Booting from Hard Disk...\n"
Step = Mapping[str, Any] | Callable[[], object]


def watch(logs: Path, qemu: FakeQemu) -> str:
    """Watch a machine with a clock that goes on by a second at every look."""
    moments = iter(range(5_000, 1_000_000))
    return StartProof(logs, qemu, qemu, 60, lambda: float(next(moments))).watch()


def has_read(qemu: FakeQemu, size: int) -> Callable[[], object]:
    """Lets the machine have read so much of its disk."""

    def read() -> None:
        stats = {"rd_bytes": size, "wr_bytes": 0}
        firmware = {"rd_bytes": 2 * ENOUGH, "wr_bytes": 0}
        qemu.answer = [
            {"device": "disk0", "stats": stats},
            {"device": "pflash0", "stats": firmware},
        ]

    return read


def machine(logs: Path, *steps: Callable[[FakeQemu], Step]) -> FakeQemu:
    """A machine, and what it does."""
    qemu = FakeQemu(Events())
    qemu.events = Events(*(step(qemu) for step in steps))
    return qemu


@pytest.mark.parametrize(("port", "said"), [("serial.log", UEFI), ("firmware.log", BIOS)])
def test_a_boot_manager_that_reads_windows(tmp_path: Path, port: str, said: str) -> None:
    """It is started, and reads as much as no error page takes."""
    qemu = machine(
        tmp_path,
        lambda _: says(tmp_path / port, said),
        lambda _: RESTART,
        lambda qemu: has_read(qemu, ENOUGH + 8 * MIB),
    )
    assert watch(tmp_path, qemu) == "The boot manager started and read 40.0 MiB of the disk."


def test_a_guest_that_powers_off(tmp_path: Path) -> None:
    """Firmware does not do that by itself once it has started a disk."""
    qemu = machine(tmp_path, lambda _: says(tmp_path / "serial.log", UEFI), lambda _: OFF)
    assert watch(tmp_path, qemu).endswith("and the guest powered the machine off.")


def test_a_machine_that_ends_before(tmp_path: Path) -> None:
    """Nothing was started, however it ended."""
    with pytest.raises(BuildError, match="ended before its firmware"):
        watch(tmp_path, machine(tmp_path, lambda _: OFF))
    qemu = machine(tmp_path)
    qemu.alive = False
    with pytest.raises(BuildError, match="ended before its firmware"):
        watch(tmp_path, qemu)


@pytest.mark.parametrize("port", ["serial.log", "firmware.log"])
def test_a_guest_that_writes_without_end(tmp_path: Path, port: str) -> None:
    """Is given up before its time is over."""
    (tmp_path / port).touch()
    qemu = machine(tmp_path, lambda _: lambda: os.truncate(tmp_path / port, (64 << 20) + 1))
    with pytest.raises(BuildError, match=rf"wrote 64\.0 MiB to a port of its machine \({port}\)"):
        watch(tmp_path, qemu)


def test_an_error_page_is_no_start(tmp_path: Path) -> None:
    """A boot manager that reads its fonts and waits is given up; how far it came is said."""
    qemu = machine(
        tmp_path,
        lambda _: says(tmp_path / "serial.log", UEFI),
        lambda qemu: has_read(qemu, 5 * MIB),
    )
    with pytest.raises(BuildError, match=r"read only 5.0 MiB of the disk within 1 min"):
        watch(tmp_path, qemu)


@pytest.mark.parametrize("size", [ENOUGH - 1, ENOUGH])
def test_how_much_is_enough(size: int, tmp_path: Path) -> None:
    """To the byte; what the firmware reads of its own memory does not count."""
    qemu = machine(
        tmp_path,
        lambda _: says(tmp_path / "serial.log", UEFI),
        lambda qemu: has_read(qemu, size),
    )
    if size == ENOUGH:
        assert watch(tmp_path, qemu) == "The boot manager started and read 32.0 MiB of the disk."
        return
    with pytest.raises(BuildError, match=r"read only 32.0 MiB of the disk"):
        watch(tmp_path, qemu)


def test_a_blue_screen(tmp_path: Path) -> None:
    """Is no start, although Windows was read for it."""
    stopped = {"event": "GUEST_PANICKED", "data": {"action": "pause"}}
    qemu = machine(tmp_path, lambda _: says(tmp_path / "serial.log", UEFI), lambda _: stopped)
    with pytest.raises(BuildError, match="Windows stopped with a blue screen"):
        watch(tmp_path, qemu)


def test_reading_counts_once_the_disk_was_started(tmp_path: Path) -> None:
    """Firmware that searches a disk does not pass for a boot manager."""
    qemu = machine(tmp_path, lambda qemu: has_read(qemu, 2 * ENOUGH))
    with pytest.raises(BuildError, match="did not start the disk within"):
        watch(tmp_path, qemu)


@pytest.mark.parametrize(
    ("port", "said", "expected"),
    [
        ("serial.log", "BdsDxe: failed to start Boot0002: Access Denied\n", "Access Denied"),
        ("serial.log", "\x1b[0m>>UEFI Interactive Shell v2.2\n", "found nothing to start"),
        ("firmware.log", "No bootable device.\n", "found nothing to start"),
    ],
)
def test_firmware_that_gives_up(tmp_path: Path, port: str, said: str, expected: str) -> None:
    """Nobody waits for it."""
    with pytest.raises(BuildError, match=expected):
        watch(tmp_path, machine(tmp_path, lambda _: says(tmp_path / port, said)))
