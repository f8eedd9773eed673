"""The workflows that make or change an image, each as a contents page."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from winimagetools import log
from winimagetools.config import get_windows_image_config
from winimagetools.contract import Host
from winimagetools.formats.wim.editions import select_image
from winimagetools.host import select_host
from winimagetools.image import contents, inspection, preflight, servicing
from winimagetools.image.delivery import Output
from winimagetools.image.request import Request, Workflow
from winimagetools.model import MIB, DiskFormat

FREE_SPACE = 500 * MIB
"""Bytes left spare when a disk is shrunk, as in the reference."""


@dataclass(frozen=True)
class BuildReport:
    """What a workflow delivered.

    Args:
        size: bytes as stored.
        sha256: in hexadecimal; empty when it was not asked for.
    """

    path: Path
    description: str
    size: int
    sha256: str
    steps: tuple[log.StepRecord, ...]


class WorkflowFunction(Protocol):
    """One of the functions that make an image from a configuration."""

    def __call__(
        self,
        config_file_path: Path | str,
        *,
        overrides: Sequence[str] = (),
        strict: bool = False,
        host: Host | None = None,
        checksum: bool = True,
    ) -> BuildReport: ...


def new_windows_cloud_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
    checksum: bool = True,
) -> BuildReport:
    """Make an image from an installation medium, offline.

    The image still has to start once: it installs what is asked for, generalizes itself and
    powers off.

    Args:
        config_file_path: the configuration.
        overrides: ``section.key=value`` texts that win over the file.
        strict: refuse what otherwise only is warned about.
        host: the machine to work on; this one by default.
        checksum: compute the SHA-256 of the image, for which all of it is read.

    Raises:
        ConfigurationError, MediaError: nothing was started.
        HostError: this machine lacks something.
        BuildError: the build failed; an older image is still there.

    Port of ``New-WindowsCloudImage``.
    """
    return _workflow(
        Workflow.CLOUD, _cloud_image, config_file_path, overrides, strict, host, checksum
    )


def new_windows_online_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
    checksum: bool = True,
) -> BuildReport:
    """Make an image from an installation medium and finish it in a virtual machine.

    Arguments and errors are those of :func:`new_windows_cloud_image`. An older image stays
    until the new one is complete; the reference deleted it first.

    Port of ``New-WindowsOnlineImage``.
    """
    return _workflow(
        Workflow.ONLINE, _online_image, config_file_path, overrides, strict, host, checksum
    )


def new_windows_from_golden_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
    checksum: bool = True,
) -> BuildReport:
    """Make an image from a golden one, which is copied and never touched itself.

    Arguments and errors are those of :func:`new_windows_cloud_image`.

    Port of ``New-WindowsFromGoldenImage``.
    """
    return _workflow(
        Workflow.GOLDEN, _golden_image, config_file_path, overrides, strict, host, checksum
    )


def resize_vhd_image(
    virtual_disk_path: Path | str, free_space: int = FREE_SPACE, *, host: Host | None = None
) -> None:
    """Shrink a virtual disk and its largest volume as far as possible.

    Args:
        virtual_disk_path: a VHD or VHDX.
        free_space: bytes to leave spare.
        host: the machine to work on; this one by default.
    """
    host = host or select_host()
    with log.step(f"Shrink {virtual_disk_path}"):
        host.disks.shrink(Path(virtual_disk_path), free_space)


def _workflow(
    workflow: Workflow,
    make: Callable[[Host, Request, Path], Path],
    config_file_path: Path | str,
    overrides: Sequence[str],
    strict: bool,
    host: Host | None,
    checksum: bool,
) -> BuildReport:
    """What all workflows share: read, refuse, work in a private folder, report."""
    log.take_steps()
    host = host or select_host()
    config = get_windows_image_config(config_file_path, overrides=overrides, strict=strict)
    request = preflight.read_request(config, workflow, host)
    log.info(f"{request.output.path} will be {request.output.describe()}")
    with host.files.build_folder(request.output.path) as folder:
        image = make(host, request, folder)
        size, sha256 = host.files.measure(image, checksum)
        host.files.publish(image, request.output.path)
    return BuildReport(
        path=request.output.path,
        description=request.output.describe(),
        size=size,
        sha256=sha256,
        steps=tuple(log.take_steps()),
    )


def _cloud_image(host: Host, request: Request, folder: Path) -> Path:
    disk = _offline_disk(host, request, folder)
    return _package(host, disk, request.output)


def _online_image(host: Host, request: Request, folder: Path) -> Path:
    disk = _offline_disk(host, request, folder)
    _first_boot(host, request, disk, "WindowsOnlineImage-Sysprep")
    return _package(host, disk, request.output)


def _golden_image(host: Host, request: Request, folder: Path) -> Path:
    made_as = DiskFormat(request.golden.suffix[1:].upper())
    disk_path = folder / request.output.disk_name(made_as)
    with log.step(f"Copy {request.golden.name}"):
        host.disks.copy(request.golden, disk_path)
        host.disks.resize(disk_path, request.config.disk_size)
    with host.disks.open(disk_path) as disk:
        host.disks.extend_windows(disk)
        info = inspection.get_image_information(disk.tree, request.config.image_name)
        with log.step("Add drivers"):
            servicing.add_virtio_drivers(host, disk, request, info, folder=False)
            servicing.add_other_drivers(host, disk, request, info)
        host.boot.reset_search_order(disk)
        with log.step("Prepare what goes into the image"):
            contents.put_resources(host, disk.tree, request, info.architecture)
    _first_boot(host, request, disk_path, "WindowsGoldImage-Sysprep")
    return _package(host, disk_path, request.output)


def _offline_disk(host: Host, request: Request, folder: Path) -> Path:
    """Everything that is done to a disk before Windows starts for the first time."""
    config = request.config
    disk_path = folder / request.output.disk_name(host.disks.work_format)
    with host.media.open_install(request.wim) as media:
        image = select_image(media.images, config.image_name, request.wim, media.others)
        preflight.check_fits(request, image)
        servicing.check_drivers(host, request, image)
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
                servicing.add_to_image(host, disk, request, image)
            with log.step("Write the disk"):
                host.disks.finish(disk)
    return disk_path


def _first_boot(host: Host, request: Request, disk: Path, name: str) -> None:
    """Let Windows start once and finish itself, then make the disk small."""
    if request.config.run_sysprep:
        machine = preflight.vm_request(request, disk, f"{name}{secrets.randbelow(1 << 31)}")
        with log.step("Run the stage in the virtual machine"):
            host.vm.run_sysprep(machine)
    with log.step("Make the disk small"):
        if request.config.shrink_image_to_minimum_size:
            host.disks.shrink(disk, FREE_SPACE)
        host.disks.optimize(disk)


def _package(host: Host, disk: Path, output: Output) -> Path:
    """Convert and wrap the disk; the result still lies in the private folder of the build."""
    image = disk.with_name(output.disk_name(output.disk_format))
    if image != disk:
        with log.step(f"Convert to {output.disk_format}"):
            host.files.convert(disk, image, output.disk_format, output.compress_qcow2)
            host.files.remove(disk)
    if output.compression:
        with log.step(f"Compress as {'.'.join(output.compression)}"):
            image = host.files.compress(image, output.compression, output.password)
    return image
