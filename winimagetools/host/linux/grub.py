r"""BIOS boot code: GRUB in front of the partition starts ``\bootmgr``.

Microsoft's own boot code may not be passed on, so the disk gets GRUB's, made on this machine
from its own package: ``boot.img`` in the master boot record loads the core image from the
sectors after it, and that loads ``/bootmgr`` from the NTFS volume like Microsoft's boot
sector would. Everything else on the disk is as Windows makes it.
"""

from __future__ import annotations

from pathlib import Path

from winimagetools.errors import BuildError, ToolMissingError
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


def mkimage_arguments(settings: Path, core: Path) -> list[str | Path]:
    """Arguments of ``grub-mkimage``.

    Args:
        settings: file with the embedded commands.
        core: the core image to make.
    """
    start: list[str | Path] = ["-O", "i386-pc", "-d", GRUB_FOLDER, "-p", "/boot/grub"]
    return [*start, "-c", settings, "-o", core, *MODULES]


def check_installed() -> None:
    """Raise ToolMissingError when GRUB cannot be made here."""
    GRUB_MKIMAGE.find()
    if not (GRUB_FOLDER / "boot.img").is_file():
        reason = "make the BIOS boot code"
        raise ToolMissingError(str(GRUB_FOLDER / "boot.img"), "grub-pc-bin", reason)


def make_core(work: Path) -> bytes:
    """The core image, made in the private folder ``work``.

    Raises:
        ToolMissingError: GRUB is not installed.
    """
    check_installed()
    settings, core = work / "grub.cfg", work / "core.img"
    settings.write_text(SETTINGS)
    run(GRUB_MKIMAGE, mkimage_arguments(settings, core))
    return core.read_bytes()


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
        BuildError: the core image does not fit.
    """
    if len(core) > gap - SECTOR:
        raise BuildError(
            f"The BIOS boot code has {len(core)} bytes and there is only room for "
            f"{gap - SECTOR} in front of the partition of {disk.name}."
        )
    boot_image = (GRUB_FOLDER / "boot.img").read_bytes()
    with disk.open("r+b") as file:
        first = master_boot_record(file.read(SECTOR), boot_image)
        file.seek(0)
        file.write(first + core)
