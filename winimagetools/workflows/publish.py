"""What is really in an image that is to be published: from its disk, and from its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from winimagetools.contract import Host, ReadOnlyTree
from winimagetools.errors import MediaError, RequestError
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.formats.images import vhd
from winimagetools.formats.images.probe import open_image
from winimagetools.host import select_host
from winimagetools.image.inspection import get_image_information
from winimagetools.model import Architecture, DiskFormat, DiskLayout, WindowsVersion, is_server_type
from winimagetools.output.publish.target import PublishedImage
from winimagetools.output.report.folder import read_record

_LAYERS = (".tgz", ".gz", ".tar", ".zip")
_DRIVERS = ("viostor", "vioscsi", "netkvm")
_AGENTS = (r"Program Files\Qemu-ga\qemu-ga.exe", r"Program Files (x86)\Qemu-ga\qemu-ga.exe")
_AGENT = "QEMU guest agent"


def look_at_image(path: Path, host: Host | None = None) -> PublishedImage:
    """Find out what an image is.

    The container and the size of the disk are those of the file. What Windows and which drivers
    are in it is told by the report beside it; where there is none, the volume is looked into.

    Args:
        path: the image.
        host: the machine to work on; this one by default.

    Raises:
        RequestError: it is wrapped, and there is no report that tells what is inside.
        MediaError: it is no image, or not the one the report is about.
    """
    path = path.absolute()
    refuse_other_than_file(path)
    if not path.is_file():
        raise RequestError(f"The image {path} does not exist.", "Give the path of a file.")
    record = read_record(path)
    if record is not None:
        return _of_report(path, record)
    if path.suffix.casefold() in _LAYERS:
        raise RequestError(
            f"{path} is wrapped and has no report beside it that tells what is inside.",
            "Unwrap it first.",
        )
    return _of_volume(path, host or select_host())


def _of_report(path: Path, record: dict[str, Any]) -> PublishedImage:
    image = record["image"]
    if path.stat().st_size != image["size"] or path.name != image["file"]:
        raise MediaError(
            f"The report beside {path} is about another image.",
            "Move the report away, or build the image again.",
        )
    try:
        return _as_told(path, record)
    except (ValueError, IndexError) as error:
        raise MediaError(
            f"The report beside {path} is damaged.", "Move it away to do without it."
        ) from error


def _as_told(path: Path, record: dict[str, Any]) -> PublishedImage:
    image, windows = record["image"], record["windows"]
    words = image["format"].replace(",", " ").split()
    wrapping = tuple(words[-1].split(".")) if "wrapped" in words else ()
    container, size = DiskFormat(words[0]), image["disk_size"]
    if not wrapping:
        container, size = _container(path)
    return PublishedImage(
        path=path,
        container=container,
        wrapping=wrapping,
        fixed="(fixed)" in words,
        disk_size=size,
        layout=DiskLayout(image["layout"]),
        version=WindowsVersion.parse(windows["version"]),
        architecture=Architecture(windows["architecture"]),
        server=is_server_type(windows["installation_type"]),
        drivers=frozenset(driver["name"].casefold() for driver in record["drivers"]),
        agent=any(_AGENT.casefold() in agent["name"].casefold() for agent in record["agents"]),
        sha256=image["sha256"],
    )


def _container(path: Path) -> tuple[DiskFormat, int]:
    with open_image(path) as disk:
        return disk.format, disk.size


def _of_volume(path: Path, host: Host) -> PublishedImage:
    container, size = _container(path)
    with host.disks.open(path, read_only=True) as disk:
        windows = get_image_information(disk.tree, "")
        return PublishedImage(
            path=path,
            container=container,
            wrapping=(),
            fixed=container is DiskFormat.VHD and _is_fixed(path),
            disk_size=size,
            layout=disk.layout,
            version=windows.version,
            architecture=windows.architecture,
            server=windows.is_server,
            drivers=frozenset(_drivers(disk.tree.exists)),
            agent=_has_agent(disk.tree),
        )


def _drivers(exists: Callable[[str], bool]) -> list[str]:
    return [name for name in _DRIVERS if exists(rf"Windows\System32\drivers\{name}.sys")]


def _has_agent(tree: ReadOnlyTree) -> bool:
    return any(tree.exists(path) for path in _AGENTS)


def _is_fixed(path: Path) -> bool:
    """Whether a VHD begins with its disk; a dynamic one begins with a copy of its footer."""
    with path.open("rb") as file:
        return file.read(len(vhd.MAGIC)) != vhd.MAGIC
