"""The workflow that checks a finished image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.checks.finished import check_finished, expected_format
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import BuildError
from winimagetools.host import select_host
from winimagetools.image import preflight
from winimagetools.image.request import Request, Workflow
from winimagetools.model import DiskFormat


def test_offline_windows_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
) -> None:
    """Check a finished image without starting it: container, Cloudbase-Init, hooks, drivers.

    Arguments are those of :func:`new_windows_cloud_image`.

    Raises:
        ConfigurationError: there is no image, or the configuration is wrong.
        BuildError: the image is not what the configuration asks for.

    Port of ``Test-OfflineWindowsImage``.
    """
    host = host or select_host()
    found = read_config(config_file_path, overrides=overrides, strict=strict)
    request = preflight.read_request(found, Workflow.TEST, host)
    found.settle()
    with host.files.build_folder(request.delivery.path) as folder:
        _check_image(host, request, folder)
    log.info(f"{request.delivery.path} is what the configuration asks for.")


def _check_image(host: Host, request: Request, folder: Path) -> None:
    image = request.delivery.path
    for layer in reversed(request.delivery.compression):
        with log.step(f"Unwrap {layer}"):
            image = host.files.decompress(image, folder, layer, request.delivery.password)
    wanted = expected_format(request.image_type, image)
    if image.suffix.casefold() != f".{wanted.extension}":
        raise BuildError(f"{image.name} does not end in .{wanted.extension}.")
    found = host.files.image_format(image)
    if found != wanted.qemu_name:
        raise BuildError(f"{image.name} is {found} inside, not {wanted.qemu_name}.")
    if wanted not in (DiskFormat.VHD, DiskFormat.VHDX, host.work_format):
        disk_path = folder / request.delivery.disk_name(host.work_format)
        with log.step(f"Convert to {host.work_format}"):
            host.files.convert(image, disk_path, host.work_format, False)
        image = disk_path
    with host.disks.open(image, read_only=True) as disk:
        check_finished(host, disk, request)


# A function of the PowerShell tools, not a test to collect.
test_offline_windows_image.__test__ = False  # type: ignore[attr-defined]
