"""The workflow that checks a finished image, with or without its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.checks.finished import check_image
from winimagetools.checks.result import Result, State, failures
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import BuildError
from winimagetools.formats.images.probe import container_of
from winimagetools.host import select_host
from winimagetools.image import preflight
from winimagetools.image.request import Request, Workflow
from winimagetools.image.wrapped import is_wrapped
from winimagetools.model import DiskFormat
from winimagetools.workflows.opened import opened_image
from winimagetools.workflows.start import prove_start

_DISKS = (*(each.extension for each in DiskFormat), "img", "dd")


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
    boot: bool = False,
    accel: str = "auto",
    host: Host | None = None,
) -> CheckReport:
    """Make every check of a finished image that can be made without starting it.

    Args:
        path: a configuration, or an image of any container, wrapped or not.
        overrides: ``section.key=value`` texts that win over the configuration.
        strict: a warning about the configuration refuses it, and one about the image is a fault.
        thorough: compare everything in the NTFS volume, which takes seconds more.
        boot: start it in a machine that forgets what is written, until its boot manager goes on.
        accel: ``auto``, ``kvm`` or ``tcg``, for that machine.
        host: the machine to work on; this one by default.

    Raises:
        ConfigurationError: there is no image, or the configuration is wrong.
        MediaError: the image holds no Windows that can be looked at.
        HostError: this machine lacks something, or cannot start another one.
    """
    host, path = host or select_host(), Path(path)
    request = None if is_image(path) else _read(host, path, overrides, strict)
    image = path if request is None else request.delivery.path
    with opened_image(host, image, request, thorough=thorough) as subject:
        results = check_image(subject)
        if boot:
            results = (*results, prove_start(host, subject, accel))
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
    if suffix in _DISKS or is_wrapped(path):
        return True
    return path.is_file() and path.stat().st_size > 0 and container_of(path) is not DiskFormat.RAW


# A function of the PowerShell tools, not a test to collect.
test_offline_windows_image.__test__ = False  # type: ignore[attr-defined]
