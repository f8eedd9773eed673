"""Going on with an image whose virtual machine failed, on the disk that was kept of it.

The disk is all that is left of a long build, so it stays until the image has its name, whenever
this is stopped. That the machine was done is written down: a Windows that has generalized itself
must not start again, so whoever comes after a failure goes on with its disk.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.checks.first_boot import judge_first_boot
from winimagetools.contract import Host
from winimagetools.errors import BuildError, RequestError
from winimagetools.files.small import read_json
from winimagetools.host import select_host
from winimagetools.ini import write_atomically
from winimagetools.model import DiskFormat
from winimagetools.output.become import takes_qemu_img
from winimagetools.output.report.folder import check_place, folder_of
from winimagetools.plan import Delivery, DiskBus, DiskFile, VmRequest
from winimagetools.workflows.build import STATE, BuildReport
from winimagetools.workflows.convert import stamp_of
from winimagetools.workflows.finish import make_small, package
from winimagetools.workflows.later_report import read_report, write_later


@dataclasses.dataclass(frozen=True)
class State:
    """What is needed to go on.

    Args:
        machine: with the kept disk.
        delivery: how that is delivered.
        shrink: it is made smaller before.
        done: in the folder: what the machine left when it was done; empty while it was not.
    """

    machine: VmRequest
    delivery: Delivery
    shrink: bool
    done: str = ""


def read_state(folder: Path) -> State:
    """Read what a failed run has written down.

    Raises:
        RequestError: the folder is not one of a failed run, or the image wants a password.
    """
    try:
        data = read_json(folder / STATE)
        machine, delivery = data["machine"], data["delivery"]
        done = Path(data.get("done", "")).name
        state = State(_machine(machine, folder), _delivery(delivery), data["shrink"], done)
        secret = delivery["password"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{folder} is no folder of a failed run: {STATE} is missing or damaged.",
            "Name a folder NAME.failed-TIME.",
        ) from error
    if secret:
        raise RequestError(
            "The image is to be a zip archive with a password, which is not kept.",
            "Build it anew.",
        )
    if not state.machine.disk.is_file():
        raise RequestError(f"{state.machine.disk} is gone.", "Build the image anew.")
    return state


def _machine(fields: dict[str, Any], folder: Path) -> VmRequest:
    paths = {"disk": folder / Path(fields["disk"]).name, "logs": Path()}
    return VmRequest(**{**fields, **paths, "bus": DiskBus(fields["bus"])})


def _delivery(fields: dict[str, Any]) -> Delivery:
    return Delivery(
        **{
            **fields,
            "path": Path(fields["path"]),
            "disk_format": DiskFormat(fields["disk_format"]),
            "compression": tuple(fields["compression"]),
            "password": "",
        }
    )


def resume_image(
    folder: Path | str,
    *,
    host: Host | None = None,
    mode: int | None = None,
    path: Path | None = None,
) -> BuildReport:
    """Start a failed machine again on its disk, and deliver the image when it is finished.

    A machine that was done when something else failed is not started again. The folder stays,
    without the disk when that became the image. The image gets a report when
    the failed run would have written one; its provenance is not signed, as no key is kept.

    Args:
        folder: what was kept of the run.
        host: the machine to work on; this one by default.
        mode: as in :func:`winimagetools.workflows.build.new_windows_cloud_image`.
        path: where the image goes; None for where the failed run would have put it.

    Raises:
        RequestError: it is no such folder, or something else has the name of the report.
        BuildError: it failed again.
    """
    log.take_steps()
    log.take_warnings()
    host, folder = host or select_host(), Path(folder).absolute()
    state = read_state(folder)
    if path is not None:
        delivery = dataclasses.replace(state.delivery, path=path)
        state = dataclasses.replace(state, delivery=delivery)
    record = read_report(folder)
    if record is not None:
        check_place(state.delivery.path)
    logs = _let_finish(host, state, folder)
    make_small(host, state.machine.disk, shrink=state.shrink)
    size, sha256 = _deliver(host, state, mode, record, logs)
    host.files.remove(state.machine.disk)
    return BuildReport(
        path=state.delivery.path,
        description=state.delivery.describe(),
        size=size,
        sha256=sha256,
        steps=tuple(log.take_steps()),
        report=folder_of(state.delivery.path) if record is not None else None,
    )


def _let_finish(host: Host, state: State, folder: Path) -> Path:
    """Let the machine finish its disk, unless it has done so; the folder with what it left."""
    if state.done:
        log.info("The machine was done when this failed last: its disk becomes the image.")
        return folder / state.done
    machine = _again(state.machine, folder)
    with log.step("Run the stage in the virtual machine"):
        _run(host, machine)
    path = folder / STATE
    text = json.dumps({**read_json(path), "done": machine.logs.name}, indent=2)
    write_atomically(path, f"{text}\n".encode())
    return machine.logs


def _deliver(
    host: Host, state: State, mode: int | None, record: dict[str, Any] | None, logs: Path
) -> tuple[int, str]:
    """Make image and report, and put them in their places; its bytes and its SHA-256.

    Everything half made lies in a private folder beside the image, which may be on another file
    system than the folder of the failed run.
    """
    delivery = state.delivery
    with host.files.build_folder(delivery.path) as private:
        disk = _take(host, state, private)
        image = package(host, DiskFile(disk), delivery, stamp_of(record))
        with log.step("Deliver the image"):
            size, sha256 = host.files.measure(image.path, delivery.checksum and not image.sha256)
            sha256 = image.sha256 or sha256
            report = private / "report" if record is not None else None
            if record is not None and report is not None:
                write_later(report, record, delivery, image.path, (size, sha256), logs)
            host.files.publish(image.path, delivery.path, mode, report)
    return size, sha256


def _take(host: Host, state: State, private: Path) -> Path:
    """The kept disk under another name: the same file where it is only read from here on."""
    kept, delivery = state.machine.disk, state.delivery
    disk = private / kept.name
    # What becomes a container in place is used up by that.
    read_only = delivery.disk_format is host.work_format
    if read_only or takes_qemu_img(host.work_format, delivery):
        with suppress(OSError):  # on another file system
            disk.hardlink_to(kept)
            return disk
    with log.step(f"Copy {kept.name}"):
        host.disks.copy(kept, disk)
    return disk


def _again(machine: VmRequest, folder: Path) -> VmRequest:
    logs = folder / f"resumed-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    logs.mkdir(mode=0o700)
    return dataclasses.replace(machine, logs=logs)


def _run(host: Host, machine: VmRequest) -> None:
    try:
        reports = host.vm.run_sysprep(machine)
        judge_first_boot(host, machine.disk, reports, gold=machine.gold)
    except BuildError as error:
        where = f"The disk is where it was; what the machine said is in {machine.logs}."
        raise BuildError(error.message, f"{error.hint} {where}".lstrip()) from error
