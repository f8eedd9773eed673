"""The parallel engine compares a volume with what it laid out, before anybody gets it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import odd_tree
from fixtures.ntfs_editor import ALLOCATION, BITMAP, CLUSTER, DATA, NtfsEditor
from tests.integration.linux.apply_engines import extract_parallel, size_in_use
from tests.integration.linux.test_apply import make_disk
from tests.ntfs import check_file
from winimagetools.formats.ntfs_used import read_used
from winimagetools.host.linux.apply.table import Table

Plant = Callable[[NtfsEditor], None]
PLAIN = "random 4097.bin"


@pytest.fixture(scope="module")
def small_wim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The odd tree, with less of everything."""
    folder = tmp_path_factory.mktemp("odd")
    return odd_tree.write(folder / "odd.wim", odd_tree.build(200, 150, 20))


def cluster_of(editor: NtfsEditor, name: str) -> int:
    """The first cluster of a content."""
    return editor.stream_place(editor.number_of(name), DATA) // CLUSTER


def flip(editor: NtfsEditor, number: int, kind: int, bit: int) -> None:
    """Change a bit of a bitmap."""
    place = editor.stream_place(number, kind, offset=bit // 8)
    editor.data[place] ^= 1 << bit % 8


def free_a_content(editor: NtfsEditor) -> None:
    """A cluster of a content is free."""
    flip(editor, 6, DATA, cluster_of(editor, PLAIN) + 1)


def use_nothing(editor: NtfsEditor) -> None:
    """A cluster that nothing has is used."""
    last = len(editor.data) // CLUSTER - 2
    flip(editor, 6, DATA, last)


def give_a_record_up(editor: NtfsEditor) -> None:
    """A record that is used is not marked."""
    flip(editor, 0, BITMAP, editor.number_of(PLAIN))


def mark_a_record(editor: NtfsEditor) -> None:
    """A record behind all others is marked."""
    flip(editor, 0, BITMAP, editor.count() + 3)


def lose_a_file(editor: NtfsEditor) -> None:
    """A file is gone, from the bitmap as well."""
    number = editor.number_of(PLAIN)
    editor.change(number, lambda block: struct.pack_into("<H", block, 22, 0))
    flip(editor, 0, BITMAP, number)


def make_it_a_folder(editor: NtfsEditor) -> None:
    """A file says that it is a folder."""
    number = editor.number_of(PLAIN)
    editor.change(number, lambda block: struct.pack_into("<H", block, 22, 3))


def write_into_a_content(editor: NtfsEditor) -> None:
    """Metadata lie where a content is; what they held would be copied over it."""
    editor.data[cluster_of(editor, PLAIN) * CLUSTER] = 1


def break_the_table(editor: NtfsEditor) -> None:
    """The first record is none."""
    editor.data[editor.record_place(0)] = 0


PLANTS: dict[Plant, str] = {
    free_a_content: "clusters of contents are free in the bitmap",
    use_nothing: "clusters are used in the bitmap that nothing has",
    give_a_record_up: "the bitmap of its records is wrong",
    mark_a_record: "the bitmap of its records is wrong",
    lose_a_file: "files, ",
    make_it_a_folder: "of them folders, instead of ",
    write_into_a_content: "metadata were written where contents are",
    break_the_table: "The master file table is not where the volume says",
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_what_does_not_agree_libwim_does_again(
    plant: Plant,
    small_wim: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, with a note that says what; what comes out is sound."""
    caplog.set_level("INFO")
    settle = Table.settle

    def settle_and_plant(table: Table, expected: dict[int, list[tuple[bytes, int]]]) -> None:
        settle(table, expected)
        plant(NtfsEditor(table._volume))  # type: ignore[arg-type]

    monkeypatch.setattr(Table, "settle", settle_and_plant)
    place = size_in_use(tmp_path / "volume")
    extract_parallel(make_disk(tmp_path, small_wim), place)
    (note,) = [text for text in caplog.messages if "libwim" in text]
    assert note.startswith("libwim applies the image; the parallel engine failed: ")
    assert PLANTS[plant] in note
    assert check_file(place, fresh=True) == ()


def test_what_is_used(small_wim: Path, tmp_path: Path) -> None:
    """It is read right of a volume in which both bitmaps have more than one run, or long lists."""
    place = size_in_use(tmp_path / "volume")
    extract_parallel(make_disk(tmp_path, small_wim), place)
    data = place.read_bytes()
    used, editor = read_used(data, CLUSTER), NtfsEditor(bytearray(data))
    numbers = [number for number in range(editor.count()) if editor.record(number)[22] & 1]
    assert used.marks == used.records
    assert [number for number, byte in enumerate(used.records) if byte] == numbers
    own = [number for number in numbers if not any(editor.record(number)[32:38])]
    assert used.files == len(own) < len(numbers)
    assert used.folders == sum(1 for number in own if editor.record(number)[22] & 2)
    taken = [bit for bit in range(used.count) if used.clusters >> bit & 1]
    assert cluster_of(editor, PLAIN) in taken
    assert editor.stream_place(editor.number_of("many"), ALLOCATION, "$I30") // CLUSTER in taken
    assert used.count == len(data) // CLUSTER - (len(data) % CLUSTER == 0)
