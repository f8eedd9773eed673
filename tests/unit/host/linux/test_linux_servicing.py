import json
import logging
import uuid
from pathlib import Path

import pytest

from tests.files import read_files, write_files
from tests.unit.fakes import MemorySource
from winimagetools.contract import Servicing
from winimagetools.errors import BuildError, MediaError, RequestError
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.guest.steps import driver_script, servicing_script, steps_from_json
from winimagetools.host.linux.apply import extract_volume
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.servicing import LinuxServicing, package_files, package_names
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import GIB, DiskLayout, WindowsVersion
from winimagetools.plan import DriverFile, DriverPackage, DriverPlan, InstalledDriver

WIN10 = WindowsVersion(10, 0, 20348)
WIN7 = WindowsVersion(6, 1, 7601)


def make_disk(tmp_path: Path, version: WindowsVersion | None = WIN10) -> LinuxDisk:
    """A disk with nothing on it and an image of ``version``."""
    plan = PartitionPlan(DiskLayout.UEFI, 40 * GIB, (), uuid.UUID(int=1))
    tree = StagedTree(tmp_path / "overlay")
    disk = LinuxDisk(tmp_path / "disk.raw", plan, tmp_path, tree, tmp_path / "esp")
    disk.source = WimSource(tmp_path / "install.wim", 1, version)
    return disk


@pytest.fixture
def disk(tmp_path: Path) -> LinuxDisk:
    """A disk for Windows Server 2022."""
    return make_disk(tmp_path)


def test_is_a_servicing() -> None:
    """It can be put into a Host, and says that drivers are only staged."""
    servicing: Servicing = LinuxServicing()
    assert servicing.stages_drivers


SOURCE = {
    "viostor/w10/amd64/viostor.inf": b"inf",
    "viostor/w10/amd64/viostor.cat": b"cat",
    "viostor/w10/amd64/viostor.sys": b"sys",
    "NetKVM/w10/amd64/netkvm.inf": b"net",
    "NetKVM/w10/amd64/sub/netkvmp.exe": b"exe",
    "common/license.txt": b"lic",
}
VIOSTOR = DriverPackage(
    "viostor/w10/amd64/viostor.inf",
    "viostor",
    "100.93",
    tuple(SOURCE)[:3],
    boot_critical=True,
)
NETKVM = DriverPackage("NetKVM/w10/amd64/netkvm.inf", "net kvm", "1", tuple(SOURCE)[3:])


def test_stages_whole_driver_packages(disk: LinuxDisk) -> None:
    """One folder each, boot-start binaries in place, and a script that installs them."""
    source = MemorySource(SOURCE)
    binary = DriverFile("viostor/w10/amd64/viostor.sys", r"Windows\System32\drivers\viostor.sys")
    plan = DriverPlan(source, (), (VIOSTOR, NETKVM), (binary,))
    LinuxServicing().add_drivers(disk, plan)
    base = "Windows/Drivers/winimagetools"
    files = read_files(disk.tree.local)
    assert files.pop(f"{base}/trust.ps1")
    assert files == {
        f"{base}/viostor/viostor.inf": b"inf",
        f"{base}/viostor/viostor.cat": b"cat",
        f"{base}/viostor/viostor.sys": b"sys",
        f"{base}/package/netkvm.inf": b"net",
        f"{base}/package/sub/netkvmp.exe": b"exe",
        f"{base}/package/license.txt": b"lic",
        f"{base}/install.cmd": driver_script(
            [r"package\netkvm.inf", r"viostor\viostor.inf"], WIN10
        ),
        "Windows/System32/drivers/viostor.sys": b"sys",
    }


def test_drivers_of_several_calls_accumulate(tmp_path: Path) -> None:
    """A second package of the same name gets a folder of its own."""
    disk = make_disk(tmp_path, WIN7)
    source = MemorySource(SOURCE)
    for _ in range(2):
        LinuxServicing().add_drivers(disk, DriverPlan(source, (), (VIOSTOR,)))
    script = disk.tree.read_bytes("Windows/Drivers/winimagetools/install.cmd")
    assert script == driver_script([r"viostor\viostor.inf", r"viostor-2\viostor.inf"], WIN7)


