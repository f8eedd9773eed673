"""Checks of what starts Windows: boot files, and the boot configuration store."""

from __future__ import annotations

from collections.abc import Iterator

from winimagetools.checks.result import Result, bad, doubtful, good, skipped
from winimagetools.checks.subject import Subject
from winimagetools.errors import WinImageError
from winimagetools.formats.bcd.reading import BootEntry, Device, read_boot_entry
from winimagetools.found import DiskFacts
from winimagetools.model import Architecture, DiskLayout

_REPAIR = "Repair it in that Windows with bcdboot, or make the image anew."
_MANAGER = "efi/microsoft/boot/bootmgfw.efi"
_FALLBACKS = {
    Architecture.AMD64: "efi/boot/bootx64.efi",
    Architecture.X86: "efi/boot/bootia32.efi",
    Architecture.ARM64: "efi/boot/bootaa64.efi",
}


def check_boot_files(subject: Subject) -> Result:
    """The boot manager where firmware of the layout looks for it."""
    facts = subject.facts
    if facts is None:
        return skipped("boot files", "This host cannot look at the boot partition.")
    if facts.boot_problem:
        return bad("boot files", facts.boot_problem, _REPAIR)
    there = {name.casefold() for name in facts.boot_files}
    if facts.layout is DiskLayout.BIOS:
        if "bootmgr" not in there:
            return bad("boot files", r"\bootmgr is missing on the active partition.", _REPAIR)
        return good("boot files", r"\bootmgr is on the active partition.")
    architecture = subject.windows.architecture if subject.windows else Architecture.AMD64
    fallback = _FALLBACKS.get(architecture, _FALLBACKS[Architecture.AMD64])
    if fallback not in there:
        return bad(
            "boot files",
            f"\\{fallback} is missing on the EFI partition: firmware that does not know this "
            "disk starts nothing.",
            _REPAIR,
        )
    if _MANAGER not in there:
        return doubtful("boot files", f"\\{_MANAGER} is missing on the EFI partition.", _REPAIR)
    return good("boot files", "The boot manager is on the EFI partition, at both its places.")


def check_boot_store(subject: Subject) -> Result:
    """The boot configuration: there, and pointing at partitions of this disk."""
    facts = subject.facts
    if facts is None or facts.boot_problem:
        return skipped("boot store", "The boot partition cannot be looked at.")
    if facts.boot_store is None:
        return bad("boot store", "There is no boot configuration (BCD).", _REPAIR)
    try:
        entry = read_boot_entry(facts.boot_store)
    except WinImageError as error:
        return bad("boot store", error.message, _REPAIR)
    if entry is None:
        return bad("boot store", "The boot configuration has no default entry.", _REPAIR)
    faults = list(_faults(subject, facts, entry))
    if faults:
        return bad("boot store", " ".join(faults), _REPAIR)
    return good("boot store", f'The boot configuration starts "{entry.name}" of this disk.')


def _faults(subject: Subject, facts: DiskFacts, entry: BootEntry) -> Iterator[str]:
    windows = next(part for part in facts.partitions if part.role == "Windows")
    for what, device in (("loader", entry.loader), ("Windows", entry.windows)):
        if device is None:
            yield f"The boot configuration does not say where the {what} is."
        elif not _leads_to(device, facts, windows.number):
            yield f"The boot configuration looks for the {what} on another partition or disk."
    if entry.manager is not None and facts.layout is DiskLayout.UEFI:
        efi = [part.number for part in facts.partitions if part.role == "EFI"]
        if not any(_leads_to(entry.manager, facts, number) for number in efi):
            yield "The boot configuration looks for the boot manager on another partition or disk."
    path = entry.path.replace("\\", "/").strip("/")
    if not path or not subject.tree.exists(path):
        yield f"The loader {entry.path or '(none)'} is not there."


def _leads_to(device: Device, facts: DiskFacts, number: int) -> bool:
    if device.kind in ("locate", "boot"):
        return True
    part = next(part for part in facts.partitions if part.number == number)
    if device.kind != "partition" or device.disk.casefold() != facts.identifier.casefold():
        return False
    return device.partition == part.guid if part.guid else device.offset == part.start
