"""A finished disk becomes an image in another container or wrapping, with its report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Unpack

from winimagetools import log
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import RequestError
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.formats.images.probe import trusted_container
from winimagetools.host import select_host
from winimagetools.image import preflight
from winimagetools.image.delivery import with_checksum
from winimagetools.image.request import Workflow
from winimagetools.image.wrapped import refuse_wrapped
from winimagetools.model import DiskFormat
from winimagetools.output.convert import container_to_read
from winimagetools.output.report.folder import check_place, folder_of, read_record, write_record
from winimagetools.output.report.pictures import read_pictures
from winimagetools.output.report.provenance import load_key
from winimagetools.plan import Delivery, DiskFile, Requirements
from winimagetools.settings.options import OPTIONS, WindowsImageConfig
from winimagetools.stamp import Stamp
from winimagetools.workflows.asked import Asked, BuildOptions
from winimagetools.workflows.build import BuildReport
from winimagetools.workflows.finish import copy_disk, package
from winimagetools.workflows.report import now

_OF_DELIVERY = (
    *("image_path", "virtual_disk_format", "vhd_subformat", "compress_qcow2"),
    "compression_format",
)
"""What a configuration says about the form of an image."""


def convert_image(
    disk: Path | str, config_file_path: Path | str, **options: Unpack[BuildOptions]
) -> BuildReport:
    """Make an image of a disk that is finished, which stays as it is.

    Of the configuration counts what it says about the form of the image: ``image_path``,
    ``virtual_disk_format``, ``vhd_subformat``, ``compress_qcow2``, ``compression_format`` and
    ``zip_password``. A report beside the disk becomes that of the image, with the same contents.

    ``disk`` is the disk, in any container. The other arguments and the errors are those of
    :func:`winimagetools.workflows.build.new_windows_cloud_image`.
    """
    log.take_steps()
    asked, disk = Asked(**options), Path(disk).absolute()
    host = asked.host or select_host()
    key = asked.sign_key if asked.report else None
    signer = load_key(Path(key)) if key is not None else None
    found = read_config(config_file_path, overrides=asked.overrides, strict=asked.strict)
    request = preflight.read_request(found, Workflow.CONVERT, host)
    delivery = with_checksum(request.delivery, asked.checksum)
    taken = found.attempt("image_path", lambda: _check_disk(disk, delivery), host.work_format)
    if taken is not host.work_format:
        needs = Requirements(request.layout, (host.work_format,), form_only=True)
        lacking = host.checks.check(needs)
        found.problems += [problem for problem in lacking if problem not in found.problems]
    found.settle()
    record = read_record(disk) if asked.report else None
    if record is not None:
        check_place(delivery.path)
    log.expect_steps(_count_steps(host, disk, delivery))
    with host.files.build_folder(delivery.path) as folder:
        image = _make(host, disk, folder, delivery, stamp_of(record))
        with log.step("Deliver the image"):
            size, sha256 = host.files.measure(image.path, delivery.checksum and not image.sha256)
            sha256 = image.sha256 or sha256
            if record is not None:
                made = _record(record, found.config, delivery, size, sha256)
                pictures = read_pictures(folder_of(disk), record)
                write_record(folder / "report", made, signer, pictures)
            report = folder / "report" if record is not None else None
            host.files.publish(image.path, delivery.path, asked.mode, report)
    return BuildReport(
        path=delivery.path,
        description=delivery.describe(),
        size=size,
        sha256=sha256,
        steps=tuple(log.take_steps()),
        report=folder_of(delivery.path) if record is not None else None,
    )


def _make(
    host: Host, disk: Path, folder: Path, delivery: Delivery, stamp: Stamp | None
) -> DiskFile:
    """The image, in the private folder; a raw disk is read once, unless the image is wrapped."""
    if not _is_read_once(host, disk, delivery):
        return package(host, DiskFile(copy_disk(host, disk, folder, delivery)), delivery, stamp)
    image = folder / delivery.disk_name(delivery.disk_format)
    with log.step(f"Make the {delivery.disk_format} of {disk.name}"):
        host.files.become(
            disk,
            image,
            delivery.disk_format,
            compress=delivery.compress_qcow2,
            fixed=delivery.fixed_vhd,
            keep=True,
            checksum=delivery.checksum,
            stamp=stamp,
        )
    return DiskFile(image)


def _is_read_once(host: Host, disk: Path, delivery: Delivery) -> bool:
    raw = host.work_format is DiskFormat.RAW
    return raw and not delivery.compression and container_to_read(disk) is DiskFormat.RAW


def stamp_of(record: dict[str, Any] | None) -> Stamp | None:
    """Ids and time of a disk, which its containers share with those of a build that made one.

    Args:
        record: the report of the disk.

    Returns:
        None for a disk without a report, or with one that does not say it.
    """
    if record is None:
        return None
    try:
        return Stamp(int(record["source_date_epoch"]), bytes.fromhex(record["seed"]))
    except (KeyError, TypeError, ValueError):
        return None


def _check_disk(disk: Path, delivery: Delivery) -> DiskFormat:
    """The container of the disk. Raises RequestError or MediaError when it is of no use."""
    refuse_other_than_file(disk)
    if not disk.is_file():
        raise RequestError(f"The disk {disk} does not exist.", "Check the path.")
    if delivery.path.exists() and delivery.path.samefile(disk):
        raise RequestError(
            f"{delivery.path} is the disk itself.", "Let image_path name another file."
        )
    refuse_wrapped(disk)
    return trusted_container(disk)


def _count_steps(host: Host, disk: Path, delivery: Delivery) -> int:
    if _is_read_once(host, disk, delivery):
        return 2
    converted = delivery.disk_format is not host.work_format
    return sum((True, converted, bool(delivery.compression), True))


def _record(
    record: dict[str, Any],
    config: WindowsImageConfig,
    delivery: Delivery,
    size: int,
    sha256: str,
) -> dict[str, Any]:
    """The report of the disk, told of the image."""
    image = {
        **record["image"],
        "file": delivery.path.name,
        "format": delivery.describe(),
        "size": size,
        "sha256": sha256,
    }
    own = {
        option.name: {
            "value": getattr(config, option.name),
            "explicit": config.origin.is_explicit(option.name),
        }
        for option in OPTIONS
        if option.name in _OF_DELIVERY
    }
    return {
        **record,
        "finished": now().isoformat(timespec="seconds"),
        "image": image,
        "options": [{**item, **own.get(item["key"], {})} for item in record["options"]],
        "steps": [*record["steps"], *(dataclasses.asdict(step) for step in log.steps_so_far())],
    }
