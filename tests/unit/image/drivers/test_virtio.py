"""Choosing virtio drivers, against a table for people, and adding them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures import virtio
from tests.unit.fakes import MemorySource, MemoryTree
from winimagetools.contract import Disk, Host
from winimagetools.errors import MediaError
from winimagetools.formats.inf.driver import DriverInf
from winimagetools.formats.inf.syntax import MAX_SIZE
from winimagetools.formats.iso import open_source
from winimagetools.image.drivers.index import DriverIndex
from winimagetools.image.drivers.plan import LeftOut, plan_infs
from winimagetools.image.drivers.virtio import (
    VirtioChoice,
    add_virtio_drivers,
    add_virtio_drivers_from_iso,
    plan_virtio_drivers,
    select_virtio_drivers,
)
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import DriverPlan, ImageInfo, SourceTree

TABLE = Path(__file__).with_name("virtio_table.txt")
WINDOWS = {
    "7": (WindowsVersion(6, 1, 7601), "Client"),
    "2008R2": (WindowsVersion(6, 1, 7601), "Server"),
    "2012R2": (WindowsVersion(6, 3, 9600), "Server"),
    "10": (WindowsVersion(10, 0, 19045), "Client"),
    "11": (WindowsVersion(10, 0, 26100), "Client"),
    "2016": (WindowsVersion(10, 0, 14393), "Server"),
    "2019": (WindowsVersion(10, 0, 17763), "Server"),
    "2022": (WindowsVersion(10, 0, 20348), "Server Core"),
    "2025": (WindowsVersion(10, 0, 26100), "Server"),
}
ARCHITECTURES = (Architecture.X86, Architecture.AMD64, Architecture.ARM64)
INTRODUCTION = """\
Which folder of a virtio-win ISO each driver is taken from, by release, architecture and Windows.
"-": no driver for this Windows. "boots": whether Windows starts with the storage drivers; "no"
means that they are refused, "none" that the ISO has nothing at all for this Windows.
`python -m tests.unit.image.test_virtio` writes this file anew.
"""


def image(windows: str, architecture: Architecture) -> ImageInfo:
    """A Windows by its short name."""
    version, installation_type = WINDOWS[windows]
    return ImageInfo(version, architecture, installation_type)


def iso(release: str, keep: str = "") -> MemorySource:
    """The files of an ISO, or those whose path begins with ``keep``."""
    files = virtio.virtio_files(release)
    kept = {path: data for path, data in files.items() if path.startswith(keep)}
    return MemorySource(kept, f"virtio-win-{release}.iso")


def chosen(index: DriverIndex, info: ImageInfo) -> tuple[dict[str, str], str]:
    """Folder by driver, and whether Windows starts with the storage drivers."""
    try:
        selection = select_virtio_drivers(index, info)
    except MediaError:
        return {}, "none"
    for item in selection.choices:
        expected = f"{item.driver}/{item.windows}/{info.architecture}"
        assert item.folder.casefold() == expected.casefold()
    folders = {item.driver: item.folder.split("/")[1] for item in selection.choices}
    try:
        plan_infs(index, [inf for item in selection.choices for inf in item.infs], info)
    except MediaError:
        return folders, "no"
    return folders, "yes"


def block(release: str, architecture: Architecture) -> Iterator[str]:
    """The part of the table about one architecture of one release."""
    index = DriverIndex(iso(release))
    columns = {name: chosen(index, image(name, architecture)) for name in WINDOWS}
    drivers = sorted({driver for folders, _ in columns.values() for driver in folders})
    yield f"{f'{release} {architecture}':<15}" + "".join(f"{name:>8}" for name in columns)
    for driver in drivers:
        cells = (folders.get(driver, "-") for folders, _ in columns.values())
        yield f"{driver:<15}" + "".join(f"{cell:>8}" for cell in cells)
    yield f"{'boots':<15}" + "".join(f"{boots:>8}" for _, boots in columns.values())


def table() -> str:
    """The whole table."""
    blocks = [INTRODUCTION]
    for release in virtio.RELEASES:
        for architecture in ARCHITECTURES:
            blocks.append("".join(f"{line}\n" for line in block(release, architecture)))
    return "\n".join(blocks)


def test_table() -> None:
    """Five real layouts, nine Windows, three architectures: every choice is as written down."""
    assert table().splitlines() == TABLE.read_text(encoding="utf-8").splitlines()


def test_choice_names_folder_and_version() -> None:
    """A choice says which driver came from which folder in which version."""
    selection = select_virtio_drivers(
        DriverIndex(iso("0.1.215", "NetKVM/")), image("2022", Architecture.AMD64)
    )
    assert selection.choices == (
        VirtioChoice(
            driver="NetKVM",
            windows="2k22",
            folder="NetKVM/2k22/amd64",
            version="100.90.104.21500",
            infs=("NetKVM/2k22/amd64/netkvm.inf",),
        ),
    )
    assert selection.left_out == LeftOut()


def chosen_folders(source: SourceTree, info: ImageInfo) -> tuple[str, ...]:
    """The folders the drivers come from, each once."""
    choices = select_virtio_drivers(DriverIndex(source), info).choices
    return tuple(dict.fromkeys(item.folder for item in choices))


def test_folders_of_the_powershell_tools() -> None:
    """The folders alone, as Get-VirtIODrivers returns them."""
    assert chosen_folders(iso("0.1.102"), image("7", Architecture.X86)) == tuple(
        f"{name}/w7/x86"
        for name in ("Balloon", "NetKVM", "qxl", "viorng", "vioscsi", "vioserial", "viostor")
    )


def test_fallback_to_2012r2_is_told() -> None:
    """An ISO older than the Windows gives the drivers of 2012 R2 and says so."""
    info = image("2019", Architecture.AMD64)
    selection = select_virtio_drivers(DriverIndex(iso("0.1.102")), info)
    assert {item.windows for item in selection.choices} == {"2k12r2"}
    assert selection.left_out.warnings == (
        "Nothing is there for this Windows: drivers of an older one are used.",
    )


def test_nothing_fits_lists_what_there_is() -> None:
    """An ISO without anything for the image is refused with its folders by architecture."""
    with pytest.raises(MediaError) as caught:
        select_virtio_drivers(DriverIndex(iso("0.1.189")), image("7", Architecture.ARM64))
    assert caught.value.message == (
        "virtio-win-0.1.189.iso has no virtio drivers for Windows 6.1.7601.0 arm64 (client)."
    )
    assert caught.value.hint == (
        "It has drivers for "
        "amd64: 2k12, 2k12r2, 2k16, 2k19, 2k3, 2k8, 2k8r2, w10, w7, w8, w8.1, xp; "
        "arm64: w10; x86: 2k3, 2k8, w10, w7, w8, w8.1, xp."
    )


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ({"my/driver.inf": b""}, "There is no folder such as viostor/w10/amd64 in it; INF files"),
        (
            {"viostor.inf": b"", "viostor.sys": b""},
            "There is no folder such as viostor/w10/amd64 in it; INF files are in: the root "
            "folder. Give the ISO itself, or a folder with its content as it is; for any other "
            "folder of drivers use drivers_path.",
        ),
        ({"setup.exe": b""}, "There is no folder such as viostor/w10/amd64 in it, and no INF"),
    ],
)
def test_not_a_virtio_source(content: dict[str, bytes], hint: str) -> None:
    """A folder of another shape is refused with what is in it."""
    with pytest.raises(MediaError) as caught:
        plan_virtio_drivers(MemorySource(content), image("10", Architecture.AMD64))
    assert caught.value.hint.startswith(hint)
    assert "(client)" in caught.value.message


def test_inf_has_the_last_word() -> None:
    """A folder whose INF is for a later Windows is passed over with a note."""
    files = dict(iso("0.1.285", "viostor/2k16/amd64/")._content)
    files |= iso("0.1.285", "viostor/w10/amd64/")._content
    path = "viostor/2k16/amd64/viostor.inf"
    files[path] = files[path].replace(b"NTamd64.10.0", b"NTamd64.10.0...17763")
    info = image("2016", Architecture.AMD64)
    selection = select_virtio_drivers(DriverIndex(MemorySource(files)), info)
    assert [item.folder for item in selection.choices] == ["viostor/w10/amd64"]
    assert selection.left_out == LeftOut(
        notes=(f"{path} was left out: by its own word it is for another Windows.",)
    )


def test_damaged_inf_is_passed_over() -> None:
    """A damaged INF of one driver does not keep the others out."""
    files = dict(iso("0.1.285", "viorng/2k22/amd64/")._content)
    files |= iso("0.1.285", "Balloon/2k22/amd64/")._content
    files["viorng/2k22/amd64/viorng.inf"] = b"\xff\xfe\0"
    plan = plan_virtio_drivers(MemorySource(files), image("2022", Architecture.AMD64))
    assert [item.name for item in plan.packages] == ["balloon"]
    assert plan.warnings[0].startswith("viorng/2k22/amd64/viorng.inf was left out. ")


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\0",
        b"[Version]\nClass=SCSIAdapter\n",
        b"[Version]\nSignature=x\n" + b"; " + b"x" * MAX_SIZE,
    ],
)
def test_damaged_storage_driver_is_refused(damage: bytes) -> None:
    """A driver needed to boot is never left out, also not for the copy of an older Windows."""
    files = dict(iso("0.1.285", "viostor/2k22/amd64/")._content)
    files |= iso("0.1.285", "viostor/2k19/amd64/")._content
    files |= iso("0.1.285", "Balloon/2k22/amd64/")._content
    files["viostor/2k22/amd64/viostor.inf"] = damage
    with pytest.raises(MediaError) as caught:
        plan_virtio_drivers(MemorySource(files), image("2022", Architecture.AMD64))
    assert caught.value.message.splitlines()[1].startswith(
        "  - viostor/2k22/amd64/viostor.inf may be needed to boot and cannot be used. "
    )


def test_storage_driver_for_another_windows_only() -> None:
    """When all of a storage driver is for another Windows, that is a warning, not a note."""
    files = dict(iso("0.1.285", "viostor/2k22/amd64/")._content)
    files |= iso("0.1.285", "vioscsi/2k22/amd64/")._content
    path = "viostor/2k22/amd64/viostor.inf"
    files[path] = files[path].replace(b"NTamd64.10.0", b"NTamd64.10.0...99999")
    plan = plan_virtio_drivers(MemorySource(files), image("2022", Architecture.AMD64))
    assert [item.name for item in plan.packages] == ["vioscsi"]
    assert plan.warnings[0] == (
        "Nothing of viostor is used: where the disk is a device of that driver, Windows does not "
        "start."
    )


class Counting(MemorySource):
    """A source that counts how often each INF is read."""

    def __init__(self, content: Mapping[str, bytes]) -> None:
        super().__init__(content)
        self.reads: Counter[str] = Counter()

    def read_bytes(self, path: str) -> bytes:
        """Count and read."""
        self.reads[path] += path.endswith(".inf")
        return super().read_bytes(path)

    def size(self, path: str) -> int:
        """Look it up, which is no reading."""
        return len(self._content[path])


def test_each_inf_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choosing and planning read an INF once, and only those that may be for the image."""
    parsed: Counter[str] = Counter()
    read = DriverInf.read

    def counted(data: bytes, name: str) -> DriverInf:
        parsed[name] += 1
        return read(data, name)

    monkeypatch.setattr(DriverInf, "read", counted)
    source = Counting(virtio.virtio_files("0.1.285"))
    plan = plan_virtio_drivers(source, image("2022", Architecture.AMD64))
    assert max(parsed.values()) == max(source.reads.values()) == 1
    assert len(plan.packages) <= len(parsed) <= len(plan.packages) + 2


