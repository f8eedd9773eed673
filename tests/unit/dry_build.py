"""Whole workflows on a host that only writes down what it is asked to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fixtures import hives
from fixtures.pe import image as pe_image
from fixtures.releases import RELEASES
from fixtures.virtio import package_files
from tests.unit.fakes import MemorySource
from tests.unit.recording_host import recording_host
from winimagetools import builder
from winimagetools.contract import Host, InstallMedia
from winimagetools.data import data_path
from winimagetools.formats.iso import FolderTree
from winimagetools.image.request import Workflow
from winimagetools.model import (
    Architecture,
    DiskFormat,
    DiskLayout,
    OtherImage,
    WimImage,
    WindowsVersion,
)
from winimagetools.plan import InstalledDriver, SourceTree
from winimagetools.settings.options import SECTION_OF
from winimagetools.workflows import build

Options = Mapping[str, str | bool | int]
SERVER_2012_R2 = "Windows Server 2012 R2 SERVERSTANDARD"
SERVER_2008_R2_CORE = "Windows Server 2008 R2 SERVERSTANDARDCORE"
SERVER_2022 = "Windows Server 2022 SERVERSTANDARD"
SERVER_2025 = "Windows Server 2025 SERVERDATACENTER"
VIRTIO_RELEASES = {"2k8R2": "0.1.189", "2k12R2": "0.1.189", "2k22": "0.1.285", "2k25": "0.1.285"}
"""The last release whose drivers each of them starts with."""
NTDLL = r"Windows\System32\ntdll.dll"
_CONFIG = r"Windows\System32\config"
_AMD64 = Architecture.AMD64
_MSI = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
IMAGES = (
    WimImage(1, SERVER_2012_R2, _AMD64, WindowsVersion(6, 3, 9600), "Server", "ServerStandard"),
    WimImage(
        2, SERVER_2008_R2_CORE, _AMD64, WindowsVersion(6, 1, 7601), "Server Core", "ServerStandard"
    ),
    WimImage(3, SERVER_2022, _AMD64, WindowsVersion(10, 0, 20348), "Server", "ServerStandard"),
    WimImage(4, SERVER_2025, _AMD64, WindowsVersion(10, 0, 26100), "Server", "ServerDatacenter"),
)
FILES: Mapping[str, bytes] = {
    "install.wim": b"",
    "gold.vhdx": b"vhdxfile",
    "gold.vhd": b"conectix",
    "virtio.iso": b"",
    "vmware-tools.exe": b"MZ",
    "picture.jpg": b"\xff\xd8\xff\xe0",
    "agent.msi": _MSI,
    "cloudbase-init.conf": b"[DEFAULT]\n",
    "cloudbase-init-unattend.conf": b"[DEFAULT]\n",
    "first.msu": b"",
    "second.cab": b"",
    "resources/tool.txt": b"",
    "scripts/RunBeforeSysprep.ps1": b"",
    "finished.vhdx": b"",
    "finished.vhd": b"",
    "finished.qcow2": b"",
    "finished.raw.tar.gz": b"",
    "finished.vmdk.zip": b"",
}
WORKFLOWS: Mapping[Workflow, Callable[..., object]] = {
    Workflow.CLOUD: builder.new_windows_cloud_image,
    Workflow.ONLINE: builder.new_windows_online_image,
    Workflow.GOLDEN: builder.new_windows_from_golden_image,
    Workflow.TEST: builder.test_offline_windows_image,
}


@dataclass(frozen=True)
class FakeInstall:
    """An opened medium that has only its list of editions."""

    path: Path
    images: tuple[WimImage, ...] = IMAGES
    others: tuple[OtherImage, ...] = ()

    def read_file(self, image: WimImage, path: str) -> bytes:
        """Editions without content."""
        raise FileNotFoundError(path)

    def wim_file(self, work: Path) -> Path:
        """The medium itself."""
        return self.path

    def copied_bytes(self) -> int:
        """Nothing is copied."""
        return 0

    def check_unchanged(self) -> None:
        """There is nothing that could change."""


class FakeMedia:
    """Media without content: the editions above and a virtio ISO with two drivers."""

    def locate(self, text: str, resolve: Callable[[str], Path]) -> Path:
        """Whatever is asked for is there."""
        return resolve(text)

    @contextmanager
    def open_install(self, path: Path) -> Iterator[InstallMedia]:
        """The editions."""
        yield FakeInstall(path)

    @contextmanager
    def open_source(self, path: Path) -> Iterator[SourceTree]:
        """A folder, or the virtio ISO."""
        yield FolderTree(path) if path.is_dir() else MemorySource(virtio_files(), path.name)


@cache
def virtio_files() -> dict[str, bytes]:
    """A storage and a network driver for every Windows here, and the guest agent."""
    files = {"guest-agent/qemu-ga-x86_64.msi": _MSI}
    for driver in ("viostor", "NetKVM"):
        for windows, release in VIRTIO_RELEASES.items():
            folder = f"{driver}/{windows}/amd64"
            files |= package_files(folder, release, driver, windows, "amd64")
    return files


@dataclass(frozen=True)
class Case:
    """One build to write down.

    Args:
        workflow: which one.
        options: of the configuration; paths are names in the folder of :func:`lay_out`.
        work_format: the container the host builds in.
        files: what an opened disk holds.
        installed: third-party drivers in an opened disk.
        offline: whether the host services an image that does not run, as Windows does.
    """

    workflow: Workflow
    options: Options
    work_format: DiskFormat = DiskFormat.VHDX
    files: Mapping[str, bytes] | None = None
    installed: tuple[InstalledDriver, ...] = ()
    offline: bool = True


def lay_out(folder: Path) -> None:
    """Make the files a configuration may name, with drivers in ``virtio`` and ``drivers``."""
    files = {f"virtio/{path}": data for path, data in virtio_files().items()}
    drivers = package_files("vendor", "0.1.189", "vioscsi", "2k12R2", "amd64")
    files |= {f"drivers/{path}": data for path, data in drivers.items()}
    for path, data in {**FILES, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def config_text(options: Options) -> str:
    """A configuration file, in the order of its sections."""
    lines: list[str] = []
    for section in dict.fromkeys(SECTION_OF.values()):
        own = [f"{key} = {options[key]}" for key in options if SECTION_OF[key] == section]
        lines += [f"[{section}]", *own] if own else []
    return "".join(f"{line}\n" for line in lines)


def plan_lines(case: Case, folder: Path) -> list[str]:
    """What ``--dry-run`` prints, with paths that are the same on every machine."""
    folder = folder.resolve()
    path = folder / "config.ini"
    path.write_text(config_text(case.options))
    with chdir(folder):
        lines = build.describe_build(case.workflow, path, host=_host(case, lambda _: None))
    return [_anonymous(line, folder) for line in lines]


def transcript(case: Case, folder: Path) -> list[str]:
    """What the host was asked to do, with paths that are the same on every machine."""
    folder = folder.resolve()
    path = folder / "config.ini"
    path.write_text(config_text(case.options))
    lines: list[str] = []
    with chdir(folder):
        WORKFLOWS[case.workflow](path, host=_host(case, lines.append))
    return [_anonymous(line, folder) for line in lines]


def _host(case: Case, say: Callable[[str], None]) -> Host:
    release = RELEASES["2012r2"]
    edition = release.edition("ServerStandard")
    default = {
        NTDLL: pe_image(_AMD64, WindowsVersion(6, 3, 9600), "ntdll.dll"),
        rf"{_CONFIG}\SYSTEM": hives.system(release, _AMD64, edition),
        rf"{_CONFIG}\SOFTWARE": hives.software(release, edition),
    }
    return recording_host(
        FakeMedia(),
        say,
        work_format=case.work_format,
        offline=case.offline,
        files={**default, **(case.files or {})}
        if case.workflow in (Workflow.GOLDEN, Workflow.TEST)
        else None,
        opened_layout=DiskLayout(str(case.options.get("disk_layout", "BIOS"))),
        installed=case.installed,
    )


def _anonymous(line: str, folder: Path) -> str:
    for path, name in ((folder, "<here>"), (data_path(""), "<data>")):
        line = line.replace(str(path), name)
    line = re.sub(r"\S*winimagetools-[^\\/\s]+(?=[\\/])", "<temporary>", line)
    return re.sub(r"<\w+>\S*", lambda match: match[0].replace("\\", "/"), line)
