"""GRUB: command line and boot code."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux import grub


def test_the_command_line_of_grub_mkimage() -> None:
    """Only what is needed to read NTFS and start the boot manager."""
    assert grub.mkimage_arguments(Path("work/grub.cfg"), Path("work/core.img")) == [
        *("-O", "i386-pc", "-d", Path("/usr/lib/grub/i386-pc"), "-p", "/boot/grub"),
        *("-c", Path("work/grub.cfg"), "-o", Path("work/core.img")),
        *("biosdisk", "part_msdos", "ntfs", "search", "search_fs_file", "ntldr", "boot"),
    ]


def test_boot_code_keeps_signature_and_table() -> None:
    """Only 440 bytes change; the floppy test becomes two no-operations."""
    current = bytes(range(256)) * 2
    made = grub.master_boot_record(current, b"\xeb" * 512)
    assert made[440:] == current[440:]
    assert made[:440] == b"\xeb" * 0x66 + b"\x90\x90" + b"\xeb" * (440 - 0x68)


def test_boot_code_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    """It would overwrite the Windows volume; the disk is not touched."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 4096)
    with pytest.raises(BuildError, match="has 3585 bytes and there is only room for 3584"):
        grub.write_boot_code(disk, 4096, bytes(3585))
    assert disk.read_bytes() == b"x" * 4096
