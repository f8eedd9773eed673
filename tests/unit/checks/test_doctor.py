"""``doctor``: what this machine can make and lacks, and what speaks against a configuration."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.pe import image as pe_image
from fixtures.virtio_pe import sign, signed_data
from tests.unit.dry_build import (
    IMAGES,
    SERVER_2022,
    FakeInstall,
    FakeMedia,
    config_text,
    lay_out,
)
from tests.unit.recording_host import recording_host
from winimagetools.checks.doctor import Diagnosis, describe, diagnose
from winimagetools.cli import doctor as command
from winimagetools.cli import main
from winimagetools.contract import Host
from winimagetools.errors import ConfigurationError, HostError, Problem
from winimagetools.found import MachineFacts
from winimagetools.image.request import Workflow
from winimagetools.model import GIB, DiskFormat, DiskLayout, WimImage
from winimagetools.plan import Delivery, Requirements, VmRequest
from winimagetools.workflows import examine as examining
from winimagetools.workflows.build import describe_build
from winimagetools.workflows.examine import examine

NO_GRUB = Problem("GRUB is missing.", "Install it: apt install grub-pc-bin", host=True)
NO_QEMU = Problem("qemu-img is missing.", "Install it: apt install qemu-utils", host=True)
NO_KVM = Problem("KVM does not run here.", "Use another machine.", host=True)
NO_TPM = Problem("swtpm is missing.", "Install it: apt install swtpm", host=True)
CONFIG: dict[str, str | bool | int] = {
    "wim_file_path": "install.wim",
    "image_name": SERVER_2022,
    "image_path": "win.raw",
    "virtual_disk_format": "RAW",
    "disk_layout": "UEFI",
    "image_type": "MAAS",
    "install_maas_hooks": True,
}


class Checks:
    """A machine without GRUB and, unless it is said, without qemu-img."""

    def __init__(self, *lacking: Problem) -> None:
        self.lacking = lacking

    def check(self, requirements: Requirements) -> Sequence[Problem]:
        """GRUB is for BIOS, qemu-img for containers."""
        bios = requirements.layout is DiskLayout.BIOS
        wanted = {NO_GRUB: bios, NO_QEMU: bool(requirements.formats)}
        return [problem for problem in self.lacking if wanted[problem]]

    def versions(self, requirements: Requirements) -> Sequence[tuple[str, str]]:
        """None."""
        return []

    def machine(self) -> MachineFacts:
        """A small one."""
        return MachineFacts("Debian GNU/Linux 12", 8 * GIB, 2, ("br0",))


class Vm:
    """A machine whose KVM does not run Secure Boot, or nothing at all."""

    def __init__(self, *, works: bool) -> None:
        self.works = works

    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        """No Secure Boot."""
        secure = request is not None and request.generation == 2
        refused = secure and request is not None and not request.disable_secure_boot
        return [] if self.works and not refused else [NO_KVM]

    def check_tpm(self) -> Sequence[Problem]:
        """There is one, unless nothing works."""
        return [] if self.works else [NO_TPM]


class Files:
    """A file system that takes all but a dynamic VHD in place."""

    def stays_in_place(self, made_as: DiskFormat, delivery: Delivery) -> bool:
        """Not VHD."""
        return delivery.disk_format is not DiskFormat.VHD


def machine(*lacking: Problem, works: bool = True) -> Host:
    """A host that lacks something."""
    host = recording_host(FakeMedia(), lambda _: None)
    return dataclasses.replace(
        host,
        name="Linux",
        checks=Checks(*lacking),
        vm=Vm(works=works),  # type: ignore[arg-type]
        files=Files(),  # type: ignore[arg-type]
    )


def look(*lacking: Problem, works: bool = True) -> Diagnosis:
    """A diagnosis with a known amount of room."""
    found = diagnose(machine(*lacking, works=works), Path("/images"))
    return dataclasses.replace(found, free=34 * GIB)


def test_everything_is_there() -> None:
    """The machine, each workflow and each container, with the way it is made."""
    assert describe(look()) == [
        "This is a Linux host: Debian GNU/Linux 12.",
        "It has 2 processors, 8.0 GiB of memory; 34.0 GiB are free in /images.",
        "Network bridges for virtual machines: br0.",
        "It can make:",
        "  yes  offline images, BIOS",
        "  yes  offline images, UEFI",
        "  yes  online images, BIOS",
        "  yes  online images, UEFI without Secure Boot",
        "  no   online images, UEFI with Secure Boot (missing: 1)",
        "  yes  virtual machines with a TPM, for Windows 11",
        "  yes  golden images",
        "  yes  tests of finished images",
        "  yes  RAW images, as they are built",
        "  yes  QCOW2 images, in place",
        "  yes  VHD images, by qemu-img",
        "  yes  VHDX images, in place",
        "  yes  VMDK images, in place",
        "missing 1: KVM does not run here. Use another machine.",
        "Everything needed to make BIOS and UEFI images in every format is here.",
    ]


def test_something_is_missing() -> None:
    """Each thing is told once, with what it is missing for and what to do."""
    lines = describe(look(NO_GRUB, NO_QEMU, works=False))
    assert "  no   offline images, BIOS (missing: 1)" in lines
    assert "  yes  offline images, UEFI" in lines
    assert "  no   online images, BIOS (missing: 1, 2)" in lines
    assert "  yes  QCOW2 images, in place" in lines
    assert "  no   virtual machines with a TPM, for Windows 11 (missing: 3)" in lines
    assert "  no   VHD images (missing: 4)" in lines
    assert lines[-4:] == [
        "missing 1: GRUB is missing. Install it: apt install grub-pc-bin",
        "missing 2: KVM does not run here. Use another machine.",
        "missing 3: swtpm is missing. Install it: apt install swtpm",
        "missing 4: qemu-img is missing. Install it: apt install qemu-utils",
    ]


@pytest.mark.parametrize(
    ("lacking", "works", "code"), [((), True, 0), ((), False, 0), ((NO_GRUB,), True, 3)]
)
def test_the_exit_code_is_about_offline_images(
    lacking: tuple[Problem, ...],
    works: bool,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine without KVM is complete; one without what every image needs is not."""
    monkeypatch.setattr(command, "select_host", lambda: machine(*lacking, works=works))
    assert main.main(["doctor", "--json"]) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["ready"] is (code == 0)
    assert answer["bridges"] == ["br0"]
    assert answer["memory"] == 8 * GIB
    by_name = {item["name"]: item for item in answer["abilities"]}
    assert by_name["offline images, BIOS"]["available"] is not lacking
    online = by_name["online images, UEFI with Secure Boot"]
    assert online["missing"][-1]["message"] == "KVM does not run here."
    assert online["missing"][-1]["host"] is True


