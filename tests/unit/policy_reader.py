"""A reader of Group Policy files (PReg) that shares no code with what writes them."""

from __future__ import annotations

import struct


def read_pol(data: bytes) -> list[tuple[str, str, int, bytes]]:
    """An independent reader of the PReg format: key, name, type, data."""
    assert data[:8] == b"PReg\x01\x00\x00\x00"
    found, position = [], 8

    def expect(character: str) -> None:
        nonlocal position
        assert data[position : position + 2] == character.encode("utf-16-le")
        position += 2

    def text() -> str:
        nonlocal position
        begin = position
        while data[position : position + 2] != b"\0\0":
            position += 2
        position += 2
        return data[begin : position - 2].decode("utf-16-le")

    def number() -> int:
        nonlocal position
        position += 4
        return int(struct.unpack_from("<I", data, position - 4)[0])

    while position < len(data):
        expect("[")
        key = text()
        expect(";")
        name = text()
        expect(";")
        kind = number()
        expect(";")
        size = number()
        expect(";")
        found.append((key, name, kind, data[position : position + size]))
        position += size
        expect("]")
    return found


def sz(text: str) -> bytes:
    """A string as the registry stores it."""
    return f"{text}\0".encode("utf-16-le")