def test_what_is_skipped() -> None:
    """No symbols, no SR-IOV driver, and the empty fwcfg driver only without the real one."""
    new = plan_virtio_drivers(iso("0.1.285"), image("2022", Architecture.AMD64))
    names = {item.name for item in new.packages}
    assert "fwcfg" in names
    assert names.isdisjoint({"vioprot", "qemufwcfg"})
    files = [path for item in new.packages for path in item.files]
    assert not any(path.endswith(".pdb") for path in files)
    assert not any("sriov" in path for path in files)
    old = plan_virtio_drivers(iso("0.1.189"), image("2019", Architecture.AMD64))
    assert "qemufwcfg" in {item.name for item in old.packages}


def test_plan() -> None:
    """The plan has one folder for each driver; both storage drivers are needed to boot."""
    plan = plan_virtio_drivers(iso("0.1.215"), image("11", Architecture.AMD64))
    assert plan.folders[:2] == ("Balloon/w11/amd64", "fwcfg/w11/amd64")
    assert len(plan.folders) == len(set(plan.folders)) == len(plan.packages) - 1  # pvpanic has two
    boot = [item.name for item in plan.packages if item.boot_critical]
    assert boot == ["vioscsi", "viostor"]
    assert [item.source for item in plan.boot_files] == [
        "vioscsi/w11/amd64/vioscsi.sys",
        "viostor/w11/amd64/viostor.sys",
    ]
    assert {edit.hive for edit in plan.registry} == {"SYSTEM"}


