"""Which clusters are used: by files, and by the bitmap of the volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from winimagetools.checks.ntfs.report import Report

_PIECE = 1 << 20
"""Clusters compared at a time: a volume of 2 TiB has 2^29."""
_BYTES = [bytes(value >> bit & 1 for bit in range(8)) for value in range(256)]

Run = tuple[int, int, int]
"""First cluster, number of clusters, and the record that has them."""


def check_clusters(
    runs: Sequence[Run], bitmap: bytes | bytearray, clusters: int, report: Report
) -> None:
    """Compare the clusters that files have with each other and with the bitmap.

    Args:
        runs: of all files.
        bitmap: content of ``$Bitmap``.
        clusters: how many the volume has.
        report: gets what is wrong.
    """
    if len(bitmap) * 8 < clusters:
        report.add("cluster bitmap", "The bitmap is too small.")
        return
    spans = [*_spans(runs, clusters, report), (clusters, len(bitmap) * 8)]
    position = 0
    for start in range(0, len(bitmap) * 8, _PIECE):
        end = min(start + _PIECE, len(bitmap) * 8)
        wanted = bytearray(end - start)
        while position < len(spans) and spans[position][0] < end:
            first, last = spans[position]
            wanted[max(first, start) - start : min(last, end) - start] = b"\1" * (
                min(last, end) - max(first, start)
            )
            if last > end:
                break
            position += 1
        _compare(wanted, bits(bitmap[start // 8 : end // 8]), start, report)


def _spans(runs: Sequence[Run], clusters: int, report: Report) -> Iterator[tuple[int, int]]:
    """Used stretches, in order and apart; first cluster and the one behind the last."""
    first = end = owner = 0
    for place, length, number in sorted(runs):
        if place + length > clusters:
            report.add("runs", f"Clusters of record {number} are not on the volume.")
            continue
        if place < end:
            report.add("cross-links", f"Records {owner} and {number} share cluster {place}.")
        if place > end:
            if end > first:
                yield first, end
            first = place
        if place + length > end:
            end, owner = place + length, number
    if end > first:
        yield first, end


def _compare(wanted: bytearray, marks: bytes, start: int, report: Report) -> None:
    if marks == wanted:
        return
    for place, (mark, right) in enumerate(zip(marks, wanted, strict=True)):
        if mark != right:
            state = "used but free in" if right else "free but used in"
            report.add("cluster bitmap", f"Cluster {start + place} is {state} the bitmap.")


def bits(bitmap: bytes | bytearray) -> bytes:
    """A byte for every bit, lowest first."""
    if not any(bitmap):
        return bytes(8 * len(bitmap))
    return b"".join([_BYTES[value] for value in bitmap])
