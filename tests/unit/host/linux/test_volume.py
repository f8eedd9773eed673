"""The NTFS volume: command line, room in front of it, what is refused."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux import volume
from winimagetools.model import MIB


def test_the_command_line_of_mkntfs() -> None:
    """Hidden sectors, heads and sectors per track are what a BIOS boot sector needs."""
    assert volume.mkntfs_arguments(Path("work/windows.ntfs"), 329 * MIB) == [
        *("-F", "-f", "-s", "512", "-p", "673792", "-H", "255", "-S", "63"),
        *("-c", "4096", "-L", "OS", Path("work/windows.ntfs")),
    ]


@pytest.mark.parametrize("inserts", [True, False])
def test_room_in_front_of_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inserts: bool
) -> None:
    """With or without the help of the file system the same disk comes out."""

    def insert(path: Path, length: int) -> None:
        if not inserts:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        path.write_bytes(bytes(length) + path.read_bytes())

    monkeypatch.setattr(volume, "_insert_range", insert)
    (tmp_path / "volume").write_bytes(b"content")
    volume.put_room_in_front(tmp_path / "volume", tmp_path / "disk", MIB)
    assert [item.name for item in tmp_path.iterdir()] == ["disk"]
    assert (tmp_path / "disk").read_bytes() == bytes(MIB) + b"content"


def test_a_full_file_system_is_not_a_reason_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported, and the volume stays for whoever cleans up."""

    def full(path: Path, length: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(volume, "_insert_range", full)
    (tmp_path / "volume").write_bytes(b"content")
    with pytest.raises(OSError, match="No space left"):
        volume.put_room_in_front(tmp_path / "volume", tmp_path / "disk", MIB)
    assert [item.name for item in tmp_path.iterdir()] == ["volume"]


@pytest.mark.parametrize("output", ["Volume Flags: 0x0001\n", "\tVolume Flags: 0x4000", ""])
def test_a_volume_that_is_not_clean_is_refused(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The dirty flag, an unfinished chkdsk, or no answer at all."""
    monkeypatch.setattr(volume, "run", lambda *_: output)
    with pytest.raises(BuildError, match="was not left clean"):
        volume.check_clean(Path("windows.ntfs"))
