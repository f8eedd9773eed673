"""The stage in a real QEMU machine, under software emulation, with guests that play Windows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures import boot_managers, guest
from tests.integration.linux.build import Job
from tests.integration.linux.processes import machines
from tests.needs import program
from winimagetools.errors import BuildError
from winimagetools.host.linux.qemu import accelerator
from winimagetools.host.linux.qemu.firmware import Firmware
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.model import MIB, WindowsVersion
from winimagetools.plan import VmRequest

PROMPT = 3.0
"""Seconds in which a machine has to be gone."""


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """What all of these tests need."""
    program("qemu-system-x86_64", "qemu-system-x86")


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Callable[[str], Path]:
    """A disk for each firmware, made once; the tests write other scripts into its guest."""
    made: dict[str, Path] = {}

    def disk(layout: str) -> Path:
        if layout not in made:
            folder = tmp_path_factory.mktemp(layout)
            assert Job(folder, install_wim, {"DEFAULT.disk_layout": layout}).build() == 0
            made[layout] = folder / "win.raw"
        return made[layout]

    return disk


@pytest.fixture
def bios(disks: Callable[[str], Path], tmp_path: Path) -> VmRequest:
    """A machine that starts in half a second."""
    return VmRequest(
        "test", disks("BIOS"), 64 * MIB, 1, "none", 1, accel="tcg", silence=60, logs=tmp_path
    )


@pytest.fixture
def uefi(disks: Callable[[str], Path], tmp_path: Path) -> VmRequest:
    """A machine with UEFI firmware, without Secure Boot."""
    return VmRequest(
        *("test", disks("UEFI"), 256 * MIB, 1, "none", 2, True),
        accel="tcg",
        silence=120,
        logs=tmp_path,
    )


@pytest.fixture(autouse=True)
def temporary(disks: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """Where sockets go. What the tests themselves need is made before."""
    disks("BIOS"), disks("UEFI")
    folder: Path = request.getfixturevalue("nothing_left")
    return folder


def left(logs: Path) -> set[str]:
    """What the run left, without numbers and names of pictures."""
    return {item.name if item.suffix != ".png" else "picture" for item in logs.iterdir()}


EVIDENCE = {
    "picture",
    "firmware.log",
    "qemu-command.txt",
    "qmp.log",
    "reports.jsonl",
    "serial.log",
}


def test_kvm_is_tried() -> None:
    """The trial guest runs in software everywhere; whether it does with KVM, the host tells."""
    assert accelerator.trial_problem("tcg") == ""
    if not Path("/dev/kvm").exists():
        assert accelerator.kvm_problem() == "there is no /dev/kvm."


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_a_guest_that_finishes(firmware: str, request: pytest.FixtureRequest) -> None:
    """It restarts, reports, powers off; its reports and its screen are kept."""
    machine: VmRequest = request.getfixturevalue(firmware)
    updates = guest.report("Updates", "none found")
    restarts = {"bios": 4, "uefi": 0}[firmware]
    guest.play(machine.disk, f"reset {restarts}", guest.BEGUN, "wait 3", updates, guest.DONE)
    assert LinuxVm().run_sysprep(machine) == {
        "StatusInitial": "Windows 10.0.20348.",
        "Updates": "none found",
        "StatusFinal": "The image is ready.",
    }
    assert left(machine.logs) == EVIDENCE
    (first,) = machine.logs.glob("screen-001-*.png")
    assert first.read_bytes().startswith(b"\x89PNG")
    events = [json.loads(line) for line in (machine.logs / "qmp.log").read_text().splitlines()]
    ends = [event["data"]["reason"] for event in events if event.get("event") == "SHUTDOWN"]
    assert ends[0] == "guest-shutdown"
    assert sum(event.get("event") == "RESET" for event in events) >= restarts


def test_a_guest_that_reports_a_failure(bios: VmRequest) -> None:
    """Its own words are the message."""
    guest.play(bios.disk, guest.BEGUN, guest.report("ERROR", "no MSI", "failed"))
    with pytest.raises(BuildError, match="reported a failure: no MSI"):
        LinuxVm().run_sysprep(bios)


@pytest.mark.parametrize(
    ("lines", "limits", "message"),
    [
        ([guest.BEGUN, "hang"], {"silence": 3}, "nothing new for 3.0 s.*StatusInitial"),
        (
            [guest.report("Updates", "waiting"), "wait 5", "loop"],
            {"silence": 3},
            "nothing new for 3.0 s; its last stage was Updates",
        ),
        ([guest.BEGUN, "hang"], {"time_limit": 3}, "not done within 3.0 s"),
        (["reset 255"], {}, "restarts again and again"),
    ],
    ids=["silent", "says-the-same", "too-long", "restarts"],
)
def test_a_guest_that_never_ends(
    bios: VmRequest, lines: list[str], limits: dict[str, Any], message: str
) -> None:
    """It is given up within its limit, and everything that tells why is kept."""
    guest.play(bios.disk, *lines)
    began = time.monotonic()
    with pytest.raises(BuildError, match=message):
        LinuxVm().run_sysprep(replace(bios, **limits))
    assert time.monotonic() - began < 30
    assert left(bios.logs) == EVIDENCE


def test_a_guest_that_restarts_for_ever_with_uefi(uefi: VmRequest) -> None:
    """Counted by its restarts, however long the firmware takes."""
    guest.play(uefi.disk, guest.BEGUN, "reset 255")
    with pytest.raises(BuildError, match="restarts again and again") as raised:
        LinuxVm().run_sysprep(uefi)
    assert "in the stage StatusInitial" in raised.value.message
    assert left(uefi.logs) == EVIDENCE


def test_a_disk_that_does_not_start(bios: VmRequest, uefi: VmRequest, tmp_path: Path) -> None:
    """An empty disk is a failure that says so, long before the limit, with either firmware."""
    empty = tmp_path / "empty.raw"
    empty.touch()
    os.truncate(empty, 64 * MIB)
    for machine in (bios, uefi):
        logs = tmp_path / f"generation {machine.generation}, logs"
        logs.mkdir()
        with pytest.raises(BuildError, match="found nothing to start on the disk"):
            LinuxVm().run_sysprep(replace(machine, disk=empty, logs=logs))


def test_secure_boot_refuses_a_stranger(uefi: VmRequest) -> None:
    """A boot manager that nobody the firmware trusts has signed: Access Denied, said at once."""
    guest.play(uefi.disk, guest.BEGUN, guest.DONE)
    with pytest.raises(BuildError, match=r"Access Denied\. It is not signed by an authority"):
        LinuxVm().run_sysprep(replace(uefi, disable_secure_boot=False))


def test_a_killed_qemu(bios: VmRequest, temporary: Path) -> None:
    """Somebody kills QEMU: noticed at once, with what QEMU returned."""
    guest.play(bios.disk, guest.BEGUN, "hang")

    def kill() -> None:
        while not (bios.logs / "reports.jsonl").exists() or not machines(temporary):
            time.sleep(0.05)
        time.sleep(1)
        for number in machines(temporary):
            os.kill(number, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(BuildError, match="QEMU returned -9"):
        LinuxVm().run_sysprep(bios)
    killer.join()


RUN = """
import sys
from pathlib import Path
from winimagetools.cli.signals import obey_signals
from winimagetools.errors import Interrupted
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.plan import VmRequest
obey_signals()
disk, logs = map(Path, sys.argv[1:])
request = VmRequest("test", disk, 256 << 20, 1, "none", 2, True, True, accel="tcg", logs=logs)
try:
    LinuxVm().run_sysprep(request)
