"""What is kept of the finished stages, and for how long."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winimagetools.matrix.claims import is_abandoned
from winimagetools.matrix.store import StageName, StageStore, State

IN_USE = 3600.0
"""Seconds after its last use in which a stage may still be read, perhaps on another machine."""
_LEFT_OVER = 24 * 3600.0
"""Seconds after which what was being made is made by nobody."""


@dataclass(frozen=True)
class Kept:
    """A finished stage.

    Args:
        size: bytes on its disk.
        used: when it was used last, in seconds since 1970.
        delivered: its file is an image in another folder, which is no part of the cache.
        file: where its file is; None when it has none.
    """

    name: StageName
    size: int
    used: float
    delivered: bool
    file: Path | None


def list_stages(store: StageStore) -> list[Kept]:
    """All stages, the one used last first."""
    found = [_kept(store, name) for name in store.names()]
    return sorted(found, key=lambda kept: kept.used, reverse=True)


def _kept(store: StageStore, name: StageName) -> Kept:
    record = store.record(name)
    file = store.file(name, record) if record is not None and record.file else None
    delivered = file is not None and store.folder(name) not in file.parents
    return Kept(name, store.occupied(name), store.last_used(name), delivered, file)


def choose_to_remove(
    stages: list[Kept], *, now: float, age: float | None, size: int | None
) -> Iterator[Kept]:
    """Those beyond the limits, the ones used longest ago first.

    Records of images that are still there stay, as they take nothing, and so does what was used
    within the hour.

    Args:
        stages: as :func:`list_stages` gives them.
        now: seconds since 1970.
        age: seconds since its last use that a stage may have; None for any.
        size: bytes that all together may take; None for any.
    """
    total = sum(kept.size for kept in stages)
    for kept in reversed(stages):
        if kept.delivered and kept.file is not None and kept.file.exists():
            continue
        idle = now - kept.used
        too_old = age is not None and idle > age
        too_many = size is not None and total > size
        if idle > IN_USE and (too_old or too_many):
            total -= kept.size
            yield kept


def prune(store: StageStore, *, age: float | None, size: int | None) -> list[Kept]:
    """Remove what is beyond the limits, and what builders that were killed have left.

    Args:
        store: the cache.
        age: as :func:`choose_to_remove` takes it.
        size: likewise.

    Returns:
        What was removed.
    """
    now, removed = time.time(), []
    for kept in choose_to_remove(list_stages(store), now=now, age=age, size=size):
        claim = store.claims / str(kept.name)
        if not claim.exists() or is_abandoned(claim):
            store.remove(kept.name)
            removed.append(kept)
    for folder in (store.work, store.root / "runs"):
        _remove_left_over(folder, now, _LEFT_OVER)
    if age is not None:
        _remove_left_over(store.root / "failed", now, age)
    return removed


def _remove_left_over(folder: Path, now: float, age: float) -> None:
    if not folder.is_dir():
        return
    for item in folder.iterdir():
        with suppress(OSError):
            if now - max(path.stat().st_mtime for path in (item, *item.rglob("*"))) > age:
                shutil.rmtree(item, ignore_errors=True)


def verify(store: StageStore) -> Iterator[tuple[Kept, State]]:
    """Read every stage and compare it with what it was when it was made."""
    for kept in list_stages(store):
        yield kept, store.state(kept.name, thorough=True)
