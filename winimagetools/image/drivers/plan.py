r"""Which drivers go into an image, and what has to be done for Windows to start with them.

:func:`plan_drivers` decides and returns plain data; :func:`describe_plan` shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from winimagetools.errors import MediaError, Problem
from winimagetools.files.names import path_faults
from winimagetools.formats.inf.driver import Service
from winimagetools.formats.inf.target import Target
from winimagetools.guest.layout import SYSTEM_DRIVERS
from winimagetools.image.drivers.boot_start import boot_edits, boot_services
from winimagetools.image.drivers.index import (
    DriverIndex,
    FoundPackage,
    describe_folder,
    folder_of,
    join_names,
)
from winimagetools.image.drivers.signing import (
    Verdict,
    catalog_notes,
    check_boot_file,
    check_catalog,
    doubt_notes,
    refuse,
)
from winimagetools.model import MIB
from winimagetools.plan import (
    DriverFile,
    DriverPackage,
    DriverPlan,
    ImageInfo,
    RegistryEdit,
    SourceTree,
)

_LARGEST_BINARY = 256 * MIB
_LARGEST_CATALOG = 16 * MIB


def check_drivers_folder(source: SourceTree) -> str:
    """What is wrong with ``drivers_path``, as a sentence; empty when it has an INF.

    DISM fails late, after the image was applied, when there is nothing to add.
    """
    if not source.files():
        return f"{source.name} is empty: there is no driver to add."
    if not DriverIndex(source).infs:
        return (
            f"{source.name} has no .inf file: a driver package is an .inf with the files it "
            "names; unpack installers (.exe, .msi, .zip, .cab) first."
        )
    return ""


def plan_drivers(
    source: SourceTree, image: ImageInfo, folders: Sequence[str] | None = None
) -> DriverPlan:
    """Choose all packages of a folder or ISO that are for an image.

    Args:
        source: where the packages are.
        image: the Windows they are for.
        folders: look only into these; everywhere by default.

    Raises:
        MediaError: no package fits, Windows could not start with one of them, or one lacks
            files.
    """
    index = DriverIndex(source)
    plan = plan_infs(index, index.infs_below(folders), image)
    return dataclasses.replace(plan, folders=tuple(folders) if folders is not None else ("",))


@dataclass(frozen=True)
class LeftOut:
    """INF files that cannot be used, told apart by what that means.

    Args:
        problems: they may be needed to boot.
        warnings: they cannot be needed to boot.
        notes: they are for something else.
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_infs(
    index: DriverIndex, infs: Sequence[str], image: ImageInfo, left_out: LeftOut | None = None
) -> DriverPlan:
    """Make the plan for certain INF files of an index.

    INF files for another Windows are left out with a note, damaged ones with a warning.
    What is needed to boot is never left out.

    Args:
        index: where the INF files are.
        infs: the ones to plan.
        image: the Windows they are for.
        left_out: what was found of others; it goes into the plan, or into the error.

    Raises:
        MediaError: none fits, Windows could not start with one of them, or a package lacks
            files.
    """
    before = left_out or LeftOut()
    target = Target.of(image)
    found, more = _usable(index, infs, target)
    problems = [*before.problems, *more.problems]
    if not found and not problems:
        raise MediaError(
            f"None of the {len(infs)} driver packages in {index.source.name} is for Windows "
            f"{image.version} {image.architecture}: {join_names(infs)}.",
            "Give drivers for this version and architecture.",
        )
    boot = _boot_choice(found, target, problems)
    verdicts = _boot_files(index, boot, target, problems)
    refuse(problems, [fault for item in found for fault in _faults(item)], index.source.name)
    critical = {id(item) for item, _ in boot}
    doubts = {file.source: verdict for file, verdict in verdicts.items()}
    catalogs = _catalog_warnings(index, (it for it in found if id(it) not in critical), target)
    return DriverPlan(
        source=index.source,
        folders=tuple(dict.fromkeys(folder_of(item.package.inf) for item in found)),
        packages=_packages(found, critical),
        boot_files=tuple(verdicts),
        registry=tuple(edit for item, it in boot for edit in boot_edits(item.inf, it, target)),
        notes=before.notes + more.notes,
        warnings=before.warnings
        + more.warnings
        + doubt_notes(doubts, target, uefi=False)
        + catalogs,
        uefi_warnings=doubt_notes(doubts, target, uefi=True),
    )


def _usable(
    index: DriverIndex, infs: Sequence[str], target: Target
) -> tuple[list[FoundPackage], LeftOut]:
    found: list[FoundPackage] = []
    problems: list[Problem] = []
    warnings: list[str] = []
    notes: list[str] = []
    others = 0
    for path in infs:
        try:
            package = index.package(path, target)
        except MediaError as error:
            if index.may_be_storage(path):
                problems.append(unreadable(path, error))
            else:
                warnings.append(f"{path} was left out. {error.message}")
            continue
        if package is None:
            others += 1
            continue
        found.append(package)
        if package.absent:
            notes.append(f"{path} names files that are not there: {join_names(package.absent)}.")
    if others:
        notes.append(f"{others} INF files are for other versions or architectures of Windows.")
    return found, LeftOut(tuple(problems), tuple(warnings), tuple(notes))


def unreadable(path: str, error: MediaError) -> Problem:
    """The problem of an INF that cannot be used and may be needed to boot."""
    return Problem(
        f"{path} may be needed to boot and cannot be used. {error.message}",
        error.hint or "Get the driver again, or remove it when the image does not need it.",
    )


