"""Planted damage: what is changed in a volume, and the kind of finding it has to become."""

from __future__ import annotations

import struct
from collections.abc import Callable

from fixtures.ntfs_editor import (
    ALLOCATION,
    BITMAP,
    CLUSTER,
    DATA,
    LIST,
    NAME,
    RECORD,
    ROOT,
    STANDARD,
    VOLUME,
    Edit,
    NtfsEditor,
)

Plant = Callable[[NtfsEditor], None]
DAMAGES: dict[str, tuple[str, Plant]] = {}
"""By name: the kind of finding, and what plants it."""
_FOLDER, _PLAIN, _LINKED, _SMALL, _JUNCTION = "many", "4097.bin", "first.dll", "1.bin", "junction"
REPARSE = 0xC0


def damage(kind: str) -> Callable[[Plant], Plant]:
    """Add a damage that becomes a finding of this kind."""

    def add(plant: Plant) -> Plant:
        DAMAGES[plant.__name__] = kind, plant
        return plant

    return add


def _put(kind: str, name: str, path: str, form: str, at: int, value: int) -> None:
    """A damage that puts a number into a record of the file ``path``."""

    def plant(editor: NtfsEditor) -> None:
        number = int(path) if path.isdigit() else editor.number_of(path)
        editor.change(number, lambda block: struct.pack_into(form, block, at, value))

    DAMAGES[name] = kind, plant


def _in(
    kind: str, name: str, path: str, attribute: tuple[int, str], form: str, at: int, value: int
) -> None:
    """A damage that puts a number into an attribute of the file ``path``."""

    def plant(editor: NtfsEditor) -> None:
        number = int(path) if path.isdigit() else editor.number_of(path)

        def change(block: bytearray) -> None:
            struct.pack_into(form, block, editor.find(block, *attribute) + at, value)

        editor.change(number, change)

    DAMAGES[name] = kind, plant


_put("link counts", "one_name_too_few", _PLAIN, "<H", 18, 0)
_put("link counts", "one_name_too_many", _LINKED, "<H", 18, 5)
_put("record headers", "another_number", _PLAIN, "<I", 44, 999)
_put("record headers", "no_sequence_number", _PLAIN, "<H", 16, 0)
_put("record headers", "more_used_than_there_is", _PLAIN, "<I", 24, 2048)
_put("folder entries", "another_sequence_number", _PLAIN, "<H", 16, 77)
_put("attribute instances", "an_instance_number_again", _PLAIN, "<H", 40, 0)
_put("folders", "a_file_says_it_is_a_folder", _PLAIN, "<H", 22, 3)
_put("folders", "a_folder_says_it_is_a_file", _FOLDER, "<H", 22, 1)
_put("record bitmap", "a_record_is_given_up", _PLAIN, "<H", 22, 0)
_DATA, _I30 = (DATA, ""), "$I30"
_in("attribute types", "an_unknown_type", _PLAIN, _DATA, "<I", 0, 0x85)
_in("attribute lengths", "a_length_beyond_the_record", _PLAIN, _DATA, "<I", 4, 4096)
_in("attribute instances", "two_of_one_instance", _PLAIN, _DATA, "<H", 14, 0)
_in("runs", "more_clusters_than_listed", _PLAIN, _DATA, "<q", 24, 5)
_in("sizes", "another_allocated_size", _PLAIN, _DATA, "<q", 40, 4096)
_in("sizes", "larger_than_its_clusters", _PLAIN, _DATA, "<q", 48, 99999)
_in("sizes", "more_written_than_there_is", _PLAIN, _DATA, "<q", 56, 8000)
_in("runs", "no_list_of_clusters", _PLAIN, _DATA, "<H", 32, 0)
_in("runs", "clusters_off_the_volume", _PLAIN, _DATA, "<I", 66, 0xFFFFFF)
_in("folder copies", "another_size_than_in_the_folder", _PLAIN, _DATA, "<q", 48, 4100)
_in("attribute lengths", "content_beyond_the_attribute", _SMALL, _DATA, "<I", 16, 700)
_in("attribute headers", "the_wrong_index_flag", _SMALL, _DATA, "<B", 22, 1)
_in("attribute headers", "neither_here_nor_elsewhere", _SMALL, _DATA, "<B", 8, 2)
_in("security numbers", "an_unknown_descriptor", _PLAIN, (STANDARD, ""), "<I", 24 + 52, 99999)
_in("folder copies", "other_attributes_than_in_the_folder", _PLAIN, (STANDARD, ""), "<I", 56, 2)
_in("standard information", "standard_information_cut_off", _SMALL, (STANDARD, ""), "<I", 16, 40)
_in("names", "a_length_of_a_name", _PLAIN, (NAME, ""), "<B", 24 + 64, 200)
_in("names", "an_unknown_kind_of_name", _PLAIN, (NAME, ""), "<B", 24 + 65, 9)
_in("missing entries", "another_letter_in_a_name", _PLAIN, (NAME, ""), "<B", 24 + 66, 88)
_in("names", "a_forbidden_letter", "LONGNA~1.EXE", (NAME, ""), "<B", 24 + 66, 0x3A)
_in("missing entries", "another_folder_above", _PLAIN, (NAME, ""), "<I", 24, 5)
_in("volume flags", "a_dirty_volume", "3", (VOLUME, ""), "<H", 24 + 10, 1)
_in("volume flags", "another_version", "3", (VOLUME, ""), "<B", 24 + 8, 9)
_in("indexes", "an_impossible_size_of_blocks", _FOLDER, (ROOT, _I30), "<I", 32 + 8, 1000)
_in("indexes", "an_impossible_node", _FOLDER, (ROOT, _I30), "<I", 32 + 16, 7)
_in("reparse index", "another_tag", _JUNCTION, (REPARSE, ""), "<I", 24, 0xA000000C)
_in("reparse points", "reparse_data_cut_off", _JUNCTION, (REPARSE, ""), "<H", 28, 999)
_in("reparse points", "no_attribute_for_it", _JUNCTION, (STANDARD, ""), "<I", 56, 0x10)
_in("attribute lists", "a_list_that_is_broken", _LINKED, (LIST, ""), "<I", 16, 30)


