"""What is put into an image for the guest to install at its first start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.files import write_files
from tests.unit.fakes import MemorySource, put
from winimagetools.errors import RequestError
from winimagetools.guest import staging
from winimagetools.guest.staging import package_files
from winimagetools.guest.steps import driver_script, servicing_script, trust_script
from winimagetools.model import WindowsVersion
from winimagetools.plan import AddPackage, DriverFile, DriverPackage, DriverPlan, GuestStep

WIN10 = WindowsVersion(10, 0, 20348)
WIN7 = WindowsVersion(6, 1, 7601)
BASE = "Windows/Drivers/winimagetools"
SERVICING = "UnattendResources/Servicing"
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


def test_whole_driver_packages_are_staged() -> None:
    """One folder each, boot-start binaries in place, and a script that installs them."""
    binary = DriverFile("viostor/w10/amd64/viostor.sys", r"Windows\System32\drivers\viostor.sys")
    plan = DriverPlan(MemorySource(SOURCE), (), (VIOSTOR, NETKVM), (binary,))
    assert put(staging.stage_drivers([plan], WIN10)) == {
        f"{BASE}/viostor/viostor.inf": b"inf",
        f"{BASE}/viostor/viostor.cat": b"cat",
        f"{BASE}/viostor/viostor.sys": b"sys",
        f"{BASE}/package/netkvm.inf": b"net",
        f"{BASE}/package/sub/netkvmp.exe": b"exe",
        f"{BASE}/package/license.txt": b"lic",
        f"{BASE}/install.cmd": driver_script(
            [r"package\netkvm.inf", r"viostor\viostor.inf"], WIN10
        ),
        f"{BASE}/trust.ps1": trust_script(),
        "Windows/System32/drivers/viostor.sys": b"sys",
    }


def test_drivers_of_several_sources_come_together() -> None:
    """A second package of the same name gets a folder of its own; one script installs all."""
    plan = DriverPlan(MemorySource(SOURCE), (), (VIOSTOR,))
    content = put(staging.stage_drivers([plan, plan], WIN7))
    infs = [r"viostor-2\viostor.inf", r"viostor\viostor.inf"]
    assert content[f"{BASE}/install.cmd"] == driver_script(infs, WIN7)
    assert content[f"{BASE}/viostor-2/viostor.inf"] == b"inf"


def test_a_plan_without_packages_stages_nothing() -> None:
    """No empty script is left behind."""
    assert staging.stage_drivers([DriverPlan(MemorySource({}))], WIN10) == []


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


def test_a_package_and_the_step_that_installs_it(tmp_path: Path) -> None:
    """The file lies where the step looks for it."""
    cab = write_files(tmp_path, {"my.cab": b"cab"}) / "my.cab"
    files, steps = staging.stage_packages([AddPackage(cab, ignore_errors=True)])
    assert put(files) == {f"{SERVICING}/packages/my/my.cab": b"cab"}
    dism = ("dism.exe", "/Online", "/NoRestart", "/Quiet")
    path = r"/PackagePath:<here>packages\my\my.cab"
    assert steps == [GuestStep((*dism, "/Add-Package", path), ignore_errors=True)]


def test_packages_of_a_folder_are_installed_one_by_one(tmp_path: Path) -> None:
    """Each .msu and .cab; a folder without them is one unpacked package."""
    updates = write_files(
        tmp_path / "all updates", {"a.msu": b"1", "B.CAB": b"2", "readme.txt": b"3"}
    )
    unpacked = write_files(tmp_path / "unpacked", {"update.mum": b"4"})
    files, steps = staging.stage_packages([AddPackage(updates), AddPackage(unpacked)])
    assert [
        step.command[1] if "wusa" in step.command[0] else step.command[-1] for step in steps
    ] == [
        r"/PackagePath:<here>packages\package\B.CAB",
        r"<here>packages\package\a.msu",
        r"/PackagePath:<here>packages\unpacked",
    ]
    assert put(files)[f"{SERVICING}/packages/unpacked/update.mum"] == b"4"


def test_a_package_with_foreign_letters_gets_a_plain_name(tmp_path: Path) -> None:
    """The guest reads scripts in a code page that is not known here."""
    file = write_files(tmp_path, {"größe & mehr.msu": b"x"}) / "größe & mehr.msu"
    files, (step,) = staging.stage_packages([AddPackage(file)])
    assert put(files) == {f"{SERVICING}/packages/package/package.msu": b"x"}
    assert step.command[1] == r"<here>packages\package\package.msu"


@pytest.mark.parametrize(
    ("version", "purge", "arguments"),
    [
        (WIN7, True, None),
        (WindowsVersion(6, 2, 9200), True, ("/StartComponentCleanup",)),
        (WindowsVersion(6, 3, 9600), True, ("/StartComponentCleanup", "/ResetBase")),
        (WIN10, False, ("/StartComponentCleanup",)),
    ],
)
def test_clean_up_depends_on_the_version(
    version: WindowsVersion, purge: bool, arguments: tuple[str, ...] | None
) -> None:
    """Windows 7 has none, Windows 8 no /ResetBase."""
    found = [step.command[5:] for step in staging.clean_up_step(version, purge)]
    assert found == ([] if arguments is None else [arguments])


def test_the_script_does_the_steps() -> None:
    """Without steps there is none."""
    steps = [staging.feature_step("NetFx3", "TelnetClient")]
    assert put(staging.servicing_files(steps)) == {
        f"{SERVICING}/Servicing.cmd": servicing_script(steps)
    }
    assert staging.servicing_files([]) == []


def test_a_name_that_cannot_be_passed_is_refused() -> None:
    """Before anything is written."""
    with pytest.raises(RequestError):
        staging.servicing_files([staging.feature_step('a" & del')])
