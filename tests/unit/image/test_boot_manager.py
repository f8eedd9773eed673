"""Which boot manager goes on the EFI partition, and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import pe
from fixtures.virtio_pe import sign, signed_data
from winimagetools.errors import BuildError, Problem
from winimagetools.facts.boot_authority import (
    BOOT_MANAGER,
    BOOT_MANAGER_EX,
    BootAuthority,
    BootManager,
)
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.image.boot_manager import (
    authority_problem,
    check_boot_manager,
    find_boot_manager,
    look_at_boot_manager,
    takes_ex,
)
from winimagetools.image.request import Request, Workflow
from winimagetools.model import (
    GIB,
    Architecture,
    DiskFormat,
    DiskLayout,
    ImageType,
    WindowsVersion,
)
from winimagetools.plan import BuildPlan, Delivery, ImageInfo, VmRequest
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig
from winimagetools.stamp import Stamp

SERVER_2022 = WindowsVersion(10, 0, 20348, 587)
WINDOWS_11_25H2 = WindowsVersion(10, 0, 26200, 1)
OLD = BootManager(BootAuthority.PCA_2011, "3.0")
NEW = BootManager(BootAuthority.CA_2023, "9.0")


def manager(of: BootManager) -> bytes:
    """The file of a boot manager."""
    major, _, minor = of.security_version.partition(".")
    data = pe.image(
        Architecture.AMD64,
        SERVER_2022,
        "bootmgfw.efi",
        security_version=(int(major), int(minor)),
    )
    issuer = ("Microsoft Corporation", str(of.authority))
    return sign(data, [signed_data(((("Microsoft Corporation", "Microsoft Windows"), issuer),))])


def windows(**files: BootManager) -> Callable[[str], bytes]:
    """Reads the files of a Windows with these boot managers."""
    paths = {"usual": BOOT_MANAGER, "ex": BOOT_MANAGER_EX}
    there = {paths[name]: manager(item) for name, item in files.items()}

    def read(path: str) -> bytes:
        if path not in there:
            raise FileNotFoundError(path)
        return there[path]

    return read


@pytest.mark.parametrize(
    ("authority", "version", "expected"),
    [
        ("auto", SERVER_2022, False),
        ("auto", WINDOWS_11_25H2, True),
        ("2011", WINDOWS_11_25H2, False),
        ("2023", SERVER_2022, True),
    ],
)
def test_the_rule(authority: str, version: WindowsVersion, expected: bool) -> None:
    """Auto takes the newer one from build 26200 on."""
    assert takes_ex(authority, version) is expected


@pytest.mark.parametrize(
    ("files", "ex", "expected"),
    [
        ({"usual": OLD, "ex": NEW}, True, NEW),
        ({"usual": OLD, "ex": NEW}, False, OLD),
        ({"usual": OLD}, True, OLD),
        ({"usual": NEW}, False, NEW),
        ({}, True, None),
    ],
)
def test_what_is_taken(files: dict[str, BootManager], ex: bool, expected: BootManager) -> None:
    """The one of EFI_EX where it is wanted and there; authority and version are read from it."""
    assert find_boot_manager(windows(**files), ex=ex) == expected


@pytest.mark.parametrize(
    ("authority", "found", "says"),
    [
        ("2023", OLD, "signed under Windows UEFI CA 2023.*PCA 2011.*April 2024"),
        ("2011", NEW, "signed under Microsoft Windows Production PCA 2011.*CA 2023.*older media"),
        ("2023", BootManager(None), "is signed by nobody of Microsoft"),
    ],
)
def test_another_one_than_was_asked_for(authority: str, found: BootManager, says: str) -> None:
    """Media that lack it are refused, and so is a disk that got another one."""
    problem = authority_problem(authority, found)
    assert problem is not None
    assert (problem.section, problem.key) == ("vm", "boot_authority")
    with pytest.raises(BuildError, match=says) as refused:
        check_boot_manager(authority, found)
    assert refused.value.hint == problem.hint


@pytest.mark.parametrize(
    ("authority", "found"),
    [("auto", OLD), ("auto", BootManager(None)), ("2011", OLD), ("2023", NEW), ("2023", None)],
)
def test_what_was_asked_for(authority: str, found: BootManager | None) -> None:
    """Nothing to say; what cannot be looked at is judged when it is on the disk."""
    assert authority_problem(authority, found) is None
    check_boot_manager(authority, found)


@pytest.mark.parametrize(
    ("off", "keys", "certificate"),
    [
        (False, ["boot_authority"], str(BootAuthority.PCA_2011)),
        (True, [], ""),
    ],
)
def test_the_firmware_has_to_know_it(off: bool, keys: list[str], certificate: str) -> None:
    """A machine with Secure Boot that would not start is refused, and knows what it must trust."""
    found = Findings(WindowsImageConfig())
    machine = replace(VmRequest("vm", Path(), 1, 1, "", 2), disable_secure_boot=off)
    plan = look_at_boot_manager(
        request(), found, plan_with(machine), windows(usual=OLD), Distrustful()
    )
    assert [problem.key for problem in found.problems] == keys
    assert plan.machine is not None
    assert plan.machine.certificate == certificate


def test_media_are_refused_before_the_build() -> None:
    """2023 is asked for, and the medium has a boot manager of 2011 only."""
    found = Findings(WindowsImageConfig())
    look_at_boot_manager(
        request("2023"), found, plan_with(None, ex=True), windows(usual=OLD), Distrustful()
    )
    assert [problem.key for problem in found.problems] == ["boot_authority"]
    bios = replace(plan_with(None), layout=DiskLayout.BIOS)
    silent = Findings(WindowsImageConfig())
    look_at_boot_manager(request("2023"), silent, bios, windows(), Distrustful())
    assert silent.problems == []


class Distrustful(LinuxVm):
    """A host whose firmware knows nobody."""

    def check_trust(self, certificate: str) -> Sequence[Problem]:
        """It would not start."""
        return [Problem(certificate, key="boot_authority")]


def request(authority: str = "auto") -> Request:
    """One for a disk that starts with UEFI."""
    delivery = Delivery(Path("win.raw"), DiskFormat.RAW, (), "win")
    return Request(
        Workflow.ONLINE,
        DiskLayout.UEFI,
        ImageType.KVM,
        delivery,
        GIB,
        boot_authority=authority,
    )


def plan_with(machine: VmRequest | None, *, ex: bool = False) -> BuildPlan:
    """A plan with nothing in it but a machine."""
    return BuildPlan(
        windows=ImageInfo(SERVER_2022, Architecture.AMD64, "Server"),
        edition=None,
        golden=None,
        layout=DiskLayout.UEFI,
        disk_size=GIB,
        work_format=DiskFormat.RAW,
        answers=(),
        files=(),
        drivers=(),
        offline=(),
        guest=(),
        machine=machine,
        shrink=False,
        optimize=False,
        delivery=request().delivery,
        stamp=Stamp(0, b""),
        boot_ex=ex,
    )
