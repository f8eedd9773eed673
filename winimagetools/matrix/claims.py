"""Who makes a stage at the moment, so that two builders do not make the same one.

A claim is a folder, because making one is atomic everywhere, on NFS too. Its owner renews its
time; one that was not renewed for a while, or whose process is gone from this machine, is taken
over. A mistake here costs time and nothing else: a stage appears by a rename in any case.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from winimagetools.files.small import read_json

RENEWED = 10.0
"""Seconds between two signs of life."""
ABANDONED = 90.0
"""Seconds without one after which nobody is left."""
_OWNER = "owner.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


@contextmanager
def claimed(
    claims: Path,
    name: str,
    *,
    on_wait: Callable[[], object] = lambda: None,
    pause: float = 0.2,
) -> Iterator[None]:
    """Wait until nobody else makes a stage, and make it known that this process does.

    Args:
        claims: folder of the claims.
        name: of the stage.
        on_wait: called once when somebody else makes it.
        pause: seconds between two looks.
    """
    folder, waited = claims / name, False
    while not _take(folder):
        if is_abandoned(folder):
            _clear(folder)
            continue
        if not waited:
            on_wait()
            waited = True
        time.sleep(pause)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(folder, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        if _owner(folder) == _myself():
            _clear(folder)


def _take(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    sign(folder)
    return True


def _clear(folder: Path) -> None:
    aside = folder.with_name(f".{uuid.uuid4().hex}")
    with suppress(OSError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _renew(folder: Path, ended: threading.Event) -> None:
    while not ended.wait(RENEWED):
        with suppress(OSError):
            os.utime(folder)


def is_abandoned(folder: Path) -> bool:
    """Whether the owner of a claim is gone."""
    owner = _owner(folder)
    if owner is not None and owner["machine"] == _machine():
        return not _runs(int(str(owner["process"])), str(owner["began"]))
    try:
        return _now(folder.parent) - folder.stat().st_mtime > ABANDONED
    except OSError:
        return False  # it was just given up


def sign(folder: Path) -> None:
    """Make it known that a folder belongs to this process."""
    with suppress(OSError):
        (folder / _OWNER).write_text(json.dumps(_myself()), encoding="utf-8")


def is_left(folder: Path) -> bool:
    """Whether a folder was signed by a process of this machine that is gone."""
    owner = _owner(folder)
    if owner is None or owner["machine"] != _machine():
        return False
    return not _runs(int(str(owner["process"])), str(owner["began"]))


def _now(folder: Path) -> float:
    """The time by the clock of the file system, which on NFS is that of another machine."""
    probe = folder / f".{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _owner(folder: Path) -> dict[str, object] | None:
    try:
        record = read_json(folder / _OWNER)
        return record if {"machine", "process", "began"} <= set(record) else None
    except (OSError, ValueError, TypeError):
        return None


def _myself() -> dict[str, object]:
    return {"machine": _machine(), "process": os.getpid(), "began": _began(os.getpid())}


def _machine() -> str:
    """This start of this machine, and the processes that see each other; no names, which may
    be those of several machines.
    """
    try:
        return f"{_BOOT.read_text().strip()} {_PROCESSES.readlink()}"
    except OSError:
        return f"{uuid.getnode():x}"


def _began(process: int) -> str:
    """When a process began, in the words of proc_pid_stat(5), field 22; empty when it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _runs(process: int, began: str) -> bool:
    """Whether a process of this machine still is the one it was; yes where nobody tells."""
    return not Path("/proc/self").exists() or _began(process) == began
