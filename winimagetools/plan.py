r"""Records of what was decided: plain data that ``image`` makes and a host carries out.

A :class:`BuildPlan` is made once for each build, before anything is done. The workflows hand
its parts to the host, which executes them and decides nothing; ``--dry-run`` prints it.

Paths inside Windows are strings relative to the root of the Windows volume, with either
slash, compared without regard to case: ``Windows\System32\ntdll.dll``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from winimagetools.model import (
    ApplyEngine,
    Architecture,
    DiskFormat,
    DiskLayout,
    WimImage,
    WindowsVersion,
    is_server_type,
)
from winimagetools.stamp import Stamp


class SourceTree(Protocol):
    """Files that are read only: the content of an ISO, or a folder of the host.

    Paths are relative, ``/``-separated, in the letter case the medium has; look-ups
    ignore case.
    """

    @property
    def name(self) -> str:
        """What to call it in messages: the path of the ISO or folder."""

    def files(self) -> Sequence[str]:
        """Paths of all files, sorted, directories excluded."""

    def find(self, path: str) -> str | None:
        """The path as the medium spells it, or None when there is no such file."""

    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError when there is none."""

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises MediaError when it cannot be read."""

    def copy_out(self, path: str, destination: Path) -> None:
        """Stream a file into ``destination`` on the host. Raises MediaError, DiskFullError."""

    def local_folder(self, path: str) -> Path | None:
        """The folder as a path of the host, or None when files must be copied out first."""


@dataclass(frozen=True)
class DriverFile:
    """A boot-start driver binary and where it goes: ``source`` path in the SourceTree."""

    source: str
    destination: str


@dataclass(frozen=True)
class RegistryValue:
    """One value to write.

    Args:
        name: value name; empty for the default value of the key.
        kind: ``REG_SZ``, ``REG_EXPAND_SZ``, ``REG_MULTI_SZ``, ``REG_DWORD``, ``REG_QWORD``,
            ``REG_BINARY`` or ``REG_NONE``.
        data: text, texts, number or bytes, as the kind asks for.
    """

    name: str
    kind: str
    data: str | int | bytes | tuple[str, ...]


@dataclass(frozen=True)
class RegistryEdit:
    r"""A key to create and the values to set in it; ``hive`` such as ``SYSTEM``.

    Args:
        hive: file name below ``Windows\System32\config``.
        key: path below the root of the hive. ``CurrentControlSet`` as first part means
            the control set that ``Select\Current`` names.
        values: values to set; others in the key stay as they are.
    """

    hive: str
    key: str
    values: tuple[RegistryValue, ...] = ()


@dataclass(frozen=True)
class DriverPackage:
    """One INF and the files it needs, as chosen for an image.

    Args:
        inf: path of the INF in the source.
        name: short name for messages and folders, such as ``viostor``.
        version: ``DriverVer`` version text, may be empty.
        files: paths in the source, the INF and catalog included.
        boot_critical: whether Windows needs it to reach its own disk.
        devices: hardware and compatible ids of the devices it is for, as the INF has them.
    """

    inf: str
    name: str
    version: str
    files: tuple[str, ...]
    boot_critical: bool = False
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriverPlan:
    r"""Drivers that were chosen for an image and what that means, before anything is done.

    Args:
        source: where the files are.
        folders: folders of the source, as ``DISM /Add-Driver /recurse`` takes them.
        packages: the same drivers one by one.
        boot_files: binaries of boot-critical drivers for ``System32\drivers``.
        registry: edits that make Windows load those at boot.
        notes: what was left out and why, one sentence each.
        warnings: what may keep the image from working, one sentence each.
        uefi_warnings: the same, but only where the disk starts with UEFI firmware.
    """

    source: SourceTree
    folders: tuple[str, ...] = ()
    packages: tuple[DriverPackage, ...] = ()
    boot_files: tuple[DriverFile, ...] = ()
    registry: tuple[RegistryEdit, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    uefi_warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageInfo:
    """What the drivers and downloads need to know of an installed Windows.

    Port of the record that ``Get-ImageInformation`` returns.
    """

    version: WindowsVersion
    architecture: Architecture
    installation_type: str

    @classmethod
    def of(cls, image: WimImage) -> ImageInfo:
        """What an edition will be once it is installed."""
        return cls(image.version, image.architecture, image.installation_type)

    @property
    def is_server(self) -> bool:
        """Whether this is a server edition."""
        return is_server_type(self.installation_type)


class DiskBus(StrEnum):
    """How the disk of a virtual machine is attached."""

    SATA = "sata"
    VIRTIO_BLOCK = "virtio-blk"
    VIRTIO_SCSI = "virtio-scsi"


@dataclass(frozen=True)
class VmRequest:
    """A virtual machine that runs the first boot until it powers off; sizes in bytes.

    Args:
        switch: ``external_switch``.
        generation: 2 for UEFI, 1 for BIOS, as Hyper-V calls it.
        tpm: Windows wants a TPM 2.0.
        bus: of the disk; another one than SATA needs a driver that starts with Windows.
        virtio_network: the image has a driver for a virtio network device.
        accel: ``auto``, ``kvm`` or ``tcg``.
        silence: seconds without news of the guest after which it is given up.
        time_limit: seconds after which it is given up whatever it reports.
        vnc: a socket to watch the machine at; empty for none.
        logs: folder for what the machine says and shows.
        gold: the image stays a golden one, without Cloudbase-Init and sysprep.
        discard_failed: nothing is kept of a run that fails.
        throw_away: what the machine writes is forgotten, and the disk stays as it is.
        screen: ``window``, ``vnc``, or ``auto`` for a window where there is a desktop; empty for
            none.
        certificate: what the boot manager is signed under, which firmware with Secure Boot has
            to know; empty where nobody looked.
    """

    name: str
    disk: Path
    memory: int
    cpu_count: int
    switch: str
    generation: int
    disable_secure_boot: bool = False
    tpm: bool = False
    bus: DiskBus = DiskBus.SATA
    virtio_network: bool = False
    accel: str = "auto"
    silence: float = 3600
    time_limit: float = 86400
    vnc: str = ""
    logs: Path = Path()
    gold: bool = False
    discard_failed: bool = False
    certificate: str = ""
    throw_away: bool = False
    screen: str = ""


@dataclass(frozen=True)
class InstalledDriver:
    """A third-party driver found in an image: its published name and its provider."""

    published_name: str
    provider: str


@dataclass(frozen=True)
class Requirements:
    """What a request needs of a host, so that missing tools are told before the first step.

    Args:
        layout: how firmware starts the disk.
        formats: containers that qemu-img makes.
        existing_disk: a finished disk is opened, not a new one made.
        vm: Windows is started in a virtual machine.
        form_only: a finished disk gets another form, and nobody looks into it.
    """

    layout: DiskLayout
    formats: tuple[DiskFormat, ...] = ()
    existing_disk: bool = False
    vm: bool = False
    form_only: bool = False


@dataclass(frozen=True)
class Sources:
    """Everything besides the medium that a build reads from, opened once for its whole length.

    Args:
        drivers: folder with other drivers (``drivers_path``).
        virtio_iso: ISO with virtio drivers and the QEMU guest agent.
        virtio_folder: folder with virtio drivers.
    """

    drivers: SourceTree | None = None
    virtio_iso: SourceTree | None = None
    virtio_folder: SourceTree | None = None


@dataclass(frozen=True)
class Content:
    """Bytes that were made here; they may hold a password and are never shown."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class HostPath:
    """A file of this machine, or the content of a folder."""

    path: Path


