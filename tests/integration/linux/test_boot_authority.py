"""Boot managers of both authorities under Secure Boot, with firmware that knows one of them.

The certificates have the names of Microsoft's and are ours; what they signed is a boot manager
of ours. Firmware, its variables and what it refuses are real.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import boot_managers, guest, media
from tests.integration.linux.build import Job
from tests.integration.linux.signing import call, make_key
from tests.needs import program
from winimagetools.checks.causes import find_cause
from winimagetools.cli.main import main
from winimagetools.errors import BuildError
from winimagetools.facts.boot_authority import BootAuthority
from winimagetools.host.linux.qemu.firmware import Firmware
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.model import MIB, WindowsVersion
from winimagetools.plan import VmRequest

YEARS = {"2011": BootAuthority.PCA_2011, "2023": BootAuthority.CA_2023}
SECURITY_VERSIONS = {"2011": (3, 0), "2023": (9, 1)}
FOLDERS = {"2011": "/Windows/Boot/EFI/bootmgfw.efi", "2023": "/Windows/Boot/EFI_EX/bootmgfw_EX.efi"}
EDITION = "Windows Server 2025 SERVERSTANDARD"


@dataclass(frozen=True)
class Authority:
    """A certificate, what it signed, and firmware that knows it and no other."""

    manager: Path
    firmware: Firmware


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Authority]:
    """Both of them."""
    program("qemu-system-x86_64", "qemu-system-x86")
    program("sbsign", "sbsigntool")
    return {year: _authority(tmp_path_factory.mktemp(year), year) for year in YEARS}


def _authority(folder: Path, year: str) -> Authority:
    key, manager = make_key(folder, f"/O=winimagetools/CN={YEARS[year]}"), folder / "bootmgfw.efi"
    version = WindowsVersion(10, 0, 26100, 1)
    manager.write_bytes(boot_managers.uefi(version, SECURITY_VERSIONS[year]))
    guest.play(manager, guest.BEGUN, guest.DONE)
    key.sign(manager)
    return Authority(manager, key.firmware())


@pytest.fixture(scope="module")
def wim(
    tmp_path_factory: pytest.TempPathFactory,
    install_media: Callable[[media.MediaSpec], Path],
    authorities: dict[str, Authority],
) -> Path:
    """A medium with both boot managers."""
    plain = install_media(media.MediaSpec("2025", editions=("ServerStandard",)))
    copy = tmp_path_factory.mktemp("medium") / "install.wim"
    shutil.copyfile(plain, copy)
    edits = (f"add '{item.manager}' '{FOLDERS[year]}'" for year, item in authorities.items())
    for edit in edits:
        call("wimlib-imagex", "update", copy, "1", f"--command={edit}")
    return copy


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory, wim: Path) -> dict[str, Path]:
    """A disk with the boot manager of each authority."""
    return {year: built(tmp_path_factory.mktemp(f"disk{year}"), wim, year) for year in YEARS}


def built(folder: Path, wim: Path, year: str) -> Path:
    """Build with the option; the disk."""
    job = Job(folder, wim, {"DEFAULT.image_name": EDITION, "vm.boot_authority": year})
    assert job.build() == 0
    return job.image


def machine(disk: Path, logs: Path, certificate: str = "") -> VmRequest:
    """A machine with Secure Boot."""
    return VmRequest(
        *("test", disk, 256 * MIB, 1, "none", 2),
        accel="tcg",
        silence=120,
        logs=logs,
        certificate=certificate,
    )


@pytest.mark.parametrize("year", YEARS)
def test_firmware_that_knows_it(
    year: str,
    disks: dict[str, Path],
    authorities: dict[str, Authority],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two firmwares the one that knows the certificate is taken, and starts the disk."""
    both = [item.firmware for item in authorities.values()]
    monkeypatch.setattr("winimagetools.host.linux.vm.read_firmware", lambda: both)
    assert LinuxVm().check_trust(str(YEARS[year])) == []
    reports = LinuxVm().run_sysprep(machine(disks[year], tmp_path, str(YEARS[year])))
    assert reports["StatusFinal"] == "The image is ready."


@pytest.mark.parametrize(("year", "other"), [("2011", "2023"), ("2023", "2011")])
def test_firmware_that_does_not_know_it(
    year: str,
    other: str,
    disks: dict[str, Path],
    authorities: dict[str, Authority],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told before the build; a machine that starts all the same is denied access."""
    only = [authorities[other].firmware]
    monkeypatch.setattr("winimagetools.host.linux.vm.read_firmware", lambda: only)
    (problem,) = LinuxVm().check_trust(str(YEARS[year]))
    assert str(YEARS[year]) in problem.message
    with pytest.raises(BuildError, match=r"Access Denied\. It is not signed") as denied:
        LinuxVm().run_sysprep(machine(disks[year], tmp_path))
    cause = find_cause([str(denied.value)])
    assert cause is not None
    assert cause.name == "the firmware does not trust the boot manager"


@pytest.mark.parametrize("year", YEARS)
def test_it_is_told(year: str, disks: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The report and inspect name authority and security version of what is on the disk."""
    major, minor = SECURITY_VERSIONS[year]
    folder = disks[year].with_name(f"{disks[year].name}.report")
    report = json.loads((folder / "report.json").read_text())
    assert report["windows"]["boot_certificate"] == YEARS[year]
    assert report["windows"]["boot_security_version"] == f"{major}.{minor}"
    sentence = f"signed under {YEARS[year]} and has security version {major}.{minor}"
    assert sentence in (folder / "report.html").read_text()
    capsys.readouterr()
    assert main(["inspect", str(disks[year]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["boot_manager"] == {
        "authority": YEARS[year],
        "security_version": f"{major}.{minor}",
    }
    assert main(["inspect", str(disks[year])]) == 0
    assert sentence in capsys.readouterr().out


def test_a_medium_without_it(
    tmp_path: Path,
    install_media: Callable[[media.MediaSpec], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is refused before anything is made."""
    plain = install_media(media.MediaSpec("2016", editions=("ServerStandard",)))
    name = "Windows Server 2016 SERVERSTANDARD"
    job = Job(tmp_path, plain, {"DEFAULT.image_name": name, "vm.boot_authority": "2023"})
    assert job.build() == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no boot manager that is signed under Windows UEFI CA 2023" in said
    assert job.left_over() == []
