"""A double of a whole host: it writes down what it was asked to do, in order.

Nothing is written to any disk and nothing is downloaded. What goes into the image is kept in
memory, so that a file written by one step can be read by the next.
"""
# ruff: noqa: D102 - the protocols document their methods

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from fixtures import regf
from tests.unit.fakes import MemoryTree
from winimagetools import log
from winimagetools.checks.first_boot import GENERALIZED, SOFTWARE, STATE_KEY
from winimagetools.checks.subject import CLOUDBASE_INIT
from winimagetools.contract import Disk, Host, InstallMedia, Media, RawVolume
from winimagetools.errors import Problem
from winimagetools.found import DiskFacts, MachineFacts
from winimagetools.model import DiskFormat, DiskLayout, WimImage
from winimagetools.plan import (
    Delivery,
    DiskFile,
    DriverPlan,
    InstalledDriver,
    RegistryEdit,
    Requirements,
    VmRequest,
)
from winimagetools.stamp import Stamp

Say = Callable[[str], None]


def _normal(path: str) -> str:
    return str(PureWindowsPath(path.replace("/", "\\"))).strip("\\")


class RecordingTree(MemoryTree):
    """A Windows volume in memory that says what is put into it.

    Args:
        say: where each change is written.
        files: what the volume holds to begin with.
    """

    def __init__(self, say: Say, files: Mapping[str, bytes] | None = None) -> None:
        self._say: Say = lambda _: None
        super().__init__(files)
        self._say = say

    def write_bytes(self, path: str, data: bytes) -> None:
        verb = "replace" if self.exists(path) else "write"
        super().write_bytes(path, data)
        self._say(f"{verb} \\{_normal(path)}")

    def copy_in(self, source: Path, path: str) -> None:
        self._add(path, b"")
        self._say(f"copy {source} to \\{_normal(path)}")

    def remove(self, path: str) -> None:
        super().remove(path)
        self._say(f"remove \\{_normal(path)}")


@dataclass
class RecordedDisk:
    """A disk that is attached to nothing."""

    path: Path
    layout: DiskLayout
    tree: RecordingTree


@dataclass
class _Part:
    """What every part of the host shares: the transcript, and how paths are written in it."""

    say: Say
    files: dict[str, bytes] = field(default_factory=dict)
    opened_layout: DiskLayout = DiskLayout.BIOS
    installed: Sequence[InstalledDriver] = ()
    opened_containers: tuple[DiskFormat, ...] = (DiskFormat.VHD, DiskFormat.VHDX)


class _Disks(_Part):
    @contextmanager
    def create(
        self, path: Path, size: int, layout: DiskLayout, stamp: Stamp | None = None
    ) -> Iterator[Disk]:
        self.say(f"create a {layout} disk of {log.size(size)}: {path.name}")
        yield RecordedDisk(path, layout, RecordingTree(self.say, self.files))
        self.say(f"close {path.name}")

    @contextmanager
    def open(self, path: Path, *, read_only: bool = False) -> Iterator[Disk]:
        self.say(f"open {path.name}{' read-only' if read_only else ''}")
        yield RecordedDisk(path, self.opened_layout, RecordingTree(self.say, self.files))
        self.say(f"close {path.name}")

    def opens(self, container: DiskFormat) -> bool:
        return container in self.opened_containers

    def changes(self, container: DiskFormat) -> bool:
        return self.opens(container)

    def facts(self, disk: Disk) -> DiskFacts | None:
        return None

    def windows_volume(self, disk: Disk) -> RawVolume | None:
        return None

    def copy(self, source: Path, destination: Path) -> None:
        self.say(f"copy the disk {source.name} to {destination.name}")

    def shows_volumes(self) -> bool:
        return False

    def finish(
        self,
        disk: Disk,
        delivery: Delivery | None = None,
        verify: Callable[[RawVolume], None] | None = None,
    ) -> DiskFile:
        self.say(f"write out and trim {disk.path.name}")
        return DiskFile(disk.path)

    def refuse_unusable(self, path: Path, size: int) -> None:
        pass

    def resize(self, path: Path, size: int) -> None:
        self.say(f"resize {path.name} to {log.size(size)} and give it a new identifier")

    def extend_windows(self, disk: Disk) -> None:
        self.say(f"extend the Windows partition of {disk.path.name}")

    def shrink(self, path: Path, free_space: int) -> None:
        self.say(f"shrink {path.name}, leaving {log.size(free_space)} spare")

    def extend(self, path: Path, size: int) -> None:
        self.say(f"extend Windows in {path.name} to {size or 'what there is'}")

    def optimize(self, path: Path) -> None:
        self.say(f"optimize {path.name}")


