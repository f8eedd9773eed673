"""What each command of the command line does; results go to standard output."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from winimagetools import builder, config, ini, log
from winimagetools.declaration import parse_size
from winimagetools.errors import RequestError
from winimagetools.host import attached_volume, describe_hosts, select_host
from winimagetools.host.base import Host, ImageInfo
from winimagetools.host.dry_run import dry_run_of
from winimagetools.model import Architecture, WimImage, WindowsVersion
from winimagetools.options import OPTIONS, WindowsImageConfig
from winimagetools.powershell_modules import write_powershell_modules
from winimagetools.wim import read_wim


def _write(text: str) -> None:
    sys.stdout.write(log.mask(text) + "\n")


def new_config(arguments: argparse.Namespace) -> int:
    """``new-config``."""
    config.new_windows_image_config(arguments.config)
    log.info(f"{arguments.config} was written.")
    return 0


def show_config(arguments: argparse.Namespace) -> int:
    """``show-config``: lines for people with secrets hidden, or JSON for programs."""
    settings = config.get_windows_image_config(
        arguments.config, overrides=arguments.overrides, strict=arguments.strict
    )
    if arguments.json:
        # Not masked: the caller asked for what is in the file, and has the file.
        sys.stdout.write(config_json(settings) + "\n")
    else:
        _write(config_lines(settings))
    return 0


def config_json(settings: WindowsImageConfig) -> str:
    """All options by name as one JSON object, passwords and keys included."""
    return json.dumps({option.name: getattr(settings, option.name) for option in OPTIONS}, indent=2)


def config_lines(settings: WindowsImageConfig) -> str:
    """All options by section as an ini file would have them; the log knows what to hide."""
    lines: list[str] = []
    for option in OPTIONS:
        if f"[{option.section}]" not in lines:
            lines.append(f"[{option.section}]")
        value = getattr(settings, option.name)
        lines.append(f"{option.name} = {value}".rstrip())
    return "\n".join(lines)


def wim_info(arguments: argparse.Namespace) -> int:
    """``wim-info``: a table for people or JSON for programs."""
    info = read_wim(Path(arguments.wim))
    for other in info.others:
        log.warning(f'Image {other.index} ("{other.name}") is left out because it {other.reason}.')
    if arguments.json:
        _write(images_json(info.images))
    elif info.images:
        _write(images_table(info.images))
    return 0


def images_json(images: Sequence[WimImage]) -> str:
    """All fields of all images as JSON."""
    records = [{**dataclasses.asdict(image), "version": str(image.version)} for image in images]
    return json.dumps(records, indent=2)


def images_table(images: Sequence[WimImage]) -> str:
    """The fields one chooses an edition by, as a table."""
    head = ("Index", "Name", "Architecture", "Version", "Type", "On disk", "Language")
    rows = [
        (
            str(image.index),
            image.name,
            str(image.architecture),
            str(image.version),
            image.installation_type,
            log.size(image.disk_bytes),
            image.default_language,
        )
        for image in images
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def cloud_image(arguments: argparse.Namespace) -> int:
    """``cloud-image``."""
    return _build(builder.new_windows_cloud_image, arguments)


def online_image(arguments: argparse.Namespace) -> int:
    """``online-image``."""
    return _build(builder.new_windows_online_image, arguments)


def golden_image(arguments: argparse.Namespace) -> int:
    """``golden-image``."""
    return _build(builder.new_windows_from_golden_image, arguments)


def check_image(arguments: argparse.Namespace) -> int:
    """``test-image``: no more than a line in the log when the image is right."""
    builder.test_offline_windows_image(
        arguments.config, overrides=arguments.overrides, strict=arguments.strict
    )
    return 0


def shrink(arguments: argparse.Namespace) -> int:
    """``shrink``."""
    text = arguments.free_space.strip()
    builder.resize_vhd_image(arguments.disk, 0 if text == "0" else parse_size(text))
    return 0


def add_virtio_drivers(arguments: argparse.Namespace) -> int:
    """``add-virtio-drivers``."""
    info = image_info(
        arguments.image_version, arguments.image_architecture, arguments.installation_type
    )
    host, disk = attached_volume(arguments.drive)
    builder.add_virtio_drivers_from_iso(host, disk, info, arguments.iso)
    return 0


def image_info(version: str, architecture: str, installation_type: str) -> ImageInfo:
    """What Windows a volume holds, from words of the command line.

    Raises:
        RequestError: one of them is not understood.
    """
    name = architecture.strip().casefold()
    try:
        known = Architecture.X86 if name == "i386" else Architecture(name)
    except ValueError as error:
        raise RequestError(
            f"{architecture!r} is not an architecture.", f"Use one of {', '.join(Architecture)}."
        ) from error
    try:
        return ImageInfo(WindowsVersion.parse(version), known, installation_type)
    except ValueError as error:
        raise RequestError(f"{error}.", "wim-info shows it.") from error


def powershell_modules(arguments: argparse.Namespace) -> int:
    """``powershell-modules``: prints the path of each module."""
    for path in write_powershell_modules(Path(arguments.folder)):
        _write(str(path))
    return 0


def _build(workflow: builder.WorkflowFunction, arguments: argparse.Namespace) -> int:
    host: Host | None = None
    if arguments.dry_run:
        log.warnings_only()
        host = dry_run_of(select_host(), _write)
    report = workflow(
        arguments.config,
        overrides=arguments.overrides,
        strict=arguments.strict,
        host=host,
        checksum=arguments.checksum,
    )
    if arguments.dry_run:
        _write(f"{report.path} would be {report.description}; nothing was done.")
    else:
        _write(summary(report))
    return 0


def summary(report: builder.BuildReport) -> str:
    """What was made: time per step, size, format, checksum."""
    lines = [
        f"{'  ' * step.depth}{step.name}: {log.duration(step.seconds)}" for step in report.steps
    ]
    total = sum(step.seconds for step in report.steps if step.depth == 0)
    return "\n".join(
        [
            *lines,
            f"Total: {log.duration(total)}",
            f"Image:   {report.path}",
            f"Format:  {report.description}",
            f"Size:    {log.size(report.size)} ({report.size} bytes)",
            f"SHA-256: {report.sha256 or 'not computed'}",
        ]
    )


def ini_get(arguments: argparse.Namespace) -> int:
    """``ini get``."""
    value = ini.get_ini_file_value(
        arguments.path,
        arguments.key,
        arguments.section,
        arguments.default,
        as_boolean=arguments.as_boolean,
    )
    _write(str(value))
    return 0


def ini_set(arguments: argparse.Namespace) -> int:
    """``ini set``."""
    ini.set_ini_file_value(arguments.path, arguments.key, arguments.value, arguments.section)
    return 0


def ini_remove(arguments: argparse.Namespace) -> int:
    """``ini remove``."""
    ini.remove_ini_file_value(arguments.path, arguments.key, arguments.section)
    return 0


def doctor(_: argparse.Namespace) -> int:
    """``doctor``: exit code 3 when something is missing."""
    lines, complete = describe_hosts()
    _write("\n".join(lines))
    return 0 if complete else 3
