from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.dry_build import FakeMedia, config_text
from tests.unit.host.windows.recorder import Recorder
from tests.unit.image.reading import CLOUD, keys, problems, read
from tests.unit.recording_host import recording_host
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import HostError, ToolMissingError
from winimagetools.host.linux.checks import LinuxChecks
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.windows.checks import WindowsChecks
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.host.windows.vm import HyperV
from winimagetools.image import preflight
from winimagetools.image.request import DriverPaths, Workflow
from winimagetools.model import (
    GIB,
    ApplyEngine,
    DiskFormat,
    DiskLayout,
    ImageType,
)
from winimagetools.plan import Requirements, VmRequest
from winimagetools.run import Tool

pytestmark = pytest.mark.usefixtures("folder")


def test_a_request_is_typed_and_complete(host: Host, folder: Path) -> None:
    """Words become members of their sets, names become absolute paths."""
    request = read(
        host,
        Workflow.CLOUD,
        disk_layout="uefi",
        image_type="kvm",
        virtual_disk_format="Qcow2",
        compression_format="tar.gz",
        drivers_path="drivers",
        custom_resources_path="resources, scripts",
        extra_packages="first.msu,second.cab",
        vmware_tools_path="vmware-tools.exe",
    )
    assert (request.layout, request.image_type) == (DiskLayout.UEFI, ImageType.KVM)
    assert request.delivery.disk_format is DiskFormat.QCOW2
    assert request.delivery.compression == ("tar", "gz")
    assert request.wim == folder / "install.wim"
    assert request.drivers.folder == folder / "drivers"
    assert request.custom_resources == (folder / "resources", folder / "scripts")
    assert [package.path for package in request.servicing.packages] == [
        folder / "first.msu",
        folder / "second.cab",
    ]
    assert request.vmware_tools == folder / "vmware-tools.exe"
    assert request.unattend is None


def test_everything_is_told_together(host: Host) -> None:
    """All that is wrong stands in one error, each with section, key and line."""
    found = problems(
        host,
        Workflow.CLOUD,
        image_type="QEMU",
        compression_format="rar",
        wallpaper_path="picture.jpg",
        wallpaper_solid_color="0 0 0",
        drivers_path="nowhere",
        product_key="too-short",
    )
    assert {problem.key for problem in found} == {
        "image_type",
        "compression_format",
        "wallpaper_path",
        "drivers_path",
        "product_key",
    }
    text = Path("config.ini").read_text().splitlines()
    for problem in found:
        assert problem.line is not None
        assert text[problem.line - 1].startswith(problem.key)
    assert {problem.section for problem in found} == {"DEFAULT", "drivers"}


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({"image_path": ""}, "image_path", "No image is named."),
        ({"image_path": "drivers"}, "image_path", "drivers is a folder, not a file."),
        ({"image_path": "/"}, "image_path", "/ is a folder, not a file."),
        ({"virtio_base_path": "no"}, "virtio_base_path", "The file or folder no does not exist."),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "Windows has no time zone called"),
        ({"install_qemu_ga": "maybe"}, "install_qemu_ga", "'maybe' is neither True nor False"),
        ({"unattend_xml_path": "scripts/RunBeforeSysprep.ps1"}, "unattend_xml_path", "not well-f"),
        ({"msi_path": "picture.jpg"}, "msi_path", "picture.jpg is not an MSI package."),
        ({"wallpaper_path": "odd.jpg"}, "wallpaper_path", "odd.jpg is not a JPEG picture"),
        ({"extra_features": "NetFx3,Tel%net"}, "extra_features", "Tel%net cannot be the name of a"),
        ({"extra_capabilities": 'a"b'}, "extra_capabilities", 'a"b cannot be the name of a Wi'),
        ({"wallpaper_solid_color": "red"}, "wallpaper_solid_color", "'red' is not a colour."),
        (
            {"install_qemu_ga": "True", "url": "http://a/b.msi", "checksum": "ab"},
            "checksum",
            "checksum is not a SHA-256: ab",
        ),
        (
            {"virtual_disk_format": "VHD", "disk_size": 2040 * GIB + 1, "disk_layout": "UEFI"},
            "disk_size",
            "A VHD cannot be larger than 2040 GiB.",
        ),
        (
            {"disk_size": 2048 * GIB, "disk_layout": "BIOS"},
            "disk_size",
            "has to be smaller than 2 TiB",
        ),
        ({"virtio_iso_path": "first.msu"}, "virtio_iso_path", "first.msu is not an .iso file."),
    ],
)
def test_what_is_wrong_is_told_at_its_option(
    host: Host, options: dict[str, object], key: str, words: str
) -> None:
    """Each refusal names the option to change."""
    Path("odd.jpg").write_text("GIF89a")
    (problem,) = problems(host, Workflow.CLOUD, **options)
    assert problem.key == key
    assert words in problem.message


