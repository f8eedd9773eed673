"""Who may read and change a file: private from the first byte, and kept when it is replaced.

Images and configurations hold passwords, so nothing here is ever readable for more people
than the finished file will be. Where a system has no owners or modes (Windows, FAT), what
does not apply is left out.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.errors import RequestError

PRIVATE = 0o600
_GROUP = 0o070
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def private_opener(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: only the owner reads a new file, and no link is followed."""
    return os.open(path, flags | _NO_FOLLOW, PRIVATE)


@dataclass(frozen=True)
class Access:
    """Mode and owner of a file.

    Args:
        mode: permission bits.
        uid: the owner; -1 to leave it as it is.
        gid: the group; -1 to leave it as it is.
    """

    mode: int = PRIVATE
    uid: int = -1
    gid: int = -1


def access_of(path: Path) -> Access | None:
    """Mode and owner of a regular file; None when there is none, links not followed."""
    try:
        status = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Access(stat.S_IMODE(status.st_mode) & 0o777, status.st_uid, status.st_gid)


def give_access(path: Path, access: Access) -> None:
    """Give a file mode and owner, as far as this user may.

    Only root can give files away; a group must be one of the user's own. Where the group
    cannot be kept, its rights are not given to another one. A file system without modes is
    warned about when more people can read the file than should.

    Args:
        path: a file of this user that is no link.
        access: from :func:`access_of`.
    """
    mode = access.mode if _give_owner(path, access) else access.mode & ~_GROUP
    try:
        path.chmod(mode)
    except OSError as error:
        now = stat.S_IMODE(path.stat().st_mode)
        if now & ~mode & 0o077:
            log.warning(
                f"{path} has mode {now:04o} instead of {mode:04o} because its file system does "
                f"not allow it: {error.strerror}."
            )


def _give_owner(path: Path, access: Access) -> bool:
    """Whether the file has the group it should have now."""
    if not hasattr(os, "chown"):
        return True
    status = path.stat()
    if access.uid not in (-1, status.st_uid):
        with suppress(OSError):
            os.chown(path, access.uid, -1)
    if access.gid in (-1, status.st_gid):
        return True
    try:
        os.chown(path, -1, access.gid)
    except OSError:
        return False
    return True


def parse_mode(text: str) -> int:
    """The mode of a finished image as chmod(1) takes it: ``600``, ``0640``, ``0o644``.

    Raises:
        RequestError: it is no octal number of permission bits, or its owner could not read it.
    """
    digits = text.strip().lower().removeprefix("0o")
    known = 1 <= len(digits) <= 4 and set(digits) <= set("01234567")
    mode = int(digits, 8) if known else -1
    if not 0 <= mode <= 0o777 or len(digits) < 3:
        raise RequestError(
            f"{text!r} is not the mode of a file.",
            "Write three octal digits for owner, group and others, such as 600 or 640.",
        )
    if not mode & stat.S_IRUSR:
        raise RequestError(
            f"With mode {mode:03o} nobody could read the image, not even its owner.",
            "Let the first digit be 4 or 6, such as 600.",
        )
    return mode
