"""What a request cannot be, and what is only warned about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.unit.dry_build import SERVER_2022, config_text
from tests.unit.image.reading import CLOUD, keys, problems, read
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import Problem
from winimagetools.files import space
from winimagetools.image import preflight, refusals
from winimagetools.image.request import Workflow
from winimagetools.model import (
    GIB,
    MIB,
    Architecture,
    DiskFormat,
    WimImage,
    WindowsVersion,
)

pytestmark = pytest.mark.usefixtures("folder")
IMAGE = WimImage(
    1,
    SERVER_2022,
    Architecture.AMD64,
    WindowsVersion(10, 0, 20348),
    size=15 * GIB,
    hard_link_bytes=6 * GIB,
)


def misfits(host: Host, image: WimImage, **options: object) -> list[Problem]:
    """Why an edition cannot be installed as a configuration says."""
    values = {key: str(value) for key, value in {**CLOUD, **options}.items()}
    Path("config.ini").write_text(config_text(values))
    found = read_config("config.ini")
    refusals.check_fits(found, preflight.read_request(found, Workflow.CLOUD, host), image)
    return [*found.problems, *found.warnings]


@pytest.mark.parametrize(
    ("name", "warned"),
    [("win.qcow2", False), ("win.img", False), ("win", False), ("win.vhdx", True)],
)
def test_a_misleading_name(
    host: Host, caplog: pytest.LogCaptureFixture, name: str, warned: bool
) -> None:
    """A name that promises another container is warned about."""
    read(host, Workflow.CLOUD, image_path=name, virtual_disk_format="QCOW2")
    assert ("but what comes out is QCOW2." in caplog.text) is warned


def test_vmware_without_tools(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """An image for VMware without its tools is warned about; tools that are missing refused."""
    read(host, Workflow.CLOUD, image_type="VMWARE", image_path="win.vmdk")
    assert "vmware_tools_path: It is not set" in caplog.text
    assert keys(host, Workflow.CLOUD, image_type="VMware", vmware_tools_path="none.exe") == [
        "vmware_tools_path"
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"image_type": "KVM"}, ["image_type", "virtual_disk_format"]),
        ({"virtual_disk_format": "QCOW2"}, ["virtual_disk_format"]),
        ({"image_path": "gold.qcow2"}, ["image_path"]),
        ({"compression_format": "zip", "image_path": "gold.zip"}, ["image_path"]),
    ],
)
def test_a_golden_image_has_to_stay_one(
    host: Host, options: dict[str, str], expected: list[str]
) -> None:
    """What the PowerShell tools' check means: type HYPER-V, container and name VHD or VHDX."""
    assert set(keys(host, Workflow.ONLINE, gold_image=True, **options)) == set(expected)


def test_a_golden_image(host: Host) -> None:
    """VHD and VHDX of type HYPER-V are accepted."""
    request = read(
        host, Workflow.ONLINE, gold_image=True, virtual_disk_format="VHD", image_path="gold.VHD"
    )
    assert request.delivery.disk_format is DiskFormat.VHD


@pytest.mark.parametrize(("option", "value"), [("cpu_count", 0), ("ram_size", "256MB")])
def test_machine_too_small(host: Host, option: str, value: object) -> None:
    """A machine no Windows starts in is refused."""
    assert keys(host, Workflow.ONLINE, **{option: value}) == [option]


@pytest.mark.parametrize(("layout", "least"), [("BIOS", "11GB"), ("UEFI", "12GB")])
def test_disk_too_small_for_the_image(host: Host, layout: str, least: str) -> None:
    """The size that would do is named, and does; hard links are not counted twice."""
    (problem,) = misfits(host, IMAGE, disk_size="9GB", disk_layout=layout)
    assert (problem.key, problem.hint) == ("disk_size", f"Use at least {least}.")
    assert misfits(host, IMAGE, disk_size=least, disk_layout=layout) == []


@pytest.mark.parametrize(
    ("architecture", "version", "wrong", "right"),
    [(Architecture.ARM64, "10.0.26100", "BIOS", "UEFI"), (Architecture.X86, "6.1", "UEFI", "BIOS")],
)
def test_layout_the_edition_cannot_start_from(
    host: Host, architecture: Architecture, version: str, wrong: str, right: str
) -> None:
    """It is refused before anything is copied."""
    image = dataclasses.replace(
        IMAGE, architecture=architecture, version=WindowsVersion.parse(version)
    )
    (problem,) = misfits(host, image, disk_layout=wrong)
    assert problem.key == "disk_layout"
    assert f"has no {wrong}" in problem.message
    assert misfits(host, image, disk_layout=right) == []