@pytest.mark.parametrize(
    ("disk_format", "layout", "size"),
    [
        ("VHDX", "BIOS", 2048 * GIB - 512),
        ("VHD", "BIOS", 2040 * GIB),
        ("VHD", "UEFI", 2040 * GIB),
        ("VHDX", "UEFI", 4096 * GIB),
    ],
)
def test_the_largest_disks(host: Host, disk_format: str, layout: str, size: int) -> None:
    """What partition table and container can hold is not refused."""
    options = {"virtual_disk_format": disk_format, "disk_layout": layout, "disk_size": size}
    assert read(host, Workflow.CLOUD, **options).delivery.disk_format == disk_format


@pytest.mark.parametrize("key", ["wim_file_path", "custom_scripts_path", "msi_path"])
def test_what_may_not_be_looked_at(
    host: Host, monkeypatch: pytest.MonkeyPatch, key: str, folder: Path
) -> None:
    """A path behind a folder that is closed to this user is a problem like any other."""

    def guarded(look: Callable[[Path], bool]) -> Callable[[Path], bool]:
        def look_unless_locked(path: Path) -> bool:
            if path.name == "locked":
                raise PermissionError(13, "Permission denied", str(path))
            return look(path)

        return look_unless_locked

    for name in ("exists", "is_dir"):
        monkeypatch.setattr(Path, name, guarded(getattr(Path, name)))
    (problem,) = problems(host, Workflow.CLOUD, **{key: "locked"})
    assert problem.key == key
    assert problem.message == f"{folder / 'locked'} cannot be used: Permission denied."


def test_where_a_relative_image_goes(host: Host, folder: Path) -> None:
    """A new image goes into the current folder; one to check may lie beside the configuration."""
    text = config_text({**CLOUD, "image_path": "finished.vhdx"})
    beside = folder / "elsewhere"
    beside.mkdir()
    (beside / "config.ini").write_text(text)
    (beside / "finished.vhdx").touch()
    (folder / "finished.vhdx").unlink()
    found = read_config(beside / "config.ini")
    made = preflight.read_request(found, Workflow.CLOUD, host)
    checked = preflight.read_request(found, Workflow.TEST, host)
    assert made.delivery.path == folder / "finished.vhdx"
    assert checked.delivery.path == beside / "finished.vhdx"


def test_secrets_are_not_repeated(host: Host) -> None:
    """A product key of the wrong form is not shown."""
    (problem,) = problems(host, Workflow.CLOUD, product_key="ABCDE-FGHIJ-SECRET")
    assert "SECRET" not in str(problem)


def test_an_iso_given_as_folder(host: Host, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """``virtio_base_path`` that is an ISO is used as ``virtio_iso_path``, and said so."""
    request = read(host, Workflow.CLOUD, virtio_base_path="virtio.iso")
    assert request.drivers.virtio_iso == folder / "virtio.iso"
    assert request.drivers.virtio_folder is None
    assert "and is used as virtio_iso_path" in caplog.text


def test_drivers_without_any_inf(host: Host, folder: Path) -> None:
    """An empty folder of drivers is refused before the build, where DISM would fail late."""
    (folder / "empty").mkdir()
    (problem,) = problems(host, Workflow.CLOUD, drivers_path="empty")
    assert problem.key == "drivers_path"
    assert "is empty" in problem.message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "VHDX"),
        ({"image_type": "KVM"}, "QCOW2"),
        ({"image_type": "KVM", "virtual_disk_format": "VHDX"}, "VHDX"),
        ({"image_type": "MAAS", "virtual_disk_format": "QCOW2"}, "QCOW2"),
    ],
)
def test_container_of_a_cloud_image(host: Host, options: dict[str, str], expected: str) -> None:
    """A format that is set wins; else the type decides."""
    assert read(host, Workflow.CLOUD, **options).delivery.disk_format == expected


