"""What is kept of a run that failed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.fakes import MemoryTree
from winimagetools.checks.evidence import copy_logs, keep_evidence
from winimagetools.errors import BuildError, MediaError
from winimagetools.model import MIB

SYSPREP = r"Windows\System32\Sysprep\Panther\setuperr.log"


def a_host(files: Mapping[str, bytes] | None) -> Any:
    """A host whose disks hold these files; None for disks that cannot be opened."""

    @contextmanager
    def open_disk(path: Path, *, read_only: bool = False) -> Iterator[Any]:
        assert read_only
        assert path.read_bytes() == b"disk"
        if files is None:
            raise MediaError("It is no disk.")
        yield SimpleNamespace(tree=MemoryTree(files))

    return SimpleNamespace(disks=SimpleNamespace(open=open_disk))


@pytest.fixture
def run_(tmp_path: Path) -> tuple[Path, Path]:
    """Disk and logs of a run, in the folder of a build."""
    folder = tmp_path / ".win.qcow2.building"
    logs = folder / "first-boot"
    logs.mkdir(parents=True)
    (logs / "serial.log").write_text("BdsDxe: starting")
    (logs / "screen-001-end.png").write_bytes(b"\x89PNG")
    disk = folder / "win.raw"
    disk.write_bytes(b"disk")
    return disk, logs


def kept(folder: Path) -> dict[str, bytes]:
    """What lies in a folder and below."""
    return {
        str(item.relative_to(folder)): item.read_bytes()
        for item in folder.rglob("*")
        if item.is_file()
    }


def test_everything_is_kept(tmp_path: Path, run_: tuple[Path, Path]) -> None:
    """Disk, logs and pictures are moved, the logs of Windows copied; the cause is named."""
    text = "SYSPRP Package X was installed for a user, but not provisioned".encode("utf-16")
    host = a_host({SYSPREP: text, "Windows/notepad.exe": b"MZ"})
    error = BuildError("The guest failed.", "Look.")
    result = keep_evidence(host, tmp_path / "win.qcow2", *run_, error)
    (folder,) = tmp_path.glob("win.qcow2.failed-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert kept(folder) == {
        "serial.log": b"BdsDxe: starting",
        "screen-001-end.png": b"\x89PNG",
        "win.raw": b"disk",
        "from-disk/Windows/System32/Sysprep/Panther/setuperr.log": text,
    }
    assert result.message == (
        "The guest failed. The likely cause: an application that was installed for one user blocks "
        "sysprep."
    )
    assert result.hint.startswith("Look. Remove the named package")
    assert result.hint.endswith(f"Everything that was kept of the run is in {folder}.")


def test_an_unreadable_disk_is_kept_all_the_same(
    tmp_path: Path, run_: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """There are no logs of Windows then, and no cause that nobody saw."""
    result = keep_evidence(a_host(None), tmp_path / "win.raw", *run_, BuildError("It failed."))
    (folder,) = tmp_path.glob("win.raw.failed-*")
    assert set(kept(folder)) == {"serial.log", "screen-001-end.png", "win.raw"}
    assert result.message == "It failed."
    assert "could not be taken from the disk: It is no disk." in caplog.text


def test_two_failures_in_one_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was kept is written over."""
    monkeypatch.setattr("time.strftime", lambda _: "20260101-000000")
    for number in range(3):
        logs = tmp_path / f"logs{number}"
        logs.mkdir()
        keep_evidence(a_host({}), tmp_path / "w", tmp_path / "gone", logs, BuildError("No."))
    assert sorted(path.name for path in tmp_path.glob("w.failed*")) == [
        "w.failed-20260101-000000",
        "w.failed-20260101-000000-2",
        "w.failed-20260101-000000-3",
    ]


def test_long_logs(tmp_path: Path) -> None:
    """Of a log that never ends its end is kept."""
    path = r"Windows\Logs\CBS\CBS.log"
    data = b"old" * (1 << 20) + b"new"
    (text,) = copy_logs(MemoryTree({path: data}), tmp_path)
    assert (tmp_path / "Windows/Logs/CBS/CBS.log").read_bytes() == data[-(2 << 20) :]
    assert text.endswith("new")
    assert len(text) == 256 << 10


class Ranged(MemoryTree):
    """A tree that says how much of its files is read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self.asked: list[tuple[int, int]] = []

    def read_bytes(self, path: str) -> bytes:
        """Never whole."""
        raise AssertionError(path)

    @contextmanager
    def open_file(self, path: str) -> Iterator[tuple[int, Any]]:
        """Size, and what reads ranges."""
        data = MemoryTree.read_bytes(self, path)

        def read(at: int, length: int) -> bytes:
            self.asked.append((at, length))
            return data[at : at + length]

        yield len(data), read


def test_the_end_of_a_long_log(tmp_path: Path) -> None:
    """Is all that is read of it: CBS.log may be larger than the memory."""
    tree = Ranged({r"Windows\Logs\CBS\CBS.log": b"x" * MIB + b"y" * (2 * MIB)})
    (text,) = copy_logs(tree, tmp_path)
    assert tree.asked == [(MIB, 2 * MIB)]
    assert (tmp_path / "Windows/Logs/CBS/CBS.log").read_bytes() == b"y" * (2 * MIB)
    assert set(text) == {"y"}


def test_where_nothing_can_be_kept(
    tmp_path: Path, run_: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full file system does not hide why the run failed."""

    def mkdir(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    failed = BuildError("Windows stopped.", "Look at it.")
    told = keep_evidence(a_host({}), tmp_path / "win.qcow2", *run_, failed)
    assert told.message == "Windows stopped."
    assert told.hint == (
        f"Look at it. Nothing could be kept of the run beside {tmp_path}/win.qcow2: "
        "No space left on device."
    )
