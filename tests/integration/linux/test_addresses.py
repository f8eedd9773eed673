"""What becomes of a machine whose address is taken, or whose TPM does not listen."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.needs import program
from winimagetools.errors import BuildError, HostError
from winimagetools.host.linux.vm import LinuxVm
from winimagetools.model import MIB
from winimagetools.plan import VmRequest

PORTS = range(5900, 6000)


@pytest.fixture
def asked(tmp_path: Path, nothing_left: Path) -> VmRequest:
    """A machine with an empty disk."""
    program("qemu-system-x86_64", "qemu-system-x86")
    disk = tmp_path / "disk.raw"
    disk.touch()
    os.truncate(disk, MIB)
    return VmRequest(
        *("test", disk, 64 * MIB, 1, "none", 1), accel="tcg", logs=tmp_path, throw_away=True
    )


def test_no_port_is_left(asked: VmRequest) -> None:
    """For VNC: the ports are named, and another way."""
    with ExitStack() as opened:
        for port in PORTS:
            listening = opened.enter_context(socket.socket())
            with suppress(OSError):  # somebody else has it, which is as good
                listening.bind(("127.0.0.1", port))
                listening.listen(1)
        with pytest.raises(HostError, match="No port is left for VNC: all of 5900 to") as told:
            LinuxVm().start(replace(asked, screen="vnc"))
    assert "--screen window" in told.value.hint


def test_somebody_listens_at_the_socket(asked: VmRequest, tmp_path: Path) -> None:
    """Of the screen: it stays theirs. One that was left by a killed machine is made anew."""
    asked = replace(asked, vnc=str(tmp_path / "screen"), throw_away=False)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(asked.vnc)
        theirs.listen(1)
        problems = [problem.message for problem in LinuxVm().check(asked, force=False)]
        assert problems == [f"Another program listens at {asked.vnc}."]
    assert LinuxVm().check(asked, force=False) == []


def test_a_tpm_that_ends_at_once(
    asked: VmRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is not waited for, and what it said is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "swtpm").write_text("#!/bin/sh\necho libtpms is too old >&2\nexit 1\n")
    (folder / "swtpm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    began = time.monotonic()
    with pytest.raises(BuildError, match=r"swtpm does not listen. It said: libtpms is too old"):
        LinuxVm().start(replace(asked, tpm=True))
    assert time.monotonic() - began < 10
