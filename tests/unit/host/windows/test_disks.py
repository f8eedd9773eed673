from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.windows.recorder import Recorder, VirtDisk
from winimagetools.errors import BuildError, CommandError
from winimagetools.host.windows import virtdisk
from winimagetools.host.windows.disks import (
    WindowsDisk,
    WindowsDisks,
    shrink_partition,
    sizes_to_try,
)
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import GIB, MIB, DiskLayout

LETTERS = {"system": "S", "windows": "W"}
FAILURE = CommandError("powershell.exe", 1, "not enough available capacity")


def disks(recorder: Recorder, library: VirtDisk) -> WindowsDisks:
    """A host that talks to the doubles."""
    return WindowsDisks(PowerShell(recorder), lambda: library)


def test_create_uefi(tmp_path: Path) -> None:
    """An expanding VHDX is made, attached, partitioned as the PowerShell tools do, and detached."""
    recorder, library = Recorder({"PARTITION_UEFI": LETTERS}), VirtDisk()
    path = tmp_path / "disk.vhdx"
    with disks(recorder, library).create(path, 40 * GIB, DiskLayout.UEFI) as disk:
        assert isinstance(disk, WindowsDisk)
        assert (disk.system, disk.windows, disk.root) == ("S:", "W:", "W:\\")
        assert library.calls[-1] == ("attach", 0)
    assert library.calls == [
        ("create", virtdisk.DEVICE_VHDX, str(path), virtdisk.ACCESS_ALL, 40 * GIB),
        ("attach", 0),
        ("detach",),
        ("close",),
    ]
    assert recorder.calls == [
        (
            "PARTITION_UEFI",
            {
                "number": 7,
                "label": "OS",
                "efi_size": 200 * MIB,
                "msr_size": 128 * MIB,
                "efi_type": "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}",
                "msr_type": "{e3c9e316-0b5c-4db8-817d-f92df00215ae}",
                "windows_type": "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}",
            },
        )
    ]
    assert path.exists()


def test_create_bios(tmp_path: Path) -> None:
    """A BIOS disk has one partition, which is both system and Windows."""
    recorder = Recorder({"PARTITION_BIOS": {"system": "W", "windows": "W"}})
    with disks(recorder, VirtDisk()).create(tmp_path / "d.vhd", GIB, DiskLayout.BIOS) as disk:
        assert isinstance(disk, WindowsDisk)
        assert disk.system == disk.windows == "W:"
    assert recorder.scripts == ["PARTITION_BIOS"]


def test_a_failed_build_leaves_no_disk(tmp_path: Path) -> None:
    """When the block fails, the disk is detached, closed and removed."""
    library, path = VirtDisk(), tmp_path / "disk.vhdx"
    host = disks(Recorder({"PARTITION_BIOS": LETTERS}), library)
    with pytest.raises(KeyboardInterrupt), host.create(path, GIB, DiskLayout.BIOS):
        raise KeyboardInterrupt
    assert library.calls[-2:] == [("detach",), ("close",)]
    assert not path.exists()


def test_windows_refuses(tmp_path: Path) -> None:
    """An error code of Windows becomes a sentence with the file and the code."""
    library = VirtDisk(codes={"create": 0x70})
    host = disks(Recorder(), library)
    with (
        pytest.raises(BuildError, match=r"could not create .*disk\.vhdx \(error 112\)"),
        host.create(tmp_path / "disk.vhdx", GIB, DiskLayout.BIOS),
    ):
        pass


@pytest.mark.parametrize(("style", "layout"), [("GPT", DiskLayout.UEFI), ("MBR", DiskLayout.BIOS)])
def test_open_finds_windows(style: str, layout: DiskLayout) -> None:
    """An existing disk says itself how it starts."""
    recorder = Recorder({"FIND_WINDOWS": {"windows": "G", "partition": 3, "style": style}})
    with disks(recorder, VirtDisk()).open(Path("gold.vhdx")) as disk:
        assert isinstance(disk, WindowsDisk)
        assert (disk.windows, disk.layout) == ("G:", layout)


