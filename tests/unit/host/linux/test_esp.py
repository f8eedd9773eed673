"""The EFI partition: command lines and room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.fat_bytes import make_fat
from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import Partition
from winimagetools.host.linux import esp
from winimagetools.model import MIB
from winimagetools.run import Tool
from winimagetools.stamp import Stamp

ESP = Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


def test_the_command_line_of_mformat() -> None:
    """FAT32 in its place inside the disk, with one sector per cluster."""
    assert esp.mformat_arguments(Path("/build/disk.raw"), ESP, 0xAB12) == [
        *("-i", "disk.raw@@1048576", "-F", "-T", "409600", "-h", "255", "-s", "63"),
        *("-H", "2048", "-c", "1", "-v", "SYSTEM", "-N", "0000ab12", "::"),
    ]


def test_the_command_line_of_mcopy() -> None:
    """One process for all files of a folder, in the order that is asked for."""
    items = [Path("/build/esp/EFI/one"), Path("/build/esp/EFI/another")]
    assert esp.mcopy_arguments(Path("/build/disk.raw"), ESP, items, "EFI") == [
        *("-i", "disk.raw@@1048576", "-m", "-Q", "-o"),
        *(*(str(item.absolute()) for item in items), "::/EFI"),
    ]
    assert esp.mcopy_arguments(Path("/build/disk.raw"), ESP, items, "")[-1] == "::/"


def test_the_command_line_of_mmd() -> None:
    """One process for all folders."""
    assert esp.mmd_arguments(Path("/build/disk.raw"), ESP, ["EFI", "EFI/Boot"]) == [
        *("-i", "disk.raw@@1048576", "::/EFI", "::/EFI/Boot"),
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
        esp.write_esp(tmp_path / "disk.raw", ESP, content, STAMP)
    assert not (tmp_path / "disk.raw").exists()


STAMP = Stamp(1_600_000_000, b"seed")
SMALL = Partition("EFI", 2048 * 512, 1024 * 512, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
FILES: Mapping[str, bytes | None] = {
    "EFI": None,
    "EFI/Microsoft": None,
    "EFI/Microsoft/bootmgfw.efi": b"boot manager" * 99,
    "EFI/Microsoft/BCD": b"store",
}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The folder that goes to the partition."""
    made = tmp_path / "esp"
    made.mkdir()
    for name, data in FILES.items():
        if data is None:
            (made / name).mkdir()
        else:
            (made / name).write_bytes(data)
    return made


def _disk(folder: Path, volume: bytes) -> Path:
    disk = folder / "disk.raw"
    disk.write_bytes(bytes(SMALL.start) + volume.ljust(SMALL.size, b"\0") + bytes(MIB))
    return disk


def test_a_partition_that_holds_what_it_should(tmp_path: Path, content: Path) -> None:
    """Every file and folder, byte for byte."""
    esp.check_esp(_disk(tmp_path, make_fat(FILES)), SMALL, content)


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (b"", r"It is not a FAT32 volume\."),
        (make_fat({}), r"EFI is missing\."),
        (make_fat({**FILES, "EFI/more": b""}), r"EFI/more does not belong there\."),
        (
            make_fat({**FILES, "EFI/Microsoft/BCD": b"STORE"}),
            r"EFI/Microsoft/BCD has another content\.",
        ),
        (
            make_fat({**FILES, "EFI/Microsoft/BCD": b""}),
            r"EFI/Microsoft/BCD has another content\.",
        ),
        (make_fat({**FILES, "EFI/Microsoft/BCD": None}), r"EFI/Microsoft/BCD is a folder\."),
        (make_fat(FILES, hidden=63), "does not say where on the disk it is"),
        (make_fat(FILES, total=1000), "does not say where on the disk it is"),
    ],
)
def test_a_partition_that_does_not(tmp_path: Path, content: Path, volume: bytes, said: str) -> None:
    """Programs that did nothing, or something else, and said that all was well."""
    with pytest.raises(BuildError, match=rf"disk\.raw was not written as it should be\. .*{said}"):
        esp.check_esp(_disk(tmp_path, volume), SMALL, content)


@pytest.mark.parametrize("fails", ["mformat", "mcopy"])
def test_programs_that_do_nothing_are_noticed(
    tmp_path: Path, content: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Although they end with exit code 0."""
    disk = _disk(tmp_path, b"")

    def work(tool: Tool, *_: object, **__: object) -> str:
        if tool.name != fails:
            files = FILES if tool.name == "mcopy" else {}
            formatted = fails == "mcopy" or tool.name == "mformat"
            _disk(tmp_path, make_fat(files) if formatted else b"")
        return ""

    monkeypatch.setattr(esp, "run", work)
    monkeypatch.setattr(esp, "needed_sectors", lambda _: 0)
    with pytest.raises(BuildError, match="was not written as it should be"):
        esp.write_esp(disk, SMALL, content, STAMP)
