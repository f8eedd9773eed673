"""Opening a finished image for looking at it, whatever it is wrapped in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winimagetools import log
from winimagetools.checks.subject import Subject
from winimagetools.contract import Host
from winimagetools.errors import MediaError, raise_problems
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.image.request import Request
from winimagetools.image.wrapped import foreign_wrapping, layers_of
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements


@contextmanager
def opened_image(
    host: Host, image: Path, request: Request | None = None, *, thorough: bool = False
) -> Iterator[Subject]:
    """Open a finished image for looking at it; not one byte of it changes.

    Args:
        host: the machine to work on.
        image: of any container; what is in a wrapped one is put into a private folder first.
        request: what the configuration asks for; None without one.
        thorough: compare everything in the NTFS volume.

    Raises:
        RequestError: it is no file.
        MediaError: it holds no Windows that can be looked at.
        HostError: this machine lacks something.
    """
    refuse_other_than_file(image)
    if not image.is_file():
        raise MediaError(f"The image {image} does not exist.", "Give the path of a file.")
    if foreign := foreign_wrapping(image):
        raise MediaError(*foreign)
    raise_problems(host.checks.check(Requirements(DiskLayout.UEFI, existing_disk=True)))
    layers = layers_of(image) if request is None else request.delivery.compression
    password = "" if request is None else request.delivery.password
    with _private_folder(host, image, bool(layers)) as folder:
        disk = image
        if layers:
            with log.step(f"Unwrap {'.'.join(layers)}"):
                disk = host.files.decompress(image, folder, layers, password)
        container = _container(host, disk)
        with (
            _attachable(host, disk, container, folder) as attached,
            host.disks.open(attached, read_only=True) as opened,
            Subject(
                image,
                disk,
                container,
                opened.tree,
                tuple(host.servicing.list_drivers(opened)),
                host.disks.facts(opened),
                request,
                host.disks.windows_volume(opened),
                thorough,
            ) as subject,
        ):
            yield subject


@contextmanager
def _private_folder(host: Host, image: Path, needed: bool) -> Iterator[Path]:
    """A folder beside the image where something has to be written; a look needs none."""
    if not needed and all(host.disks.opens(each) for each in DiskFormat):
        yield image.parent
        return
    with host.files.build_folder(image) as folder:
        yield folder


def _container(host: Host, disk: Path) -> DiskFormat:
    found = host.files.image_format(disk)
    for each in DiskFormat:
        if found == each.qemu_name:
            return each
    raise MediaError(f"{disk.name} is {found} inside, which holds no Windows.")


@contextmanager
def _attachable(host: Host, disk: Path, container: DiskFormat, folder: Path) -> Iterator[Path]:
    """The disk in a container this host opens."""
    if host.disks.opens(container):
        yield disk
        return
    converted = folder / f"{disk.stem}.{host.work_format.extension}"
    with log.step(f"Convert to {host.work_format}"):
        host.files.convert(disk, converted, host.work_format, False)
    yield converted
