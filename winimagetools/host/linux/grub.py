r"""BIOS boot code: GRUB in front of the partition starts ``\bootmgr``.

Microsoft's own boot code may not be passed on, so the disk gets GRUB's, made on this machine
from its own package: ``boot.img`` in the master boot record loads the core image from the
sectors after it, and that loads ``/bootmgr`` from the NTFS volume like Microsoft's boot
sector would. Everything else on the disk is as Windows makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from winimagetools.errors import BuildError, HostError, MediaError, ToolMissingError
from winimagetools.formats.grub_core import GrubModule, read_core, read_module
from winimagetools.formats.partition_table import SECTOR
from winimagetools.run import Tool, run

GRUB_MKIMAGE = Tool("grub-mkimage", "grub-common", "make the BIOS boot code")
GRUB_FOLDER = Path("/usr/lib/grub/i386-pc")
MODULES = ("biosdisk", "part_msdos", "ntfs", "search", "search_fs_file", "ntldr", "boot")
SETTINGS = """\
search --no-floppy --file --set=root --hint=$root,msdos1 /bootmgr
ntldr /bootmgr
boot
"""
"""What GRUB does: the first partition of the disk it was started from, then any other."""
BOOT_CODE = 440
"""Bytes of boot code in a master boot record; signature and table follow."""
_DRIVE_CHECK = slice(0x66, 0x68)
"""GRUB_BOOT_MACHINE_DRIVE_CHECK of include/grub/i386/pc/boot.h."""
_SKIP = b"\x90\x90"
_BLOCK_LIST = SECTOR - 12
"""Where the first sector of a core image says which sectors follow it."""


def mkimage_arguments(settings: Path, core: Path) -> list[str | Path]:
    """Arguments of ``grub-mkimage``.

    Args:
        settings: file with the embedded commands.
        core: the core image to make.
    """
    start: list[str | Path] = ["-O", "i386-pc", "-d", GRUB_FOLDER, "-p", "/boot/grub"]
    return [*start, "-c", settings, "-o", core, *MODULES]


def check_installed() -> None:
    """Look for GRUB and at the files of it that go onto the disk.

    Raises:
        ToolMissingError: GRUB is not installed.
        HostError: a file of it is damaged.
    """
    GRUB_MKIMAGE.find()
    _boot_image()
    for _ in _modules():
        pass


def _boot_image() -> bytes:
    data = _installed("boot.img")
    if len(data) != SECTOR or data[-2:] != b"\x55\xaa":
        raise _damaged("boot.img", f"is no boot sector ({len(data)} bytes)")
    return data


def _modules() -> Iterator[GrubModule]:
    """The modules of :data:`MODULES` and all they need, as they are installed."""
    wanted = list(MODULES)
    for name in wanted:  # which grows
        try:
            module = read_module(_installed(f"{name}.mod"))
        except MediaError as error:
            raise _damaged(f"{name}.mod", error.message) from error
        if module.name != name:
            raise _damaged(f"{name}.mod", f"is the module {module.name}")
        wanted += [need for need in module.needs if need not in wanted]
        yield module


def _installed(name: str) -> bytes:
    try:
        return (GRUB_FOLDER / name).read_bytes()
    except OSError as error:
        reason = "make the BIOS boot code"
        raise ToolMissingError(str(GRUB_FOLDER / name), "grub-pc-bin", reason) from error


def _damaged(name: str, what: str) -> HostError:
    return HostError(
        f"{GRUB_FOLDER / name} {what}, so no disk would start with it.",
        "Install it again: apt install --reinstall grub-pc-bin",
    )


def make_core(work: Path) -> bytes:
    """The core image, made in the private folder ``work``.

    Raises:
        ToolMissingError: GRUB is not installed.
        HostError: a file of it is damaged.
        BuildError: it is not what was asked for.
    """
    check_installed()
    settings, core = work / "grub.cfg", work / "core.img"
    settings.write_text(SETTINGS)
    run(GRUB_MKIMAGE, mkimage_arguments(settings, core))
    data = core.read_bytes() if core.is_file() else b""
    _check_core(data)
    return data


def _check_core(core: bytes) -> None:
    """Compare a core image with what it was made of. Raises BuildError."""
    try:
        found = read_core(core)
    except MediaError as error:
        raise _wrong_core(error.message) from error
    if found.settings != SETTINGS:
        raise _wrong_core("does not hold the commands that start Windows")
    for module in _modules():
        inside = found.modules.get(module.name)
        if inside is None or inside.data.rstrip(b"\0") != module.data.rstrip(b"\0"):
            raise _wrong_core(f"does not hold the module {module.name} as it is installed")
    head = _installed("diskboot.img")[:_BLOCK_LIST]
    if not head or not core.startswith(head):
        raise _wrong_core("does not begin like one")


def _wrong_core(what: str) -> BuildError:
    return BuildError(
        f"The core image of GRUB that {GRUB_MKIMAGE.name} made {what}.",
        "The image would not start. Install GRUB again: apt install --reinstall grub-common "
        "grub-pc-bin",
    )


def master_boot_record(current: bytes, boot_image: bytes) -> bytes:
    """The first sector of the disk with boot code; signature and table stay.

    Like grub-bios-setup does for hard disks, the test for a floppy is taken out: some BIOSes
    pass a wrong drive number, and it must not be believed.

    Args:
        current: the first sector as it is.
        boot_image: GRUB's ``boot.img``.
    """
    code = bytearray(boot_image[:BOOT_CODE])
    code[_DRIVE_CHECK] = _SKIP
    return bytes(code) + current[BOOT_CODE:SECTOR]


def write_boot_code(disk: Path, gap: int, core: bytes) -> None:
    """Put boot code into a disk that has its partition table.

    Args:
        disk: the raw disk.
        gap: bytes before the first partition.
        core: from :func:`make_core`.

    Raises:
        HostError: GRUB's boot sector is damaged.
        BuildError: the core image does not fit, or was not written.
    """
    if len(core) > gap - SECTOR:
        raise BuildError(
            f"The BIOS boot code has {len(core)} bytes and there is only room for "
            f"{gap - SECTOR} in front of the partition of {disk.name}."
        )
    boot_image = _boot_image()
    with disk.open("r+b") as file:
        first = master_boot_record(file.read(SECTOR), boot_image)
        file.seek(0)
        file.write(first + core)
    with disk.open("rb") as file:
        if file.read(SECTOR + len(core)) != first + core:
            raise BuildError(f"The BIOS boot code was not written to {disk.name} as it should be.")
