r"""Which drivers go into an image, and what has to be done for Windows to start with them.

:func:`plan_drivers` decides and returns plain data; :func:`describe_plan` shows it;
:func:`add_drivers` hands it to the host. The DISM part of ``Add-DriversToImage`` belongs to
the Windows host.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from winimagetools import log
from winimagetools.contract import Disk, Host
from winimagetools.errors import MediaError, Problem
from winimagetools.formats.inf.driver import Service
from winimagetools.formats.inf.target import Target
from winimagetools.guest.answer_file import add_driver_command
from winimagetools.guest.layout import UNATTEND
from winimagetools.image.drivers.boot_start import boot_edits, boot_services
from winimagetools.image.drivers.index import (
    DriverIndex,
    FoundPackage,
    describe_folder,
    folder_of,
    join_names,
)
from winimagetools.image.drivers.signing import check_boot_file, refuse, secure_boot_note
from winimagetools.plan import (
    DriverFile,
    DriverPackage,
    DriverPlan,
    ImageInfo,
    RegistryEdit,
    RegistryValue,
    SourceTree,
)

INSTALL_COMMAND = r"cmd.exe /c %SystemRoot%\Drivers\winimagetools\install.cmd"
"""Runs what a host that stages drivers has put into the image."""
_SYSTEM_DRIVERS = r"Windows\System32\drivers"
_RUN_ONCE = r"Microsoft\Windows\CurrentVersion\RunOnce"


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
        MediaError: no package fits, or Windows could not start with one of them.
    """
    index = DriverIndex(source)
    plan = plan_infs(index, index.infs_below(folders), image)
    return dataclasses.replace(plan, folders=tuple(folders) if folders is not None else ("",))


def plan_infs(index: DriverIndex, infs: Sequence[str], image: ImageInfo) -> DriverPlan:
    """Make the plan for certain INF files of an index.

    INF files that are damaged or for another Windows are left out with a note.

    Raises:
        MediaError: none fits, or Windows could not start with one of them.
    """
    target = Target.of(image)
    found, notes = _usable(index, infs, target)
    if not found:
        raise MediaError(
            f"None of the {len(infs)} driver packages in {index.source.name} is for Windows "
            f"{image.version} {image.architecture}: {join_names(infs)}.",
            "Give drivers for this version and architecture.",
        )
    boot = _boot_choice(found, target)
    critical = {id(item) for item, _ in boot}
    files, edits, more = _boot_parts(index, boot, target)
    packages = [
        dataclasses.replace(item.package, boot_critical=id(item) in critical) for item in found
    ]
    return DriverPlan(
        source=index.source,
        folders=tuple(dict.fromkeys(folder_of(item.inf) for item in packages)),
        packages=_with_own_names(packages),
        boot_files=files,
        registry=edits,
        notes=(*notes, *more),
    )


def _usable(
    index: DriverIndex, infs: Sequence[str], target: Target
) -> tuple[list[FoundPackage], list[str]]:
    found: list[FoundPackage] = []
    notes: list[str] = []
    others = 0
    for path in infs:
        try:
            package = index.package(path, target)
        except MediaError as error:
            notes.append(f"{path} was left out. {error.message}")
            continue
        if package is None:
            others += 1
            continue
        found.append(package)
        if package.missing:
            notes.append(f"{path} names files that are not there: {join_names(package.missing)}.")
    if others:
        notes.append(f"{others} INF files are for other versions or architectures of Windows.")
    return found, notes


def _boot_choice(
    found: Iterable[FoundPackage], target: Target
) -> list[tuple[FoundPackage, Service]]:
    """For each boot service the package Windows would prefer: the newest."""
    best: dict[str, tuple[FoundPackage, Service]] = {}
    for item in found:
        for service in boot_services(item.inf, target):
            known = best.get(service.name.casefold())
            if known is None or _age(item) > _age(known[0]):
                best[service.name.casefold()] = (item, service)
    return list(best.values())


