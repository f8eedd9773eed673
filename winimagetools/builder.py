"""The workflows, each as a contents page: when what happens to an image.

``python -m winimagetools.builder New-WindowsCloudImage -ConfigFilePath config.ini`` is the
command line of :mod:`winimagetools.cli` under the name of the PowerShell module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.config import get_windows_image_config, new_windows_image_config
from winimagetools.host import select_host
from winimagetools.host.base import Host
from winimagetools.image import additions, contents, preflight
from winimagetools.image.output import Output
from winimagetools.image.request import Request, Workflow
from winimagetools.image.virtio import add_virtio_drivers_from_iso
from winimagetools.wim import get_wim_file_images_info, select_image

__all__ = [
    "add_virtio_drivers_from_iso",
    "get_wim_file_images_info",
    "get_windows_image_config",
    "new_windows_cloud_image",
    "new_windows_image_config",
]


@dataclass(frozen=True)
class BuildReport:
    """What a workflow delivered; ``size`` in bytes as stored, ``sha256`` in hexadecimal."""

    path: Path
    description: str
    size: int
    sha256: str
    steps: tuple[log.StepRecord, ...]


def new_windows_cloud_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
) -> BuildReport:
    """Make an image from an installation medium, offline.

    The image still has to start once: it installs what is asked for, generalizes itself and
    powers off. Port of ``New-WindowsCloudImage``.

    Args:
        config_file_path: the configuration.
        overrides: ``section.key=value`` texts that win over the file.
        strict: refuse what otherwise only is warned about.
        host: the machine to work on; this one by default.

    Raises:
        ConfigurationError, MediaError: nothing was started.
        HostError: this machine lacks something.
        BuildError: the build failed; an older image is still there.
    """
    return _workflow(Workflow.CLOUD, _cloud_image, config_file_path, overrides, strict, host)


def _workflow(
    workflow: Workflow,
    make: Callable[[Host, Request, Path], None],
    config_file_path: Path | str,
    overrides: Sequence[str],
    strict: bool,
    host: Host | None,
) -> BuildReport:
    """What all workflows share: read, refuse, work in a private folder, report."""
    log.take_steps()
    host = host or select_host()
    config = get_windows_image_config(config_file_path, overrides=overrides, strict=strict)
    request = preflight.read_request(config, workflow, host)
    log.info(f"{request.output.path} will be {request.output.describe()}")
    with host.files.build_folder(request.output.path) as folder:
        make(host, request, folder)
    with log.step("Compute the checksum"):
        size, sha256 = host.files.measure(request.output.path)
    return BuildReport(
        path=request.output.path,
        description=request.output.describe(),
        size=size,
        sha256=sha256,
        steps=tuple(log.take_steps()),
    )


def _cloud_image(host: Host, request: Request, folder: Path) -> None:
    disk_path = folder / f"disk.{host.disks.work_format.extension}"
    _offline_disk(host, request, folder, disk_path)
    _deliver(host, disk_path, request.output)


def _offline_disk(host: Host, request: Request, folder: Path, disk_path: Path) -> None:
    """Everything that is done to a disk before Windows starts for the first time."""
    config = request.config
    with host.media.open_install(request.wim, folder) as media:
        image = select_image(media.images, config.image_name, request.wim)
        preflight.check_fits(request, image)
        host.servicing.check_version(image)
        with host.disks.create(disk_path, config.disk_size, request.layout) as disk:
            with log.step("Prepare what goes into the image"):
                contents.put_answer_file(disk.tree, request, image)
                contents.put_resources(host, disk.tree, request, image.architecture)
            with log.step(f"Apply {image.name}"):
                host.servicing.apply_image(disk, media, image)
            with log.step("Make the disk bootable"):
                host.boot.create_boot_config(disk, image)
            with log.step("Add drivers, features and packages"):
                additions.add_to_image(host, disk, request, image)
            with log.step("Write the disk"):
                host.disks.finish(disk)


def _deliver(host: Host, disk_path: Path, output: Output) -> None:
    """Convert, wrap and put the image under its final name, in one step at the very end."""
    image = disk_path.with_name(output.disk_name)
    if output.disk_format is not host.disks.work_format:
        with log.step(f"Convert to {output.disk_format}"):
            host.files.convert(disk_path, image, output.disk_format, output.compress_qcow2)
            host.files.remove(disk_path)
    else:
        host.files.publish(disk_path, image)
    if output.compression:
        with log.step(f"Compress as {'.'.join(output.compression)}"):
            image = host.files.compress(image, output.compression, output.password)
    host.files.publish(image, output.path)


def _main() -> int:
    from winimagetools.cli import main

    return main()


if __name__ == "__main__":
    raise SystemExit(_main())