@pytest.mark.parametrize(
    ("windows", "folder"),
    [("7", "WIN7/AMD64"), ("2008R2", "WIN7/AMD64"), ("2012R2", "WIN8/AMD64")],
)
def test_iso_before_2015(windows: str, folder: str) -> None:
    """The flat upper-case shape: every driver from the one folder for this Windows."""
    source = MemorySource(virtio.old_files())
    plan = plan_virtio_drivers(source, image(windows, Architecture.AMD64))
    assert plan.folders == (folder,)
    names = ["balloon", "netkvm", "vioscsi", "vioser", "viostor"]
    assert [item.name for item in plan.packages] == names
    assert plan.packages[4].files == tuple(
        f"{folder}/VIOSTOR.{extension}" for extension in ("CAT", "INF", "SYS")
    )


def test_vista() -> None:
    """Vista takes what is for Server 2008, in the old shape and the new one."""
    info = ImageInfo(WindowsVersion(6, 0, 6002), Architecture.X86, "Client")
    assert chosen_folders(MemorySource(virtio.old_files()), info) == ("VISTA/X86",)
    assert "viostor/2k8/x86" in chosen_folders(iso("0.1.285"), info)


def test_rpm_tree() -> None:
    """From the RPM come the same drivers as from the ISO."""
    info = image("2022", Architecture.AMD64)
    rpm = chosen_folders(MemorySource(virtio.rpm_files("0.1.285")), info)
    assert rpm == tuple(
        f"drivers/by-driver/{folder}" for folder in chosen_folders(iso("0.1.285"), info)
    )