@pytest.mark.parametrize("workflow", [Workflow.ONLINE, Workflow.GOLDEN])
def test_container_of_a_finished_image(host: Host, workflow: Workflow) -> None:
    """In the online and golden workflows the VHDX of a generated file does not beat the type."""
    request = read(
        host,
        workflow,
        image_type="MAAS",
        virtual_disk_format="VHDX",
        gold_image_path="gold.vhdx",
    )
    assert request.delivery.disk_format is DiskFormat.RAW


@pytest.mark.parametrize("workflow", [Workflow.ONLINE, Workflow.GOLDEN])
def test_without_sysprep(host: Host, workflow: Workflow) -> None:
    """No sysprep makes an unusable image, which has to be insisted on."""
    options = {"run_sysprep": False, "gold_image_path": "gold.vhdx"}
    assert keys(host, workflow, **options) == ["run_sysprep"]
    assert read(host, workflow, force=True, **options).machine is None


@pytest.mark.parametrize("path", ["", "nowhere.vhdx", "virtio.iso", "nowhere.raw.gz", "g.xz"])
def test_start_from_a_golden_image(host: Host, path: str) -> None:
    """A golden image has to be given, to exist, and to be a VHD or VHDX."""
    assert keys(host, Workflow.GOLDEN, gold_image_path=path) == ["gold_image_path"]


def test_image_to_check_is_missing(host: Host) -> None:
    """There has to be something to check."""
    assert keys(host, Workflow.TEST, image_path="nothing.vhdx") == ["image_path"]


def windows(*, administrator: bool, hyperv: str, switch: str, processors: int) -> Host:
    """A Windows host in this state."""
    shell = PowerShell(
        Recorder(
            {
                "IS_ADMINISTRATOR": administrator,
                "HYPERV_STATE": hyperv,
                "SWITCH_TYPE": switch,
                "PROCESSOR_COUNT": processors,
            }
        )
    )

    def find(tool: Tool) -> str:
        raise ToolMissingError(tool.name, tool.package, tool.reason)

    base = recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.VHDX)
    return dataclasses.replace(base, checks=WindowsChecks(shell, find), vm=HyperV(shell))


def test_windows_host_tells_everything() -> None:
    """Rights, programs, switch, processors and the configuration: one message."""
    host = windows(administrator=False, hyperv="Enabled", switch="Internal", processors=2)
    found = problems(host, Workflow.ONLINE, cpu_count=4, image_type="KVM", run_sysprep=True)
    assert [problem.key or problem.message.split()[0] for problem in found] == [
        "Images",
        "qemu-img",
        "cpu_count",
        "external_switch",
    ]


def test_windows_host_without_hyperv() -> None:
    """When only the machine is at fault the exit code says so."""
    host = windows(administrator=True, hyperv="Disabled", switch="", processors=2)
    with pytest.raises(HostError, match="Enable-WindowsOptionalFeature"):
        read(host, Workflow.ONLINE)


def test_machine_options(host: Host) -> None:
    """What runs the machine and for how long; a word that names nothing is a problem."""
    request = read(
        host, Workflow.ONLINE, accel="TCG", silent_minutes=7, vm_minutes=90, vnc_socket="/run/vnc"
    )
    assert request.machine is not None
    machine = request.machine
    assert (machine.accel, machine.silence, machine.time_limit) == ("tcg", 420, 5400)
    assert machine.vnc == "/run/vnc"
    assert keys(host, Workflow.ONLINE, accel="xen") == ["accel"]


def test_the_engine_of_the_apply(host: Host) -> None:
    """It is part of what is delivered; a word that names none is a problem."""
    assert (
        read(host, Workflow.CLOUD, apply_engine="LibWim").delivery.apply_engine
        is ApplyEngine.LIBWIM
    )
    assert keys(host, Workflow.CLOUD, apply_engine="dism") == ["apply_engine"]


def on_linux(host: Host) -> Host:
    """The host with what Linux asks for."""
    checks, disks = LinuxChecks(), LinuxDisks()
    return dataclasses.replace(host, checks=checks, disks=disks, work_format=DiskFormat.RAW)