def _bytes(kind: str, name: str, at: int, data: bytes) -> None:
    """A damage at a fixed place of the volume."""

    def plant(editor: NtfsEditor) -> None:
        editor.data[at : at + len(data)] = data

    DAMAGES[name] = kind, plant


_bytes("boot sector", "another_file_system", 3, b"EXFAT   ")
_bytes("boot sector", "no_signature", 510, b"\0\0")
_bytes("boot sector", "an_impossible_sector", 11, b"\1\0")
_bytes("boot sector", "a_volume_larger_than_its_partition", 40, b"\xff\xff\xff\xff")
_bytes("boot sector", "a_table_off_the_volume", 48, b"\xff\xff\xff\xff")
_bytes("boot copy", "another_boot_sector_than_its_copy", 80, b"\xab")


@damage("table mirror")
def a_copy_of_the_first_records_is_old(editor: NtfsEditor) -> None:
    editor.data[editor.mirror + RECORD + 100] ^= 1


@damage("update sequences")
def a_record_half_written(editor: NtfsEditor) -> None:
    place = editor.record_place(editor.number_of(_PLAIN))
    editor.data[place + 510] ^= 1


@damage("marks")
def a_block_that_is_none(editor: NtfsEditor) -> None:
    place = editor.stream_place(editor.number_of(_FOLDER), ALLOCATION, _I30)
    editor.data[place : place + 4] = b"FILE"


@damage("record bitmap")
def a_record_lost_its_mark(editor: NtfsEditor) -> None:
    place = editor.record_place(editor.number_of(_PLAIN))
    editor.data[place : place + 4] = b"BAAD"


