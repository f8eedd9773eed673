"""What an image that is to be published really is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from fixtures.pe import image as pe_image
from tests.unit.dry_build import NTDLL, FakeMedia
from tests.unit.fakes import MemoryTree
from tests.unit.output.report.sample import REPORT
from tests.unit.recording_host import recording_host
from winimagetools.cli.main import main
from winimagetools.contract import Host
from winimagetools.errors import MediaError, RequestError
from winimagetools.formats.containers.vhd import fixed_vhd_layout
from winimagetools.model import Architecture, DiskFormat, DiskLayout, WindowsVersion
from winimagetools.output.report import folder
from winimagetools.workflows.publish import look_at_image

SIZE = 1 << 20


def made(place: Path, name: str, words: str) -> Path:
    """A raw disk with a report that calls it something."""
    path = place / name
    path.write_bytes(bytes(SIZE))
    facts = dataclasses.replace(REPORT.image, file=name, format=words, size=SIZE, sha256="")
    report = dataclasses.replace(REPORT, image=facts)
    folder.write(folder.folder_of(path), report)
    return path


def test_by_its_report(tmp_path: Path) -> None:
    """Container and size are those of the file, the rest is told."""
    found = look_at_image(made(tmp_path, "win.raw", "RAW"))
    assert (found.container, found.disk_size) == (DiskFormat.RAW, SIZE)
    assert found.layout is DiskLayout.UEFI
    assert found.version == WindowsVersion(10, 0, 20348, 587)
    assert (found.architecture, found.server) == (Architecture.AMD64, True)
    assert (found.drivers, found.agent) == (frozenset({"viostor"}), True)


def test_a_wrapped_one_by_its_report(tmp_path: Path) -> None:
    """What is inside cannot be looked at, but was told."""
    found = look_at_image(made(tmp_path, "win.raw.tar.gz", "RAW, wrapped as tar.gz"))
    assert (found.container, found.wrapping) == (DiskFormat.RAW, ("tar", "gz"))
    assert found.disk_size == REPORT.image.disk_size
    fixed = look_at_image(made(tmp_path, "win.vhd.gz", "VHD (fixed), wrapped as gz"))
    assert (fixed.container, fixed.fixed, fixed.wrapping) == (DiskFormat.VHD, True, ("gz",))


def test_the_report_of_another_image(tmp_path: Path) -> None:
    """It is not believed."""
    path = made(tmp_path, "win.raw", "RAW")
    with path.open("ab") as file:
        file.write(bytes(512))
    with pytest.raises(MediaError, match="is about another image"):
        look_at_image(path)


def test_wrapped_without_a_report(tmp_path: Path) -> None:
    """Nothing tells what is inside."""
    path = tmp_path / "win.raw.gz"
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(RequestError, match="has no report beside it"):
        look_at_image(path)


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk with some files."""

    path: Path
    layout: DiskLayout
    tree: MemoryTree


def host_with(files: Mapping[str, bytes]) -> Host:
    """A host that finds these files on every disk."""

    class Disks:
        @contextmanager
        def open(self, path: Path, *, read_only: bool = False) -> Iterator[Disk]:
            """For reading only."""
            assert read_only
            yield Disk(path, DiskLayout.BIOS, MemoryTree(files))

    host = recording_host(FakeMedia(), lambda _: None)
    return dataclasses.replace(host, disks=Disks())  # type: ignore[arg-type]


def test_by_its_volume(tmp_path: Path) -> None:
    """Without a report the files of Windows tell version, drivers and agent."""
    path = tmp_path / "win.raw"
    path.write_bytes(bytes(SIZE))
    version = WindowsVersion(6, 3, 9600)
    ntdll = {NTDLL: pe_image(Architecture.AMD64, version, "ntdll.dll")}
    found = look_at_image(path, host_with(ntdll))
    assert (found.version.build, found.drivers, found.agent) == (9600, frozenset(), False)
    files = {
        **ntdll,
        r"Windows\System32\drivers\vioscsi.sys": b"",
        r"Windows\System32\drivers\netkvm.sys": b"",
        r"Program Files\Qemu-ga\qemu-ga.exe": b"",
    }
    found = look_at_image(path, host_with(files))
    assert found.layout is DiskLayout.BIOS
    assert (found.drivers, found.agent) == (frozenset({"vioscsi", "netkvm"}), True)
    assert (found.disk_bus, found.network) == ("scsi", "virtio")


def test_a_fixed_vhd(tmp_path: Path) -> None:
    """One that begins with its disk is fixed; Azure takes no other."""
    path = tmp_path / "win.vhd"
    layout = fixed_vhd_layout(SIZE, uuid4(), 0)
    (footer,) = [write.data for write in layout.writes]
    path.write_bytes(bytes(SIZE) + footer)
    version = WindowsVersion(10, 0, 20348)
    ntdll = {NTDLL: pe_image(Architecture.AMD64, version, "ntdll.dll")}
    found = look_at_image(path, host_with(ntdll))
    assert (found.container, found.fixed, found.disk_size) == (DiskFormat.VHD, True, SIZE)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the lines and nothing else; what is refused exits with 2."""
    path = made(tmp_path, "win.raw", "RAW")
    assert main(["publish", str(path), "maas", "--with", "profile=me"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("maas me boot-resources create name=windows/win2022 ")
    assert out.count("\n") == 1
    assert main(["publish", str(path), "azure"]) == 2
    assert "azure needs resource_group and storage_account" in capsys.readouterr().err
    assert main(["publish", str(tmp_path / "none.raw"), "glance"]) == 2
