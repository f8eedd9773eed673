"""The private folder a build works in, beside the image it makes.

It lives for as long as the build, is guarded by a lock of the operating system, and is gone
afterwards whatever happened. A lock dies with its process, so a folder without one was left
by a build that was killed: it is emptied and used again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from winimagetools import log
from winimagetools.errors import RequestError

_LOCK_NAME = "lock"
_LOCK_OFFSET = 1 << 20
"""Windows forbids others to read a locked range: lock beyond the process number."""


class BuildFolder:
    """Context manager: a private folder beside ``image_path``, for one build at a time.

    Args:
        image_path: the image that will be made; its folder must exist.

    Entering returns the folder. Raises RequestError when the folder of the image is missing
    or cannot be written to, or when another build to the same image is running.
    """

    def __init__(self, image_path: Path) -> None:
        self.image_path = image_path.absolute()
        self.path = self.image_path.with_name(f".{image_path.name}.building")
        self._lock = -1

    def __enter__(self) -> Path:
        _check_target(self.image_path)
        try:
            self._lock = self._take_lock()
        except OSError as error:
            raise RequestError(
                f"{self.image_path.parent} cannot be written to: {error.strerror}.",
                "Let image_path name a folder you may write to.",
            ) from error
        if _empty(self.path):
            log.warning(f"{self.path} was left by a build that was stopped; it was emptied.")
        return self.path

    def __exit__(self, *_: object) -> None:
        _empty(self.path)
        name = self.path / _LOCK_NAME
        try:
            name.unlink(missing_ok=True)
            os.close(self._lock)
        except PermissionError:  # Windows does not delete an open file
            os.close(self._lock)
            name.unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError as failure:
            log.warning(f"{self.path} could not be removed: {failure.strerror}.")

    def _take_lock(self) -> int:
        """Open and lock the lock file; it may be deleted by an ending build meanwhile."""
        name = self.path / _LOCK_NAME
        while True:
            _make_private(self.path)
            try:
                handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:
                continue
            try:
                _lock_function()(handle)
            except (BlockingIOError, PermissionError) as error:
                owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
                os.close(handle)
                raise RequestError(
                    f"Another build (process {owner}) is writing {self.image_path}.",
                    "Wait until it has ended, or choose another image_path.",
                ) from error
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), name.stat()):
                    break
            os.close(handle)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        return handle


def _check_target(image_path: Path) -> None:
    if not image_path.parent.is_dir():
        raise RequestError(
            f"The folder {image_path.parent} does not exist.",
            "Create it, or let image_path name a file in a folder that exists.",
        )
    if image_path.is_dir():
        raise RequestError(
            f"{image_path} is a folder, not a file.", "Let image_path name the image file."
        )


def _make_private(folder: Path) -> None:
    """Create a folder only its owner can enter, unless it is there already."""
    folder.mkdir(mode=0o700, exist_ok=True)


def _empty(folder: Path) -> bool:
    """Remove everything in ``folder`` except the lock; whether there was anything."""
    items = [item for item in folder.iterdir() if item.name != _LOCK_NAME]
    for item in items:
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        else:
            with suppress(OSError):
                item.unlink()
    return bool(items)


def _lock_function() -> Callable[[int], None]:
    """What locks an open file for this process, or raises OSError when another one has it."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        def lock_range(handle: int) -> None:
            os.lseek(handle, _LOCK_OFFSET, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            finally:
                os.lseek(handle, 0, os.SEEK_SET)

        return lock_range
    return lambda handle: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