class _Servicing(_Part):
    def check_version(self, image: WimImage) -> None:
        self.say(f"compare the servicing tools with Windows {image.version}")

    def apply_image(self, disk: Disk, media: InstallMedia, image: WimImage) -> None:
        self.say(f"apply image {image.index} ({image.name}) to {disk.path.name}")

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None:
        for edit in edits:
            values = ", ".join(f"{value.name}={value.data!r}" for value in edit.values)
            self.say(f"set {edit.hive}\\{edit.key}: {values}")

    def list_drivers(self, disk: Disk) -> Sequence[InstalledDriver]:
        self.say(f"list the drivers in {disk.path.name}")
        return self.installed


class _Offline(_Part):
    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None:
        for package in plan.packages:
            critical = ", needed to boot" if package.boot_critical else ""
            self.say(f"add driver {package.name} {package.version} ({package.inf}){critical}")
        if not plan.packages:
            self.say(f"add drivers from {', '.join(plan.folders)}")

    def add_package(self, disk: Disk, package: Path, ignore_errors: bool) -> None:
        self.say(f"add package {package}{', errors ignored' if ignore_errors else ''}")

    def enable_features(self, disk: Disk, names: Sequence[str]) -> None:
        self.say(f"enable features {', '.join(names)}")

    def add_capabilities(self, disk: Disk, names: Sequence[str]) -> None:
        self.say(f"add capabilities {', '.join(names)}")

    def clean_updates(self, disk: Disk, purge: bool) -> None:
        self.say(f"clean up updates{' and reset the base' if purge else ''}")


class _Boot(_Part):
    def create_boot_config(self, disk: Disk, image: WimImage, ex: bool = False) -> None:
        newer = " and the boot manager of EFI_EX" if ex else ""
        self.say(f"make {disk.path.name} bootable with {disk.layout} firmware{newer}")

    def boot_manager(self, disk: Disk) -> bytes:
        try:
            return self.files["boot manager"]
        except KeyError:
            raise FileNotFoundError from None

    def reset_search_order(self, disk: Disk) -> None:
        if disk.layout is DiskLayout.BIOS:
            self.say(f"let the boot manager of {disk.path.name} locate its devices")


def _software() -> bytes:
    root = regf.Key("ROOT")
    root.make(STATE_KEY).values["ImageState"] = regf.sz(GENERALIZED)
    return regf.dump(root)


FINISHED = {CLOUDBASE_INIT[0] + "\\Python\\python.exe": b"", SOFTWARE: _software()}
"""What the Windows of a recorded machine leaves."""


class _Vm(_Part):
    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        if request is not None:
            self.say(f"check switch {request.switch!r} and {request.cpu_count} processors")
        return ()

    def check_tpm(self) -> Sequence[Problem]:
        return ()

    def check_trust(self, certificate: str) -> Sequence[Problem]:
        return ()

    def describe(self, request: VmRequest) -> Sequence[str]:
        return ()

    def start(self, request: VmRequest) -> None:
        self.say(f"start {request.disk.name} and show its screen")

    def prove_start(self, request: VmRequest) -> str:
        self.say(f"start {request.disk.name} until its boot manager goes on")
        return "The boot manager started."

    def run_sysprep(self, request: VmRequest) -> Mapping[str, str]:
        secure = ", Secure Boot off" if request.disable_secure_boot else ""
        self.say(
            f"run a generation {request.generation} machine from {request.disk.name} with "
            f"{request.cpu_count} processors and {log.size(request.memory)} on switch "
            f"{request.switch!r} until it powers off{secure}"
        )
        self.files.clear()
        self.files.update(FINISHED)
        return {"StatusFinal": "The image is ready."}


