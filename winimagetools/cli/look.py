"""How the command line shows finished images: checks, descriptions, folders."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

from winimagetools import log
from winimagetools.checks.description import Description
from winimagetools.checks.result import State
from winimagetools.found import DiskFacts, PartitionFacts
from winimagetools.image.boot_manager import describe_boot_manager
from winimagetools.workflows.check import CheckReport
from winimagetools.workflows.look import Listed

_MAP = 60
"""Characters of the map of a disk."""
_LETTERS = {"EFI": "E", "MSR": "m", "Windows": "W", "recovery": "R", "system": "S", "data": "d"}


def report_text(report: CheckReport) -> str:
    """A line for each check, with what to do."""
    width = max(len(result.name) for result in report.results)
    lines = [
        f"{result.state:<8} {result.name:<{width}}  {result.text}"
        + (f" {result.hint}" if result.hint and result.state is not State.OK else "")
        for result in report.results
    ]
    faults = sum(result.state is State.FAILED for result in report.results)
    warnings = sum(result.state is State.WARNING for result in report.results)
    end = f"{report.image}: {_count(faults, 'fault')}, {_count(warnings, 'warning')}."
    return "\n".join([*lines, end])


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def report_json(report: CheckReport) -> str:
    """The results as JSON."""
    return json.dumps(
        {
            "image": str(report.image),
            "passed": not report.failed,
            "checks": [dataclasses.asdict(result) for result in report.results],
        },
        indent=2,
    )


def description_json(found: Description) -> str:
    """Everything ``inspect`` finds as JSON; the boot configuration only by its size."""
    record = dataclasses.asdict(found)
    if found.disk is not None:
        store = record["disk"].pop("boot_store")
        record["disk"]["boot_store_bytes"] = None if store is None else len(store)
        record["disk"].pop("boot_manager")
    return json.dumps(record, indent=2)


def description_text(found: Description) -> str:
    """Everything ``inspect`` finds, for people."""
    sections = [_windows(found)]
    if found.disk is not None:
        sections.append(_disk(found.disk))
    drivers = [f"  {item.published_name}  {item.provider}" for item in found.drivers]
    storage = [
        f"  {item.name}  start {item.start}, "
        f"{'registered' if item.registered else 'not registered'}, \\{item.path}"
        for item in found.storage
    ]
    logs = [f"  {item.path}  {log.size(item.size)}" for item in found.logs]
    for title, lines in (
        ("Added drivers", drivers),
        ("Storage drivers of virtio", storage),
        ("Agents", [f"  {name}" for name in found.agents]),
        ("Accounts", [f"  {name}" for name in found.accounts]),
        ("Waiting for the next start", [f"  {name}" for name in found.pending]),
        ("Logs", logs),
        ("Could not be read", [f"  {sentence}" for sentence in found.unreadable]),
    ):
        if lines:
            sections.append([f"{title}:", *lines])
    return "\n\n".join("\n".join(lines) for lines in sections)


def _windows(found: Description) -> list[str]:
    rows = (
        ("Image", f"{found.image} ({found.container})"),
        ("Windows", found.windows),
        ("Calls itself", found.product),
        ("Version", f"{found.version} {found.architecture}".strip()),
        ("Edition", f"{found.edition} {found.installation_type}".strip()),
        ("Installed", found.installed),
        ("Setup", found.state),
        ("Computer", found.computer),
        ("Boot entry", found.boot_entry),
        ("Secure Boot", describe_boot_manager(found.boot_manager)),
    )
    return [f"{name + ':':<14}{text}" for name, text in rows if text]


def _disk(disk: DiskFacts) -> list[str]:
    kind = "GPT" if any(part.guid for part in disk.partitions) else "MBR"
    volume = disk.volume
    state = "hibernated" if volume.hibernated else "clean" if volume.clean else "not clean"
    return [
        f"Disk: {log.size(disk.size)}, {kind} {disk.identifier}, for {disk.layout} firmware, "
        f"sectors of {disk.sector} bytes",
        f"  [{disk_map(disk)}]",
        *(_partition(part) for part in disk.partitions),
        f"  Windows volume: {log.size(volume.free)} of {log.size(volume.size)} free, {state}",
        *(f"  {problem}" for problem in disk.table_problems),
        *([f"  {disk.boot_problem}"] if disk.boot_problem else []),
    ]


def _partition(part: PartitionFacts) -> str:
    letter = _LETTERS.get(part.role, "?")
    marks = f"{part.file_system or '-':<9}{' active' if part.active else ''}"
    return (
        f"  {part.number}  {letter} {part.role:<9}{log.size(part.size):>10} at "
        f"{log.size(part.start):<10} {marks} {part.name}"
    ).rstrip()


def disk_map(disk: DiskFacts) -> str:
    """The disk as a row of letters, a letter for each part of it; dots are free."""
    row = ["."] * _MAP
    for part in disk.partitions:
        first = part.start * _MAP // disk.size
        last = max((part.start + part.size) * _MAP // disk.size, first + 1)
        for place in range(min(first, _MAP - 1), min(last, _MAP)):
            row[place] = _LETTERS.get(part.role, "?")
    return "".join(row)


def listing_text(items: Sequence[Listed]) -> str:
    """A folder of an image: sizes and names; folders end in a backslash."""
    return "\n".join(_listing(items))


def _listing(items: Sequence[Listed]) -> Iterator[str]:
    for item in items:
        size = "" if item.size is None else str(item.size)
        yield f"{size:>14}  {item.name}"


def listing_json(items: Sequence[Listed]) -> str:
    """A folder of an image as JSON; the size of a folder is null."""
    return json.dumps([dataclasses.asdict(item) for item in items], indent=2)
