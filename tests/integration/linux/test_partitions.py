"""Partition tables that sfdisk wrote, read by us, and ours read by sfdisk."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from dissect.volume import disk

from winimagetools.errors import MediaError
from winimagetools.formats.partitions import Entry, Read, Table, read_table, table_writes
from winimagetools.model import MIB
from winimagetools.run import Tool, run

SFDISK = Tool("sfdisk", "fdisk", "read the table")
SIZE = 600 * MIB
BASIC = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
RECOVERY = "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"
GPT = f"""label: gpt
start=2048, size=204800, type=uefi, name="EFI system partition"
size=32768, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE, attrs="GUID:63"
size=614400, type={BASIC}, name="Basic data partition"
size=102400, type={RECOVERY}, attrs="RequiredPartition GUID:63", name="Größe"
"""
MBR = """label: dos
label-id: 0x1badb002
start=2048, size=204800, type=7, bootable
size=614400, type=7
size=102400, type=27
"""
LOGICAL = """label: dos
start=2048, size=204800, type=7, bootable
type=5
size=102400, type=7
size=51200, type=7
"""


def make(path: Path, script: str, *options: str, size: int = SIZE) -> Path:
    """A disk with a table that sfdisk writes."""
    with path.open("wb") as file:
        file.truncate(size)
    run(SFDISK, ["-q", *options, path], input_text=script)
    return path


def table_of(path: Path, sector: int = 0) -> Table:
    """The table as we read it."""
    return read_table(reader(path), path.stat().st_size, sector)


def reader(path: Path) -> Read:
    """Reads ranges of a file."""

    def read(at: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(length)

    return read


def sfdisk(path: Path, *options: str) -> dict[str, object]:
    """The table as sfdisk reads it."""
    table: dict[str, object] = json.loads(run(SFDISK, ["--json", *options, path]))["partitiontable"]
    table.pop("device")
    return table


def parts(table: dict[str, object], sector: int = 512) -> list[tuple[int, int, str]]:
    """Start, size and type of each partition."""
    rows = table["partitions"]
    assert isinstance(rows, list)
    return [
        (row["start"] * sector, row["size"] * sector, str(row["type"]).lower().zfill(2))
        for row in rows
    ]


@pytest.mark.parametrize("script", [GPT, MBR, LOGICAL], ids=["gpt", "mbr", "logical"])
def test_the_same_as_sfdisk(tmp_path: Path, script: str) -> None:
    """Places, types, identifiers, names and the active flag; nothing to complain about."""
    path = make(tmp_path / "disk", script)
    table, other = table_of(path), sfdisk(path)
    assert [(item.start, item.size, item.type) for item in table.entries] == parts(other)
    assert table.problems == ()
    rows = other["partitions"]
    assert isinstance(rows, list)
    assert [item.active for item in table.entries] == ["bootable" in row for row in rows]
    if table.gpt:
        assert table.guid == uuid.UUID(str(other["id"]))
        assert [item.guid for item in table.entries] == [uuid.UUID(row["uuid"]) for row in rows]
        assert [item.name for item in table.entries] == [row.get("name", "") for row in rows]
        assert table.usable_end == (int(str(other["lastlba"])) + 1) * 512
    else:
        assert table.signature == int(str(other["id"]), 16)


def test_sectors_of_4096_bytes(tmp_path: Path) -> None:
    """Found out by where the GPT is; an independent reader finds the same in what we write."""
    path, kind, guid = tmp_path / "disk", uuid.UUID(BASIC), uuid.uuid4()
    raw = kind.bytes_le + guid.bytes_le + bytes(96)
    entry = Entry(1, MIB, 100 * MIB, str(kind), guid, raw=raw)
    wanted = Table(True, 4096, SIZE, (entry,), uuid.uuid4(), first_usable=6 * 4096)
    path.write_bytes(bytes(446) + b"\0\0\2\0\xee\xff\xff\xff\1" + bytes(55) + b"\x55\xaa")
    with path.open("r+b") as file:
        file.truncate(SIZE)
    apply(path, table_writes(wanted, [], SIZE, reader(path)))
    table = table_of(path)
    assert (table.sector, table.guid, table.problems) == (4096, wanted.guid, ())
    assert [(item.start, item.size, item.guid) for item in table.entries] == [
        (MIB, 100 * MIB, guid)
    ]
    with path.open("rb") as file:
        (other,) = disk.Disk(file, sector_size=4096).partitions
        assert (other.offset, other.guid) == (MIB, guid)


def apply(path: Path, writes: Sequence[tuple[int, bytes]]) -> None:
    """Write to a disk."""
    with path.open("r+b") as file:
        for at, data in writes:
            file.seek(at)
            file.write(data)


@pytest.mark.parametrize("script", [GPT, MBR], ids=["gpt", "mbr"])
@pytest.mark.parametrize("size", [SIZE + 77 * MIB, SIZE - 50 * MIB])
def test_a_table_for_another_size(tmp_path: Path, script: str, size: int) -> None:
    """The last partition grows or shrinks; sfdisk finds everything else as it was."""
    path = make(tmp_path / "disk", script)
    apply(path, [(0, b"boot code")])
    before, table = sfdisk(path), table_of(path)
    last = table.entries[-1]
    length = last.size - 20 * MIB
    writes = table_writes(table, [(last, last.start, length)], size, reader(path))
    with path.open("r+b") as file:
        file.truncate(size)
    apply(path, writes)
    after = sfdisk(path)
    rows = before["partitions"]
    assert isinstance(rows, list)
    rows[-1]["size"] = length // 512
    if table.gpt:
        before["lastlba"] = (size // 512) - 34
    assert after == before
    assert table_of(path).problems == ()
    assert reader(path)(0, 9) == b"boot code"
    assert "No errors detected." in run(SFDISK, ["--verify", path])


def test_a_disk_that_was_enlarged(tmp_path: Path) -> None:
    """The backup is found where it was, and that is said."""
    path = make(tmp_path / "disk", GPT)
    with path.open("r+b") as file:
        file.truncate(SIZE + MIB)
    assert table_of(path).problems == (
        "The backup GPT is not at the end of the disk; the disk was enlarged.",
    )


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        (512 + 20, "The first GPT is missing or damaged."),
        (1024 + 3, "The first GPT is missing or damaged."),
        (SIZE - 512 + 60, "The backup GPT at the end of the disk is missing or damaged."),
        (SIZE - 512 - 16384 + 40, "The backup GPT at the end of the disk is missing or damaged."),
    ],
)
def test_one_copy_of_a_gpt_is_damaged(tmp_path: Path, at: int, problem: str) -> None:
    """The partitions come from the other one."""
    path = make(tmp_path / "disk", GPT)
    whole = table_of(path).entries
    apply(path, [(at, b"\xa5")])
    table = table_of(path)
    assert table.problems == (problem,)
    assert table.entries == whole


def test_both_copies_or_no_table_at_all(tmp_path: Path) -> None:
    """One clear error each."""
    path = make(tmp_path / "disk", GPT)
    apply(path, [(600, b"\xa5"), (SIZE - 500, b"\xa5")])
    with pytest.raises(MediaError, match="Both copies of the GPT are damaged"):
        table_of(path)
    apply(path, [(0, bytes(512))])
    with pytest.raises(MediaError, match="no partition table"):
        table_of(path)


def test_partitions_that_overlap_or_leave_the_disk(tmp_path: Path) -> None:
    """Each is named."""
    path = make(tmp_path / "disk", MBR)
    start, size = (SIZE // 512 - 10).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    apply(path, [(446 + 16 + 8, (4096).to_bytes(4, "little")), (446 + 40, start + size)])
    assert table_of(path).problems == (
        "Partition 3 ends behind the end of the disk.",
        "Partitions 1 and 2 overlap.",
    )
