"""A cache on a file system that has no locks, as NFS without its daemon.

``flock`` is refused by a library that is loaded before all others, for files in one folder only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.linux.test_matrix import folder, write
from tests.needs import program
from winimagetools.matrix.stages import IMAGE, OFFLINE

__all__ = ["folder"]
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int flock(int handle, int operation)
{
    char name[64], path[4096];
    const char *folder = getenv("WITHOUT_FLOCK");
    snprintf(name, sizeof name, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length > 0 && !strncmp(path, folder, strlen(folder))) {
        errno = ENOLCK;
        return -1;
    }
    int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    return next(handle, operation);
}
"""
AXES = """
[axes]
editions = ["*STANDARD"]
firmware = ["BIOS"]
containers = ["QCOW2", "VHDX"]
"""


@pytest.fixture
def without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file in the cache can be locked by what is started from here on."""
    program("gcc", "gcc")
    (folder / "shim.c").write_text(SHIM)
    library = folder / "shim.so"
    words = ["gcc", "-shared", "-fPIC", "-o", str(library), str(folder / "shim.c"), "-ldl"]
    subprocess.run(words, check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WITHOUT_FLOCK", str(folder / "cache"))


def start(*words: str) -> subprocess.Popen[str]:
    """A command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "winimagetools", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What it printed."""
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return out


@pytest.mark.usefixtures("without_locks")
def test_two_builders_and_the_commands(folder: Path) -> None:
    """Each stage is made once; then it is listed, verified and removed."""
    write(folder, AXES)
    lock = folder / "cache" / "probe"
    lock.parent.mkdir()
    lock.touch()
    probe = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)"
    refused = subprocess.run(
        [sys.executable, "-c", probe, lock], capture_output=True, text=True, check=False
    )
    assert "No locks available" in refused.stderr
    lock.unlink()
    builders = [start("matrix", "matrix.toml", "--json") for _ in range(2)]
    stages = [json.loads(ended(builder))["stages"] for builder in builders]
    assert sum(record["made"] for record in stages) == 3
    assert sum(record["failed"] for record in stages) == 0
    kinds = [path.name.partition("-")[0] for path in (folder / "cache" / "stages").iterdir()]
    assert sorted(kinds) == [IMAGE, IMAGE, OFFLINE]
    for left in ("claims", "work", "runs"):
        assert list((folder / "cache" / left).iterdir()) == []
    cache = ("--cache", "cache")
    assert ended(start("cache", "ls", *cache)).count("offline-") == 1
    assert ended(start("cache", "verify", *cache)) == "All intact.\n"
    for path in (folder / "cache" / "stages").rglob("*"):
        os.utime(path, (0, 0))
    removed = ended(start("cache", "prune", "--age", "1d", *cache))
    assert removed.startswith("offline-")
