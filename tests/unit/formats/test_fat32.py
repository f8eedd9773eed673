"""FAT32: what a program really wrote."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping

import pytest

from tests.unit.fat_bytes import DATA, RESERVED, SECTOR, TABLE_SECTORS, make_fat
from winimagetools.errors import MediaError
from winimagetools.formats.fat32 import Fat32

FILES: Mapping[str, bytes | None] = {
    "EFI": None,
    "EFI/Boot": None,
    "EFI/Boot/bootx64.efi": bytes(range(256)) * 9,
    "EFI/Microsoft": None,
    "EFI/Microsoft/BCD": b"store",
    "EFI/Microsoft/NAME.efi": b"x" * 512,
    "EFI/Microsoft/a rather long name of grüße 𝄞.txt": b"y",
    "empty": b"",
}


def opened(data: bytes) -> Fat32:
    """A volume in memory."""
    return Fat32(lambda offset, count: data[offset : offset + count])


def content(data: bytes) -> dict[str, bytes | None]:
    """All there is in a volume."""
    volume = opened(data)
    return {
        entry.path: None if entry.is_dir else volume.content(entry) for entry in volume.entries()
    }


def test_all_files_and_folders_are_read() -> None:
    """Long names and short ones, chains that jump, empty files; the label is none of them."""
    assert content(make_fat(FILES)) == FILES


def test_the_boot_sector_says_where_the_volume_is() -> None:
    """In sectors."""
    boot = opened(make_fat({}, hidden=63, total=4711)).boot
    assert (boot.hidden, boot.total, boot.sector_size, boot.cluster_size) == (63, 4711, 512, 1)


@pytest.mark.parametrize("data", [b"", bytes(100), bytes(2 * DATA), b"\x55\xaa" * 512])
def test_what_is_no_such_volume(data: bytes) -> None:
    """A partition nobody formatted, for one."""
    with pytest.raises(MediaError, match="not a FAT32 volume"):
        opened(data)


def test_tables_that_differ() -> None:
    """Firmware may use either."""
    data = bytearray(make_fat(FILES))
    data[(RESERVED + TABLE_SECTORS) * SECTOR + 40] ^= 1
    with pytest.raises(MediaError, match="allocation table are not alike"):
        opened(bytes(data))


def test_a_file_that_ends_too_early() -> None:
    """Its chain is shorter than its size."""
    data = bytearray(make_fat({"A": b"x" * 600}))
    place = data.index(b"A          ", DATA)
    struct.pack_into("<I", data, place + 28, 2000)
    with pytest.raises(MediaError, match=r"A ends after 1024 of 2000 bytes"):
        content(bytes(data))


def test_a_file_that_was_cut_off() -> None:
    """The volume ends before it does."""
    data = make_fat({"A": b"x" * 600})
    with pytest.raises(MediaError, match="A ends after"):
        content(data[: DATA + SECTOR + 100])


def test_damage_never_ends_in_anything_else() -> None:
    """Whatever bits are changed: circles, folders in themselves, clusters that do not exist."""
    whole, chance = make_fat(FILES), random.Random(8)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(4):
            data[chance.choice([chance.randrange(len(data)), DATA + chance.randrange(512)])] = (
                chance.randrange(256)
            )
        try:
            content(bytes(data))
        except MediaError:
            continue


def test_a_folder_that_is_in_itself() -> None:
    """It is told, not followed for ever."""
    data = bytearray(make_fat({"A": None, "A/B": None}))
    place = data.index(b"B          ", DATA)
    (first,) = struct.unpack_from("<H", data, data.index(b"A          ", DATA) + 26)
    struct.pack_into("<H", data, place + 26, first)
    with pytest.raises(MediaError, match="The folder A/B has no end"):
        content(bytes(data))


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [
        (11, "<H", 513),
        (11, "<H", 256),
        (11, "<H", 8192),
        (13, "<B", 3),
        (16, "<B", 255),
        (36, "<I", 0xFFFFFFFF),
        (36, "<I", 1 << 19),
    ],
)
def test_a_boot_sector_that_makes_no_sense(place: int, form: str, value: int) -> None:
    """Is refused before anything is read by it, also where other sizes would fit to it."""
    data = bytearray(make_fat(FILES))
    struct.pack_into(form, data, place, value)
    asked: list[int] = []

    def read(offset: int, count: int) -> bytes:
        asked.append(count)
        return bytes(data[offset : offset + count])

    with pytest.raises(MediaError, match="It is not a FAT32 volume"):
        Fat32(read)
    assert asked == [512]


def test_one_table() -> None:
    """Is enough, but its length has to be one of entries."""
    boot = bytearray(make_fat(FILES)[:SECTOR])
    struct.pack_into("<B", boot, 16, 1)
    whole = make_fat(FILES)
    table = whole[RESERVED * SECTOR : (RESERVED + TABLE_SECTORS) * SECTOR]
    assert content(bytes(boot) + whole[SECTOR : RESERVED * SECTOR] + table + whole[DATA:]) == FILES


def test_a_file_of_4_gib() -> None:
    """Is not read, whatever its size says."""
    data = bytearray(make_fat({"BCD": b"store"}))
    place = data.index(struct.pack("<I", 5), DATA)
    struct.pack_into("<I", data, place, 0xFFFFFFFF)
    volume = opened(bytes(data))
    (entry,) = volume.entries()
    with pytest.raises(MediaError, match="BCD has 4294967295 bytes, too many for a boot file"):
        volume.content(entry)
