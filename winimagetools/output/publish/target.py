"""What a target is given, and what it answers: the contract of all modules of this folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.facts.releases import NEEDS_UEFI, release_of
from winimagetools.model import GIB, Architecture, DiskFormat, DiskLayout, WindowsVersion


@dataclass(frozen=True)
class PublishedImage:
    """A finished image, as far as it matters to where it runs.

    Args:
        path: the file.
        container: of the disk; of what is inside where it is wrapped.
        wrapping: layers, innermost first, such as ``("tar", "gz")``.
        fixed: a VHD that has all of its disk in it.
        disk_size: bytes of the disk.
        layout: how firmware starts it.
        drivers: names of the third-party drivers in it, in lower case.
        agent: whether the QEMU guest agent is or will be installed.
        sha256: of the file as its report tells it; empty when nothing does.
    """

    path: Path
    container: DiskFormat
    wrapping: tuple[str, ...]
    fixed: bool
    disk_size: int
    layout: DiskLayout
    version: WindowsVersion
    architecture: Architecture
    server: bool
    drivers: frozenset[str] = frozenset()
    agent: bool = False
    sha256: str = ""

    @property
    def uefi(self) -> bool:
        """Whether it starts with UEFI firmware."""
        return self.layout is DiskLayout.UEFI

    @property
    def gigabytes(self) -> int:
        """GiB of the disk, rounded up."""
        return -(-self.disk_size // GIB)

    @property
    def disk_bus(self) -> str:
        """The fastest bus of QEMU it has a driver for: ``virtio``, ``scsi`` or ``sata``."""
        if "viostor" in self.drivers:
            return "virtio"
        return "scsi" if "vioscsi" in self.drivers else "sata"

    @property
    def network(self) -> str:
        """The network device of QEMU it has a driver for."""
        return "virtio" if "netkvm" in self.drivers else "e1000"

    @property
    def wants_tpm(self) -> bool:
        """Whether Windows is one that is supported with UEFI, Secure Boot and TPM 2.0 only."""
        return not self.server and NEEDS_UEFI.is_in(self.version)

    @property
    def memory(self) -> int:
        """MiB it should have at least."""
        return 4096 if self.wants_tpm else 2048

    @property
    def release(self) -> str:
        """What people call it, such as ``2022`` or ``11``; the version where it has no name."""
        found = release_of(self.version, server=self.server)
        return found.name.split()[-1] if found else str(self.version)

    @property
    def name(self) -> str:
        """The name of the file without what tells the format, or could be taken for an option."""
        return self.path.name.lstrip(".-").partition(".")[0] or "image"


@dataclass(frozen=True)
class Parameter:
    """Something that only the user knows.

    Args:
        default: None when it must be given.
    """

    name: str
    help: str
    default: str | None = None


@dataclass(frozen=True)
class Target:
    """A place where images run.

    Args:
        name: as on the command line.
        title: as its makers write it.
        parameters: what has to be known of it.
        commands: the lines to run, in order, complete; refuses with RequestError, and the way
            out as its hint, what such a place does not take.
        run: does what the commands do, and returns what the image is called there; refuses
            likewise. None where only the commands are known.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    commands: Callable[[PublishedImage, Mapping[str, str]], list[str]]
    run: Callable[[PublishedImage, Mapping[str, str]], list[str]] | None = None


def shell(*words: str | Path) -> str:
    """A command line for a shell, each word quoted where it has to be."""
    return shlex.join(str(word) for word in words)


def need_container(image: PublishedImage, where: str, *taken: DiskFormat) -> None:
    """Refuse what is in another container, or wrapped.

    Raises:
        RequestError: with the options that make the right one.
    """
    names = " or ".join(taken)
    if image.wrapping:
        raise RequestError(
            f"{image.path} is wrapped as {'.'.join(image.wrapping)}; {where} takes plain {names}.",
            "Unwrap it, or build it without compression_format.",
        )
    if image.container not in taken:
        raise RequestError(
            f"{image.path} is {image.container}; {where} takes {names}.",
            f"Build it with virtual_disk_format = {taken[0]}.",
        )
