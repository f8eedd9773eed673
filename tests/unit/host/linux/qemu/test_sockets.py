"""Where a virtual machine can listen: QEMU takes away whatever has the path of its socket."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from winimagetools.host.linux.qemu.sockets import socket_problem

HEAD = b"Num       RefCount Protocol Flags    Type St Inode Path\n"
LINE = b"00000000f2f18a63: 00000002 00000000 00010000 0001 01  1678 %s\n"


def message(path: Path, sockets: Path = Path("/nowhere")) -> str:
    """What is wrong; empty when nothing is."""
    problem = socket_problem(path, sockets)
    if problem is None:
        return ""
    assert (problem.section, problem.key) == ("vm", "vnc_socket")
    assert "a socket of its own" in problem.hint
    return problem.message


def test_a_new_socket(tmp_path: Path) -> None:
    """Can be made where nothing is."""
    assert message(tmp_path / "screen") == ""


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, os.mkfifo])
def test_what_would_be_lost(make: object, tmp_path: Path) -> None:
    """Whatever is there and no socket."""
    assert callable(make)
    make(tmp_path / "screen")
    assert message(tmp_path / "screen") == (
        f"{tmp_path}/screen is there and is no socket; it would be lost."
    )


def test_a_link(tmp_path: Path) -> None:
    """Is none either, wherever it leads."""
    (tmp_path / "screen").symlink_to("gone")
    assert "is no socket" in message(tmp_path / "screen")


def test_a_socket_that_is_there(tmp_path: Path) -> None:
    """One that a killed machine left is made anew; one that somebody listens at stays."""
    path, listed = tmp_path / "my screen", tmp_path / "unix"
    os.mknod(path, stat.S_IFSOCK | 0o600)
    listed.write_bytes(HEAD + LINE % b"/run/other" + LINE % os.fsencode(f"{path}2"))
    assert message(path, listed) == ""
    listed.write_bytes(HEAD + LINE.replace(b" %s", b"") + LINE % os.fsencode(path))
    assert message(path, listed) == f"Another program listens at {path}."


def test_where_none_can_be_made(tmp_path: Path) -> None:
    """A folder that is not there, and a path that is too long."""
    assert message(tmp_path / "no" / "screen") == f"No socket can be made in {tmp_path}/no."
    long = Path("/tmp") / ("x" * 103)
    assert (
        message(long) == f"{long} has more than the 107 bytes that the path of a socket may have."
    )
    assert message(Path("/tmp") / ("x" * 102)) == ""
    assert "more than the 107 bytes" in message(Path("/tmp") / ("ä" * 52))