def test_compression_inside_another_container(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """``compress_qcow2`` that has nothing to compress is warned about."""
    read(host, Workflow.CLOUD, compress_qcow2=True)
    assert "compress_qcow2 (line 5): It is not used: VHDX comes out." in caplog.text


def test_disk_nearly_too_small(host: Host) -> None:
    """A disk that Windows can hardly breathe on is warned about."""
    (warning,) = misfits(host, IMAGE, disk_size=10 * GIB + 100 * MIB)
    assert warning.key == "disk_size"
    assert "little room" in warning.message


@pytest.mark.parametrize(
    "key", ["cloudbase_init_config_path", "cloudbase_init_unattended_config_path"]
)
def test_a_configuration_cloudbase_init_cannot_read(host: Host, key: str) -> None:
    """It is refused before the build, not found in the log of a machine that has no user."""
    Path("wide.conf").write_text("[DEFAULT]\n", encoding="utf-16")
    (problem,) = problems(host, Workflow.CLOUD, **{key: "wide.conf"})
    assert problem.key == key
    assert "without a byte order mark" in problem.hint


def test_a_hook_that_is_never_run(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A name that is nearly one of the six is warned about, with the right one."""
    for name in ("RunAfterWindowsUpdate.ps1", "helper.ps1", "notes.txt"):
        Path("scripts", name).touch()
    read(host, Workflow.CLOUD, custom_scripts_path="scripts")
    (record,) = [item for item in caplog.records if "custom_scripts_path" in item.getMessage()]
    assert "RunAfterWindowsUpdate.ps1 is never run" in record.getMessage()
    assert "Call it RunAfterWindowsUpdates.ps1" in record.getMessage()


def test_maas_without_hooks(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """An image for MAAS without curtin hooks is warned about, as VMware without its tools is."""
    read(host, Workflow.CLOUD, image_type="MAAS", virtual_disk_format="RAW", image_path="a.raw")
    assert "The image has no curtin hooks: MAAS cannot configure" in caplog.text


@pytest.mark.parametrize(
    ("options", "collides"),
    [
        ({"image_path": "install.wim"}, "wim_file_path"),
        ({"image_path": "config.ini"}, "is read by this build"),
        ({"image_path": "agent.msi", "msi_path": "agent.msi"}, "msi_path"),
        ({"image_path": "scripts/win.vhdx", "custom_scripts_path": "scripts"}, "custom_scripts_"),
        ({"image_path": "link.vhdx", "virtio_iso_path": "virtio.iso"}, "virtio_iso_path"),
    ],
)
def test_an_image_over_or_in_what_it_is_made_of(
    host: Host, options: dict[str, str], collides: str
) -> None:
    """By name, by link, or inside a folder that is copied: refused, with the option it hits."""
    Path("link.vhdx").symlink_to("virtio.iso")
    found = problems(host, Workflow.CLOUD, **options)
    assert [problem.key for problem in found if collides in problem.message] == ["image_path"]


def test_a_golden_image_is_never_replaced(host: Host) -> None:
    """The image that is made from it goes elsewhere."""
    (problem,) = problems(
        host, Workflow.GOLDEN, gold_image_path="gold.vhdx", image_path="gold.vhdx"
    )
    assert "gold_image_path names" in problem.message


def test_everything_windows_cannot_hold_is_told(host: Host) -> None:
    """Broken links, names and twins in what is copied in: all of them, before the build."""
    for name in ("a?b", "CON.txt", "x", "X", "tail "):
        Path("resources", name).touch()
    Path("resources/gone").symlink_to("nowhere")
    found = problems(host, Workflow.CLOUD, custom_resources_path="resources")
    assert {problem.key for problem in found} == {"custom_resources_path"}
    text = " ".join(problem.message for problem in found)
    for word in ("a?b", "CON.txt", "tail ", "gone", "one name for Windows"):
        assert word in text


def test_too_little_room(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of this machine that is too full is a problem of the machine."""
    monkeypatch.setattr(space, "free_bytes", lambda _: GIB)
    Path("config.ini").write_text(config_text({**CLOUD, "image_path": "win.vhdx"}))
    found = read_config("config.ini")
    request = preflight.read_request(found, Workflow.CLOUD, host)
    refusals.check_space(found, request, IMAGE, copied=0, converted=False)
    (problem,) = found.problems
    assert problem.host
    assert "9.0 GiB" in problem.message


@pytest.mark.parametrize(("text", "said"), [("HYPERV", True), ("hyper-v", False)])
def test_another_spelling_of_the_platform(
    host: Host, caplog: pytest.LogCaptureFixture, text: str, said: bool
) -> None:
    """What the PowerShell tools built with is understood, and said."""
    read(host, Workflow.CLOUD, image_type=text)
    assert ("is taken for HYPER-V" in caplog.text) is said
