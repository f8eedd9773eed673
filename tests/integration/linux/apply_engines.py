"""Both engines that write a Windows volume, for tests that compare what they write."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.integration.linux.test_apply import capture, make_volume
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.model import MIB
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "read NTFS volumes back")
Extract = Callable[[LinuxDisk, Path], None]
Described = tuple[list[str], set[frozenset[str]]]


def size_in_use(path: Path) -> Path:
    """An empty volume large enough for the trees of these tests."""
    return make_volume(path, 64 * MIB)


def extract_parallel(disk: LinuxDisk, volume: Path) -> None:
    """The parallel engine, and libwim where that has to do it."""
    size = volume.stat().st_size
    os.truncate(volume, 0)
    os.truncate(volume, size)
    if not write_inside(disk, volume, 0, size):
        extract_volume(disk, make_volume(volume, size))


def only_parallel(disk: LinuxDisk, volume: Path) -> None:
    """The parallel engine, which has to do it."""
    size = volume.stat().st_size
    os.truncate(volume, 0)
    os.truncate(volume, size)
    assert write_inside(disk, volume, 0, size)


def both() -> tuple[tuple[str, Extract], tuple[str, Extract]]:
    """Both engines with their names."""
    return ("libwim", extract_volume), ("parallel", only_parallel)


def described(volume: Path, wim: Path, *, times: bool = True) -> Described:
    """Everything wimlib tells of a volume, and which names are of one file."""
    text = run(WIMLIB, ["dir", capture(volume, wim), "1", "--detailed"])
    groups: dict[str, set[str]] = defaultdict(set)
    for path, group in re.findall(r'Full Path += "(.*)"(?s:.*?)Link Group ID += (\S+)', text):
        if int(group, 16):
            groups[group].add(path)
    plain = re.sub(r"(?m)^(Link Group ID|Offset in WIM) .*\n", "", text)
    if not times:
        plain = re.sub(r"(?m)^(Creation|Last Access|Last Write) Time .*\n", "", plain)
    return plain.split("\n\n"), {frozenset(names) for names in groups.values()}
