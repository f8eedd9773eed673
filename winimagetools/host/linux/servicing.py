r"""What DISM does on Windows, done on Linux: now where possible, by the guest otherwise.

Applying an image only remembers it; ``apply.extract_volume`` writes it in one pass when the
disk is finished. Registry edits are made in the staged hives. Drivers are staged below
``Windows\Drivers\winimagetools`` with a script for the specialize pass; features,
capabilities, packages and the clean-up below ``UnattendResources\Servicing`` with a script
the guest runs before the user's hooks.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk, InstallMedia, WindowsTree
from winimagetools.errors import BuildError, MediaError
from winimagetools.formats.inf.syntax import parse_inf
from winimagetools.guest import steps as guest_steps
from winimagetools.host.linux import libwim
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.hive_edit import apply_edits
from winimagetools.host.linux.wimlib import Wim, WimLayer
from winimagetools.model import WimImage, WindowsVersion
from winimagetools.plan import DriverPackage, DriverPlan, InstalledDriver, RegistryEdit, SourceTree

DRIVERS_FOLDER = r"Windows\Drivers\winimagetools"
SERVICING_FOLDER = r"UnattendResources\Servicing"
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?<!\.)")
_PUBLISHED = re.compile(r"oem\d+\.inf", re.IGNORECASE)
"""What Windows calls INF files that did not come with it."""
_RESET_BASE = WindowsVersion(6, 3)
"""``/ResetBase`` is known from Windows 8.1 on, the clean-up itself from 8."""
_CLEAN_UP = WindowsVersion(6, 2)


class LinuxServicing:
    """The ``Servicing`` of a Linux host."""

    stages_drivers = True

    def check_version(self, image: WimImage) -> None:
        """Log which libwim applies the image; every version of it knows every Windows.

        Raises:
            ToolMissingError: libwim is not installed.
        """
        version = libwim.load().version
        log.info(f"{image.name} ({image.version}) will be applied by libwim {version}")

    def apply_image(self, disk: Disk, media: InstallMedia, image: WimImage) -> None:
        """Put an image below the staged tree and remember it for the one pass.

        Raises:
            ToolMissingError: libwim is not installed.
            MediaError: the WIM cannot be used.
            BuildError: the disk was not made here.
        """
        if not isinstance(disk, LinuxDisk):
            raise BuildError(f"{disk.path} was not made here; no image can be applied to it.")
        wim = media.wim_file(disk.path.parent)
        disk.tree.attach(WimLayer(Wim(wim), image.index))
        disk.source = WimSource(wim, image.index, image.version)

    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None:
        """Stage driver packages, place boot-start binaries and edit the registry.

        May be called several times; the script installs the packages of all calls.

        Raises:
            MediaError: a file of the source cannot be read.
            DiskFullError: no room to stage them.
        """
        tree = disk.tree
        for package in plan.packages:
            folder = _free_name(tree, DRIVERS_FOLDER, package.name)
            for file, path in package_files(package):
                _stage(disk.tree, plan.source, file, f"{folder}\\{path}")
        for binary in plan.boot_files:
            _stage(disk.tree, plan.source, binary.source, binary.destination)
        self.edit_registry(disk, plan.registry)
        infs = staged_infs(tree)
        if infs:
            script = guest_steps.driver_script(infs, _version(disk))
            tree.write_bytes(rf"{DRIVERS_FOLDER}\install.cmd", script)
            tree.write_bytes(
                rf"{DRIVERS_FOLDER}\{guest_steps.TRUST_NAME}", guest_steps.trust_script()
            )

    def add_package(self, disk: Disk, package: Path, ignore_errors: bool) -> None:
        """Stage a package, or every ``.cab`` and ``.msu`` of a folder, for the guest.

        Raises:
            MediaError: there is no such file or folder.
        """
        if not package.exists():
            raise MediaError(f"The package {package} does not exist.", "Check extra_packages.")
        folder = _free_name(disk.tree, rf"{SERVICING_FOLDER}\packages", package.stem)
        if package.is_dir():
            disk.tree.copy_in(package, folder)
            names = package_names(disk.tree.list_dir(folder))
        else:
            names = (_safe(package.name, f"package{package.suffix}"),)
            disk.tree.copy_in(package, rf"{folder}\{names[0]}")
        below = folder.removeprefix(SERVICING_FOLDER + "\\")
        _tell(f"install {package.name}")
        for name in names:
            path = rf"{below}\{name}" if name else below
            self._add(disk.tree, guest_steps.package_step(path, ignore_errors=ignore_errors))

    def enable_features(self, disk: Disk, names: Sequence[str]) -> None:
        """Let the guest enable features, all in one go.

        Raises:
            RequestError: a name cannot be passed to dism.
        """
        self._add_named(disk.tree, "enable", "/Enable-Feature", "/FeatureName", names)

    def add_capabilities(self, disk: Disk, names: Sequence[str]) -> None:
        """Let the guest add capabilities, all in one go.

        Raises:
            RequestError: a name cannot be passed to dism.
        """
        self._add_named(disk.tree, "add", "/Add-Capability", "/CapabilityName", names)

    def clean_updates(self, disk: Disk, purge: bool) -> None:
        """Let the guest clean up its component store; Windows 7 and older cannot.

        Args:
            disk: the disk.
            purge: also give up the possibility to remove installed updates.
        """
        version = _version(disk)
        if version is not None and version < _CLEAN_UP:
            log.warning(f"Windows {version} cannot clean up its component store; skipped.")
            return
        arguments = ["/Cleanup-Image", "/StartComponentCleanup"]
        if purge and (version is None or version >= _RESET_BASE):
            arguments.append("/ResetBase")
        self._add(disk.tree, guest_steps.dism_step(*arguments, settled=True))
        _tell("clean up the component store")

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None:
        r"""Apply edits to the hives below ``Windows\System32\config``.

        Raises:
            FileNotFoundError: the image has no such hive.
            MediaError: a hive is damaged or was not closed cleanly.
        """
        for hive in dict.fromkeys(edit.hive for edit in edits):
            with disk.tree.edit(rf"Windows\System32\config\{hive}") as path:
                apply_edits(path, [edit for edit in edits if edit.hive == hive])

    def list_drivers(self, disk: Disk) -> Sequence[InstalledDriver]:
        r"""Third-party drivers of the image: what is in ``Windows\INF`` as ``oem*.inf``."""
        return [
            InstalledDriver(name, _provider(disk.tree.read_bytes(rf"Windows\INF\{name}"), name))
            for name in disk.tree.list_dir(r"Windows\INF")
            if _PUBLISHED.fullmatch(name)
        ]

    def _add_named(
        self, tree: WindowsTree, word: str, verb: str, option: str, names: Sequence[str]
    ) -> None:
        if names:
            self._add(tree, guest_steps.dism_step(verb, *(f"{option}:{name}" for name in names)))
            _tell(f"{word} {', '.join(names)}")

    def _add(self, tree: WindowsTree, step: guest_steps.Step) -> None:
        record = rf"{SERVICING_FOLDER}\servicing.json"
        steps = [step]
        if tree.exists(record):
            steps = [*guest_steps.steps_from_json(tree.read_bytes(record)), step]
        script = guest_steps.servicing_script(steps)
        tree.write_bytes(record, guest_steps.steps_to_json(steps))
        tree.write_bytes(rf"{SERVICING_FOLDER}\Servicing.cmd", script)


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


def package_names(names: Sequence[str]) -> tuple[str, ...]:
    """The packages in a folder: its ``.cab`` and ``.msu`` files, else the folder itself."""
    found = tuple(name for name in names if name.casefold().endswith((".cab", ".msu")))
    return found or ("",)


def staged_infs(tree: WindowsTree) -> list[str]:
    r"""INF files of all staged driver packages, as ``folder\file``, sorted."""
    return [
        rf"{folder}\{name}"
        for folder in tree.list_dir(DRIVERS_FOLDER)
        for name in tree.list_dir(rf"{DRIVERS_FOLDER}\{folder}")
        if name.casefold().endswith(".inf")
    ]


def _tell(what: str) -> None:
    log.info(f"left to the first start: {what}")


def _stage(tree: WindowsTree, source: SourceTree, file: str, path: str) -> None:
    with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
        copy = Path(folder) / "file"
        source.copy_out(file, copy)
        tree.copy_in(copy, path)


def _free_name(tree: WindowsTree, folder: str, name: str) -> str:
    r"""A folder below ``folder`` that does not exist yet: ``name``, ``name-2`` and so on."""
    safe = _safe(name, "package")
    number, path = 1, rf"{folder}\{safe}"
    while tree.exists(path):
        number += 1
        path = rf"{folder}\{safe}-{number}"
    return path


def _version(disk: Disk) -> WindowsVersion | None:
    if isinstance(disk, LinuxDisk) and disk.source is not None:
        return disk.source.version
    return None


def _safe(name: str, otherwise: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else otherwise


def _provider(data: bytes, name: str) -> str:
    """The ``Provider`` an INF file names; empty when it cannot be read."""
    try:
        return parse_inf(data, name).value("Version", "Provider")
    except MediaError as error:
        log.warning(str(error))
        return ""
