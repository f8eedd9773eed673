"""What is kept of a run that failed: the disk, what was seen and said, and the logs of Windows.

The folder lies beside the image that was to be made and belongs to its owner alone: the disk
has passwords in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from winimagetools import log
from winimagetools.checks.causes import find_cause
from winimagetools.checks.subject import RangedTree
from winimagetools.contract import Host, ReadOnlyTree
from winimagetools.errors import BuildError, WinImageError
from winimagetools.model import MIB

FROM_DISK = "from-disk"
LOGS = (
    r"UnattendResources\image-generation-failed.txt",
    r"UnattendResources\image-generation-log.txt",
    r"UnattendResources\CloudbaseInit.log",
    r"Windows\Panther\setuperr.log",
    r"Windows\Panther\setupact.log",
    r"Windows\Panther\UnattendGC\setuperr.log",
    r"Windows\Panther\UnattendGC\setupact.log",
    r"Windows\Panther\winimagetools-drivers.txt",
    r"Windows\System32\Sysprep\Panther\setuperr.log",
    r"Windows\System32\Sysprep\Panther\setupact.log",
    r"Windows\Logs\CBS\CBS.log",
    r"Windows\Logs\DISM\dism.log",
    r"Windows\INF\setupapi.dev.log",
)
"""What tells most ("Windows Setup Log Files and Event Logs", Microsoft)."""
_TAIL = 2 * MIB
"""Bytes kept of each, the last ones: CBS.log may have a hundred times as many."""
_READ_FOR_CAUSE = 256 * 1024


def keep_evidence(
    host: Host, target: Path, disk: Path, logs: Path, error: BuildError
) -> BuildError:
    """Put a failed run aside and name its likely cause.

    Args:
        host: opens the disk.
        target: the image that was to be made.
        disk: of the machine; it is moved.
        logs: what the run left; it is moved.
        error: why it failed.

    Returns:
        The error to raise: what failed, the likely cause, what to do, and where everything is.
    """
    try:
        return _keep(host, target, disk, logs, error)
    except OSError as failure:
        # What failed first is what has to be told, also where there is no room for a folder.
        advice = f"Nothing could be kept of the run beside {target}: {failure.strerror}."
        return BuildError(error.message, f"{error.hint} {advice}".lstrip())


def _keep(host: Host, target: Path, disk: Path, logs: Path, error: BuildError) -> BuildError:
    folder = _make_folder(target)
    texts = [error.message]
    for item in sorted(logs.iterdir()):
        item.rename(folder / item.name)
        if item.suffix in (".log", ".jsonl"):
            texts.append(_end_of(folder / item.name))
    kept = folder / disk.name
    if disk.exists():
        disk.rename(kept)
        texts += _take_logs(host, kept, folder / FROM_DISK)
    cause = find_cause(texts)
    words = [error.hint] if error.hint else []
    message = error.message
    if cause is not None:
        message = f"{message} The likely cause: {cause.name}."
        words.append(cause.advice)
    words.append(f"Everything that was kept of the run is in {folder}.")
    return BuildError(message, " ".join(words))


def _make_folder(target: Path) -> Path:
    name = f"{target.name}.failed-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, 1000):
        folder = target.with_name(name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder
    raise BuildError(f"{target.parent} is full of folders of failed runs.", "Remove some.")


def _take_logs(host: Host, disk: Path, folder: Path) -> list[str]:
    """Copy the logs of Windows off the disk; a disk that cannot be opened has none to give."""
    try:
        with host.disks.open(disk, read_only=True) as opened:
            return list(copy_logs(opened.tree, folder))
    except (WinImageError, OSError) as error:
        log.warning(f"The logs of Windows could not be taken from the disk: {error}")
        return []


def copy_logs(tree: ReadOnlyTree, folder: Path) -> Iterator[str]:
    """Copy what there is of the logs; the end of each is handed over.

    Args:
        tree: the Windows volume.
        folder: where they go, made when there are any.
    """
    for path in LOGS:
        try:
            data = _tail(tree, path)
        except (OSError, WinImageError):
            continue
        target = folder.joinpath(*PureWindowsPath(path).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        yield _text(data[-_READ_FOR_CAUSE:])


def _tail(tree: ReadOnlyTree, path: str) -> bytes:
    """The end of a file; where the tree can do that, no more of it is read."""
    if isinstance(tree, RangedTree):
        with tree.open_file(path) as (size, read):
            return read(max(size - _TAIL, 0), _TAIL)
    return tree.read_bytes(path)[-_TAIL:]


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _READ_FOR_CAUSE, 0))
        return _text(file.read())


def _text(data: bytes) -> str:
    """Logs of Windows are in UTF-8, in UTF-16, or in a code page whose ASCII is enough here."""
    if data.startswith(b"\xff\xfe") or data[1:2] == b"\0":
        return data.decode("utf-16-le", errors="replace")
    return data.decode(errors="replace")