@pytest.mark.parametrize("release", ["0.1.160", "0.1.285"])
def test_iso_file(release: str, tmp_path: Path) -> None:
    """From an ISO file, whose equal files share extents, comes the plan of its files."""
    path = virtio.write_iso(tmp_path / "virtio.iso", release)
    info = image("2019", Architecture.AMD64)
    expected = plan_virtio_drivers(iso(release), info)
    with open_source(path) as source:
        assert list(source.files()) == sorted(virtio.virtio_files(release))
        found = plan_virtio_drivers(source, info)
    assert dataclasses.replace(found, source=expected.source) == expected


class Servicing:
    """The offline servicing of a host, which keeps the plans it is given."""

    def __init__(self) -> None:
        self.plans: list[DriverPlan] = []

    def add_drivers(self, disk: Disk, plan: DriverPlan) -> None:
        """Keep the plan."""
        self.plans.append(plan)


class Media:
    """Opens the sources it was given, and knows whether one is open."""

    def __init__(self, sources: Mapping[Path, SourceTree]) -> None:
        self.sources = sources
        self.open_now = 0

    @contextmanager
    def open_source(self, path: Path) -> Iterator[SourceTree]:
        """Open a source."""
        self.open_now += 1
        yield self.sources[path]
        self.open_now -= 1


def host(servicing: Servicing, media: Media) -> Host:
    """A host of two parts."""
    return cast(Host, cast(Any, SimpleNamespace(offline=servicing, media=media)))


DISK = cast(Disk, cast(Any, SimpleNamespace(tree=MemoryTree())))


def test_add_from_iso() -> None:
    """The ISO is opened, its drivers are added, and it is closed."""
    path = Path("iso/virtio.ISO")
    source, servicing = iso("0.1.215"), Servicing()
    media = Media({path: source})
    info = image("2022", Architecture.AMD64)
    add_virtio_drivers_from_iso(host(servicing, media), DISK, info, path)
    assert servicing.plans == [plan_virtio_drivers(source, info)]
    assert media.open_now == 0


def test_add_from_folder(caplog: pytest.LogCaptureFixture) -> None:
    """Adding says which driver comes from where."""
    servicing, source = Servicing(), iso("0.1.215", "viostor/")
    info = image("2022", Architecture.AMD64)
    with caplog.at_level("INFO", "winimagetools"):
        add_virtio_drivers(host(servicing, Media({})), DISK, info, source)
    assert [item.message.strip() for item in caplog.records] == [
        "viostor  100.90.104.21500 from viostor/2k22/amd64, needed to boot"
    ]
    assert len(servicing.plans) == 1


def test_iso_has_to_be_one() -> None:
    """A path that is no .iso is refused before it is opened."""
    with pytest.raises(MediaError, match=r"drivers is not the path of an \.iso file"):
        add_virtio_drivers_from_iso(
            host(Servicing(), Media({})), DISK, image("10", Architecture.X86), "/srv/drivers"
        )


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
