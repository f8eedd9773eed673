"""Small ISOs of every kind, and ways to spoil them."""

from __future__ import annotations

import binascii
import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pycdlib

SECTOR = 2048
KINDS = ("udf", "rock_ridge", "joliet", "plain")


def make_iso(path: Path, files: Mapping[str, bytes], kind: str = "udf") -> Path:
    """An ISO that holds ``files``.

    Args:
        path: where to write it.
        files: content by ``/``-separated path; for the kind ``plain`` in 8.3 capitals.
        kind: one of :data:`KINDS`. The ISO 9660 tree of a UDF or Joliet one has other names.
    """
    iso = pycdlib.PyCdlib()
    options: dict[str, dict[str, Any]] = {
        "udf": {"udf": "2.60"},
        "rock_ridge": {"rock_ridge": "1.12"},
        "joliet": {"joliet": 3},
    }
    iso.new(interchange_level=1, **options.get(kind, {}))
    folders: dict[str, str] = {"": ""}
    for number, (name, data) in enumerate(files.items()):
        folder, _, base = name.rpartition("/")
        _add_folder(iso, folder, folders, kind)
        plain = f"{base}.;1" if "." not in base else f"{base};1"
        iso_name = plain if kind == "plain" else f"F{number}.;1"
        iso.add_fp(
            io.BytesIO(data),
            len(data),
            f"{folders[folder]}/{iso_name}",
            **_names(kind, f"/{name}", base),
        )
    iso.write(str(path))
    iso.close()
    return path


def _add_folder(iso: pycdlib.PyCdlib, folder: str, folders: dict[str, str], kind: str) -> None:
    if folder in folders:
        return
    parent, _, base = folder.rpartition("/")
    _add_folder(iso, parent, folders, kind)
    folders[folder] = f"{folders[parent]}/{base if kind == 'plain' else f'D{len(folders)}'}"
    iso.add_directory(folders[folder], **_names(kind, f"/{folder}", base))


def _names(kind: str, path: str, base: str) -> dict[str, Any]:
    by_kind = {
        "udf": {"udf_path": path},
        "rock_ridge": {"rr_name": base},
        "joliet": {"joliet_path": path},
    }
    return by_kind.get(kind, {})


def partition_start(path: Path) -> int:
    """First block of the UDF partition, which the blocks of UDF structures are relative to."""
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    start: int = iso.udf_main_descs.partitions[0].part_start_location
    iso.close()
    return start


def rewrite_file_entry(
    path: Path, size: int, descriptors: bytes, kind: int = 0, new_size: int | None = None
) -> None:
    """Give the UDF file of ``size`` bytes other allocation descriptors (ECMA-167, 14.9).

    Args:
        path: the ISO.
        size: by this the file is found; no other may have it.
        descriptors: the new descriptors.
        kind: 0 short, 1 long, 3 the content itself.
        new_size: the size it shall have, if another.
    """
    data = bytearray(path.read_bytes())
    (at,) = (
        at
        for at in range(0, len(data), SECTOR)
        if data[at : at + 2] == b"\x05\x01" and data[at + 27] == 5
        if struct.unpack_from("<Q", data, at + 56)[0] == size
    )
    (flags,) = struct.unpack_from("<H", data, at + 34)
    struct.pack_into("<H", data, at + 34, flags & ~7 | kind)
    struct.pack_into("<Q", data, at + 56, size if new_size is None else new_size)
    struct.pack_into("<II", data, at + 168, 0, len(descriptors))
    data[at + 176 : at + 176 + len(descriptors)] = descriptors
    _seal(data, at, 176 + len(descriptors))
    path.write_bytes(data)


def delete_udf_file(path: Path, name: str) -> None:
    """Mark a file as deleted (ECMA-167 part 4, 14.4.3)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"\x08" + name.encode()) - 38
    data[at + 18] |= 0x04
    _seal(data, at, 38 + 1 + len(name))
    path.write_bytes(data)


def _seal(data: bytearray, at: int, length: int) -> None:
    """Renew the checksums of the descriptor at ``at`` (part 3, 7.2)."""
    covered = bytes(data[at + 16 : at + length])
    struct.pack_into("<HH", data, at + 8, binascii.crc_hqx(covered, 0), len(covered))
    data[at + 4] = 0
    data[at + 4] = sum(data[at : at + 16]) & 0xFF


def move_iso9660_file(path: Path, record: bytes, block: int) -> None:
    """Let the ISO 9660 file with this identifier begin at another block (ECMA-119, 9.1)."""
    data = bytearray(path.read_bytes())
    at = data.index(bytes([len(record)]) + record) - 32
    struct.pack_into("<I", data, at + 2, block)
    struct.pack_into(">I", data, at + 6, block)
    path.write_bytes(data)


def short(length: int, block: int, state: int = 0) -> bytes:
    """A short allocation descriptor (14.14.1)."""
    return struct.pack("<II", length | state << 30, block)


def long(length: int, block: int, partition: int = 0) -> bytes:
    """A long allocation descriptor (14.14.2)."""
    return struct.pack("<IIH6x", length, block, partition)


def allocation_extent(descriptors: bytes) -> bytes:
    """More descriptors in a block of their own (14.5)."""
    return struct.pack("<H14xII", 258, 0, len(descriptors)) + descriptors
