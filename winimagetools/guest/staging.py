r"""What a host without DISM puts into an image for the guest to install at its first start.

Pure decisions: which files go where, and what the guest does with them. Driver packages lie
below ``Windows\Drivers\winimagetools`` with a script for the specialize pass; features,
capabilities, packages and the clean-up below ``UnattendResources\Servicing`` with a script
the guest runs before the user's hooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from winimagetools.facts.releases import COMPONENT_CLEAN_UP, RESET_BASE
from winimagetools.guest import layout
from winimagetools.guest.steps import (
    dism_step,
    driver_script,
    package_step,
    servicing_script,
    trust_script,
)
from winimagetools.model import WindowsVersion
from winimagetools.plan import (
    AddPackage,
    Content,
    DriverPackage,
    DriverPlan,
    FileAddition,
    GuestStep,
    HostPath,
    Member,
)

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?<!\.)")


def free_name(name: str, taken: set[str]) -> str:
    """A folder name like ``name`` that is not in ``taken``, where it is put then.

    It has letters only that every code page has: ``viostor``, ``viostor-2``.
    """
    wanted = _safe(name, "package")
    number, free = 1, wanted
    while free.casefold() in taken:
        number += 1
        free = f"{wanted}-{number}"
    taken.add(free.casefold())
    return free


def stage_drivers(plans: Sequence[DriverPlan], version: WindowsVersion) -> list[FileAddition]:
    """The files of all planned drivers, boot-start binaries in place, and their scripts."""
    taken: set[str] = set()
    additions: list[FileAddition] = []
    infs: list[str] = []
    for plan in plans:
        for package in plan.packages:
            folder = free_name(package.name, taken)
            for file, path in package_files(package):
                additions.append(_member(plan, file, rf"{layout.STAGED_DRIVERS}\{folder}\{path}"))
            inf = package.inf.rpartition("/")[2]
            infs.append(rf"{folder}\{inf}")
        additions += [_member(plan, item.source, item.destination) for item in plan.boot_files]
    if infs:
        script = Content(driver_script(sorted(infs), version))
        additions.append(FileAddition(layout.INSTALL_SCRIPT, (script,)))
        additions.append(FileAddition(layout.TRUST_SCRIPT, (Content(trust_script()),)))
    return additions


def _member(plan: DriverPlan, file: str, target: str) -> FileAddition:
    return FileAddition(target, (Member(plan.source, file),))


def package_files(package: DriverPackage) -> list[tuple[str, str]]:
    r"""Where the files of a driver package go, relative to the folder of its INF.

    Returns pairs of the path in the source and the path in the staged folder, with ``\``.
    Files beside or below the INF keep their place; others come to lie beside it.
    """
    folder = package.inf.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    placed = []
    for file in dict.fromkeys((package.inf, *package.files)):
        inside = file.casefold().startswith(prefix.casefold())
        path = file[len(prefix) :] if inside else file.rpartition("/")[2]
        placed.append((file, path.replace("/", "\\")))
    return placed


def stage_packages(
    packages: Sequence[AddPackage],
) -> tuple[list[FileAddition], list[GuestStep]]:
    """Files and steps for updates the guest installs; of a folder every CAB and MSU in it."""
    taken: set[str] = set()
    additions: list[FileAddition] = []
    steps: list[GuestStep] = []
    for package in packages:
        folder = rf"packages\{free_name(package.path.stem, taken)}"
        single = not package.path.is_dir()
        file = _safe(package.path.name, f"package{package.path.suffix}") if single else ""
        target = rf"{layout.SERVICING}\{folder}" + (rf"\{file}" if single else "")
        additions.append(FileAddition(target, (HostPath(package.path),)))
        for name in (file,) if single else package_names(package.path):
            path = rf"{folder}\{name}" if name else folder
            steps.append(package_step(path, ignore_errors=package.ignore_errors))
    return additions, steps


def package_names(folder: Path) -> tuple[str, ...]:
    """The packages in a folder: its ``.cab`` and ``.msu`` files, else the folder itself."""
    names = sorted(item.name for item in folder.iterdir())
    found = tuple(name for name in names if name.casefold().endswith((".cab", ".msu")))
    return found or ("",)


def feature_step(*names: str) -> GuestStep:
    """Turn a feature on; several in one call only when they are of the same parent package
    (DISM reference, "Enable or Disable Windows Features").
    """
    return dism_step("/Enable-Feature", *(f"/FeatureName:{name}" for name in names))


def capability_step(name: str) -> GuestStep:
    """Add a capability; one in each call is all that is documented (DISM reference,
    "DISM Capabilities Package (.cab or .msu) Servicing").
    """
    return dism_step("/Add-Capability", f"/CapabilityName:{name}")


def clean_up_step(version: WindowsVersion, purge: bool) -> Iterator[GuestStep]:
    """Clean the component store up; nothing for a Windows that cannot.

    Args:
        version: the Windows.
        purge: also give up the possibility to remove installed updates.
    """
    if not COMPONENT_CLEAN_UP.is_in(version):
        return
    arguments = ["/Cleanup-Image", "/StartComponentCleanup"]
    if purge and RESET_BASE.is_in(version):
        arguments.append("/ResetBase")
    yield dism_step(*arguments, settled=True)


def servicing_files(steps: Sequence[GuestStep]) -> list[FileAddition]:
    """The script that does the steps; nothing when there are none.

    Raises:
        RequestError: a word of a step cannot be passed to a program in the guest.
    """
    if not steps:
        return []
    script = Content(servicing_script(steps))
    return [FileAddition(layout.SERVICING_SCRIPT, (script,))]


def _safe(name: str, otherwise: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else otherwise