except (KeyboardInterrupt, Interrupted):
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_the_builder(uefi: VmRequest, temporary: Path, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and kill -9 end machine and TPM within three seconds."""
    program("swtpm", "swtpm")
    guest.play(uefi.disk, "hang")
    words = [sys.executable, "-c", RUN, str(uefi.disk), str(uefi.logs)]
    builder = subprocess.Popen(
        words, cwd=Path.cwd(), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    wait_until(lambda: (uefi.logs / "serial.log").exists() and len(machines(temporary)) == 2)
    builder.send_signal(number)
    began = time.monotonic()
    code = builder.wait(PROMPT)
    wait_until(lambda: machines(temporary) == [])
    assert time.monotonic() - began < PROMPT
    if number is signal.SIGKILL:
        # Nobody was left to tidy up the folder of sockets.
        for folder in temporary.iterdir():
            shutil.rmtree(folder)
    else:
        assert code == 130


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes within a minute."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


SNAKEOIL = Path("/usr/share/ovmf/PkKek-1-snakeoil.key")
OWN_KEYS = Firmware(
    Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"),
    Path("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"),
    secure_boot=True,
    enrolled=True,
    smm=True,
)
"""Firmware whose variables hold a key that everybody has, for tests."""


def test_secure_boot_and_tpm(
    uefi: VmRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boot manager that was signed for this firmware starts, beside a TPM."""
    program("sbsign", "sbsigntool")
    program("swtpm", "swtpm")
    manager = tmp_path / "bootmgfw.efi"
    manager.write_bytes(boot_managers.uefi(WindowsVersion(10, 0, 20348, 587)))
    guest.play(manager, guest.BEGUN, guest.DONE)
    key = tmp_path / "key.pem"
    secret = ["-passin", "pass:snakeoil", "-in", str(SNAKEOIL), "-out", str(key)]
    subprocess.run(["openssl", "rsa", *secret], check=True, capture_output=True)
    certificate = SNAKEOIL.with_suffix(".pem")
    sign = ["sbsign", "--key", str(key), "--cert", str(certificate), "--output", str(manager)]
    subprocess.run([*sign, str(manager)], check=True, capture_output=True)
    disk = tmp_path / "signed.raw"
    shutil.copyfile(uefi.disk, disk)
    for place in ("EFI/Boot/bootx64.efi", "EFI/Microsoft/Boot/bootmgfw.efi"):
        copy = ["mcopy", "-o", "-i", f"{disk}@@1M", str(manager), f"::{place}"]
        subprocess.run(copy, check=True)
    monkeypatch.setattr("winimagetools.host.linux.vm.read_firmware", lambda: [OWN_KEYS])
    machine = replace(uefi, disk=disk, disable_secure_boot=False, tpm=True)
    assert LinuxVm().run_sysprep(machine)["StatusFinal"] == "The image is ready."