def _age(item: FoundPackage) -> tuple[int, tuple[int, ...], str]:
    date = item.inf.date
    return (date.toordinal() if date else 0, item.inf.version_key, item.package.inf)


def _boot_parts(
    index: DriverIndex, boot: Iterable[tuple[FoundPackage, Service]], target: Target
) -> tuple[tuple[DriverFile, ...], tuple[RegistryEdit, ...], list[str]]:
    """Binaries, registry edits and notes for the boot drivers; refuses those that cannot be."""
    files: list[DriverFile] = []
    edits: list[RegistryEdit] = []
    problems: list[Problem] = []
    foreign: dict[str, str] = {}
    for item, service in boot:
        path = _binary(index, item, service, target)
        if path is None:
            problems.append(
                Problem(f"{item.package.inf} needs {service.file_name}, which is not there.")
            )
            continue
        verdict = check_boot_file(index.source.read_bytes(path), path, target)
        problems += [verdict.problem] if verdict.problem else []
        if verdict.foreign_signer:
            foreign[path] = verdict.foreign_signer
        files.append(DriverFile(path, f"{_SYSTEM_DRIVERS}\\{service.file_name}"))
        edits += boot_edits(item.inf, service, target)
    refuse(problems, index.source.name)
    notes = [secure_boot_note(foreign, target.version)] if foreign else []
    return tuple(files), tuple(edits), notes


def _binary(index: DriverIndex, item: FoundPackage, service: Service, target: Target) -> str | None:
    """The driver binary in the source; never a compressed one, which cannot be started."""
    for name in item.inf.source_files(target):
        if name.rpartition("/")[2].casefold() == service.file_name.casefold():
            path = index.find_beside(item.package.inf, name)
            if path and not path.endswith("_"):
                return path
    return None


def _with_own_names(packages: Iterable[DriverPackage]) -> tuple[DriverPackage, ...]:
    """Packages with names that differ: ``viostor``, ``viostor-2``."""
    used: dict[str, int] = {}
    named: list[DriverPackage] = []
    for package in packages:
        count = used[package.name] = used.get(package.name, 0) + 1
        name = package.name if count == 1 else f"{package.name}-{count}"
        named.append(dataclasses.replace(package, name=name))
    return tuple(named)


def describe_plan(plan: DriverPlan) -> list[str]:
    """The plan for people: a line for each driver, then the notes."""
    return [*_describe(plan.packages), *plan.notes]


def _describe(packages: Sequence[DriverPackage]) -> Iterator[str]:
    width = max((len(package.name) for package in packages), default=0)
    for package in packages:
        boot = ", needed to boot" if package.boot_critical else ""
        version = package.version or "without version"
        folder = describe_folder(folder_of(package.inf))
        yield f"{package.name:<{width}}  {version} from {folder}{boot}"


def add_drivers(host: Host, disk: Disk, plan: DriverPlan) -> None:
    r"""Put planned drivers into an image, and say which.

    Where the host only stages them, their installation is ordered too: in the specialize
    pass when the image has an ``\Unattend.xml``, else (a golden image, which has been set up
    already) at the next logon of an administrator.
    """
    for line in describe_plan(plan):
        log.info(line)
    host.servicing.add_drivers(disk, plan)
    if not host.servicing.stages_drivers:
        return
    if disk.tree.exists(UNATTEND):
        answers = disk.tree.read_bytes(UNATTEND)
        answers = add_driver_command(answers, INSTALL_COMMAND, "Install drivers")
        disk.tree.write_bytes(UNATTEND, answers)
        return
    log.info("There is no answer file: the drivers are installed at the first logon.")
    # cmd.exe itself replaces %SystemRoot%, so a plain string does.
    value = RegistryValue("winimagetools drivers", "REG_SZ", INSTALL_COMMAND)
    host.servicing.edit_registry(disk, [RegistryEdit("SOFTWARE", _RUN_ONCE, (value,))])
