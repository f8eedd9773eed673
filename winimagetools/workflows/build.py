"""The workflows that make or change an image, each as a contents page."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, Unpack

from winimagetools import log
from winimagetools.checks.evidence import keep_evidence
from winimagetools.checks.first_boot import judge_first_boot
from winimagetools.contract import Disk, Host, InstallMedia
from winimagetools.errors import BuildError, RequestError
from winimagetools.facts.boot_authority import BootManager
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.files.target import describe_replaced
from winimagetools.host import select_host
from winimagetools.host.carry_out import change_files, take_steps
from winimagetools.image import inspection
from winimagetools.image.boot_manager import (
    check_boot_manager,
    find_boot_manager,
    manager_of_golden_disk,
    manager_of_new_disk,
)
from winimagetools.image.describe import describe, describe_guest
from winimagetools.image.drivers.plan import describe_plan
from winimagetools.image.request import Workflow
from winimagetools.image.wrapped import refuse_wrapped
from winimagetools.model import DiskFormat, WimImage
from winimagetools.output.report.folder import folder_of
from winimagetools.plan import (
    BuildPlan,
    DiskFile,
    VmRequest,
)
from winimagetools.run import held_signals
from winimagetools.workflows import reproducible
from winimagetools.workflows.asked import Asked, BuildOptions
from winimagetools.workflows.finish import (
    FREE_SPACE,
    copy_disk,
    make_small,
    package,
    take_golden,
)
from winimagetools.workflows.later_report import keep_report
from winimagetools.workflows.prepare import Prepared, look_at_golden, plan_from_medium, prepare
from winimagetools.workflows.report import Made, Recorder
from winimagetools.workflows.verification import refuse_unverifiable, verify_disk, verify_written

FIRST_BOOT = "first-boot"
"""In the folder of a build: what the run in the virtual machine leaves."""
STATE = "resume.json"
"""In the logs of a run: how to go on after a failure."""


@dataclass(frozen=True)
class BuildReport:
    """What a workflow delivered.

    Args:
        size: bytes as stored.
        sha256: in hexadecimal; empty when it was not asked for.
        report: folder with everything that is told of it; None when nobody wanted it.
    """

    path: Path
    description: str
    size: int
    sha256: str
    steps: tuple[log.StepRecord, ...]
    report: Path | None = None


class WorkflowFunction(Protocol):
    """One of the functions that make an image from a configuration."""

    def __call__(
        self, config_file_path: Path | str, **options: Unpack[BuildOptions]
    ) -> BuildReport: ...


def new_windows_cloud_image(
    config_file_path: Path | str, *, verify: bool = False, **options: Unpack[BuildOptions]
) -> BuildReport:
    """Make an image from an installation medium, offline.

    The image still has to start once: it installs what is asked for, generalizes itself and
    powers off.

    Args:
        config_file_path: the configuration.
        verify: compare everything in the NTFS volume before the disk becomes anything else.
        **options: ``overrides``, ``strict``, ``host``, ``checksum``, ``mode``, ``report`` and
            ``sign_key``, see :class:`winimagetools.workflows.asked.Asked`.

    Raises:
        ConfigurationError, MediaError: nothing was started.
        HostError: this machine lacks something.
        BuildError: the build failed; an older image is still there.

    Port of ``New-WindowsCloudImage``.
    """
    make = partial(_from_medium, verify=verify)
    return _workflow(Workflow.CLOUD, make, config_file_path, Asked(**options))


def new_windows_online_image(
    config_file_path: Path | str,
    *,
    offline_disk: Path | str | None = None,
    verify: bool = False,
    **options: Unpack[BuildOptions],
) -> BuildReport:
    """Make an image from an installation medium and finish it in a virtual machine.

    Arguments and errors are those of :func:`new_windows_cloud_image`. An older image stays
    until the new one is complete; the PowerShell tools deleted it first.

    ``offline_disk`` is what :func:`new_windows_cloud_image` made of this configuration as RAW: it
    is copied, and the medium is only looked at. None makes such a disk. With ``verify`` either is
    looked at before Windows starts.

    Port of ``New-WindowsOnlineImage``.
    """
    disk = Path(offline_disk) if offline_disk else None
    make = partial(_from_medium, offline_disk=disk, verify=verify)
    return _workflow(Workflow.ONLINE, make, config_file_path, Asked(**options))


def new_windows_from_golden_image(
    config_file_path: Path | str, **options: Unpack[BuildOptions]
) -> BuildReport:
    """Make an image from a golden one, which is copied and never touched itself.

    Arguments and errors are those of :func:`new_windows_cloud_image`.

    Port of ``New-WindowsFromGoldenImage``.
    """
    return _workflow(Workflow.GOLDEN, _golden_image, config_file_path, Asked(**options))


def resize_vhd_image(
    virtual_disk_path: Path | str, free_space: int = FREE_SPACE, *, host: Host | None = None
) -> None:
    """Shrink a virtual disk and its largest volume as far as possible.

    Args:
        virtual_disk_path: a VHD or VHDX.
        free_space: bytes to leave spare.
        host: the machine to work on; this one by default.
    """
    refuse_other_than_file(Path(virtual_disk_path))
    refuse_wrapped(Path(virtual_disk_path))
    host = host or select_host()
    with log.step(f"Shrink {virtual_disk_path}"):
        host.disks.shrink(Path(virtual_disk_path), free_space)


def extend_image(image: Path | str, size: int = 0, *, host: Host | None = None) -> None:
    """Let Windows fill the disk of an image that was enlarged.

    Args:
        image: of any container.
        size: bytes the disk is to have; 0 for those it has.
        host: the machine to work on; this one by default.

    Raises:
        MediaError: there is no Windows that can be changed.
        RequestError: the disk is larger already.
        BuildError: it failed; the image is as it was.
    """
    refuse_other_than_file(Path(image))
    refuse_wrapped(Path(image))
    host = host or select_host()
    with log.step(f"Extend {image}"):
        host.disks.extend(Path(image), size)


def describe_build(
    workflow: Workflow,
    config_file_path: Path | str,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
) -> list[str]:
    """What a build from a medium would do, a line each; nothing is done.

    Arguments and errors are those of :func:`new_windows_cloud_image`.
    """
    host = host or select_host()
    with ExitStack() as opened:
        prepared = prepare(workflow, host, config_file_path, overrides, strict, opened)
        _, _, plan = plan_from_medium(prepared, opened)
        machine = host.vm.describe(plan.machine) if plan.machine is not None else ()
        lines = [*describe(plan), *(f"  {line}" for line in machine)]
        replaced = describe_replaced(plan.delivery.path)
        return [*lines, f"  replace {replaced}"] if replaced else lines


def _workflow(
    workflow: Workflow,
    make: Callable[[Prepared, Recorder, ExitStack, ExitStack], Made],
    config_file_path: Path | str,
    asked: Asked,
) -> BuildReport:
    """What all workflows share: read, refuse, work in a private folder, report.

    The folder is removed last: what is opened may have put something into it.
    """
    recorder = Recorder(asked.report, asked.sign_key)
    log.take_steps()
    host = asked.host or select_host()
    with ExitStack() as last, ExitStack() as opened:
        prepared = prepare(
            workflow, host, config_file_path, asked.overrides, asked.strict, opened
        ).asking(asked.checksum)
        opened.enter_context(recorder.watching(prepared))
        made = make(prepared, recorder, opened, last)
        image, delivery = made.image, made.plan.delivery
        with log.step("Deliver the image"):
            size, sha256 = host.files.measure(image.path, delivery.checksum and not image.sha256)
            sha256 = image.sha256 or sha256
            report = recorder.write(prepared, made, size, sha256)
            host.files.publish(image.path, delivery.path, asked.mode, report)
    return BuildReport(
        path=delivery.path,
        description=delivery.describe(),
        size=size,
        sha256=sha256,
        steps=tuple(log.take_steps()),
        report=folder_of(delivery.path) if report is not None else None,
    )


def _from_medium(
    prepared: Prepared,
    recorder: Recorder,
    opened: ExitStack,
    last: ExitStack,
    *,
    offline_disk: Path | None = None,
    verify: bool = False,
) -> Made:
    """Make the image of a medium; the online workflow lets Windows start in it once."""
    host = prepared.host
    if offline_disk is not None:
        _check_offline_disk(offline_disk)
    if verify:
        refuse_unverifiable(host, prepared.found)
    medium, edition, plan = plan_from_medium(prepared, opened)
    steps = _count_steps(prepared.request.workflow, plan, plan.work_format)
    log.expect_steps(steps if offline_disk is None else steps - 3 - bool(plan.offline) + verify)
    _announce_replaced(plan.delivery.path)
    _announce(plan)
    folder = _build_folder(host, plan.delivery.path, last)
    online = prepared.request.workflow is Workflow.ONLINE
    if not online:
        reproducible.warn(host)
    if offline_disk is None:
        check = partial(verify_written, plan.delivery.path) if verify else None
        becomes = None if online else plan.delivery
        finish = partial(host.disks.finish, delivery=becomes, verify=check)
        disk, manager = _offline_disk(prepared, plan, medium, edition, folder, finish)
    else:
        disk = DiskFile(copy_disk(host, offline_disk, folder, plan.delivery))
        if verify:
            verify_disk(host, disk.path, plan.delivery.path)
        manager = find_boot_manager(partial(medium.read_file, edition), ex=plan.boot_ex)
    prepared.watch.check()
    if online:
        keep = partial(keep_report, recorder, prepared, plan, manager)
        _first_boot(host, plan, disk.path, "WindowsOnlineImage-Sysprep", keep)
    image = package(host, disk, plan.delivery, plan.stamp)
    return Made(image, plan, manager, folder / FIRST_BOOT)


def _build_folder(host: Host, image: Path, last: ExitStack) -> Path:
    """The folder to work in, which is removed last whenever Ctrl-C comes."""
    with held_signals():
        return last.enter_context(host.files.build_folder(image))


def _golden_image(
    prepared: Prepared, recorder: Recorder, _opened: ExitStack, last: ExitStack
) -> Made:
    """Make the image of a copy of a golden one."""
    host, request = prepared.host, prepared.request
    look_at_golden(prepared)
    prepared.found.settle()
    _announce_replaced(request.delivery.path)
    folder = _build_folder(host, request.delivery.path, last)
    password = prepared.found.config.zip_password
    disk_path, made_as = take_golden(host, request, folder, password)
    with host.disks.open(disk_path) as disk:
        with log.step("Let Windows fill the disk"):
            host.disks.extend_windows(disk)
        windows = inspection.get_image_information(disk.tree, request.edition)
        manager = manager_of_golden_disk(host, disk)
        plan = prepared.plan_for(windows, disk.tree)
        log.expect_steps(_count_steps(request.workflow, plan, made_as))
        _announce(plan)
        _service(host, disk, plan)
        host.boot.reset_search_order(disk)
        with log.step("Prepare what goes into the image"):
            change_files(disk.tree, plan.files, host.fetcher)
    prepared.watch.check()
    keep = partial(keep_report, recorder, prepared, plan, manager)
    _first_boot(host, plan, disk_path, "WindowsGoldImage-Sysprep", keep)
    image = package(host, DiskFile(disk_path), plan.delivery, plan.stamp)
    return Made(image, plan, manager, folder / FIRST_BOOT)


def _check_offline_disk(path: Path) -> None:
    refuse_other_than_file(path)
    if not path.is_file():
        raise RequestError(
            f"The disk {path} does not exist.",
            "Make it with: winimagetools cloud-image CONFIG --set virtual_disk_format=RAW",
        )
    refuse_wrapped(path)


def _count_steps(workflow: Workflow, plan: BuildPlan, made_as: DiskFormat) -> int:
    """How many outermost steps a build takes, from its first to its last."""
    delivery = plan.delivery
    starts = workflow in (Workflow.ONLINE, Workflow.GOLDEN)
    steps = (
        *((True,) * (3 if workflow is Workflow.GOLDEN else 4)),  # copy or make, fill, write
        bool(plan.offline),
        starts and plan.machine is not None,
        starts,  # make it small
        delivery.disk_name(made_as) != delivery.disk_name(delivery.disk_format),
        bool(delivery.compression),
        True,  # deliver
    )
    return sum(steps)


def _announce_replaced(path: Path) -> None:
    if replaced := describe_replaced(path):
        log.info(f"{replaced[0].upper()}{replaced[1:]} is replaced when the new one is complete.")


def _announce(plan: BuildPlan) -> None:
    log.info(f"{plan.delivery.path} will be {plan.delivery.describe()}")
    for drivers in plan.drivers:
        for line in describe_plan(drivers):
            log.info(line)
    for line in describe_guest(plan):
        log.info(line)


def _offline_disk(
    prepared: Prepared,
    plan: BuildPlan,
    medium: InstallMedia,
    edition: WimImage,
    folder: Path,
    finish: Callable[[Disk], DiskFile],
) -> tuple[DiskFile, BootManager | None]:
    """Everything that is done to a disk before Windows starts for the first time."""
    host = prepared.host
    disk_path = folder / plan.delivery.disk_name(plan.work_format)
    host.servicing.check_version(edition)
    with host.disks.create(disk_path, plan.disk_size, plan.layout, plan.stamp) as disk:
        with log.step("Prepare what goes into the image"):
            change_files(disk.tree, plan.files, host.fetcher)
        with log.step("Take Windows from the medium"):
            host.servicing.apply_image(disk, medium, edition)
        with log.step("Make the disk bootable"):
            host.boot.create_boot_config(disk, edition, plan.boot_ex)
            manager = manager_of_new_disk(host, disk)
            check_boot_manager(prepared.request.boot_authority, manager)
        _service(host, disk, plan)
        with log.step("Write the disk"):
            finished = finish(disk)
        medium.check_unchanged()
    return finished, manager


def _service(host: Host, disk: Disk, plan: BuildPlan) -> None:
    if plan.offline:
        with log.step("Service the image"):
            take_steps(host, disk, plan.offline)


def _first_boot(
    host: Host, plan: BuildPlan, disk: Path, name: str, keep: Callable[[Path], None]
) -> None:
    """Let Windows start once and finish itself, then make the disk small.

    ``keep`` writes down what a report needs when that fails.
    """
    if plan.machine is not None:
        name = f"{name}{secrets.randbelow(1 << 31)}"
        logs = disk.parent / FIRST_BOOT
        logs.mkdir()
        machine = replace(plan.machine, name=name, disk=disk, logs=logs)
        with log.step("Run the stage in the virtual machine"):
            _run_machine(host, machine, plan, keep)
    make_small(host, disk, shrink=plan.shrink)


def _run_machine(
    host: Host, machine: VmRequest, plan: BuildPlan, keep: Callable[[Path], None]
) -> None:
    """Let Windows finish its image, and keep what tells why when it does not."""
    try:
        _write_state(machine, plan)
        reports = host.vm.run_sysprep(machine)
        judge_first_boot(host, machine.disk, reports, gold=machine.gold)
    except BuildError as error:
        if machine.discard_failed:
            raise
        keep(machine.logs)
        raise keep_evidence(host, plan.delivery.path, machine.disk, machine.logs, error) from error


def _write_state(machine: VmRequest, plan: BuildPlan) -> None:
    """Write down what is needed to go on after a failure, without the password."""
    delivery = {**vars(plan.delivery), "password": bool(plan.delivery.password)}
    state = {"machine": vars(machine), "delivery": delivery, "shrink": plan.shrink}
    text = json.dumps(state, default=str, indent=2)
    (machine.logs / STATE).write_text(text + "\n", encoding="utf-8")
