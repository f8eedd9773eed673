"""A build plan for people: what ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from winimagetools import log
from winimagetools.image.drivers.plan import describe_plan
from winimagetools.plan import (
    AddCapabilities,
    AddDrivers,
    AddPackage,
    BuildPlan,
    CleanUpdates,
    Content,
    Delivery,
    Download,
    EditRegistry,
    EnableFeatures,
    FileAddition,
    FileChange,
    FileRemoval,
    FileSource,
    GuestStep,
    HostPath,
    Member,
    OfflineStep,
    RegistryEdit,
    RegistryValue,
    VmRequest,
)


def describe(plan: BuildPlan) -> list[str]:
    """Everything that was decided, a line each, details indented below their heading."""
    sections = (
        ("The disk", list(_disk(plan))),
        ("The answer file", list(plan.answers)),
        ("Files, in order", [line for change in _together(plan.files) for line in change]),
        *(
            (f"Drivers from {drivers.source.name}", describe_plan(drivers))
            for drivers in plan.drivers
        ),
        ("Before Windows starts, in order", [line for s in plan.offline for line in _offline(s)]),
        ("At the first start, before all scripts", [_guest(step) for step in plan.guest]),
        ("In a virtual machine", list(_machine(plan.machine))),
        ("The finished disk", list(_deliver(plan))),
    )
    return [
        line
        for title, lines in sections
        if lines
        for line in (f"{title}:", *(f"  {line}" for line in lines))
    ]


def _disk(plan: BuildPlan) -> Iterator[str]:
    size = log.size(plan.disk_size)
    if plan.golden is not None:
        yield f"copy {plan.golden}, enlarge it to {size} and let Windows fill it"
        yield f"it holds Windows {plan.windows.version} {plan.windows.architecture}"
        if plan.layout == "BIOS":
            yield "let its boot manager locate its devices"
        return
    yield f"make a {plan.layout} disk of {size} in the container {plan.work_format}"
    if plan.edition is not None:
        image = plan.edition
        what = f"{image.name} ({image.version}, {image.architecture})"
        yield f"apply image {image.index}: {what}"
    newer = ", with the boot manager of EFI_EX where there is one" if plan.boot_ex else ""
    yield f"make it bootable with {plan.layout} firmware{newer}"


def _together(changes: Sequence[FileChange]) -> Iterator[Iterator[str]]:
    """Files of one folder of an opened source that go into one folder are one line."""
    for place, group in groupby(changes, key=_place):
        members = list(group)
        if place is None or len(members) == 1:
            yield (_change(change) for change in members)
        else:
            name, folder, target = place
            yield iter([f"copy {len(members)} files from {folder or name} of {name} to {target}"])


def _place(change: FileChange) -> tuple[str, str, str] | None:
    if isinstance(change, FileAddition) and isinstance(change.sources[0], Member):
        member = change.sources[0]
        folder = change.target.rpartition("\\")[0]
        return member.source.name, member.path.rpartition("/")[0], f"\\{folder}"
    return None


def _change(change: FileChange) -> str:
    if isinstance(change, FileRemoval):
        return f"remove \\{change.target}"
    first, *others = (_source(source) for source in change.sources)
    text = f"{first} to \\{change.target}"
    return text + "".join(f"; if that fails {other}" for other in others)


def _source(source: FileSource) -> str:
    match source:
        case Content(data):
            return f"write {len(data)} bytes"
        case HostPath(path):
            return f"copy {path}"
        case Member(opened, path):
            return f"copy {path} from {opened.name}"
        case Download(url, sha256, _, member):
            check = f" and verify SHA-256 {sha256}" if sha256 else ""
            return f"download {url}{check}" + (f" and take {member} out of it" if member else "")


def _offline(step: OfflineStep) -> Iterator[str]:
    match step:
        case AddDrivers(drivers):
            yield f"install the drivers from {drivers.source.name}"
        case EditRegistry(edits):
            yield from (_registry(edit) for edit in edits)
        case EnableFeatures(names):
            yield f"enable features {', '.join(names)}"
        case AddPackage(path, ignore_errors):
            yield f"add package {path}{', errors ignored' if ignore_errors else ''}"
        case AddCapabilities(names):
            yield f"add capabilities {', '.join(names)}"
        case CleanUpdates(purge):
            yield f"clean up the component store{' and reset its base' if purge else ''}"


def _registry(edit: RegistryEdit) -> str:
    values = (f"{value.name or '(Default)'} = {_data(value)}" for value in edit.values)
    return f"set {edit.hive}\\{edit.key}: {', '.join(values) or 'the key itself'}"


def _data(value: RegistryValue) -> str:
    if isinstance(value.data, bytes):
        return value.data.hex(" ")
    if isinstance(value.data, tuple):
        return "; ".join(value.data)
    return str(value.data)


def _guest(step: GuestStep) -> str:
    text = " ".join(step.command)
    if step.ignore_errors:
        text += " (errors ignored)"
    return f"{text} (when no restart is pending)" if step.settled else text


def describe_guest(plan: BuildPlan) -> list[str]:
    """The steps left to the guest, for the log."""
    return [f"left to the first start: {_guest(step)}" for step in plan.guest]


def _machine(machine: VmRequest | None) -> Iterator[str]:
    if machine is None:
        return
    secure = ", Secure Boot off" if machine.disable_secure_boot else ""
    yield (
        f"run a generation {machine.generation} machine with {machine.cpu_count} processors and "
        f"{log.size(machine.memory)} on switch {machine.switch!r} until it powers off{secure}"
    )


def _deliver(plan: BuildPlan) -> Iterator[str]:
    if plan.shrink:
        yield "shrink it as far as it can be"
    if plan.optimize:
        yield "give back what its container does not use"
    yield from _package(plan.delivery, plan)


def _package(delivery: Delivery, plan: BuildPlan) -> Iterator[str]:
    if delivery.disk_format is not plan.work_format:
        compressed = ", compressed" if delivery.compress_qcow2 else ""
        yield f"convert it from {plan.work_format} to {delivery.disk_format}{compressed}"
    if delivery.compression:
        secret = " with a password" if delivery.password else ""
        yield f"wrap it as {'.'.join(delivery.compression)}{secret}"
    yield f"put it in place as {delivery.path}"