class _Files(_Part):
    @contextmanager
    def build_folder(self, image_path: Path) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
            yield Path(folder)

    def convert(
        self, source: Path, destination: Path, disk_format: DiskFormat, compress: bool
    ) -> None:
        how = ", compressed" if compress else ""
        self.say(f"convert {source.name} to {destination.name} ({disk_format}{how})")

    def stays_in_place(self, made_as: DiskFormat, delivery: Delivery) -> bool:
        return False

    def become(
        self,
        source: Path,
        destination: Path,
        disk_format: DiskFormat,
        *,
        compress: bool = False,
        fixed: bool = False,
        keep: bool = False,
        checksum: bool = False,
        stamp: Stamp | None = None,
    ) -> None:
        self.convert(source, destination, disk_format, compress)
        if not keep:
            self.remove(source)

    def compress(
        self,
        source: Path,
        formats: Sequence[str],
        password: str,
        *,
        checksum: bool = False,
        stamp: Stamp | None = None,
    ) -> Path:
        secret = " with a password" if password else ""
        self.say(f"wrap {source.name} as {'.'.join(formats)}{secret}")
        return source.with_name(".".join([source.name, *formats]))

    def decompress(self, source: Path, folder: Path, formats: Sequence[str], password: str) -> Path:
        wrapping = ".".join(formats)
        self.say(f"unwrap {wrapping} of {source.name}")
        return folder / source.name.removesuffix(f".{wrapping}")

    def image_format(self, path: Path) -> str:
        self.say(f"ask for the container of {path.name}")
        return {"vhd": "vpc", "img": "raw"}.get(path.suffix[1:], path.suffix[1:])

    def publish(
        self,
        source: Path,
        destination: Path,
        mode: int | None = None,
        report: Path | None = None,
    ) -> None:
        access = "" if mode is None else f" with mode {mode:03o}"
        told = "" if report is None else " and its report"
        self.say(f"put {source.name} in place as {destination.name}{access}{told}")

    def remove(self, path: Path) -> None:
        self.say(f"remove {path.name}")

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        return 0, ""


class _Fetcher(_Part):
    def fetch(self, url: str, *, sha256: str = "", magic: Sequence[bytes] = ()) -> Path:
        self.say(f"download {url}{f' and verify SHA-256 {sha256}' if sha256 else ''}")
        return Path(url.rsplit("/", 1)[-1])

    def fetch_member(self, url: str, member: str) -> bytes:
        self.say(f"download {url} and take {member} out of it")
        return b""


class _Checks(_Part):
    def check(self, requirements: Requirements) -> Sequence[Problem]:
        return ()

    def versions(self, requirements: Requirements) -> Sequence[tuple[str, str]]:
        return [("recorder", "1.0")]

    def machine(self) -> MachineFacts:
        return MachineFacts("nowhere")


def recording_host(
    media: Media,
    say: Say,
    *,
    work_format: DiskFormat = DiskFormat.RAW,
    offline: bool = True,
    files: dict[str, bytes] | None = None,
    opened_layout: DiskLayout = DiskLayout.BIOS,
    installed: Sequence[InstalledDriver] = (),
) -> Host:
    """Make a host that writes what it is asked to do through ``say``, a line each.

    Args:
        media: reads the installation medium and driver ISOs.
        say: receives the lines.
        work_format: the container a disk has while it is built.
        offline: whether it can service an image that does not run, as Windows can with DISM.
        files: what the volume of an opened disk holds.
        opened_layout: how an opened disk starts.
        installed: third-party drivers in an opened disk.
    """
    common = (say, files or {}, opened_layout, installed)
    return Host(
        name="recording",
        work_format=work_format,
        media=media,
        disks=_Disks(*common),
        servicing=_Servicing(*common),
        offline=_Offline(*common) if offline else None,
        boot=_Boot(*common),
        vm=_Vm(*common),
        files=_Files(*common),
        fetcher=_Fetcher(*common),
        checks=_Checks(*common),
    )
