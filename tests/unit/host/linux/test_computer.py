"""What a Linux machine is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools.errors import HostError, ToolMissingError
from winimagetools.host.linux import computer
from winimagetools.host.linux.checks import LinuxChecks

TUMBLEWEED = """\
NAME="openSUSE Tumbleweed"
# VERSION="20261101"
ID="opensuse-tumbleweed"
ID_LIKE="opensuse suse"
PRETTY_NAME='openSUSE "Tumbleweed"'
BROKEN="
"""


def test_os_release_is_read_as_a_shell_would() -> None:
    """Quotes of both kinds; comments and what is no shell are left out."""
    found = computer.read_os_release(TUMBLEWEED)
    assert found == {
        "NAME": "openSUSE Tumbleweed",
        "ID": "opensuse-tumbleweed",
        "ID_LIKE": "opensuse suse",
        "PRETTY_NAME": 'openSUSE "Tumbleweed"',
    }
    assert computer.system_of(found) == "opensuse"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (TUMBLEWEED, "Install it: zypper install qemu-tools"),
        ("ID=fedora\n", "Install it: dnf install qemu-img"),
        ("ID=debian\n", "Install it: apt install qemu-utils"),
    ],
)
def test_the_hint_is_for_this_distribution(
    text: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is told with the command that installs it here."""
    path = tmp_path / "os-release"
    path.write_text(text)
    monkeypatch.setattr(computer, "_OS_RELEASE", (tmp_path / "none", path))
    problem = computer.as_problem(ToolMissingError("qemu-img", "qemu-utils", "convert disks"))
    assert problem.hint == hint
    assert problem.host


def test_another_lack_keeps_its_hint() -> None:
    """Only packages are translated."""
    problem = computer.as_problem(HostError("KVM does not run.", "Use another machine."))
    assert (problem.message, problem.hint) == ("KVM does not run.", "Use another machine.")


def test_bridges_are_those_with_a_folder(tmp_path: Path) -> None:
    """Other interfaces are none."""
    for name in ("br1/bridge", "br0/bridge", "eth0/queues"):
        (tmp_path / name).mkdir(parents=True)
    assert computer.bridges(tmp_path) == ("br0", "br1")


def test_this_machine() -> None:
    """Memory and processors are those the kernel tells."""
    found = LinuxChecks().machine()
    total = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    assert found.memory == total
    assert found.processors == len(os.sched_getaffinity(0))
