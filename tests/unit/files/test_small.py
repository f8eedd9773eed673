"""Small files that are read whole, and what lies in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools.files import small
from winimagetools.files.small import LARGEST, parse_json, read_json, read_text


def test_text_and_json(tmp_path: Path) -> None:
    """As they are, the largest too."""
    path = tmp_path / "a.json"
    path.write_text('{"ä": [1]}', encoding="utf-8")
    assert read_text(path) == '{"ä": [1]}'
    assert read_json(path) == {"ä": [1]}
    path.write_bytes(b" " * LARGEST)
    assert len(read_text(path)) == LARGEST


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_no_json(data: bytes, tmp_path: Path) -> None:
    """A ValueError whatever it is."""
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "a.json")


def test_too_large(tmp_path: Path) -> None:
    """More is not read, be it a device that never ends."""
    path = tmp_path / "a.json"
    path.touch()
    os.truncate(path, 1 << 40)
    for read in (read_text, read_json):
        with pytest.raises(ValueError, match=f"more than {LARGEST} bytes"):
            read(path)
    with pytest.raises(ValueError, match="more than"):
        read_text(Path("/dev/zero"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_file(make: object, tmp_path: Path) -> None:
    """A pipe that nobody writes to is not waited for."""
    assert callable(make)
    make(tmp_path / "a.json")
    with pytest.raises((ValueError, IsADirectoryError)):
        read_json(tmp_path / "a.json")
    with pytest.raises(OSError, match=r"nobody writes to this pipe|Is a directory"):
        read_text(tmp_path / "a.json")


def test_numbers_that_are_none() -> None:
    """What Python takes and JSON does not is as good as any other number."""
    assert parse_json("[1e999]") == [float("inf")]
    assert small.parse_json("7") == 7
