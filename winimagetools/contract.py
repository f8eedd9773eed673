r"""What a host can do: the contract between ``image/`` and ``host/``.

``builder`` says when, ``image`` says what, a host says how. A :class:`Host` is a
record of small protocols; ``host/linux``, ``host/windows`` and ``host/dry_run`` each
provide one, and ``image/`` receives it without knowing which.

Paths inside Windows are strings relative to the root of the Windows volume, with
either slash, compared without regard to case: ``Windows\System32\ntdll.dll``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from winimagetools.errors import Problem
from winimagetools.found import DiskFacts, MachineFacts
from winimagetools.model import (
    DiskFormat,
    DiskLayout,
    OtherImage,
    WimImage,
)
from winimagetools.plan import (
    Delivery,
    DiskFile,
    DriverPlan,
    InstalledDriver,
    RegistryEdit,
    Requirements,
    SourceTree,
    VmRequest,
)
from winimagetools.stamp import Stamp


class ReadOnlyTree(Protocol):
    """The files of a Windows volume that are looked at."""

    def exists(self, path: str) -> bool: ...
    def is_dir(self, path: str) -> bool: ...

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a folder, sorted; empty when there is no such folder."""

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises FileNotFoundError."""


class WindowsTree(ReadOnlyTree, Protocol):
    """The files of a Windows volume that is being made or changed."""

    def write_bytes(self, path: str, data: bytes) -> None:
        """Create or replace a file, and its folders."""

    def copy_in(self, source: Path, path: str) -> None:
        """Copy a file to exactly ``path``, or the *content* of a folder into folder ``path``."""

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; nothing happens when there is none."""

    def edit(self, path: str) -> AbstractContextManager[Path]:
        """A file of the host that holds the content and is put back on a clean exit.

        Raises FileNotFoundError when there is no such file.
        """


@dataclass(frozen=True)
class RawVolume:
    """A volume of a disk as bytes.

    Args:
        read: reads from an offset, the first argument, so many bytes, the second.
        size: bytes of its partition.
    """

    read: Callable[[int, int], bytes]
    size: int


class InstallMedia(Protocol):
    """An opened installation medium: the WIM (or ESD, SWM) and what it holds."""

    def wim_file(self, work: Path) -> Path:
        """The WIM as a file of this host, for the program that applies it.

        It is there until the medium is closed; whoever asks again gets the same file.

        Args:
            work: a folder for it where it cannot be used where it lies; it must not be
                removed before the medium is closed.

        Raises:
            DiskFullError: no room for a copy.
            MediaError: the medium cannot be read to the end.
        """

    def read_file(self, image: WimImage, path: str) -> bytes:
        """Content of a file of an edition, where that costs no copy of the WIM.

        Raises:
            FileNotFoundError: there is none, or it would cost too much to look.
        """

    def copied_bytes(self) -> int:
        """How much :meth:`wim_file` copies into ``work``; 0 where the WIM is used as it lies."""

    def check_unchanged(self) -> None:
        """Compare the medium with what it was when it was opened; asked when it was applied.

        Raises:
            MediaError: it was replaced or written to, so another edition may be on the disk.
        """

    @property
    def images(self) -> Sequence[WimImage]:
        """The Windows editions."""

    @property
    def others(self) -> Sequence[OtherImage]:
        """What else it holds and cannot be installed, such as Windows Setup."""


class Disk(Protocol):
    """A disk that is attached for the length of a build."""

    @property
    def path(self) -> Path: ...
    @property
    def layout(self) -> DiskLayout: ...
    @property
    def tree(self) -> WindowsTree:
        """The files of the Windows partition."""


class Media(Protocol):
    """Reading ISO and WIM files."""

    def locate(self, text: str, resolve: Callable[[str], Path]) -> Path:
        """Find the installation medium a configuration names.

        Args:
            text: ``wim_file_path``; a bare name is also looked for in ``PATH``.
            resolve: makes an absolute path of a relative one.

        Raises:
            MediaError: there is no such file.
        """

    def open_install(self, path: Path) -> AbstractContextManager[InstallMedia]:
        """Open a WIM, ESD, SWM or the one inside an ISO. Raises MediaError."""

    def open_source(self, path: Path) -> AbstractContextManager[SourceTree]:
        """Open an ISO or a folder to read from. Raises MediaError."""


