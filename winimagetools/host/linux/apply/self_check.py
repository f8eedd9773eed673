"""What is cheap to check of a volume before it is published: counts, and both bitmaps.

The strict check of :mod:`winimagetools.checks.ntfs` compares everything, which takes seconds.
Here the volume in memory is compared with what the layout remembers: how many files and folders
it made, and which clusters it gave to contents. All other clusters in use are those of metadata,
which lie in memory, where nothing else may.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from itertools import pairwise

from winimagetools.errors import BuildError
from winimagetools.formats.ntfs_used import Runs, Used, read_used
from winimagetools.host.linux.apply.calls import LayoutError
from winimagetools.host.linux.clusters import clear

_MANY = 64
"""Contents after which the memory at their places is looked at."""


class LaidOut:
    """What was laid out.

    Args:
        shadow: the file in memory with the volume.
        cluster: bytes of a cluster.

    Attributes:
        files: how many files and folders there are without those of NTFS itself.
        folders: how many of them are folders.
        contents: clusters of contents that somebody else writes, as they were given.
    """

    def __init__(self, shadow: int, cluster: int) -> None:
        self.shadow, self.cluster = shadow, cluster
        self.files = self.folders = 0
        self.contents: Runs = []
        self._new: Runs = []
        self._waiting = 0

    def give(self, runs: Runs) -> None:
        """Remember the places of one more content."""
        for run in runs:
            _append(self.contents, run)
            _append(self._new, run)
        self._waiting += 1
        if self._waiting == _MANY:
            self.clear()

    def clear(self) -> None:
        """Remove what is in memory where contents come; to be called after the last one.

        A place may have been one of metadata that are gone, in a volume that becomes full. What
        they left would be copied over the content in the end. It is looked for in many places at
        once, as looking takes as long as writing a record.
        """
        for first, count in self._new:
            if _has_data(self.shadow, first * self.cluster, count * self.cluster):
                clear(self.shadow, first * self.cluster, count * self.cluster)
        self._new.clear()
        self._waiting = 0


def _append(runs: Runs, run: tuple[int, int]) -> None:
    """Add a run, to the last one where it follows that."""
    if runs and sum(runs[-1]) == run[0]:
        runs[-1] = runs[-1][0], runs[-1][1] + run[1]
    else:
        runs.append(run)


def count_files(volume: mmap.mmap, cluster: int) -> tuple[int, int]:
    """Files and folders that an empty volume has."""
    used = read_used(volume, cluster)
    return used.files, used.folders


def check_laid_out(
    volume: mmap.mmap, shadow: int, cluster: int, empty: tuple[int, int], laid: LaidOut
) -> None:
    """Compare a volume in memory with what was laid out.

    Args:
        volume: the volume.
        shadow: the file in memory it is.
        cluster: bytes of a cluster, which are those of a page.
        empty: what :func:`count_files` said before anything was laid out.
        laid: what was laid out.

    Raises:
        LayoutError: they are not the same.
    """
    try:
        used = read_used(volume, cluster)
    except BuildError as error:
        raise LayoutError(error.message) from error
    wrong = [
        *_compare_records(used, empty, laid),
        *_compare_clusters(used, laid.contents, _in_memory(shadow, cluster, used.count)),
    ]
    if wrong:
        raise LayoutError(f"the volume is not what was laid out: {'; '.join(wrong)}")


def _compare_records(used: Used, empty: tuple[int, int], laid: LaidOut) -> Iterator[str]:
    if used.marks != used.records:
        yield "the bitmap of its records is wrong"
    files, folders = empty[0] + laid.files, empty[1] + laid.folders
    if (used.files, used.folders) != (files, folders):
        yield (
            f"it has {used.files} files, {used.folders} of them folders, "
            f"instead of {files} and {folders}"
        )


def _compare_clusters(used: Used, contents: Runs, metadata: Runs) -> Iterator[str]:
    ordered = sorted(contents)
    if any(sum(one) > other for one, (other, _) in pairwise(ordered)):
        yield "two contents share clusters"
    of_contents, of_metadata = _bits(contents, used.count), _bits(metadata, used.count)
    if of_contents & of_metadata:
        yield "metadata were written where contents are"
    if of_contents & ~used.clusters:
        yield "clusters of contents are free in the bitmap"
    if used.clusters & ~(of_contents | of_metadata):
        yield "clusters are used in the bitmap that nothing has"


def _bits(runs: Runs, count: int) -> int:
    """A bit for each cluster in the runs, the lowest first."""
    bits = bytearray(count // 8 + 2)
    for first, length in runs:
        last = first + length
        if last > count:
            raise LayoutError("a content has clusters that are not on the volume")
        low, high = -(-first // 8), last // 8
        if low > high:
            bits[high] |= (1 << last % 8) - (1 << first % 8)
            continue
        bits[low:high] = b"\xff" * (high - low)
        bits[high] |= (1 << last % 8) - 1
        if first % 8:
            bits[low - 1] |= 0x100 - (1 << first % 8)
    return int.from_bytes(bits, "little")


def _has_data(shadow: int, at: int, length: int) -> bool:
    try:
        return os.lseek(shadow, at, os.SEEK_DATA) < at + length
    except OSError:
        return False


def _in_memory(shadow: int, cluster: int, count: int) -> Runs:
    """Clusters that the copy in memory holds, without what lies behind the last one."""
    found: Runs = []
    at, end = 0, count * cluster
    while at < end:
        try:
            at = os.lseek(shadow, at, os.SEEK_DATA)
        except OSError:
            break
        stop = min(os.lseek(shadow, at, os.SEEK_HOLE), end)
        if at < stop:
            found.append((at // cluster, -(-stop // cluster) - at // cluster))
        at = stop if at < stop else end
    return found
