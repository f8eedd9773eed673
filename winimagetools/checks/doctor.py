"""What this machine can make, and what it lacks for the rest.

Nothing is known here that preflight does not know: each question is put to the host as the
preflight of a workflow puts it, so the two cannot say different things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import Problem
from winimagetools.files.space import free_bytes
from winimagetools.found import Ability, MachineFacts
from winimagetools.model import GIB, DiskFormat, DiskLayout
from winimagetools.output.become import takes_qemu_img
from winimagetools.plan import Delivery, Requirements, VmRequest

_USUAL_MEMORY = 2 * GIB
_QEMU_IMG = "by qemu-img"


@dataclass(frozen=True)
class Diagnosis:
    """What was found of a machine.

    Args:
        host: which kind of host it is.
        machine: what it is.
        folder: where images would be made.
        free: bytes of room there.
        abilities: what it can do and what not.
    """

    host: str
    machine: MachineFacts
    folder: Path
    free: int
    abilities: tuple[Ability, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing that every image needs."""
        return not any(ability.needed and ability.lacking for ability in self.abilities)


def diagnose(host: Host, folder: Path) -> Diagnosis:
    """Look at a machine.

    Args:
        host: the machine.
        folder: where images would be made; its file system decides how containers are made.
    """
    abilities = (*_workflows(host), *_containers(host, folder))
    return Diagnosis(host.name, host.checks.machine(), folder, free_bytes(folder), abilities)


def _workflows(host: Host) -> Iterator[Ability]:
    for layout in DiskLayout:
        needs = Requirements(layout)
        yield Ability(f"offline images, {layout}", "", _lacking(host, needs), needed=True)
    for layout, what, secure in (
        (DiskLayout.BIOS, "", False),
        (DiskLayout.UEFI, " without Secure Boot", False),
        (DiskLayout.UEFI, " with Secure Boot", True),
    ):
        machine = _machine(layout, secure)
        lacking = _lacking(host, Requirements(layout, vm=True), machine)
        yield Ability(f"online images, {layout}{what}", "", lacking)
    yield Ability("virtual machines with a TPM, for Windows 11", "", tuple(host.vm.check_tpm()))
    # Of any container, so that one has to be converted to the one that is worked in.
    golden = Requirements(DiskLayout.UEFI, (host.work_format,), existing_disk=True, vm=True)
    lacking = _lacking(host, golden, _machine(DiskLayout.UEFI, secure=False))
    yield Ability("golden images", "", lacking)
    finished = Requirements(DiskLayout.UEFI, existing_disk=True)
    yield Ability("tests of finished images", "", _lacking(host, finished))


def _containers(host: Host, folder: Path) -> Iterator[Ability]:
    for disk_format in DiskFormat:
        how = _way(host, folder, disk_format)
        formats = (disk_format,) if how == _QEMU_IMG else ()
        lacking = _lacking(host, Requirements(DiskLayout.UEFI, formats=formats))
        yield Ability(f"{disk_format} images", how, lacking, needed=True)


def _way(host: Host, folder: Path, disk_format: DiskFormat) -> str:
    if disk_format is host.work_format:
        return "as they are built"
    delivery = Delivery(folder / "image", disk_format, (), "image")
    if takes_qemu_img(host.work_format, delivery):
        return _QEMU_IMG
    return "in place" if host.files.stays_in_place(host.work_format, delivery) else "by a copy"


def _machine(layout: DiskLayout, secure: bool) -> VmRequest:
    return VmRequest(
        name="",
        disk=Path(),
        memory=_USUAL_MEMORY,
        cpu_count=1,
        switch="",
        generation=2 if layout is DiskLayout.UEFI else 1,
        disable_secure_boot=not secure,
    )


def _lacking(
    host: Host, needs: Requirements, machine: VmRequest | None = None
) -> tuple[Problem, ...]:
    problems = [*host.checks.check(needs)]
    if machine is not None:
        problems += host.vm.check(machine, False)
    return tuple(dict.fromkeys(problems))


def describe(found: Diagnosis) -> list[str]:
    """A diagnosis for people: the machine, what it can do, and what is missing, each once."""
    missing = list(
        dict.fromkeys(problem for ability in found.abilities for problem in ability.lacking)
    )
    lines = list(_describe_machine(found))
    for ability in found.abilities:
        how = f", {ability.how}" if ability.how else ""
        if ability.lacking:
            numbers = sorted(missing.index(problem) + 1 for problem in ability.lacking)
            told = ", ".join(str(number) for number in numbers)
            lines.append(f"  no   {ability.name} (missing: {told})")
        else:
            lines.append(f"  yes  {ability.name}{how}")
    lines += (f"missing {number}: {problem}" for number, problem in enumerate(missing, 1))
    if found.complete:
        lines.append("Everything needed to make BIOS and UEFI images in every format is here.")
    return lines


def _describe_machine(found: Diagnosis) -> Iterator[str]:
    machine = found.machine
    yield f"This is a {found.host} host: {machine.system}."
    memory = f", {log.size(machine.memory)} of memory" if machine.memory else ""
    processors = f"{machine.processors} processor{'s' if machine.processors != 1 else ''}"
    yield f"It has {processors}{memory}; {log.size(found.free)} are free in {found.folder}."
    yield f"Network bridges for virtual machines: {', '.join(machine.bridges) or 'none'}."
    yield "It can make:"