def _faults(item: FoundPackage) -> Iterator[Problem]:
    """Why Windows would not take a package: files that lack, names it cannot hold."""
    if item.missing:
        yield Problem(
            f"{item.package.inf} names files that are not there: {join_names(item.missing)}.",
            "Copy the whole folder of a driver from its medium, or remove its .inf.",
        )
    for fault in path_faults(item.package.files):
        yield Problem(
            f"{item.package.inf} comes with a file Windows cannot hold: {fault}",
            "Rename it, or remove the .inf.",
        )


def _boot_choice(
    found: Iterable[FoundPackage], target: Target, problems: list[Problem]
) -> list[tuple[FoundPackage, Service]]:
    """For each boot service the package Windows would prefer: the newest."""
    best: dict[str, tuple[FoundPackage, Service]] = {}
    for item in found:
        try:
            services = boot_services(item.inf, target)
            for service in services:
                _check_keys(item, boot_edits(item.inf, service, target))
        except MediaError as error:
            problems.append(unreadable(item.package.inf, error))
            continue
        for service in services:
            known = best.get(service.name.casefold())
            if known is None or _age(item) > _age(known[0]):
                best[service.name.casefold()] = (item, service)
    return list(best.values())


def _check_keys(item: FoundPackage, edits: Iterable[RegistryEdit]) -> None:
    """Refuse names that no hive can be given from Linux. Raises MediaError."""
    for edit in edits:
        if not edit.key.isascii() or not edit.key.isprintable():
            raise MediaError(
                f"The registry key {edit.key!r} that {item.package.inf} asks for is not ASCII."
            )


def _age(item: FoundPackage) -> tuple[int, tuple[int, ...], str]:
    date = item.inf.date
    return (date.toordinal() if date else 0, item.inf.version_key, item.package.inf)


def _boot_files(
    index: DriverIndex,
    boot: Iterable[tuple[FoundPackage, Service]],
    target: Target,
    problems: list[Problem],
) -> dict[DriverFile, Verdict]:
    """The binaries of the boot drivers, and what was found of each that Windows may load."""
    files: dict[DriverFile, Verdict] = {}
    for item, service in boot:
        path = _binary(index, item, service, target)
        if path is None:
            message = f"{item.package.inf} needs {service.file_name}, which is not there."
            hint = "Copy the whole folder of the driver, unpacked, from its medium."
            problems.append(Problem(message, hint))
            continue
        verdict = _check_binary(index.source, path, target)
        problems += [verdict.problem] if verdict.problem else []
        files[DriverFile(path, f"{SYSTEM_DRIVERS}\\{service.file_name}")] = verdict
    return files


def _catalog_warnings(
    index: DriverIndex, found: Iterable[FoundPackage], target: Target
) -> tuple[str, ...]:
    reasons = {item.package.inf: _catalog_reason(index, item, target) for item in found}
    return catalog_notes(reasons, target)


def _catalog_reason(index: DriverIndex, item: FoundPackage, target: Target) -> str:
    """Why Windows does not load a driver that it does not need to boot; empty if it does."""
    if not any(file.casefold().endswith(".sys") for file in item.package.files):
        return ""
    for name in item.inf.catalogs(target):
        path = index.find_beside(item.package.inf, name)
        if path and index.source.size(path) <= _LARGEST_CATALOG:
            return check_catalog(index.source.read_bytes(path), target)
    return ""


def _check_binary(source: SourceTree, path: str, target: Target) -> Verdict:
    size = source.size(path)
    if size > _LARGEST_BINARY:
        return Verdict(
            Problem(
                f"{path} has {size} bytes; that is too large for a driver.",
                "Get the driver anew from its vendor.",
            )
        )
    return check_boot_file(source.read_bytes(path), path, target)


def _binary(index: DriverIndex, item: FoundPackage, service: Service, target: Target) -> str | None:
    """The driver binary in the source; never a compressed one, which cannot be started."""
    for name in item.inf.source_files(target):
        if name.rpartition("/")[2].casefold() == service.file_name.casefold():
            path = index.find_beside(item.package.inf, name)
            if path and not path.endswith("_"):
                return path
    return None


def _packages(found: Iterable[FoundPackage], critical: set[int]) -> tuple[DriverPackage, ...]:
    """The packages, with names that differ: ``viostor``, ``viostor-2``; critical ones by ``id``."""
    used: dict[str, int] = {}
    named: list[DriverPackage] = []
    for item in found:
        name = item.package.name
        count = used[name] = used.get(name, 0) + 1
        named.append(
            dataclasses.replace(
                item.package,
                name=name if count == 1 else f"{name}-{count}",
                boot_critical=id(item) in critical,
            )
        )
    return tuple(named)


def describe_plan(plan: DriverPlan) -> list[str]:
    """The plan for people: a line for each driver, then the notes; warnings are not in it."""
    return [*_describe(plan.packages), *plan.notes]


def _describe(packages: Sequence[DriverPackage]) -> Iterator[str]:
    width = max((len(package.name) for package in packages), default=0)
    for package in packages:
        boot = ", needed to boot" if package.boot_critical else ""
        version = package.version or "without version"
        folder = describe_folder(folder_of(package.inf))
        yield f"{package.name:<{width}}  {version} from {folder}{boot}"
