"""Sockets a virtual machine listens at: whether one can be made under a path.

QEMU takes away whatever has the path of a socket it makes, be it a file that somebody needs or the
socket of another machine (``unix_listen_saddr`` of QEMU). So the path is looked at before.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from winimagetools.errors import Problem

LONGEST = 107
"""Bytes the path of a socket may have (unix(7))."""
_OPEN = Path("/proc/net/unix")
"""The sockets of this machine; the path is the last of eight columns (proc(5))."""
_PATH_COLUMN = 7


def is_too_long(path: Path) -> bool:
    """Whether a path has more bytes than a socket takes."""
    return len(os.fsencode(path)) > LONGEST


def socket_problem(path: Path, sockets: Path = _OPEN) -> Problem | None:
    """Why a machine cannot listen at ``vnc_socket``; None when it can.

    Args:
        path: of the socket that is to be made.
        sockets: the list of those there are.
    """
    message = _obstacle(path, sockets)
    if not message:
        return None
    advice = "Let vnc_socket name a socket of its own in a folder you may write to."
    return Problem(message, advice, section="vm", key="vnc_socket")


def _obstacle(path: Path, sockets: Path) -> str:
    if is_too_long(path):
        return f"{path} has more than the {LONGEST} bytes that the path of a socket may have."
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"No socket can be made in {path.parent}."
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISSOCK(status.st_mode):
        return f"{path} is there and is no socket; it would be lost."
    return f"Another program listens at {path}." if _is_open(path, sockets) else ""


def _is_open(path: Path, sockets: Path) -> bool:
    try:
        lines = sockets.read_bytes().splitlines()
    except OSError:
        return False
    wanted = os.fsencode(path)
    return any(line.split(None, _PATH_COLUMN)[_PATH_COLUMN:] == [wanted] for line in lines)
