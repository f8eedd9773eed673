"""The workflow that checks a finished image, with or without its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.checks.finished import check_image
from winimagetools.checks.result import Result, State, failures
from winimagetools.checks.subject import Subject
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import BuildError, MediaError, raise_problems
from winimagetools.formats.images.probe import container_of
from winimagetools.host import select_host
from winimagetools.image import preflight
from winimagetools.image.delivery import COMPRESSIONS
from winimagetools.image.request import Request, Workflow
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements

_DISKS = (*(each.extension for each in DiskFormat), "img", "dd")
_WRAPPED = {"tgz": ("tar", "gz"), **{layer: (layer,) for layer in COMPRESSIONS}}


@dataclass(frozen=True)
class CheckReport:
    """What the checks of an image came to.

    Args:
        image: the image.
        results: one for each check that matters for it.
    """

    image: Path
    results: tuple[Result, ...]

    @property
    def failed(self) -> bool:
        """Whether the image has a fault."""
        return bool(failures(self.results))


def test_offline_windows_image(
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
) -> None:
    """Check a finished image without starting it.

    Arguments are those of :func:`check_offline_image`.

    Raises:
        ConfigurationError: there is no image, or the configuration is wrong.
        BuildError: the image is not what it should be; every fault is named.

    Port of ``Test-OfflineWindowsImage``.
    """
    report = check_offline_image(config_file_path, overrides=overrides, strict=strict, host=host)
    for result in report.results:
        if result.state is State.WARNING:
            log.warning(str(result))
        elif result.state is State.OK:
            log.info(result.text)
    raise_faults(report)
    log.info(f"{report.image} is what it should be.")


def raise_faults(report: CheckReport) -> None:
    """Raise BuildError when an image has a fault."""
    faults = failures(report.results)
    if len(faults) == 1:
        raise BuildError(f"{report.image.name}: {faults[0].text}", faults[0].hint)
    if faults:
        lines = "".join(f"\n  - {fault}" for fault in faults)
        raise BuildError(f"{report.image} has {len(faults)} faults:{lines}")


def check_offline_image(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    thorough: bool = False,
    host: Host | None = None,
) -> CheckReport:
    """Make every check of a finished image that can be made without starting it.

    Args:
        path: a configuration, or an image of any container, wrapped or not.
        overrides: ``section.key=value`` texts that win over the configuration.
        strict: a warning about the configuration refuses it, and one about the image is a fault.
        thorough: compare everything in the NTFS volume, which takes seconds more.
        host: the machine to work on; this one by default.

    Raises:
        ConfigurationError: there is no image, or the configuration is wrong.
        MediaError: the image holds no Windows that can be looked at.
    """
    host, path = host or select_host(), Path(path)
    request = None if is_image(path) else _read(host, path, overrides, strict)
    image = path if request is None else request.delivery.path
    with opened_image(host, image, request, thorough=thorough) as subject:
        results = check_image(subject)
    return CheckReport(image, _judged(results) if strict else results)


def _judged(results: Sequence[Result]) -> tuple[Result, ...]:
    """With ``--strict`` what one should know is a fault."""
    return tuple(
        Result(item.name, State.FAILED, item.text, item.hint)
        if item.state is State.WARNING
        else item
        for item in results
    )


def _read(host: Host, path: Path, overrides: Sequence[str], strict: bool) -> Request:
    found = read_config(path, overrides=overrides, strict=strict)
    request = preflight.read_request(found, Workflow.TEST, host)
    found.settle()
    return request


def is_image(path: Path) -> bool:
    """Whether a file is a disk image, by its name or its content, and no configuration."""
    suffix = path.suffix.casefold()[1:]
    if suffix in _DISKS or suffix in _WRAPPED:
        return True
    return path.is_file() and path.stat().st_size > 0 and container_of(path) is not DiskFormat.RAW


@contextmanager
def opened_image(
    host: Host, image: Path, request: Request | None = None, *, thorough: bool = False
) -> Iterator[Subject]:
    """Open a finished image for looking at it; not one byte of it changes.

    Args:
        host: the machine to work on.
        image: of any container; wrapped ones are unwrapped into a private folder first.
        request: what the configuration asks for; None without one.
        thorough: compare everything in the NTFS volume.

    Raises:
        MediaError: it holds no Windows that can be looked at.
        HostError: this machine lacks something.
    """
    if not image.is_file():
        raise MediaError(f"The image {image} does not exist.", "Give the path of a file.")
    raise_problems(host.checks.check(Requirements(DiskLayout.UEFI, existing_disk=True)))
    layers = layers_of(image) if request is None else request.delivery.compression
    password = "" if request is None else request.delivery.password
    with _private_folder(host, image, bool(layers)) as folder:
        disk = image
        for layer in reversed(layers):
            with log.step(f"Unwrap {layer}"):
                inner = host.files.decompress(disk, folder, layer, password)
            if disk != image:
                host.files.remove(disk)
            disk = inner
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


def layers_of(image: Path) -> tuple[str, ...]:
    """How an image is wrapped, by its name, innermost first."""
    layers: tuple[str, ...] = ()
    for suffix in reversed(image.suffixes):
        found = _WRAPPED.get(suffix.casefold()[1:])
        if found is None:
            break
        layers = (*found, *layers)
    return layers


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


# A function of the PowerShell tools, not a test to collect.
test_offline_windows_image.__test__ = False  # type: ignore[attr-defined]
