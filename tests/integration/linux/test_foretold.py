"""Containers whose checksum is computed while their disk is written."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest

from tests.integration.linux.test_apply import bulky_wim
from tests.integration.linux.test_apply_engines import all_end, children_of
from tests.integration.linux.test_containers import mounted
from winimagetools.errors import Interrupted
from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.host.linux import disks
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.apply.parallel import Laid
from winimagetools.host.linux.boot import LinuxBoot
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.media import LinuxMedia
from winimagetools.host.linux.servicing import LinuxServicing
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout
from winimagetools.output.become import make_in_place
from winimagetools.output.foretold import Filling, Foretell, Foretold, foretell
from winimagetools.plan import Delivery, DiskFile

__all__ = ["bulky_wim"]
FORMATS = (DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.VMDK)
Before = Callable[[], object]


def finish(
    folder: Path,
    wim: Path,
    disk_format: DiskFormat = DiskFormat.QCOW2,
    layout: DiskLayout = DiskLayout.UEFI,
) -> DiskFile:
    """Build a disk with a Windows in a folder, and nothing beside it."""
    host, path = LinuxDisks(), folder / "disk.raw"
    with LinuxMedia().open_install(wim) as media, host.create(path, GIB, layout) as disk:
        disk.tree.write_bytes(r"Windows\of the host.bin", b"added" * 200_000)
        LinuxServicing().apply_image(disk, media, media.images[0])
        LinuxBoot().create_boot_config(disk, media.images[0])
        made = host.finish(disk, Delivery(folder / "image", disk_format, (), "image"))
    assert list(folder.iterdir()) == [made.path]
    return made


def assert_right(made: DiskFile) -> None:
    """The checksum is that of the file."""
    with made.path.open("rb") as file:
        assert made.sha256 == hashlib.file_digest(file, "sha256").hexdigest()
    assert made.path.stat().st_size > 100 * MIB


def bytes_read() -> int:
    """By this process and those that it has waited for (proc(5))."""
    with Path("/proc/self/io").open() as file:
        return int(file.readline().removeprefix("rchar:"))


@pytest.fixture
def read_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were read to make each container of a finished disk."""
    found: list[int] = []

    def measured(*arguments: object, **options: object) -> str | None:
        before = bytes_read()
        made = make_in_place(*arguments, **options)  # type: ignore[arg-type]
        found.append(bytes_read() - before)
        return made

    monkeypatch.setattr(disks, "make_in_place", measured)
    return found


@pytest.fixture
def preceded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Before], None]:
    """Do something in the process that computes the checksum, before it begins."""

    def precede(before: Before) -> None:
        def second(
            raw: Path, layout_of: Callable[[Sequence[Piece]], Layout], disk: Filling
        ) -> Foretold:
            before()
            return foretell(raw, layout_of, disk)

        monkeypatch.setattr(disks, "foretell", second)

    return precede


@pytest.mark.parametrize("layout", list(DiskLayout))
@pytest.mark.parametrize("disk_format", FORMATS)
def test_nothing_is_read_back(
    bulky_wim: Path,
    tmp_path: Path,
    disk_format: DiskFormat,
    layout: DiskLayout,
    read_again: list[int],
) -> None:
    """The checksum is there when the disk is, and it is the right one."""
    assert_right(finish(tmp_path, bulky_wim, disk_format, layout))
    assert [count < MIB for count in read_again] == [True]


@pytest.mark.parametrize("kind", ["xfs", "btrfs", "tmpfs"])
def test_other_file_systems(bulky_wim: Path, tmp_path: Path, kind: str) -> None:
    """Also where the disk has to be copied, and where it is written through the page cache."""
    with mounted(kind, tmp_path) as place:
        work = place / "work"
        work.mkdir()
        assert_right(finish(work, bulky_wim))


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process and what it starts has a single core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_core")
def test_one_core(bulky_wim: Path, tmp_path: Path, read_again: list[int]) -> None:
    """Nobody waits for somebody that cannot run."""
    assert_right(finish(tmp_path, bulky_wim))
    assert [count < MIB for count in read_again] == [True]


def test_it_cannot_be_computed_meanwhile(
    bulky_wim: Path, tmp_path: Path, preceded: Callable[[Before], None], read_again: list[int]
) -> None:
    """Then it is computed afterwards, and the build knows nothing of it."""

    def fail() -> None:
        raise OSError(5, "Input/output error")

    preceded(fail)
    assert_right(finish(tmp_path, bulky_wim))
    assert [count > 100 * MIB for count in read_again] == [True]


def test_more_is_written_than_was_foretold(
    bulky_wim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_again: list[int]
) -> None:
    """A checksum of another container counts for nothing."""

    def write_more(
        disk: LinuxDisk, target: Path, start: int, size: int, foretell: Foretell | None
    ) -> Laid | None:
        laid = write_inside(disk, target, start, size, foretell)
        assert laid is not None and laid.foretold is not None
        with target.open("r+b") as file:
            file.seek(start + size - 40 * MIB)
            file.write(b"more")
        return laid

    monkeypatch.setattr(disks, "write_inside", write_more)
    assert_right(finish(tmp_path, bulky_wim))
    assert [count > 100 * MIB for count in read_again] == [True]


def test_a_process_it_waits_for_dies(
    bulky_wim: Path,
    tmp_path: Path,
    preceded: Callable[[Before], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not waited for forever: libwim does it all again."""
    caplog.set_level("INFO")

    def kill_one() -> None:
        os.kill(min(children_of(os.getppid())), signal.SIGKILL)

    preceded(kill_one)
    assert_right(finish(tmp_path, bulky_wim))
    assert "a process that wrote the volume was ended." in caplog.text
    assert all_end(children_of(os.getpid()))


def test_a_signal_while_it_is_computed(
    bulky_wim: Path, tmp_path: Path, preceded: Callable[[Before], None]
) -> None:
    """Everybody ends, and nothing is left."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted("SIGTERM arrived.")

    preceded(lambda: os.kill(os.getppid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(Interrupted, match="SIGTERM"):
            finish(tmp_path, bulky_wim)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert all_end(children_of(os.getpid()))
    assert list(tmp_path.iterdir()) == []