def test_a_golden_image_on_linux_needs_its_tools(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is said before anything is copied."""
    linux = on_linux(host)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("winimagetools.run._SYSTEM_FOLDERS", ())
    options = {"gold_image_path": "gold.vhdx", "image_path": "finished.vhdx"}
    with pytest.raises(HostError, match="ntfsresize") as caught:
        read(linux, Workflow.GOLDEN, run_sysprep=False, force=True, **options)
    assert "ntfsfix" in str(caught.value) and "qemu-img" in str(caught.value)


def linux_without_qemu_img(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A Linux host that has every program but qemu-img."""
    find = Tool.find

    def without(tool: Tool) -> str:
        return find(tool) if tool.name == "qemu-img" else tool.name

    monkeypatch.setattr(Tool, "find", without)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("winimagetools.run._SYSTEM_FOLDERS", ())
    for name in ("libwim.load", "ntfs.find_library", "hivex.find_library", "grub.check_installed"):
        monkeypatch.setattr(f"winimagetools.host.linux.{name}", lambda: None)
    return on_linux(host)


KVM = {"image_type": "KVM", "disk_layout": "UEFI"}


@pytest.mark.parametrize(
    ("workflow", "options", "asked"),
    [
        (Workflow.CLOUD, {"virtual_disk_format": "RAW"}, False),
        (Workflow.CLOUD, {"virtual_disk_format": "RAW", "compression_format": "tar.gz"}, False),
        (Workflow.CLOUD, {"virtual_disk_format": "QCOW2"}, False),
        (Workflow.CLOUD, {"virtual_disk_format": "QCOW2", "compress_qcow2": True}, True),
        (Workflow.ONLINE, {"virtual_disk_format": "VHDX"}, False),
        (Workflow.CLOUD, {"virtual_disk_format": "VMDK"}, False),
        (Workflow.CLOUD, {"virtual_disk_format": "VHD"}, True),
        (Workflow.CLOUD, {"virtual_disk_format": "VHD", "vhd_subformat": "fixed"}, False),
        (Workflow.CONVERT, {"virtual_disk_format": "QCOW2"}, False),
        (Workflow.CONVERT, {"virtual_disk_format": "VHD"}, True),
        (Workflow.TEST, {"virtual_disk_format": "VHD", "image_path": "gold.vhd"}, False),
        (Workflow.GOLDEN, {"virtual_disk_format": "QCOW2", "gold_image_path": "gold.raw"}, False),
        (Workflow.GOLDEN, {"virtual_disk_format": "VHD", "gold_image_path": "gold.raw"}, True),
        (Workflow.GOLDEN, {"virtual_disk_format": "RAW", "gold_image_path": "gold.vhdx"}, True),
        (Workflow.GOLDEN, {"virtual_disk_format": "RAW", "gold_image_path": "gold.raw.gz"}, False),
        (Workflow.GOLDEN, {"virtual_disk_format": "RAW", "gold_image_path": "g.RAW.tgz"}, False),
        (Workflow.GOLDEN, {"virtual_disk_format": "RAW", "gold_image_path": "gold.qcow2.gz"}, True),
        (Workflow.GOLDEN, {"virtual_disk_format": "RAW", "gold_image_path": "gold.zip"}, True),
    ],
    ids=str,
)
def test_qemu_img_is_asked_for_where_it_is_used(
    host: Host,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    workflow: Workflow,
    options: dict[str, object],
    asked: bool,
) -> None:
    """The file system makes no difference: where data cannot stay in place they are copied."""
    (folder / "gold.raw").write_bytes(b"a disk")
    for name in ("gold.raw.gz", "g.RAW.tgz", "gold.qcow2.gz", "gold.zip"):
        (folder / name).write_bytes(b"wrapped")
    linux = linux_without_qemu_img(host, monkeypatch)
    values = {**CLOUD, "image_path": "win.img", **KVM, **options}
    Path("config.ini").write_text(config_text({key: str(value) for key, value in values.items()}))
    request = preflight.understand(read_config("config.ini"), workflow, linux)
    problems = linux.checks.check(preflight.requirements(request, linux))
    assert [each.message.split()[0] for each in problems] == (["qemu-img"] if asked else [])


def test_another_form_takes_no_other_program(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the disk is read or written, so neither libwim nor sfdisk is missed."""
    linux = on_linux(host)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("winimagetools.run._SYSTEM_FOLDERS", ())
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    Path("config.ini").write_text(config_text({**CLOUD, "virtual_disk_format": "VMDK"}))
    request = preflight.understand(read_config("config.ini"), Workflow.CONVERT, linux)
    assert linux.checks.check(preflight.requirements(request, linux)) == []


def test_requirements_name_what_is_converted(host: Host) -> None:
    """On Windows qemu-img makes all but the container Windows works in."""
    request = read(host, Workflow.CLOUD, image_type="KVM", compression_format="gz")
    assert preflight.requirements(request, host) == Requirements(
        DiskLayout.BIOS, formats=(DiskFormat.QCOW2,)
    )
    plain = read(host, Workflow.CLOUD)
    assert preflight.requirements(plain, host).formats == ()


@pytest.mark.parametrize(
    ("workflow", "existing_disk", "vm"),
    [
        (Workflow.CLOUD, False, False),
        (Workflow.ONLINE, False, True),
        (Workflow.GOLDEN, True, True),
        (Workflow.TEST, True, False),
    ],
)
def test_requirements_of_the_workflows(
    host: Host, workflow: Workflow, existing_disk: bool, vm: bool
) -> None:
    """Which workflows open a finished disk, and which start Windows."""
    request = read(host, workflow, gold_image_path="gold.vhdx", image_path="finished.vhdx")
    needs = preflight.requirements(request, host)
    assert (needs.existing_disk, needs.vm) == (existing_disk, vm)


def test_machine_of_the_online_stage(host: Host) -> None:
    """Firmware follows the layout; sizes and names come from the configuration."""
    request = read(
        host,
        Workflow.ONLINE,
        disk_layout="UEFI",
        ram_size="4GB",
        cpu_count=3,
        external_switch="lan",
        disable_secure_boot=True,
    )
    assert request.machine == VmRequest("", Path(), 4 * GIB, 3, "lan", 2, disable_secure_boot=True)


def test_a_check_looks_only_at_the_image(host: Host) -> None:
    """What went into the image may be gone by the time it is checked."""
    gone = {
        "msi_path": "gone.msi",
        "custom_resources_path": "gone",
        "unattend_xml_path": "gone.xml",
        "wallpaper_path": "gone.jpg",
        "extra_packages": "gone.cab",
        "drivers_path": "gone",
        "virtio_iso_path": "gone.iso",
        "wim_file_path": "gone.wim",
    }
    request = read(host, Workflow.TEST, image_path="finished.vhdx", **gone)
    assert request.drivers == DriverPaths(
        Path("gone.iso").absolute(), None, Path("gone").absolute()
    )


def test_a_golden_image_needs_no_medium(host: Host) -> None:
    """Options of the medium, of the answer file and of DISM are not looked at."""
    gone = {"wim_file_path": "no.wim", "unattend_xml_path": "no.xml", "extra_packages": "no.cab"}
    request = read(host, Workflow.GOLDEN, gold_image_path="gold.vhdx", **gone)
    assert request.golden.name == "gold.vhdx"
    assert request.servicing.packages == ()


def test_a_wallpaper_that_is_turned_off_is_not_looked_at(host: Host) -> None:
    """The path may be anything."""
    read(host, Workflow.CLOUD, enable_custom_wallpaper=False, wallpaper_path="gone.jpg")


def test_two_virtio_isos(host: Host, folder: Path) -> None:
    """``virtio_iso_path`` is not dropped because ``virtio_base_path`` is an ISO too."""
    Path("other.iso").touch()
    paths = {"virtio_iso_path": "virtio.iso", "virtio_base_path": "other.iso"}
    request = read(host, Workflow.CLOUD, **paths)
    assert request.drivers == DriverPaths(folder / "virtio.iso", folder / "other.iso", None)


def test_boot_authority(host: Host) -> None:
    """Three words in any letter case; other words are refused."""
    assert read(host, Workflow.CLOUD).boot_authority == "auto"
    request = read(host, Workflow.CLOUD, boot_authority="2023", disk_layout="UEFI")
    assert request.boot_authority == "2023"
    (problem,) = problems(host, Workflow.CLOUD, boot_authority="2022", disk_layout="UEFI")
    assert (problem.key, problem.hint) == ("boot_authority", "Use auto, 2011 or 2023.")


def test_boot_authority_without_use(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A BIOS asks for no signature, and a golden image keeps its boot manager."""
    read(host, Workflow.CLOUD, boot_authority="2011", disk_layout="BIOS")
    assert "a BIOS asks for no signature" in caplog.text
    gold = {"gold_image_path": "gold.vhdx", "image_path": "finished.vhdx"}
    read(host, Workflow.GOLDEN, boot_authority="2011", disk_layout="UEFI", **gold)
    assert "a golden image keeps the boot manager it has" in caplog.text
