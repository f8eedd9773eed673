"""Which of the boot managers of a Windows goes on the EFI partition, and whether it is right.

The rule of ``auto``: from build 26200 on the one signed under "Windows UEFI CA 2023" where the
image has it, before that the one in ``EFI``, as Windows deploys itself. What counts in the end
is the signature in the file, not the folder it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from winimagetools.contract import Disk, Host, Vm
from winimagetools.errors import BuildError, MediaError, Problem
from winimagetools.facts.boot_authority import (
    BOOT_MANAGER,
    BOOT_MANAGER_EX,
    BootAuthority,
    BootManager,
    boot_authority,
    boot_manager_sentence,
)
from winimagetools.facts.releases import BOOT_MANAGER_OF_2023
from winimagetools.formats.pe import read_pe
from winimagetools.image.request import Request, Workflow
from winimagetools.model import DiskLayout, WindowsVersion
from winimagetools.plan import BuildPlan
from winimagetools.settings.findings import Findings

AUTO = "auto"
_ASKED = {"2011": BootAuthority.PCA_2011, "2023": BootAuthority.CA_2023}


def parse_authority(found: Findings) -> str:
    """The value of ``boot_authority``; another word is a problem."""
    text = found.config.boot_authority.strip().casefold()
    if text in (AUTO, *_ASKED):
        return text
    found.add(
        "boot_authority",
        f"{found.config.boot_authority!r} is no authority of boot managers.",
        f"Use {AUTO}, {' or '.join(_ASKED)}.",
    )
    return AUTO


def check_use(found: Findings, request: Request) -> None:
    """Warn where the option changes nothing."""
    if request.boot_authority == AUTO:
        return
    if request.workflow is Workflow.GOLDEN:
        why = "a golden image keeps the boot manager it has"
    elif request.layout is DiskLayout.BIOS:
        why = "a BIOS asks for no signature"
    else:
        return
    found.warn("boot_authority", f"It is not used: {why}.", f"Set it to {AUTO}.")


def takes_ex(authority: str, version: WindowsVersion) -> bool:
    """Whether the boot files of ``EFI_EX`` are taken where there are any."""
    return authority == "2023" or (authority == AUTO and BOOT_MANAGER_OF_2023.is_in(version))


def read_boot_manager(data: bytes) -> BootManager | None:
    """What a boot manager tells of itself; None for a file that is no program."""
    program = read_pe(data)
    if program is None:
        return None
    return BootManager(boot_authority(program.certificates), program.security_version)


def find_boot_manager(read_file: Callable[[str], bytes], *, ex: bool) -> BootManager | None:
    """The boot manager that will be taken from an installed Windows.

    Args:
        read_file: reads a file of it; raises FileNotFoundError where there is none, or where
            looking would cost too much.
        ex: that of ``EFI_EX`` is taken where there is one.

    Returns:
        None where it cannot be looked at.
    """
    for path in (*((BOOT_MANAGER_EX,) if ex else ()), BOOT_MANAGER):
        try:
            return read_boot_manager(read_file(path))
        except FileNotFoundError:
            continue
        except MediaError:
            return None
    return None


def manager_of_new_disk(host: Host, disk: Disk) -> BootManager | None:
    """The boot manager of a disk that was made bootable; None for a BIOS."""
    try:
        return read_boot_manager(host.boot.boot_manager(disk))
    except FileNotFoundError:
        return None


def manager_of_golden_disk(host: Host, disk: Disk) -> BootManager | None:
    """The boot manager on the EFI partition; where a host cannot tell, the one Windows keeps."""
    facts = host.disks.facts(disk)
    if facts is None:
        return find_boot_manager(disk.tree.read_bytes, ex=False)
    return read_boot_manager(facts.boot_manager) if facts.boot_manager else None


def describe_boot_manager(manager: BootManager | None) -> str:
    """What it means for where the image starts; empty where it cannot be looked at."""
    return boot_manager_sentence(manager) if manager else ""


def authority_problem(authority: str, manager: BootManager | None) -> Problem | None:
    """What is wrong when a boot manager is not signed as it was asked for."""
    wanted = _ASKED.get(authority)
    if wanted is None or manager is None or manager.authority is wanted:
        return None
    return Problem(
        f"This Windows has no boot manager that is signed under {wanted.value}: the one it would "
        f"start with is signed by {manager.signed}.",
        f"Use media with updates of April 2024 or later, or set boot_authority = {AUTO}."
        if wanted is BootAuthority.CA_2023
        else f"Use older media, or set boot_authority = {AUTO}.",
        section="vm",
        key="boot_authority",
    )


def check_boot_manager(authority: str, manager: BootManager | None) -> None:
    """Refuse to go on with a disk whose boot manager is another one than was asked for.

    Raises:
        BuildError: it is.
    """
    problem = authority_problem(authority, manager)
    if problem is not None:
        raise BuildError(problem.message, problem.hint)


def look_at_boot_manager(
    request: Request,
    found: Findings,
    plan: BuildPlan,
    read_file: Callable[[str], bytes],
    vm: Vm,
) -> BuildPlan:
    """Compare the boot manager of a medium with what was asked for and what the machine trusts.

    Args:
        request: what was asked for.
        found: problems are put here.
        plan: what was decided.
        read_file: reads a file of the edition; raises FileNotFoundError.
        vm: starts it.

    Returns:
        The plan, whose machine knows what its firmware has to trust.
    """
    if plan.layout is not DiskLayout.UEFI:
        return plan
    manager = find_boot_manager(read_file, ex=plan.boot_ex)
    problem = authority_problem(request.boot_authority, manager)
    if problem is not None:
        found.add("boot_authority", problem.message, problem.hint)
    machine = plan.machine
    if machine is None or machine.disable_secure_boot or not manager or not manager.authority:
        return plan
    certificate = manager.authority.value
    found.problems += vm.check_trust(certificate)
    return replace(plan, machine=replace(machine, certificate=certificate))
