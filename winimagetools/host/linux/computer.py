"""What this Linux machine is, and how what it lacks is installed on it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from winimagetools.errors import HostError, Problem, ToolMissingError
from winimagetools.facts.packages import distribution, install_hint
from winimagetools.found import MachineFacts

_OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
_NETWORKS = Path("/sys/class/net")


def read_os_release(text: str) -> dict[str, str]:
    """The variables of os-release(5), which is written as a shell would read it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                found[name] = "".join(shlex.split(value))
            except ValueError:
                continue
    return found


def _os_release() -> Mapping[str, str]:
    for path in _OS_RELEASE:
        try:
            return read_os_release(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return {}


def system_of(release: Mapping[str, str]) -> str:
    """Which distribution a machine has, see :func:`winimagetools.facts.packages.distribution`."""
    return distribution([release.get("ID", ""), *release.get("ID_LIKE", "").split()])


def as_problem(error: HostError) -> Problem:
    """What is missing, with the command that installs it on this very machine."""
    hint = error.hint
    if isinstance(error, ToolMissingError):
        hint = install_hint(error.package, system_of(_os_release()))
    return Problem(error.message, hint, host=True)


def look() -> MachineFacts:
    """What this machine is."""
    return MachineFacts(
        system=_os_release().get("PRETTY_NAME", "Linux"),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        processors=len(os.sched_getaffinity(0)),
        bridges=bridges(_NETWORKS),
    )


def bridges(networks: Path) -> tuple[str, ...]:
    """The network bridges of a machine, sorted.

    Args:
        networks: ``/sys/class/net``; a bridge has a folder ``bridge`` there (sysfs-class-net).
    """
    return tuple(sorted(path.parent.name for path in networks.glob("*/bridge")))