class Disks(Protocol):
    """Virtual disks, their partitions and volumes."""

    def create(
        self, path: Path, size: int, layout: DiskLayout, stamp: Stamp | None = None
    ) -> AbstractContextManager[Disk]:
        """Make a partitioned, formatted disk of ``size`` bytes and attach it.

        Where the host can, ids and times of all that is on it are those of ``stamp``; None for
        new ones.

        Leaving the context cleanly after :meth:`finish` keeps the file; leaving it any
        other way removes it.
        """

    def open(self, path: Path, *, read_only: bool = False) -> AbstractContextManager[Disk]:
        """Attach an existing disk and find its Windows partition.

        With ``read_only`` whatever is written to it is thrown away on leaving.
        """

    def opens(self, container: DiskFormat) -> bool:
        """Whether :meth:`open` can look into a container; others are converted first."""

    def changes(self, container: DiskFormat) -> bool:
        """Whether :meth:`open` can change a disk in a container where it lies."""

    def facts(self, disk: Disk) -> DiskFacts | None:
        """What is known of an opened disk itself; None where this host cannot tell."""

    def windows_volume(self, disk: Disk) -> RawVolume | None:
        """The Windows volume of an opened disk as bytes; None where this host has none."""

    def copy(self, source: Path, destination: Path) -> None:
        """Copy a disk image, sharing blocks where the file system can."""

    def shows_volumes(self) -> bool:
        """Whether this host can show a Windows volume as bytes."""

    def finish(
        self,
        disk: Disk,
        delivery: Delivery | None = None,
        verify: Callable[[RawVolume], None] | None = None,
    ) -> DiskFile:
        """Write everything out and leave the volume clean and trimmed.

        Args:
            disk: the disk.
            delivery: what the disk is to become next; None where nothing is known. Where the
                container can be made at once, it is, and with it the SHA-256 of an image that
                is not wrapped.
            verify: looks at the volume before the disk becomes anything else, and raises where
                it is not sound; only of use where the host shows volumes.

        Returns:
            The disk image, in the container of the delivery or as it was built.
        """

    def refuse_unusable(self, path: Path, size: int) -> None:
        """Refuse a golden image, which is only read, before anything is done with a copy of it.

        Args:
            path: the image, of any container.
            size: bytes the disk of the new image is to have.

        Raises:
            MediaError: it holds no Windows, or one that cannot be changed.
            RequestError: its disk is larger.
        """

    def resize(self, path: Path, size: int) -> None:
        """Give a disk image ``size`` bytes and a new identifier (``Resize-VHD``, ``Set-VHD``)."""

    def extend_windows(self, disk: Disk) -> None:
        """Let the Windows partition fill the disk."""

    def shrink(self, path: Path, free_space: int) -> None:
        """Shrink the Windows partition and the disk, leaving ``free_space`` bytes spare."""

    def extend(self, path: Path, size: int) -> None:
        """Let the Windows partition of a disk image reach the end of the disk.

        Args:
            path: the image.
            size: bytes the disk is to have; 0 for those it has.

        Raises:
            MediaError: there is no Windows that can be changed.
            RequestError: the disk is larger already.
        """

    def optimize(self, path: Path) -> None:
        """Give back unused blocks of the container (``Optimize-VHD -Mode Full``)."""


class Servicing(Protocol):
    """The installed image on a disk."""

    def check_version(self, image: WimImage) -> None:
        """Warn when this host's servicing tools are older than the image."""

    def apply_image(self, disk: Disk, media: InstallMedia, image: WimImage) -> None: ...

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None: ...

    def list_drivers(self, disk: Disk) -> Sequence[InstalledDriver]:
        """Third-party drivers in the image (``DISM /Get-Drivers``)."""


class OfflineServicing(Protocol):
    """What DISM does to an image that does not run; a host without it leaves it to the guest."""

    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None: ...

    def add_package(self, disk: Disk, package: Path, ignore_errors: bool) -> None: ...

    def enable_features(self, disk: Disk, names: Sequence[str]) -> None: ...

    def add_capabilities(self, disk: Disk, names: Sequence[str]) -> None: ...

    def clean_updates(self, disk: Disk, purge: bool) -> None: ...


class Boot(Protocol):
    """Boot files and the BCD store."""

    def create_boot_config(self, disk: Disk, image: WimImage, ex: bool = False) -> None:
        r"""Put boot files and BCD store where the firmware looks for them.

        With ``ex`` the files of ``\Windows\Boot\EFI_EX`` go on a disk for UEFI firmware, where
        the image has them.
        """

    def boot_manager(self, disk: Disk) -> bytes:
        """The boot manager that UEFI firmware starts from a disk that was made bootable here.

        Raises:
            FileNotFoundError: there is none, as on a disk for BIOS.
        """

    def reset_search_order(self, disk: Disk) -> None: ...