def test_a_plan_without_packages_stages_nothing(disk: LinuxDisk) -> None:
    """No empty script is left behind."""
    LinuxServicing().add_drivers(disk, DriverPlan(MemorySource({})))
    assert read_files(disk.tree.local) == {}


def test_files_outside_the_folder_of_the_inf_lie_beside_it() -> None:
    """Those below keep their place; the INF is there once."""
    package = DriverPackage("a/x.inf", "x", "", ("a/x.inf", "A/b/c.sys", "other/d.dll"))
    assert package_files(package) == [
        ("a/x.inf", "x.inf"),
        ("A/b/c.sys", r"b\c.sys"),
        ("other/d.dll", "d.dll"),
    ]
    assert package_files(DriverPackage("x.inf", "x", "", ("sub/y.sys",))) == [
        ("x.inf", "x.inf"),
        ("sub/y.sys", r"sub\y.sys"),
    ]


def _commands(disk: LinuxDisk) -> list[tuple[str, ...]]:
    record = disk.tree.read_bytes("UnattendResources/Servicing/servicing.json")
    steps = steps_from_json(record)
    script = disk.tree.read_bytes("UnattendResources/Servicing/Servicing.cmd")
    assert script == servicing_script(steps)
    return [step.command for step in steps]


def test_servicing_is_left_to_the_guest_in_order(
    disk: LinuxDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Features, packages, capabilities and the clean-up, as they were asked for, and said so."""
    caplog.set_level(logging.INFO)
    servicing = LinuxServicing()
    cab = write_files(tmp_path / "in", {"my.cab": b"cab"}) / "my.cab"
    servicing.enable_features(disk, ["NetFx3", "TelnetClient"])
    servicing.add_package(disk, cab, ignore_errors=True)
    servicing.add_capabilities(disk, ["OpenSSH.Server~~~~0.0.1.0"])
    servicing.clean_updates(disk, purge=True)
    assert [record.getMessage().strip() for record in caplog.records] == [
        "left to the first start: enable NetFx3, TelnetClient",
        "left to the first start: install my.cab",
        "left to the first start: add OpenSSH.Server~~~~0.0.1.0",
        "left to the first start: clean up the component store",
    ]
    dism = ("dism.exe", "/Online", "/NoRestart", "/Quiet")
    assert _commands(disk) == [
        (*dism, "/Enable-Feature", "/FeatureName:NetFx3", "/FeatureName:TelnetClient"),
        (*dism, "/Add-Package", r"/PackagePath:<here>packages\my\my.cab"),
        (*dism, "/Add-Capability", "/CapabilityName:OpenSSH.Server~~~~0.0.1.0"),
        (*dism, "/Cleanup-Image", "/StartComponentCleanup", "/ResetBase"),
    ]
    assert disk.tree.read_bytes("UnattendResources/Servicing/packages/my/my.cab") == b"cab"
    record = json.loads(disk.tree.read_bytes("UnattendResources/Servicing/servicing.json"))
    assert [step["ignore_errors"] for step in record["steps"]] == [False, True, False, False]


def test_nothing_asked_for_is_nothing_staged(disk: LinuxDisk) -> None:
    """Empty lists leave no script."""
    LinuxServicing().enable_features(disk, [])
    LinuxServicing().add_capabilities(disk, [])
    assert read_files(disk.tree.local) == {}


def test_a_name_that_cannot_be_passed_stages_nothing(disk: LinuxDisk) -> None:
    """It is refused before anything is written."""
    with pytest.raises(RequestError):
        LinuxServicing().enable_features(disk, ['a" & del'])
    assert read_files(disk.tree.local) == {}


def test_packages_of_a_folder_are_installed_one_by_one(disk: LinuxDisk, tmp_path: Path) -> None:
    """Each .msu and .cab; a folder without them is one unpacked package."""
    servicing = LinuxServicing()
    updates = write_files(
        tmp_path / "all updates", {"a.msu": b"1", "b.cab": b"2", "readme.txt": b"3"}
    )
    unpacked = write_files(tmp_path / "unpacked", {"update.mum": b"4"})
    servicing.add_package(disk, updates, ignore_errors=False)
    servicing.add_package(disk, unpacked, ignore_errors=False)
    assert [
        command[-1] if command[0] == "dism.exe" else command[1] for command in _commands(disk)
    ] == [
        r"<here>packages\package\a.msu",
        r"/PackagePath:<here>packages\package\b.cab",
        r"/PackagePath:<here>packages\unpacked",
    ]
    assert package_names(["B.CAB", "x"]) == ("B.CAB",)


def test_a_package_with_foreign_letters_gets_a_plain_name(disk: LinuxDisk, tmp_path: Path) -> None:
    """The guest reads scripts in a code page that is not known here."""
    file = write_files(tmp_path / "in", {"größe & mehr.msu": b"x"}) / "größe & mehr.msu"
    LinuxServicing().add_package(disk, file, ignore_errors=False)
    path = "UnattendResources/Servicing/packages/package/package.msu"
    assert disk.tree.read_bytes(path) == b"x"
    assert _commands(disk)[0][1] == r"<here>packages\package\package.msu"


def test_a_missing_package_is_refused(disk: LinuxDisk, tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(MediaError, match=r"gone\.cab"):
        LinuxServicing().add_package(disk, tmp_path / "gone.cab", ignore_errors=True)


@pytest.mark.parametrize(
    ("version", "purge", "arguments"),
    [
        (WIN7, True, None),
        (WindowsVersion(6, 2, 9200), True, ("/StartComponentCleanup",)),
        (WindowsVersion(6, 3, 9600), True, ("/StartComponentCleanup", "/ResetBase")),
        (WIN10, False, ("/StartComponentCleanup",)),
        (None, True, ("/StartComponentCleanup", "/ResetBase")),
    ],
)
def test_clean_up_depends_on_the_version(
    tmp_path: Path, version: WindowsVersion | None, purge: bool, arguments: tuple[str, ...] | None
) -> None:
    """Windows 7 has none, Windows 8 no /ResetBase."""
    disk = make_disk(tmp_path, version)
    LinuxServicing().clean_updates(disk, purge)
    if arguments is None:
        assert read_files(disk.tree.local) == {}
    else:
        assert _commands(disk)[0][5:] == arguments


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ('[Version]\r\nSignature=x\r\nProvider="Red Hat, Inc." ; who\r\n', "Red Hat, Inc."),
        (
            '[Version]\r\nSignature=x\r\nProvider=%VENDOR%\r\n[Strings]\r\nVendor = "Red Hat"\r\n',
            "Red Hat",
        ),
        ("[Version]\r\nSignature=x\r\n provider = Me\r\n", "Me"),
        ("[Version]\r\nSignature=x\r\nProvider=%GONE%\r\n", "%GONE%"),
        ("[Version]\r\nSignature=x\r\n", ""),
        ("no INF at all", ""),
    ],
)
def test_reads_the_provider_of_an_inf(disk: LinuxDisk, text: str, provider: str) -> None:
    """With or without quotes and string tokens, in any encoding INF files have."""
    for encoding in ("utf-16", "utf-8-sig", "cp1252"):
        disk.tree.write_bytes(r"Windows\INF\oem0.inf", text.encode(encoding))
        assert LinuxServicing().list_drivers(disk) == [InstalledDriver("oem0.inf", provider)]


def _inf(provider: str) -> bytes:
    return f'[Version]\r\nSignature="$Windows NT$"\r\nProvider="{provider}"\r\n'.encode()


def test_lists_third_party_drivers(disk: LinuxDisk) -> None:
    """Those published as oemN.inf; what came with Windows does not count."""
    disk.tree.write_bytes(r"Windows\INF\oem3.inf", _inf("A"))
    disk.tree.write_bytes(r"Windows\INF\OEM12.INF", _inf("B"))
    disk.tree.write_bytes(r"Windows\INF\oem3.PNF", b"")
    disk.tree.write_bytes(r"Windows\INF\disk.inf", _inf("Microsoft"))
    assert LinuxServicing().list_drivers(disk) == [
        InstalledDriver("OEM12.INF", "B"),
        InstalledDriver("oem3.inf", "A"),
    ]


def test_a_disk_without_image_cannot_be_written(disk: LinuxDisk, tmp_path: Path) -> None:
    """The error says that no image was applied."""
    disk.source = None
    with pytest.raises(BuildError, match="No image was applied"):
        extract_volume(disk, tmp_path / "vol")
