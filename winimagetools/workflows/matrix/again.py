"""Going on with a failed run whose disk was kept, of an image or of a stage of a matrix.

What is kept of a stage says which one it is. Its disk goes where the matrix looks for it, so the
next run takes it and makes what is still missing.
"""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass, replace
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import RequestError
from winimagetools.files.small import read_json
from winimagetools.host import select_host
from winimagetools.matrix.claims import claimed
from winimagetools.matrix.stages import StagePlan
from winimagetools.matrix.store import StageName, StageStore, State, record_of
from winimagetools.output.report.folder import folder_of
from winimagetools.workflows.build import BuildReport
from winimagetools.workflows.resume import resume_image

KEPT = "stage.json"
"""In what is kept of a failed run: the stage of a matrix it was."""


@dataclass(frozen=True)
class _Kept:
    name: StageName
    parts: dict[str, str]
    cache: Path
    disk: str


def keep_stage(folder: Path, stage: StagePlan, cache: Path, disk: str) -> str:
    """Write down which stage a failed run was, without any secret.

    Args:
        folder: what was kept of it.
        stage: the stage.
        cache: folder of the stages.
        disk: name of its disk.

    Returns:
        The command that goes on with it.
    """
    record = {"name": str(stage.name), "parts": dict(stage.parts), "cache": str(cache)}
    text = json.dumps({**record, "disk": disk}, indent=2)
    (folder / KEPT).write_text(f"{text}\n", encoding="utf-8")
    return shlex.join(["winimagetools", "resume", str(folder)])


def resume(folder: Path | str, *, host: Host | None = None, mode: int | None = None) -> BuildReport:
    """Start a failed machine again on its disk, and deliver what it was to become.

    Args and errors are those of :func:`winimagetools.workflows.resume.resume_image`; ``mode`` is
    for images, as stages belong to their owner alone.
    """
    host, folder = host or select_host(), Path(folder).absolute()
    kept = _read(folder)
    if kept is None:
        return resume_image(folder, host=host, mode=mode)
    store, began = StageStore(kept.cache), time.monotonic()
    with claimed(store.claims, str(kept.name)):
        if store.state(kept.name) is State.INTACT:
            raise RequestError(
                f"{store.folder(kept.name)} was made in the meantime.",
                f"Nothing is left to do; {folder} can be removed.",
            )
        with store.private(kept.name) as private:
            disk = private / kept.disk
            report = resume_image(folder, host=host, path=disk)
            seconds = time.monotonic() - began
            record = record_of(disk, disk.name, seconds=seconds, parts=kept.parts)
            store.commit(kept.name, private, record)
    log.info("The matrix takes it from here when it is run again.")
    path = store.folder(kept.name) / kept.disk
    return replace(report, path=path, report=report.report and folder_of(path))


def _read(folder: Path) -> _Kept | None:
    """The stage a failed run was; None for that of an image."""
    path = folder / KEPT
    try:
        record = read_json(path)
        name, cache = StageName.parse(record["name"]), Path(record["cache"])
        return _Kept(name, dict(record["parts"]), cache, str(record["disk"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path} is damaged, so nobody knows which stage of a matrix this was.",
            "Run the matrix again.",
        ) from error
