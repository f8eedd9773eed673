"""Whether the file a build will replace can be replaced: asked before it, not after it.

The rules are those of rename(2) and of file attributes on Linux (ioctl_iflags(2)).
"""

from __future__ import annotations

import array
import os
import stat
import time
from pathlib import Path

from winimagetools import log
from winimagetools.errors import Problem

_GET_FLAGS = 0x80086601
"""FS_IOC_GETFLAGS of linux/fs.h on 64-bit machines."""
_IMMUTABLE, _APPEND = 0x10, 0x20
_CAP_FOWNER = 1 << 3
"""The right to treat the files of others as one's own, capabilities(7)."""
_ELSEWHERE = "Let image_path name another file or folder."


def target_problem(path: Path) -> Problem | None:
    """Why a complete image could not be put at ``path``; None when it can.

    Args:
        path: where the image goes; a file there would be replaced.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        return Problem(
            f"The folder {folder} does not exist.",
            "Create it, or let image_path name a file in a folder that exists.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Problem(
            f"{folder} cannot be written to.",
            "Let image_path name a folder you may write to, or move the image to one.",
        )
    flags = file_flags(folder)
    if flags & (_IMMUTABLE | _APPEND):
        return Problem(f"{folder} is {_flag_name(flags)}.", _lift(flags, folder))
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return _replace_problem(path, status)


def describe_replaced(path: Path) -> str:
    """The file an image will replace, with size and date; empty when there is none."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    if stat.S_ISLNK(status.st_mode):
        return f"the link {path}"
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.st_mtime))
    return f"the file {path} ({log.size(status.st_size)}, written {written})"


def _replace_problem(path: Path, status: os.stat_result) -> Problem | None:
    if stat.S_ISDIR(status.st_mode):
        return Problem(f"{path} is a folder, not a file.", "Let image_path name the image file.")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return Problem(f"{path} is a device, pipe or socket, not a file.", _ELSEWHERE)
    if _is_mount_point(path):
        return Problem(f"{path} is a mount point and cannot be replaced.", _ELSEWHERE)
    flags = file_flags(path)
    if flags & (_IMMUTABLE | _APPEND):
        return Problem(
            f"{path} cannot be replaced because it is {_flag_name(flags)}.", _lift(flags, path)
        )
    if _is_protected(path.absolute().parent.stat(), status):
        return Problem(
            f"{path} belongs to another user, and its folder lets only the owner replace it.",
            _ELSEWHERE,
        )
    if not hasattr(os, "geteuid") and not _opens(path):
        return Problem(
            f"{path} is read-only or in use, so it cannot be replaced.",
            "Close whatever uses it, or let image_path name another file.",
        )
    return None


def file_flags(path: Path) -> int:
    """The attributes chattr(1) sets; 0 where there are none or they cannot be read."""
    try:
        import fcntl

        # Not blocked by a pipe, not led away by a link.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return 0
    try:
        answer = array.array("l", [0])
        fcntl.ioctl(handle, _GET_FLAGS, answer)
        return answer[0]
    except OSError:
        return 0
    finally:
        os.close(handle)


def _flag_name(flags: int) -> str:
    return "immutable" if flags & _IMMUTABLE else "append-only"


def _lift(flags: int, path: Path) -> str:
    letter = "i" if flags & _IMMUTABLE else "a"
    return f"Take the flag away (chattr -{letter} {path}), or choose another image_path."


def _is_protected(folder: os.stat_result, file: os.stat_result) -> bool:
    """Whether the sticky bit of a folder keeps a file in it from being replaced (unlink(2))."""
    if not folder.st_mode & stat.S_ISVTX or not hasattr(os, "geteuid"):
        return False
    return os.geteuid() not in (file.st_uid, folder.st_uid) and not _has_right(_CAP_FOWNER)


def _has_right(capability: int) -> bool:
    """Whether this process has a capability; where nothing tells, root has all of them."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        effective = next(line for line in lines.splitlines() if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) & capability)
    except (OSError, StopIteration):
        return os.geteuid() == 0


def _is_mount_point(path: Path) -> bool:
    """Whether something is mounted on a file, as containers do with single ones."""
    try:
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return False
    found = os.fsencode(path.parent.resolve() / path.name)
    points = (line.split(b" ")[4] for line in table.splitlines())
    return any(_unescape(point) == found for point in points)


def _unescape(point: bytes) -> bytes:
    r"""A path of proc_pid_mountinfo(5), where blanks and the like are ``\040``."""
    for code in (b"040", b"011", b"012", b"134"):
        point = point.replace(b"\\" + code, bytes([int(code, 8)]))
    return point


def _opens(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False