def test_open_read_only_works_on_a_copy(tmp_path: Path) -> None:
    """What is only read is copied first, and the copy is gone afterwards."""
    path = tmp_path / "win.vhdx"
    path.write_bytes(b"image")
    recorder = Recorder({"FIND_WINDOWS": {"windows": "G", "partition": 3, "style": "GPT"}})
    library = VirtDisk()
    host = disks(recorder, library)
    with host.open(path, read_only=True) as disk, host.open(path, read_only=True) as other:
        copies = [disk.path, other.path]
        assert {item for item in tmp_path.iterdir() if item != path} == set(copies)
        assert [item.read_bytes() for item in copies] == [b"image", b"image"]
        assert {item.suffix for item in copies} == {".vhdx"}
    assert library.calls[0][2] == str(copies[0])
    assert [item.name for item in tmp_path.iterdir()] == ["win.vhdx"]


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the disk is full in the middle of it."""
    path = tmp_path / "win.vhdx"
    path.write_bytes(b"image")

    def fill(_: Path, destination: Path) -> None:
        destination.write_bytes(b"im")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("shutil.copyfile", fill)
    with (
        pytest.raises(OSError, match="full"),
        disks(Recorder(), VirtDisk()).open(path, read_only=True),
    ):
        raise AssertionError("there is no copy to attach")
    assert [item.name for item in tmp_path.iterdir()] == ["win.vhdx"]


def test_resize_and_optimize() -> None:
    """Sizes and paths go to the cmdlets as values."""
    recorder = Recorder()
    host = disks(recorder, VirtDisk())
    host.resize(Path("gold.vhdx"), 30 * GIB)
    host.optimize(Path("gold.vhdx"))
    assert recorder.calls == [
        ("RESIZE_DISK", {"path": "gold.vhdx", "size": 30 * GIB}),
        ("OPTIMIZE_DISK", {"path": "gold.vhdx"}),
    ]


def shrink(answers: dict[str, object], minimum: int, maximum: int) -> Recorder:
    """Shrink a disk whose partition has these limits."""
    limits = {"minimum": str(minimum), "maximum": str(maximum), "size": str(maximum)}
    recorder = Recorder(
        {
            "LARGEST_VOLUME": "L",
            "PARTITION_LIMITS": limits,
            "RESIZE_DISK_TO_MINIMUM": str(12 * GIB),
            **answers,
        }
    )
    disks(recorder, VirtDisk()).shrink(Path("disk.vhdx"), 500 * MIB)
    return recorder


def sizes(recorder: Recorder) -> list[int]:
    """The partition sizes that were tried."""
    return [call[1]["size"] for call in recorder.calls if call[0] == "RESIZE_PARTITION"]


def test_resize_vhd_image() -> None:
    """Counterpart of "Test Resize-VHDImage": optimize, one resize that works, then the disk."""
    recorder = shrink({}, 10 * GIB, 40 * GIB)
    assert recorder.scripts == [
        "LARGEST_VOLUME",
        "OPTIMIZE_VOLUME",
        "PARTITION_LIMITS",
        "RESIZE_PARTITION",
        "RESIZE_DISK_TO_MINIMUM",
    ]
    assert sizes(recorder) == [11 * GIB]


def test_resize_vhd_image_with_binary_search() -> None:
    """Counterpart of "Test Resize-VHDImage with binary search": ten steps up, ten by halves."""
    recorder = shrink({"RESIZE_PARTITION": FAILURE}, 10 * GIB, 1000 * GIB)
    tried = sizes(recorder)
    assert tried[:10] == [11 * GIB + step * 100 * MIB for step in range(10)]
    assert len(tried) == 20
    assert tried[10] == tried[9] + (1000 * GIB - tried[9]) // 2
    assert tried[10:] == sorted(tried[10:])
    assert recorder.scripts[-1] == "RESIZE_DISK_TO_MINIMUM"


@given(
    st.integers(1, 200).map(lambda n: n * GIB // 2),
    st.integers(0, 400).map(lambda n: n * GIB // 2),
    st.integers(0, 500).map(lambda n: n * GIB),
)
def test_shrinking_ends_on_a_size_that_works(least: int, room: int, works_from: int) -> None:
    """The size in effect at the end is one that Windows accepted, and never above the maximum."""
    accepted: list[int] = []

    def resize(size: int) -> Exception | None:
        if size < works_from or size > least + room + 3 * GIB:
            return FAILURE
        accepted.append(size)
        return None

    result = shrink_partition(resize, least, least + room, 500 * MIB)
    assert result == (accepted[-1] if accepted else None)
    assert result is None or result >= works_from


@pytest.mark.parametrize(
    ("least", "spare", "first"),
    [
        (10 * GIB, 2 * GIB + 600 * MIB, 14),
        (GIB // 3, GIB, 2),
        (3 * GIB, 100 * GIB, 104),
        (10 * GIB, 512 * MIB, 11),
        (11 * GIB, 512 * MIB, 13),
        (11 * GIB, 512 * MIB - 1, 12),
    ],
)
def test_sizes_to_try(least: int, spare: int, first: int) -> None:
    """Whole GiB above the least size and the spare bytes, halves to the even one as in
    PowerShell, then nine times 100 MiB more.
    """
    sizes = sizes_to_try(least, spare)
    assert sizes == [first * GIB + 100 * MIB * step for step in range(10)]
    assert sizes[0] - spare > least


def test_extend_does_not_fail() -> None:
    """A partition that cannot grow is no failure."""
    recorder = Recorder(
        {
            "FIND_WINDOWS": {"windows": "G", "partition": 3, "style": "GPT"},
            "EXTEND_PARTITION": FAILURE,
        }
    )
    host = disks(recorder, VirtDisk())
    with contextlib.ExitStack() as stack:
        host.extend_windows(stack.enter_context(host.open(Path("gold.vhdx"))))
    assert recorder.calls[-1] == ("EXTEND_PARTITION", {"letter": "G"})