class Medium(FakeInstall):
    """A medium whose boot manager is signed under the certificate of 2011."""

    def read_file(self, image: WimImage, path: str) -> bytes:
        """The boot manager, and no other file."""
        if not path.endswith("bootmgfw.efi"):
            raise FileNotFoundError(path)
        program = pe_image(image.architecture, image.version, "bootmgfw.efi")
        authority = ("Microsoft Corporation", "Microsoft Windows Production PCA 2011")
        signer = ("Microsoft Corporation", "Microsoft Windows")
        return sign(program, [signed_data(((signer, authority),))])


def examined(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str | bool | int]
) -> Path:
    """Lay a configuration out in a folder and make this a machine that can look at it."""
    lay_out(folder)
    monkeypatch.chdir(folder)
    path = folder / "config.ini"
    path.write_text(config_text(options))
    host = recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.RAW)
    monkeypatch.setattr(examining, "select_host", lambda: host)
    return path


def test_a_configuration_that_can_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it would make, and no error."""
    path = examined(tmp_path, monkeypatch, CONFIG)
    assert main.main(["doctor", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"win.raw would hold {SERVER_2022} (10.0.20348.0, amd64) and start with UEFI firmware.",
        f"{path} can be built: no warnings.",
    ]


def test_doctor_says_what_a_build_would_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very problems and warnings of a build, problems in the file and of the medium."""
    wrong = {
        **CONFIG,
        "disk_size": "1GB",
        "image_path": "win.vmdk",
        "zip_password": "Sesame",
        "image_name": "Windows 3.11",
    }
    path = examined(tmp_path, monkeypatch, wrong)
    with pytest.raises(ConfigurationError) as refused:
        host = recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.RAW)
        describe_build(Workflow.CLOUD, path, host=host, strict=True)
    assert main.main(["doctor", str(path), "--strict", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ready"] is False
    told = {(item["key"], item["message"]) for item in answer["problems"]}
    problems = refused.value.problems
    assert told == {(problem.key, problem.message) for problem in problems}
    assert {"image_name", "image_path", "zip_password"} <= {key for key, _ in told}
    assert answer["warnings"] == []
    assert main.main(["doctor", str(path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("error: [DEFAULT] image_name (line 3): ") for line in lines)
    assert any(line.startswith("warning: [DEFAULT] image_path (line ") for line in lines)
    assert lines[-1].startswith(f"{path} cannot be built: 1 error")


def test_only_this_machine_is_at_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the host lacks is told once, though the medium cannot be opened for it; exit code 3."""
    path = examined(tmp_path, monkeypatch, CONFIG)

    class NoLibrary(FakeMedia):
        def open_install(self, path: Path) -> object:  # type: ignore[override]
            raise HostError("libwim is missing.", "Install it.")

    host = dataclasses.replace(
        recording_host(NoLibrary(), lambda _: None, work_format=DiskFormat.RAW),  # type: ignore[arg-type]
    )
    monkeypatch.setattr(examining, "select_host", lambda: host)
    assert main.main(["doctor", str(path)]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "error: libwim is missing. Install it.",
        f"{path} cannot be built: 1 error, no warnings.",
    ]


def test_windows_11_with_bios_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of build 22000 or later; not a server of the same build."""
    client = dataclasses.replace(
        IMAGES[3], index=5, name="Windows 11 Pro", installation_type="Client"
    )

    class Clients(FakeMedia):
        def open_install(self, path: Path) -> object:  # type: ignore[override]
            return _opened(FakeInstall(path, (*IMAGES, client)))

    host = recording_host(Clients(), lambda _: None, work_format=DiskFormat.RAW)  # type: ignore[arg-type]
    for name, expected in (("Windows 11 Pro", 1), (IMAGES[3].name, 0)):
        options = {**CONFIG, "image_name": name, "disk_layout": "BIOS"}
        path = examined(tmp_path, monkeypatch, options)
        found = examine(path, host=host).found
        told = [item.message for item in found.warnings if item.key == "disk_layout"]
        assert (
            told == ["Microsoft supports Windows 11 Pro with UEFI only, not with BIOS."] * expected
        )


def _opened(medium: FakeInstall) -> object:
    from contextlib import nullcontext

    return nullcontext(medium)


def test_the_authority_of_the_boot_manager_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading it costs nothing, for a disk that starts with UEFI."""

    class Signed(FakeMedia):
        def open_install(self, path: Path) -> object:  # type: ignore[override]
            return _opened(Medium(path))

    host = recording_host(Signed(), lambda _: None, work_format=DiskFormat.RAW)  # type: ignore[arg-type]
    notes = examine(examined(tmp_path, monkeypatch, CONFIG), host=host).notes
    assert notes[1] == (
        "The boot manager is signed under Microsoft Windows Production PCA 2011: with Secure Boot "
        "it does not start where the firmware has revoked that one."
    )
    bios = examined(tmp_path, monkeypatch, {**CONFIG, "disk_layout": "BIOS"})
    assert len(examine(bios, host=host).notes) == 1


def test_a_golden_image_needs_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that names only a golden image is looked at as one."""
    golden: dict[str, str | bool | int] = {
        "gold_image_path": "missing.vhdx",
        "image_name": SERVER_2022,
        "image_path": "win.raw",
    }
    found = examine(examined(tmp_path, monkeypatch, golden)).found
    assert [problem.key for problem in found.problems] == ["gold_image_path"]
