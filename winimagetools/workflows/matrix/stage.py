"""Making one stage: the ordinary commands, whose result becomes a stage when it is complete.

Every stage can be made any number of times, by any number of builders: one that is there is left
as it is, one that somebody else makes is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import BuildError, RequestError, WinImageError
from winimagetools.files.hash import sha256_of
from winimagetools.files.small import read_text
from winimagetools.host import select_host
from winimagetools.ini import write_atomically
from winimagetools.matrix.claims import claimed
from winimagetools.matrix.stages import (
    FINISHED,
    GOLDEN,
    IMAGE,
    OFFLINE,
    PUBLISHED,
    Job,
    Result,
    StagePlan,
    read_job,
    result_text,
)
from winimagetools.matrix.store import StageName, StageStore, State, record_of
from winimagetools.model import DiskFormat
from winimagetools.output.publish.choose import TARGETS, commands, run
from winimagetools.workflows.build import (
    new_windows_cloud_image,
    new_windows_from_golden_image,
    new_windows_online_image,
)
from winimagetools.workflows.convert import convert_image
from winimagetools.workflows.matrix.again import keep_stage
from winimagetools.workflows.matrix.plan import GOLD, check_inputs
from winimagetools.workflows.publish import look_at_image

_DISK, _GOLD = "disk.raw", "disk.vhdx"
_SCRIPT_MODE = 0o600


class MachineFailedError(BuildError):
    """The virtual machine of a stage failed.

    Args:
        evidence: folder with what was kept of it.
    """

    def __init__(self, message: str, hint: str, *, evidence: Path) -> None:
        super().__init__(message, hint)
        self.evidence = evidence


def run_job(path: Path, host: Host | None = None) -> Result:
    """Make the stage a job describes, and write down how that ended.

    Args:
        path: the job, from :func:`winimagetools.matrix.stages.job_text`.
        host: the machine to work on; this one by default.

    Raises:
        RequestError: it is no job.
        WinImageError: why the stage could not be made; the result says it, too.
    """
    job = _read(path)
    began = time.monotonic()
    try:
        with chdir(job.folder):
            made = _make_once(job, host or select_host())
    except WinImageError as error:
        seconds = time.monotonic() - began
        evidence = str(error.evidence) if isinstance(error, MachineFailedError) else ""
        hint = error.hint or error.remedy
        name = str(job.stage.name)
        _write(job, Result(name, "failed", seconds, error.message, hint, evidence))
        raise
    result = Result(str(job.stage.name), "made" if made else "reused", time.monotonic() - began)
    _write(job, result)
    job.done.touch()
    return result


def _read(path: Path) -> Job:
    try:
        return read_job(read_text(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{path} is no stage of a matrix.", "They are in the folder runs of its cache."
        ) from error


def _write(job: Job, result: Result) -> None:
    job.results.mkdir(parents=True, exist_ok=True)
    text = result_text(
        replace(result, message=log.mask(result.message), hint=log.mask(result.hint))
    )
    write_atomically(job.results / f"{job.stage.name}.json", text.encode())


def _make_once(job: Job, host: Host) -> bool:
    """Make the stage unless it is there; whether it had to be made."""
    stage, store = job.stage, StageStore(job.cache)
    name = stage.name
    waiting = f"Another builder makes {name.kind} {name.digest[:12]}; waiting for it."
    with claimed(store.claims, str(name), on_wait=lambda: log.info(waiting)):
        if store.state(name) is State.INTACT:
            return False
        store.clear_work(name)
        check_inputs(stage, store, host)
        _MAKERS[name.kind](job, store, host)
    return True


def _make_offline(job: Job, store: StageStore, host: Host) -> None:
    stage, began = job.stage, time.monotonic()
    with store.private(stage.name) as folder:
        disk = folder / _DISK
        new_windows_cloud_image(stage.config, overrides=_at(stage, disk), host=host, checksum=False)
        _commit(store, stage, disk, began)


def _make_finished(job: Job, store: StageStore, host: Host) -> None:
    stage, began = job.stage, time.monotonic()
    gold = GOLD[-1] in stage.overrides
    with store.private(stage.name) as folder:
        disk = folder / (_GOLD if gold else _DISK)
        with _keeping_evidence(job, disk):
            new_windows_online_image(
                stage.config,
                overrides=_at(stage, disk),
                host=host,
                checksum=False,
                offline_disk=store.use(_parent(stage)),
            )
        _commit(store, stage, disk, began)


def _make_golden(job: Job, store: StageStore, host: Host) -> None:
    stage, began = job.stage, time.monotonic()
    with store.private(stage.name) as folder:
        disk = folder / _DISK
        source = f"gold_image_path={store.use(_parent(stage))}"
        with _keeping_evidence(job, disk):
            new_windows_from_golden_image(
                stage.config,
                overrides=(*_at(stage, disk), source),
                host=host,
                checksum=False,
            )
        _commit(store, stage, disk, began)


def _make_image(job: Job, store: StageStore, host: Host) -> None:
    stage, began = job.stage, time.monotonic()
    target = Path(stage.target)
    target.parent.mkdir(parents=True, exist_ok=True)
    report = convert_image(
        store.use(_parent(stage)),
        stage.config,
        overrides=stage.overrides,
        host=host,
        sign_key=stage.sign_key or None,
    )
    _commit_delivered(store, stage, target, report.sha256, began, _copied(store, stage))


def _copied(store: StageStore, stage: StagePlan) -> str:
    """The digest of an image that is a copy of its disk; empty for any other."""
    record = store.record(_parent(stage))
    copied = stage.parts["format"] == DiskFormat.RAW.value
    return record.content if copied and record is not None else ""


def _make_publication(job: Job, store: StageStore, _host: Host) -> None:
    stage, began = job.stage, time.monotonic()
    image = look_at_image(store.use(_parent(stage)))
    target, place = Path(stage.target), TARGETS[stage.publish]
    if stage.run:
        lines = run(place, image, stage.parameters)
    else:
        lines = ["#!/bin/sh", "set -e", *commands(place, image, stage.parameters)]
    text = "\n".join((*lines, ""))
    write_atomically(target, text.encode())
    target.chmod(_SCRIPT_MODE)
    _commit_delivered(store, stage, target, sha256_of(target), began)


_MAKERS: dict[str, Callable[[Job, StageStore, Host], None]] = {
    OFFLINE: _make_offline,
    FINISHED: _make_finished,
    GOLDEN: _make_golden,
    IMAGE: _make_image,
    PUBLISHED: _make_publication,
}


def _at(stage: StagePlan, disk: Path) -> tuple[str, ...]:
    return (*stage.overrides, f"image_path={disk}")


def _parent(stage: StagePlan) -> StageName:
    if stage.parent is None:
        raise BuildError(f"The stage {stage.name} is made of nothing.", "Run the matrix again.")
    return stage.parent


def _commit(store: StageStore, stage: StagePlan, disk: Path, began: float) -> None:
    seconds = time.monotonic() - began
    record = record_of(disk, disk.name, seconds=seconds, parts=dict(stage.parts))
    store.commit(stage.name, disk.parent, record)


def _commit_delivered(
    store: StageStore,
    stage: StagePlan,
    file: Path,
    sha256: str,
    began: float,
    content: str = "",
) -> None:
    """Write down what was delivered; the file itself is in the user's folder."""
    with store.private(stage.name) as folder:
        record = record_of(
            file,
            str(file),
            seconds=time.monotonic() - began,
            parts=dict(stage.parts),
            sha256=sha256,
            content=content,
        )
        store.commit(stage.name, folder, record)


@contextmanager
def _keeping_evidence(job: Job, disk: Path) -> Iterator[None]:
    """Take what is kept of a machine that fails out of the private folder."""
    try:
        yield
    except BuildError as error:
        raise _with_evidence(job, disk, error) from error


def _with_evidence(job: Job, disk: Path, error: BuildError) -> BuildError:
    for kept in sorted(disk.parent.glob(f"{disk.name}.failed-*")):
        place = job.failed / f"{job.stage.cell}{kept.name.removeprefix(disk.name)}"
        job.failed.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept.rename(place)  # both are in the cache
        message, hint = (
            text.replace(str(kept), str(place)) for text in (error.message, error.hint)
        )
        command = keep_stage(place, job.stage, job.cache, disk.name)
        hint = f"{hint} This goes on with its disk, for the next run to take: {command}"
        return MachineFailedError(message, hint, evidence=place)
    return error
