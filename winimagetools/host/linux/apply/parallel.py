"""The engine that lays a volume out with libntfs-3g while other processes fill it.

Names, descriptors and clusters are made in a copy of the volume that is in memory and holds
metadata only; workers write contents straight to the target. In the end the metadata are
copied there. This process only waits: whatever happens in the others, it goes on.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.errors import WinImageError
from winimagetools.host.linux import libntfs
from winimagetools.host.linux import volume as volumes
from winimagetools.host.linux.apply.blobs import Blobs
from winimagetools.host.linux.apply.calls import Calls, LayoutError
from winimagetools.host.linux.apply.follow import coming
from winimagetools.host.linux.apply.layout import Layout
from winimagetools.host.linux.apply.merge import Merger
from winimagetools.host.linux.apply.processes import Crew
from winimagetools.host.linux.apply.reserved import Reserved
from winimagetools.host.linux.apply.self_check import LaidOut, check_laid_out, count_files
from winimagetools.host.linux.apply.table import Table
from winimagetools.host.linux.apply.tree import ImageTree, Node
from winimagetools.host.linux.apply.units import Pipe, Units, unpack
from winimagetools.host.linux.apply.writer import Target, Writer
from winimagetools.host.linux.disk import WimSource
from winimagetools.host.linux.frozen_clock import frozen_clock
from winimagetools.host.staged_tree import Changes, StagedTree
from winimagetools.output.foretold import Foretell, Foretold
from winimagetools.run import run
from winimagetools.stamp import Stamp

_CLUSTER = 4096
_CHUNK = 4 << 20
_NUMBER = struct.Struct("<Q")
_TABLE_AT = 48
"""Where a boot sector says where the master file table begins."""


@dataclass(frozen=True)
class Job:
    """A volume to write.

    Args:
        source: the image.
        tree: what was staged above it.
        changes: what that comes to.
        target: a file; where the volume will be it has a hole.
        start: where the volume begins in there, and on its disk.
        size: bytes of the volume.
        stamp: its number, and the time nothing in it is later than.
        foretell: computes the checksum of what the file will become, while contents are written.
    """

    source: WimSource
    tree: StagedTree
    changes: Changes
    target: Path
    start: int
    size: int
    stamp: Stamp
    foretell: Foretell | None = None


@dataclass(frozen=True)
class Laid:
    """What was laid out.

    Args:
        bare: how many files and folders of the image had no security descriptor.
        steered: whether contents could be laid behind each other.
        foretold: the checksum of what the file will become; None where it was not computed.
    """

    bare: int
    steered: bool
    foretold: Foretold | None = None


def apply_parallel(job: Job) -> Laid:
    """Write a volume.

    Raises:
        Unsupported: there is something that libwim has to do.
        LayoutError, WinImageError, OSError: it failed.
    """
    # One more than cores: some wait for the disk while others unpack.
    workers = len(os.sched_getaffinity(0)) + 1
    counters = mmap.mmap(-1, 8 * (workers + 1))
    pipe = Pipe()
    ready, formatted = os.pipe2(os.O_CLOEXEC)
    with _shadow(job.size) as shadow, log.Progress("Applying the image") as progress:

        def tick() -> None:
            total, *done = struct.unpack(f"<{workers + 1}Q", counters[:])
            progress.update(sum(done), total)

        try:
            with Crew(tick) as crew:
                for number in range(workers):
                    crew.start(_worker(job, pipe, counters, number + 1))
                crew.start(_layouter(job, shadow, pipe, (ready, formatted), counters))
                pipe.close_reader()
                pipe.close_writer()
                volume = Path(f"/proc/{os.getpid()}/fd/{shadow}")
                run(volumes.MKNTFS, ["-Q", *volumes.mkntfs_arguments(volume, job.start)])
                os.write(formatted, b"1")
                found = [each for each in crew.wait() if each is not None]
                volumes.check_clean(volume)
        finally:
            pipe.close()
            os.close(ready)
            os.close(formatted)
    laid: Laid = found[0]
    return laid


@contextmanager
def _shadow(size: int) -> Iterator[int]:
    shadow = os.memfd_create("volume", os.MFD_CLOEXEC)
    try:
        os.truncate(shadow, size)
        yield shadow
    finally:
        os.close(shadow)


def _worker(job: Job, pipe: Pipe, counters: mmap.mmap, number: int) -> Callable[[], None]:
    def work() -> None:
        pipe.close_writer()
        blobs = Blobs(job.source.path, job.source.inside, table=False)
        writer = Writer(blobs, Target(job.target, job.start), _CLUSTER)
        done = 0
        for unit, message in pipe.messages():
            runs, items = unpack(message)
            writer.write(runs, items)
            pipe.settle(unit)
            done += sum(size for _, size in items)
            _NUMBER.pack_into(counters, 8 * number, done)

    return work


def _layouter(
    job: Job, shadow: int, pipe: Pipe, ready: tuple[int, int], counters: mmap.mmap
) -> Callable[[], Laid]:
    def work() -> Laid:
        pipe.close_reader()
        os.close(ready[1])  # so that it is seen when nobody will format
        blobs = Blobs(job.source.path, job.source.inside)
        root, bare = _read(job, blobs)
        if not os.read(ready[0], 1):
            raise LayoutError("there is no volume")
        units = Units(pipe, _CLUSTER)
        with mmap.mmap(shadow, job.size) as volume:
            empty = count_files(volume, _CLUSTER)
        with frozen_clock(libntfs.load()):
            layout, table = _lay_out(job, root, shadow, blobs, units)
        del root  # it is half of the memory of this process
        total = sum(size for streams in layout.expected.values() for _, size in streams)
        _NUMBER.pack_into(counters, 0, total)
        with mmap.mmap(shadow, job.size) as volume:
            Table(volume, table, _CLUSTER).settle(layout.expected)
            check_laid_out(volume, shadow, _CLUSTER, empty, layout.laid)
        volumes.settle(Path(f"/proc/self/fd/{shadow}"), job.stamp)
        _copy(shadow, job.size, Target(job.target, job.start))
        return Laid(bare, layout.steered, _foretold(job, shadow, units, pipe))

    return work


def _foretold(job: Job, shadow: int, units: Units, pipe: Pipe) -> Foretold | None:
    """Follow those who write; without a result the checksum is computed afterwards, as ever."""
    if job.foretell is None:
        return None
    try:
        volume = (shadow, job.start, job.size)
        return job.foretell(coming(job.target, volume, units.places, _CLUSTER, pipe.is_settled))
    except (OSError, WinImageError):
        return None


def _read(job: Job, blobs: Blobs) -> tuple[Node, int]:
    """What is to be laid out, and how much of it had no security descriptor."""
    tree = ImageTree(blobs, job.source.index)
    merger = Merger(tree.root, job.tree)
    merger.merge(job.changes)
    blobs.by_hash.clear()
    return tree.root, merger.bare


def _lay_out(
    job: Job, root: Node, shadow: int, blobs: Blobs, units: Units
) -> tuple[Layout, list[int]]:
    """Lay the tree out; also where the records are."""
    first = _NUMBER.unpack(os.pread(shadow, 8, _TABLE_AT))[0]
    calls = Calls(f"/proc/self/fd/{shadow}", _CLUSTER)
    reserved = Reserved(job.target, job.start, job.size, _CLUSTER)
    layout = Layout(calls, blobs, units.add, first, LaidOut(shadow, _CLUSTER), reserved.take)
    layout.lay_out(root)
    units.finish()
    reserved.give_back(layout.laid.contents)
    table = calls.table_places(max(layout.expected, default=0) + 1)
    calls.unmount()
    return layout, table


def _copy(shadow: int, size: int, target: Target) -> None:
    """Copy what the copy in memory holds, piece by piece; contents are not in it."""
    at = 0
    while at < size:
        try:
            at = os.lseek(shadow, at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(shadow, at, os.SEEK_HOLE)
        while at < end:
            length = min(_CHUNK, end - at)
            piece = mmap.mmap(shadow, length, prot=mmap.PROT_READ, offset=at)
            target.write(memoryview(piece), at)
            at += length