@dataclass(frozen=True)
class Member:
    """A file of an opened source."""

    source: SourceTree
    path: str


@dataclass(frozen=True)
class Download:
    """A file of the network, or one in a ZIP archive there.

    Args:
        url: http or https.
        sha256: what it must have, in hexadecimal; not compared when empty.
        magic: the file must begin with one of these; not compared when empty.
        member: name of the file in the archive, in lower case.
        instead: what a user can do when the network does not deliver, as a whole sentence.
    """

    url: str
    sha256: str = ""
    magic: tuple[bytes, ...] = ()
    member: str = ""
    instead: str = ""


FileSource = Content | HostPath | Member | Download


@dataclass(frozen=True)
class FileAddition:
    r"""A file, or the content of a folder, that is put into the image.

    Args:
        target: its path in Windows; what is there already is replaced.
        sources: where it comes from, tried in this order until one can be had.
        title: what it is, when the log should say where it came from.
    """

    target: str
    sources: tuple[FileSource, ...]
    title: str = ""


@dataclass(frozen=True)
class FileRemoval:
    """A file or folder that is taken out of the image; nothing happens when there is none."""

    target: str


FileChange = FileAddition | FileRemoval


@dataclass(frozen=True)
class AddDrivers:
    """Install driver packages into an image that does not run."""

    plan: DriverPlan