class Vm(Protocol):
    """The virtual machine for the online stage."""

    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        """Everything that would keep such a machine from running here."""

    def check_tpm(self) -> Sequence[Problem]:
        """What keeps such a machine from having a TPM 2.0."""

    def check_trust(self, certificate: str) -> Sequence[Problem]:
        """What keeps such a machine from starting, with Secure Boot, what is signed under that."""

    def describe(self, request: VmRequest) -> Sequence[str]:
        """How the machine would be started, for a dry run; empty where that says nothing."""

    def start(self, request: VmRequest) -> None:
        """Start a machine for people to look at, and wait until it is off.

        Raises:
            BuildError: it cannot be started.
            HostError: this machine cannot do that.
        """

    def prove_start(self, request: VmRequest) -> str:
        """Start a machine on a disk that forgets, until that has shown that it starts.

        Returns:
            What was seen, a sentence.

        Raises:
            BuildError: it does not start; the message says how far it came.
            HostError: this machine cannot do that.
        """

    def run_sysprep(self, request: VmRequest) -> Mapping[str, str]:
        """Run the machine until it powers off.

        What it says and shows lies in the folder ``request.logs`` afterwards, however it ended.

        Returns:
            The reports of the guest that count, by stage. That it is off does not say that it
            is done.

        Raises:
            BuildError: it reported a failure, did not start, or took too long.
        """


class Files(Protocol):
    """Work on finished disk image files."""

    def build_folder(self, image_path: Path) -> AbstractContextManager[Path]:
        """A private folder beside ``image_path`` for one build at a time; removed at the end."""

    def convert(
        self, source: Path, destination: Path, disk_format: DiskFormat, compress: bool
    ) -> None:
        """Convert between containers with qemu-img; the source stays."""

    def stays_in_place(self, made_as: DiskFormat, delivery: Delivery) -> bool:
        """Whether a disk in the container ``made_as`` is delivered without a second copy of it."""

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
        """Turn a disk image into another container.

        Args:
            source: the image.
            destination: the container, in the same folder.
            disk_format: its kind.
            compress: compress the clusters of a QCOW2.
            fixed: make a VHD with all of its disk in it instead of a dynamic one.
            keep: the source, a raw disk, stays, and may lie in another folder; else it is gone.
            checksum: compute the SHA-256 on the way, which :meth:`measure` then knows.
            stamp: its ids and times; None for new ones.
        """

    def compress(
        self,
        source: Path,
        formats: Sequence[str],
        password: str,
        *,
        checksum: bool = False,
        stamp: Stamp | None = None,
    ) -> Path:
        """Wrap ``source`` in ``formats`` in turn (``tar``, ``gz``, ``zip``) beside it.

        Returns the last file; the source and those between are removed. With ``checksum`` the
        SHA-256 is computed on the way, which :meth:`measure` then knows. ``stamp`` has the
        time in them; that of ``source`` without one.
        """

    def decompress(self, source: Path, folder: Path, formats: Sequence[str], password: str) -> Path:
        """Unwrap ``formats`` (innermost first) of ``source`` into ``folder``; what was in it."""

    def image_format(self, path: Path) -> str:
        """What ``qemu-img info`` calls the container."""

    def publish(
        self,
        source: Path,
        destination: Path,
        mode: int | None = None,
        report: Path | None = None,
    ) -> None:
        """Put a complete file under its final name at once (rename, never a copy in place).

        ``mode`` are its permission bits; None for those of the file it replaces, else 600. The
        folder ``report`` becomes the report of the file together with it; without one that of
        the file that is replaced goes.
        """

    def remove(self, path: Path) -> None: ...

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        """Size in bytes and, with ``checksum``, SHA-256 in hexadecimal of a finished file."""


class Fetcher(Protocol):
    """The network."""

    def fetch(self, url: str, *, sha256: str = "", magic: Sequence[bytes] = ()) -> Path:
        """Download (or take from the cache) and return a local, read-only copy.

        Args:
            url: http or https.
            sha256: expected SHA-256 in hexadecimal; not compared when empty.
            magic: the file must begin with one of these; not compared when empty.

        Raises:
            DownloadError, ChecksumError
        """

    def fetch_member(self, url: str, member: str) -> bytes:
        """Download a ZIP archive and return the content of one file in it.

        Args:
            url: http or https.
            member: name of the file in lower case, in whatever folder it is.

        Raises:
            DownloadError: the download failed, or holds no such file.
        """


class Checks(Protocol):
    """Whether this machine can do a request at all."""

    def check(self, requirements: Requirements) -> Sequence[Problem]:
        """Everything this machine lacks: tools, libraries, rights; empty when nothing."""

    def versions(self, requirements: Requirements) -> Sequence[tuple[str, str]]:
        """What a request is done with here: programs and libraries, and the version of each.

        What has no version is told by the SHA-256 of its file.
        """

    def machine(self) -> MachineFacts:
        """What this machine is."""


@dataclass(frozen=True)
class Host:
    """One machine, as a record of what it can do.

    Args:
        work_format: the container a disk has while it is built here.
        offline: None where features, packages and drivers are left to the guest.
    """

    name: str
    work_format: DiskFormat
    media: Media
    disks: Disks
    servicing: Servicing
    offline: OfflineServicing | None
    boot: Boot
    vm: Vm
    files: Files
    fetcher: Fetcher
    checks: Checks
