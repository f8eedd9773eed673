"""Which versions of programs and libraries an image is made with, for its report."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from winimagetools.errors import WinImageError
from winimagetools.files.hash import sha256_of
from winimagetools.host.linux import computer, esp, grub, hivex, libntfs, libwim
from winimagetools.host.linux.disks import SFDISK
from winimagetools.host.linux.qemu import machine, tpm
from winimagetools.host.linux.qemu.firmware import read_firmware
from winimagetools.model import DiskLayout
from winimagetools.output.convert import QEMU_IMG
from winimagetools.plan import Requirements
from winimagetools.run import Tool, run

_NUMBER = re.compile(r"\d+(\.\d+)+[-+~.\w]*")
_MAPS = Path("/proc/self/maps")


def versions(requirements: Requirements) -> list[tuple[str, str]]:
    """What a request is done with, a name and a version each."""
    found = []
    for name, ask in _asked(requirements):
        try:
            version = ask()
        except (WinImageError, OSError):
            continue
        if version:
            found.append((name, version))
    return [("system", computer.look().system), *found]


def _asked(requirements: Requirements) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "libntfs-3g", functools.partial(_library, "libntfs-3g", libntfs.load)
    if not requirements.existing_disk:
        yield "libwim", lambda: libwim.load().version
        yield from _programs(SFDISK)
        uefi = requirements.layout is DiskLayout.UEFI
        yield from _programs(esp.MCOPY if uefi else grub.GRUB_MKIMAGE)
    yield "libhivex", functools.partial(_library, "libhivex", hivex.find_library)
    if requirements.formats:
        yield from _programs(QEMU_IMG)
    if requirements.vm:
        yield from _programs(machine.QEMU)
        if requirements.layout is DiskLayout.UEFI:
            yield from _programs(tpm.SWTPM)
            yield "UEFI firmware", _firmware


def _programs(*tools: Tool) -> Iterator[tuple[str, Callable[[], str]]]:
    for tool in tools:
        yield tool.name, functools.partial(program_version, tool)


@functools.cache
def program_version(tool: Tool) -> str:
    """The number a program says of itself; empty when it says none.

    Raises:
        ToolMissingError, CommandError: it cannot be asked.
    """
    return number_in(run(tool, ["--version"]))


def number_in(text: str) -> str:
    """The first version number in a text: ``7.2.22``, ``2.38.1``."""
    found = _NUMBER.search(text)
    return found[0] if found else ""


def _library(name: str, load: Callable[[], object]) -> str:
    """A library without a version of its own by the file that was loaded (proc(5), maps)."""
    load()
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        path = Path("/" + line.partition("/")[2])
        if path.name.startswith(f"{name}.so"):
            return _file(path)
    return ""


@functools.cache
def _file(path: Path) -> str:
    return f"{path.name} sha256:{sha256_of(path)}"


def _firmware() -> str:
    """The firmware machines with Secure Boot start with, or else the first one."""
    available = sorted(read_firmware(), key=lambda item: not item.enrolled)
    return _file(available[0].code) if available else ""
