"""The private folder a build works in, beside the image it makes.

It lives for as long as the build, is guarded by a lock of the operating system, and is gone
afterwards whatever happened. A lock dies with its process, so a folder without one was left
by a build that was killed: it is emptied and used again.

Its name can be guessed, and the image may lie in a folder others can write to. So it is
either made by this process or was made by this user; anything else of that name is refused,
and nothing is ever reached through a link. Where others may rename it, the folder may be another
one at the end: then nothing in it becomes the image, and nothing in it is removed.

This module owns the list of the folders this process works in, for as long as it does.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from winimagetools import log
from winimagetools.errors import BuildError, RequestError
from winimagetools.files.access import private_opener
from winimagetools.files.target import target_problem
from winimagetools.run import held_signals

_LOCK_NAME = "lock"
_held: dict[Path, int] = {}
"""The folders of the builds of this process, with the handles of their locks."""
_ours: set[Path] = set()
"""Folders in which nobody but this process makes anything."""
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""flock(2) on a file system that has no locks: NFS without its daemon, some of clusters."""
_LOCK_OFFSET = 1 << 20
"""Windows forbids others to read a locked range: lock beyond the process number."""


class BuildFolder:
    """Context manager: a private folder beside ``image_path``, for one build at a time.

    Args:
        image_path: the image that will be made; its folder must exist.

    Entering returns the folder. Raises RequestError when the image could not be put where it
    goes, when something that is not this user's has the name of the folder, or when another
    build to the same image is running.
    """

    def __init__(self, image_path: Path) -> None:
        self.image_path = image_path.absolute()
        self.path = build_folder_of(self.image_path)
        self._lock = -1

    def __enter__(self) -> Path:
        try:
            with held_signals():
                self._begin()
        except BaseException as error:
            if self._lock >= 0:  # a signal that was held back is the reason
                self.__exit__(type(error), error, error.__traceback__)
            raise
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held_signals():
            self._end(error)

    def _begin(self) -> None:
        problem = target_problem(self.image_path)
        if problem is not None:
            raise RequestError(problem.message, problem.hint)
        try:
            self._lock = self._take_lock()
        except OSError as error:
            raise RequestError(
                f"{self.image_path.parent} cannot be written to: {error.strerror}.",
                "Let image_path name a folder you may write to, or move the image to one.",
            ) from error
        _held[self.path] = self._lock
        if _empty(self.path):
            log.warning(f"{self.path} was left by a build that was stopped; it was emptied.")

    def _end(self, error: BaseException | None) -> None:
        try:
            check_not_replaced(self.path)
        except BuildError as replaced:
            os.close(self._lock)
            # An interruption, and the same said before, count more.
            if error is None or (isinstance(error, Exception) and str(error) != str(replaced)):
                raise replaced from error
            return
        finally:
            del _held[self.path]
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
            try:
                _make_private(self.path)
                handle = private_opener(str(name), os.O_RDWR | os.O_CREAT)
            except FileNotFoundError:
                continue
            try:
                if self._lock_file(handle, name):
                    break
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        return handle

    def _lock_file(self, handle: int, name: Path) -> bool:
        """Lock an open file; whether it still is the one of that name."""
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise _foreign(name, "is not a lock this program made")
        try:
            _lock_function()(handle)
        except (BlockingIOError, PermissionError) as error:
            owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise RequestError(
                f"Another build (process {owner}) is writing {self.image_path}.",
                "Wait until it has ended, or choose another image_path.",
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            if not any(self.path.is_relative_to(folder) for folder in _ours):
                raise RequestError(
                    f"Files in {self.image_path.parent} cannot be locked: {error.strerror}.",
                    "Mount it with locks, or let image_path name a folder on another file system.",
                ) from error
        with suppress(FileNotFoundError):
            return os.path.samestat(status, name.lstat())
        return False


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make it known that nobody else makes anything in a folder, so that locks can be missing.

    Args:
        folder: made by this process, for itself.
    """
    _ours.add(folder.absolute())
    try:
        yield
    finally:
        _ours.discard(folder.absolute())


def check_not_replaced(folder: Path) -> None:
    """Refuse to go on in the folder of a build when it is another one by now.

    Args:
        folder: any; only those of builds of this process are known.

    Raises:
        BuildError: its lock is not the one that this process holds.
    """
    lock = _held.get(folder)
    if lock is None:
        return
    with suppress(OSError):
        if os.path.samestat(os.fstat(lock), (folder / _LOCK_NAME).lstat()):
            return
    raise BuildError(
        f"{folder} was moved, replaced or emptied by somebody else while the image was made.",
        "Let image_path name a folder that only you can write to. Nothing was put under the name "
        "of the image, and nothing of what is there now was removed.",
    )


def build_folder_of(image_path: Path) -> Path:
    """The folder a build of ``image_path`` works in."""
    # Not with_name(): the topmost folder has no name, and is refused on entering.
    return image_path.parent / f".{image_path.name}.building"


def _make_private(folder: Path) -> None:
    """Create a folder only its owner can enter, or take over one this user left.

    Raises:
        RequestError: what has its name is a link, no folder, or somebody else's.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _take_over(folder)


def _take_over(folder: Path) -> None:
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode) or not stat.S_ISDIR(status.st_mode) or _is_junction(status):
        raise _foreign(folder, "is not a folder this program made")
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid != os.geteuid():
        raise _foreign(folder, f"belongs to another user (number {status.st_uid})")
    if stat.S_IMODE(status.st_mode) != 0o700:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(handle, 0o700)
        finally:
            os.close(handle)


def _is_junction(status: os.stat_result) -> bool:
    """Whether this is a link of Windows between folders, which Python takes for a folder."""
    return getattr(status, "st_reparse_tag", 0) != 0


def _foreign(path: Path, reason: str) -> RequestError:
    return RequestError(
        f"{path} {reason}, so the build cannot work there.",
        "Remove it, or let image_path name a folder that only you can write to.",
    )


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
