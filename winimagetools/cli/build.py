"""The commands that make an image; what was made goes to standard output."""

from __future__ import annotations

import argparse
from functools import partial

from winimagetools import log
from winimagetools.cli.output import write
from winimagetools.cli.show import report_json, summary
from winimagetools.image.request import Workflow
from winimagetools.workflows import build
from winimagetools.workflows.build import WorkflowFunction
from winimagetools.workflows.convert import convert_image
from winimagetools.workflows.matrix import again


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
    write(summary(again.resume(arguments.folder)))
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
        write(report_json(report))
    elif not vars(arguments).get("quiet"):
        write(summary(report))
    return 0


def _dry_run(workflow: Workflow, arguments: argparse.Namespace) -> int:
    log.warnings_only()
    lines = build.describe_build(
        workflow, arguments.config, overrides=arguments.overrides, strict=arguments.strict
    )
    write("\n".join([*lines, "Nothing was done."]))
    return 0