@dataclass(frozen=True)
class EditRegistry:
    """Change hives of the image."""

    edits: tuple[RegistryEdit, ...]


@dataclass(frozen=True)
class EnableFeatures:
    """Turn Windows features on."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class AddPackage:
    """Install an update: ``.cab``, ``.msu`` or a folder of them."""

    path: Path
    ignore_errors: bool = False


@dataclass(frozen=True)
class AddCapabilities:
    """Install optional capabilities."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class CleanUpdates:
    """Clean the component store up; with ``purge`` updates can no longer be removed."""

    purge: bool = False


OfflineStep = (
    AddDrivers | EditRegistry | EnableFeatures | AddPackage | AddCapabilities | CleanUpdates
)
"""What is done to the installed image before it starts for the first time."""


@dataclass(frozen=True)
class GuestStep:
    """One thing the guest does before its other scripts.

    Args:
        command: program in System32 and its arguments.
        accept: exit codes that are no failures; 3010 asks for a restart.
        ignore_errors: go on whatever it returns.
        settled: do it only when no restart is pending.
    """

    command: tuple[str, ...]
    accept: tuple[int, ...] = (0, 3010)
    ignore_errors: bool = False
    settled: bool = False


@dataclass(frozen=True)
class Delivery:
    """How a finished disk is delivered.

    Args:
        path: final name of the image.
        disk_format: container.
        compression: layers, innermost first, such as ``("tar", "gz")``.
        stem: name of the disk image without its extension; what an archive shows.
        compress_qcow2: compress inside a QCOW2 container.
        password: password of a zip layer, empty for none.
        fixed_vhd: a VHD has all of its disk in it and does not grow.
        checksum: the SHA-256 of the result is computed.
        apply_engine: what writes the files of the image on Linux.
    """

    path: Path
    disk_format: DiskFormat
    compression: tuple[str, ...]
    stem: str
    compress_qcow2: bool = False
    password: str = field(default="", repr=False)
    fixed_vhd: bool = False
    checksum: bool = True
    apply_engine: ApplyEngine = ApplyEngine.AUTO

    def disk_name(self, disk_format: DiskFormat) -> str:
        """File name of the disk while it is in a container, before it is wrapped."""
        return f"{self.stem}.{disk_format.extension}"

    def describe(self) -> str:
        """In words: ``QCOW2 (compressed), wrapped as tar.gz``."""
        text = self.disk_format.value
        if self.compress_qcow2:
            text += " (compressed)"
        if self.fixed_vhd:
            text += " (fixed)"
        if self.compression:
            text += ", wrapped as " + ".".join(self.compression)
        return text


@dataclass(frozen=True)
class DiskFile:
    """A finished disk image.

    Args:
        sha256: in hexadecimal, empty where nobody has computed it.
        converted: it already is the container that is delivered.
        wrapped: it already is the archive that is delivered.
    """

    path: Path
    sha256: str = ""
    converted: bool = False
    wrapped: bool = False


@dataclass(frozen=True)
class BuildPlan:
    """Everything that was decided for one image, before anything is done.

    Args:
        windows: the Windows it will be.
        edition: of the medium; None when the image is made from a golden one.
        golden: the finished disk to start from; None when it is made from a medium.
        layout: how firmware starts the disk.
        boot_ex: the boot files signed under the newer certificate are taken where there are any.
        disk_size: bytes.
        work_format: container the disk has while it is built.
        answers: what the answer file does, a sentence each; empty when there is none.
        files: what is put into the image and taken out of it, in order.
        drivers: what was chosen from each source, in the order it is added.
        offline: what is done to the image before it starts, in order.
        guest: what the guest does at its first start, before its scripts, in order.
        machine: the virtual machine that finishes the image; None when it is not started.
        shrink: make the finished disk as small as it can be.
        optimize: give back what its container does not use.
        delivery: container, wrapping and final name.
        stamp: the time and the ids of everything that is made.
    """

    windows: ImageInfo
    edition: WimImage | None
    golden: Path | None
    layout: DiskLayout
    disk_size: int
    work_format: DiskFormat
    answers: tuple[str, ...]
    files: tuple[FileChange, ...]
    drivers: tuple[DriverPlan, ...]
    offline: tuple[OfflineStep, ...]
    guest: tuple[GuestStep, ...]
    machine: VmRequest | None
    shrink: bool
    optimize: bool
    delivery: Delivery
    stamp: Stamp
    boot_ex: bool = False
