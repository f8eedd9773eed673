"""What each command of the command line does; results go to standard output."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from winimagetools import config, ini, log
from winimagetools.cli import look
from winimagetools.cli.guides import list_guides, read_guide
from winimagetools.cli.ini_advice import doubt, where_it_is
from winimagetools.cli.powershell_modules import write_powershell_modules
from winimagetools.cli.show import (
    config_json,
    config_lines,
    images_json,
    images_table,
    report_json,
    summary,
)
from winimagetools.errors import RequestError, WinImageError
from winimagetools.formats.ini_document import IniFile
from winimagetools.formats.wim.editions import read_wim
from winimagetools.host import attached_volume
from winimagetools.image.drivers.virtio import add_virtio_drivers_from_iso
from winimagetools.image.request import Workflow
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo
from winimagetools.settings.declaration import parse_size
from winimagetools.workflows import build
from winimagetools.workflows import look as looking
from winimagetools.workflows.build import WorkflowFunction
from winimagetools.workflows.check import check_offline_image
from winimagetools.workflows.convert import convert_image
from winimagetools.workflows.look import inspect_image
from winimagetools.workflows.resume import resume_image


def _write(text: str) -> None:
    sys.stdout.write(log.printable(text) + "\n")


def new_config(arguments: argparse.Namespace) -> int:
    """``new-config``."""
    config.new_windows_image_config(arguments.config, force=arguments.force)
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


def cloud_image(arguments: argparse.Namespace) -> int:
    """``cloud-image``."""
    if arguments.dry_run:
        return _dry_run(Workflow.CLOUD, arguments)
    workflow: WorkflowFunction = build.new_windows_cloud_image
    if arguments.verify:
        workflow = partial(build.new_windows_cloud_image, verify=True)
    return _build(workflow, arguments)


def online_image(arguments: argparse.Namespace) -> int:
    """``online-image``."""
    if arguments.dry_run:
        return _dry_run(Workflow.ONLINE, arguments)
    more = {"offline_disk": arguments.offline_disk, "verify": arguments.verify}
    workflow: WorkflowFunction = build.new_windows_online_image
    if given := {name: value for name, value in more.items() if value}:
        workflow = partial(build.new_windows_online_image, **given)
    return _build(workflow, arguments)


def convert(arguments: argparse.Namespace) -> int:
    """``convert``."""
    return _build(partial(convert_image, arguments.disk), arguments)


def golden_image(arguments: argparse.Namespace) -> int:
    """``golden-image``."""
    return _build(build.new_windows_from_golden_image, arguments)


def resume(arguments: argparse.Namespace) -> int:
    """``resume``."""
    _write(summary(resume_image(arguments.folder)))
    return 0


def check_image(arguments: argparse.Namespace) -> int:
    """``test-image``: a line for each check; exit code 1 when one of them failed."""
    report = check_offline_image(
        arguments.config,
        overrides=arguments.overrides,
        strict=arguments.strict,
        thorough=arguments.strict_ntfs,
        boot=arguments.boot,
        accel=arguments.accel,
    )
    _write(look.report_json(report) if arguments.json else look.report_text(report))
    return 1 if report.failed else 0


def inspect(arguments: argparse.Namespace) -> int:
    """``inspect``."""
    found = inspect_image(arguments.image)
    _write(look.description_json(found) if arguments.json else look.description_text(found))
    return 0


def list_folder(arguments: argparse.Namespace) -> int:
    """``ls``."""
    items = looking.list_folder(arguments.place)
    text = look.listing_json(items) if arguments.json else look.listing_text(items)
    if text:
        _write(text)
    return 0


def copy_out(arguments: argparse.Namespace) -> int:
    """``copy-out``: prints the path of each file that was made."""
    for path in looking.copy_out(arguments.place, arguments.folder):
        _write(str(path))
    return 0


def shrink(arguments: argparse.Namespace) -> int:
    """``shrink``."""
    text = arguments.free_space.strip()
    build.resize_vhd_image(arguments.disk, 0 if text == "0" else parse_size(text))
    return 0


def extend(arguments: argparse.Namespace) -> int:
    """``extend``."""
    build.extend_image(arguments.image, parse_size(arguments.size) if arguments.size else 0)
    return 0


def add_virtio_drivers(arguments: argparse.Namespace) -> int:
    """``add-virtio-drivers``."""
    info = image_info(
        arguments.image_version, arguments.image_architecture, arguments.installation_type
    )
    host, disk = attached_volume(arguments.drive)
    add_virtio_drivers_from_iso(host, disk, info, arguments.iso)
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


def guide(arguments: argparse.Namespace) -> int:
    """``guide``: one of them, or what there is."""
    _write(read_guide(arguments.name) if arguments.name else list_guides())
    return 0


def powershell_modules(arguments: argparse.Namespace) -> int:
    """``powershell-modules``: prints the path of each module."""
    for path in write_powershell_modules(Path(arguments.folder)):
        _write(str(path))
    return 0


def _build(workflow: WorkflowFunction, arguments: argparse.Namespace) -> int:
    report = workflow(
        arguments.config,
        overrides=arguments.overrides,
        strict=arguments.strict,
        checksum=arguments.checksum,
        report=arguments.report,
        sign_key=arguments.sign_key,
        mode=arguments.mode,
    )
    log.result(summary(report))
    if arguments.json:
        _write(report_json(report))
    elif not vars(arguments).get("quiet"):
        _write(summary(report))
    return 0


def _dry_run(workflow: Workflow, arguments: argparse.Namespace) -> int:
    log.warnings_only()
    lines = build.describe_build(
        workflow, arguments.config, overrides=arguments.overrides, strict=arguments.strict
    )
    _write("\n".join([*lines, "Nothing was done."]))
    return 0


def ini_get(arguments: argparse.Namespace) -> int:
    """``ini get``: exit code 1 when there is no such key and no default for it."""
    document = IniFile.read(Path(arguments.path))
    if arguments.default is None and document.get(arguments.section, arguments.key) is None:
        raise WinImageError(
            f"{arguments.path} has no {arguments.key} in [{arguments.section}].",
            where_it_is(document, arguments.key),
        )
    value = ini.get_ini_file_value(
        arguments.path,
        arguments.key,
        arguments.section,
        arguments.default,
        as_boolean=arguments.as_boolean,
    )
    # Not masked: a script asked for this very value, and has the file.
    sys.stdout.write(f"{value}\n")
    return 0


def ini_set(arguments: argparse.Namespace) -> int:
    """``ini set``: a key that no build reads is set with a warning."""
    document = IniFile.read(Path(arguments.path))
    message, hint = doubt(document, arguments.section, arguments.key)
    ini.set_ini_file_value(arguments.path, arguments.key, arguments.value, arguments.section)
    if message:
        log.warning(f"{message} {hint}")
    return 0


def ini_remove(arguments: argparse.Namespace) -> int:
    """``ini remove``."""
    ini.remove_ini_file_value(arguments.path, arguments.key, arguments.section)
    return 0
