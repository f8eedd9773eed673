"""What a test may lack, and the one policy for tests that are skipped.

Skip here, fail in CI: a missing program never hides there. Excused are tests that need
Windows, and those that need what no clone of the project has: genuine data, PowerShell, the
right to mount, and on distributions other than Debian its kernel and its browser. Where it is
there, a test that is skipped for want of it is a failure too.
"""

from __future__ import annotations

import functools
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fixtures.browser import PROGRAM
from fixtures.guest import linux

GENUINE_DATA = "WINIMAGETOOLS_GENUINE_DATA"
"""Environment variable that names a folder with data Windows and its users have written.

In it are ``bcd`` (BCD stores), ``hives`` (SYSTEM hives, xz) and ``configs`` (published
configuration files); README.md says which files.
"""

WINDOWS, DATA, POWERSHELL, MOUNT, GUEST, BROWSER = (
    "needs Windows",
    "needs genuine data",
    "needs PowerShell",
    "needs the right to mount",
    "needs a kernel of Debian",
    "needs Chromium of Debian",
)
"""How the reason of a skip begins that may be excused."""


def genuine_folder() -> Path | None:
    """The folder the environment variable names, or None."""
    named = os.environ.get(GENUINE_DATA)
    return Path(named) if named else None


def genuine_path(name: str) -> Path:
    """A file in the folder of genuine data; the test is skipped without it."""
    folder = genuine_folder()
    if folder is None:
        pytest.skip(f"{DATA}: {name} in the folder that {GENUINE_DATA} names")
    path = folder / name
    if not path.exists():
        pytest.skip(f"{DATA}: {name} is not in {folder}, which {GENUINE_DATA} names")
    return path


def genuine(name: str) -> bytes:
    """Content of such a file, unpacked when its name ends in ``.xz``."""
    data = genuine_path(name).read_bytes()
    return lzma.decompress(data) if name.endswith(".xz") else data


def powershell() -> str:
    """PowerShell in ``PATH``; the test is skipped without it."""
    found = shutil.which("pwsh")
    if found is None:
        pytest.skip(f"{POWERSHELL}: pwsh is not in PATH")
    return found


def program(name: str, package: str) -> None:
    """Skip the test when a program is missing; in CI that is a failure."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is missing (apt install {package})")


def guest() -> None:
    """Skip the test where the stand-in guest cannot be made."""
    if not linux.is_there():
        pytest.skip(f"{GUEST}: .ci/guest fetches it into {linux.FOLDER}")


def browser() -> None:
    """Skip the test where there is no browser; Ubuntu has none as a package."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{BROWSER}: {PROGRAM} is not in PATH")


@functools.cache
def own_mounts() -> tuple[str, ...]:
    """Start of a command line that may mount; the test is skipped where none does."""
    program("unshare", "util-linux")
    for way in (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")):
        trial = [*way, "mount", "-t", "tmpfs", "none", "/mnt"]
        with_mount = subprocess.run(trial, capture_output=True, check=False)
        if with_mount.returncode == 0:
            return way
    pytest.skip(f"{MOUNT} a file system in a name space of its own")


def unexcused(
    skips: Mapping[str, str],
    environment: Mapping[str, str],
    platform: str = sys.platform,
    *,
    has_powershell: bool,
    is_debian: bool,
) -> list[str]:
    """The skipped tests that make a run fail.

    Args:
        skips: test → reason of its skip.
        environment: variables of the run; nothing fails unless ``CI`` is set.
        platform: of the run; on others than Linux nothing fails.
        has_powershell: whether ``pwsh`` is in ``PATH``.
        is_debian: whether the distribution is Debian.
    """
    if not environment.get("CI") or platform != "linux":
        return []
    excused = [WINDOWS, MOUNT]
    excused += [] if environment.get(GENUINE_DATA) else [DATA]
    excused += [] if has_powershell else [POWERSHELL]
    excused += [] if is_debian else [GUEST, BROWSER]
    return [
        f"{test}: {reason}"
        for test, reason in skips.items()
        if not reason.startswith(tuple(excused))
    ]
