r"""The image that is looked at: its files, its disk, its registry, each read when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from winimagetools.contract import RawVolume, ReadOnlyTree
from winimagetools.errors import WinImageError
from winimagetools.facts.edition import CLIENT, kind_of_name
from winimagetools.formats.pe import read_pe
from winimagetools.formats.regf_reader import HiveReader, Read
from winimagetools.found import DiskFacts
from winimagetools.guest import layout
from winimagetools.image.inspection import NTDLL
from winimagetools.image.request import Request
from winimagetools.model import Architecture, DiskFormat, WindowsVersion
from winimagetools.plan import ImageInfo, InstalledDriver

CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
CLOUDBASE_INIT = (
    r"Program Files\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files (x86)\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files\Cloudbase Solutions\Cloudbase-Init (x86)",
)
"""Where Cloudbase-Init is; the last is a path that only the PowerShell tools know."""


@runtime_checkable
class RangedTree(Protocol):
    """A tree whose files need not be read whole."""

    def open_file(self, path: str) -> AbstractContextManager[tuple[int, Read]]:
        """Size of a file, and what reads ranges of it."""


class Subject:
    """An image that is open; a context manager.

    Args:
        path: the image as it was given.
        disk: the disk image inside, when it was wrapped.
        container: of that.
        tree: the files of the Windows volume.
        drivers: third-party drivers in the image.
        facts: what is known of the disk; None on a host that cannot tell.
        request: what the configuration asks for; None without one.
        volume: the Windows volume as bytes; None on a host that cannot read it.
        thorough: everything in that is compared, however long it takes.
    """

    def __init__(
        self,
        path: Path,
        disk: Path,
        container: DiskFormat,
        tree: ReadOnlyTree,
        drivers: tuple[InstalledDriver, ...] = (),
        facts: DiskFacts | None = None,
        request: Request | None = None,
        volume: RawVolume | None = None,
        thorough: bool = False,
    ) -> None:
        self.path = path
        self.disk = disk
        self.container = container
        self.tree = tree
        self.drivers = drivers
        self.facts = facts
        self.request = request
        self.volume = volume
        self.thorough = thorough
        self._opened = ExitStack()
        self._hives: dict[str, HiveReader] = {}

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def hive(self, name: str) -> HiveReader:
        r"""A hive of ``Windows\System32\config``.

        Raises:
            FileNotFoundError: there is no such hive.
            MediaError: it is damaged.
        """
        if name not in self._hives:
            path = rf"Windows\System32\config\{name}"
            _, read = self._opened.enter_context(_opened(self.tree, path))
            self._hives[name] = HiveReader(read, name)
        return self._hives[name]

    @cached_property
    def software(self) -> HiveReader | None:
        """SOFTWARE; None when it cannot be read."""
        return self._readable("SOFTWARE")

    @cached_property
    def system(self) -> HiveReader | None:
        """SYSTEM; None when it cannot be read."""
        return self._readable("SYSTEM")

    def _readable(self, name: str) -> HiveReader | None:
        try:
            return self.hive(name)
        except (WinImageError, FileNotFoundError):
            return None

    @cached_property
    def control_set(self) -> str:
        """The control set that Windows starts with."""
        number = self.system.number("Select", "Current") if self.system else None
        return f"ControlSet{number or 1:03d}"

    @cached_property
    def windows(self) -> ImageInfo | None:
        """Version and architecture as ``ntdll.dll`` has them; None when it cannot be read."""
        try:
            program = read_pe(self.tree.read_bytes(NTDLL))
        except (WinImageError, FileNotFoundError):
            return None
        if program is None or program.architecture is None or program.version is None:
            return None
        kind = self.software.text(CURRENT_VERSION, "InstallationType") if self.software else ""
        asked = kind_of_name(self.request.edition) if self.request else CLIENT
        version = self.version or program.version
        return ImageInfo(version, Architecture(program.architecture), kind or asked)

    @cached_property
    def version(self) -> WindowsVersion | None:
        """The version as the registry has it, update included; None when it does not say."""
        if self.software is None:
            return None
        hive, key = self.software, CURRENT_VERSION
        build = hive.text(key, "CurrentBuild") or hive.text(key, "CurrentBuildNumber")
        if not build.isdigit():
            return None
        major = hive.number(key, "CurrentMajorVersionNumber")
        if major is None:
            try:
                old = WindowsVersion.parse(hive.text(key, "CurrentVersion"))
            except ValueError:
                return None
            return WindowsVersion(old.major, old.minor, int(build))
        minor = hive.number(key, "CurrentMinorVersionNumber") or 0
        return WindowsVersion(major, minor, int(build), hive.number(key, "UBR") or 0)

    @cached_property
    def was_started(self) -> bool:
        """Whether the image has been started since it was made."""
        marks = (*CLOUDBASE_INIT, r"Windows\Panther\setupact.log")
        return any(self.tree.exists(mark) for mark in marks)

    @cached_property
    def waits_for_first_start(self) -> bool:
        """Whether the image was made offline and finishes itself when it first starts."""
        return self.tree.exists(layout.RESOURCES) and not self.was_started


@contextmanager
def _opened(tree: ReadOnlyTree, path: str) -> Iterator[tuple[int, Read]]:
    if isinstance(tree, RangedTree):
        with tree.open_file(path) as opened:
            yield opened
        return
    data = tree.read_bytes(path)
    yield len(data), lambda at, length: data[at : at + length]
