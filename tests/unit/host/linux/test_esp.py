"""The EFI partition: command lines and room."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import Partition
from winimagetools.host.linux import esp
from winimagetools.model import MIB

ESP = Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


def test_the_command_line_of_mformat() -> None:
    """FAT32 in its place inside the disk, with one sector per cluster."""
    assert esp.mformat_arguments(Path("/build/disk.raw"), ESP) == [
        *("-i", "disk.raw@@1048576", "-F", "-T", "409600", "-h", "255", "-s", "63"),
        *("-H", "2048", "-c", "1", "-v", "SYSTEM", "::"),
    ]


def test_the_command_line_of_mcopy() -> None:
    """One process for all files."""
    items = [Path("/build/esp/EFI"), Path("/build/esp/other")]
    assert esp.mcopy_arguments(Path("/build/disk.raw"), ESP, items) == [
        *("-i", "disk.raw@@1048576", "-s", "-m", "-Q", "-o"),
        *(*(str(item.absolute()) for item in items), "::/"),
    ]


def test_the_room_on_the_efi_partition() -> None:
    """A 200 MiB FAT32 has 409600 sectors, 32 reserved and two tables of 3200."""
    assert esp.capacity_sectors(200 * MIB) == 409600 - 32 - 2 * 3200


def test_boot_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Before anything is written; folders and long names count too."""
    content = tmp_path / "esp"
    (content / "EFI").mkdir(parents=True)
    with (content / "EFI" / "large.efi").open("wb") as file:
        file.truncate(199 * MIB)
    assert esp.needed_sectors(content) == 199 * 2048 + 2
    with pytest.raises(BuildError, match=r"disk\.raw has room for 206422016"):
        esp.write_esp(tmp_path / "disk.raw", ESP, content)
    assert not (tmp_path / "disk.raw").exists()