@damage("record bitmap")
def a_record_is_marked_as_free(editor: NtfsEditor) -> None:
    number = editor.number_of(_PLAIN)
    editor.data[editor.stream_place(0, BITMAP, offset=number // 8)] &= ~(1 << number % 8) & 0xFF


@damage("record bitmap")
def a_free_record_is_marked(editor: NtfsEditor) -> None:
    editor.data[editor.stream_place(0, BITMAP, offset=5)] |= 0x40


def _cluster_bit(editor: NtfsEditor, *, of_a_file: bool) -> None:
    cluster = len(editor.data) // CLUSTER - 40
    if of_a_file:
        cluster = editor.stream_place(editor.number_of(_PLAIN), DATA) // CLUSTER
    editor.data[editor.stream_place(6, DATA, offset=cluster // 8)] ^= 1 << cluster % 8


@damage("cluster bitmap")
def a_cluster_is_free_in_the_bitmap(editor: NtfsEditor) -> None:
    _cluster_bit(editor, of_a_file=True)


@damage("cluster bitmap")
def a_cluster_is_lost(editor: NtfsEditor) -> None:
    _cluster_bit(editor, of_a_file=False)


@damage("cross-links")
def a_cluster_of_two_files(editor: NtfsEditor) -> None:
    other = editor.record(editor.number_of("65536.bin"))
    at = editor.find(other, DATA)
    place = next(editor.clusters(other, at))

    def change(block: bytearray) -> None:
        runs = editor.find(block, DATA) + 64
        block[runs : runs + 6] = bytes((0x31, 2)) + place.to_bytes(3, "little") + b"\0"

    editor.change(editor.number_of(_PLAIN), change)


def _block(editor: NtfsEditor, number: int, name: str, change: Edit) -> None:
    editor.edit(editor.stream_place(number, ALLOCATION, name), change, CLUSTER)


@damage("indexes")
def a_block_says_it_is_another(editor: NtfsEditor) -> None:
    _block(
        editor, editor.number_of(_FOLDER), _I30, lambda block: struct.pack_into("<q", block, 16, 3)
    )


def _first_entry(block: bytearray) -> int:
    return 24 + int(struct.unpack_from("<I", block, 24)[0])


@damage("indexes")
def an_entry_of_an_impossible_length(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        struct.pack_into("<H", block, _first_entry(block) + 8, 12)

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("folder entries")
def an_entry_of_another_record(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        struct.pack_into("<I", block, _first_entry(block), 5)

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("folder entries")
def an_entry_of_another_folder(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        struct.pack_into("<I", block, _first_entry(block) + 16, 5)

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("index order")
def entries_out_of_order(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        at = _first_entry(block)
        length = struct.unpack_from("<H", block, at + 8)[0]
        one, other = block[at : at + length], block[at + length : at + 2 * length]
        block[at : at + 2 * length] = other + one

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("indexes")
def a_node_without_an_end(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        at, used = _first_entry(block), struct.unpack_from("<I", block, 28)[0]
        while not block[at + 12] & 2:
            at += struct.unpack_from("<H", block, at + 8)[0]
        assert at < 24 + used
        block[at + 12] = 0

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("index bitmaps")
def a_block_is_free_in_the_bitmap_of_its_index(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        block[editor.value(block, BITMAP, _I30)] ^= 1

    editor.change(editor.number_of(_FOLDER), change)


@damage("missing entries")
def an_index_lost_its_end(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        at = _first_entry(block)
        struct.pack_into("<I", block, 28, at - 24 + 16)
        struct.pack_into("<QHHI", block, at, 0, 16, 0, 2)

    _block(editor, editor.number_of(_FOLDER), _I30, change)


@damage("upper-case table")
def another_table_of_capital_letters(editor: NtfsEditor) -> None:
    place = editor.stream_place(10, DATA, offset=2 * ord("q"))
    editor.data[place] = ord("q")


@damage("security descriptors")
def a_changed_descriptor(editor: NtfsEditor) -> None:
    editor.data[editor.stream_place(9, DATA, "$SDS", 24)] ^= 1


@damage("security mirror")
def another_copy_of_a_descriptor(editor: NtfsEditor) -> None:
    editor.data[editor.stream_place(9, DATA, "$SDS", 0x40000 + 24)] ^= 1


@damage("security indexes")
def another_place_of_a_descriptor(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        block[_first_entry(block) + 0x14 + 8] ^= 1

    for name in ("$SII", "$SDH"):
        try:
            _block(editor, 9, name, change)
        except StopIteration:
            continue


@damage("log")
def a_log_with_something_in_it(editor: NtfsEditor) -> None:
    place = editor.stream_place(2, DATA)
    editor.data[place : place + 8] = b"RSTRxxxx"


@damage("attribute lists")
def a_continuation_nobody_lists(editor: NtfsEditor) -> None:
    number = next(
        number
        for number in range(64, editor.count())
        if struct.unpack_from("<Q", editor.record(number), 32)[0]
    )
    editor.change(number, lambda block: struct.pack_into("<Q", block, 32, 5 | 5 << 48))


@damage("attribute lists")
def a_list_with_another_place(editor: NtfsEditor) -> None:
    number = editor.number_of(_LINKED)
    block = editor.record(number)
    at = editor.find(block, LIST)
    place = editor.stream_place(number, LIST) if block[at + 8] else None
    if place is not None:
        editor.data[place + 24] ^= 0x40
    else:
        editor.change(number, lambda each: each.__setitem__(at + 24 + 24, each[at + 48] ^ 0x40))


@damage("short names")
def a_short_name_becomes_a_long_one(editor: NtfsEditor) -> None:
    def change(block: bytearray) -> None:
        place = next(
            at for at, kind, _ in editor.attributes(block) if kind == NAME and block[at + 89] == 2
        )
        block[place + 89] = 1

    editor.change(editor.number_of("LONGNA~1.EXE"), change)


@damage("log")
def a_log_with_work_to_do(editor: NtfsEditor) -> None:
    place = editor.stream_place(2, DATA)
    page = bytearray(CLUSTER)
    struct.pack_into("<4s20xH", page, 0, b"RSTR", 64)
    for start in (place, place + CLUSTER):
        editor.data[start : start + CLUSTER] = page
