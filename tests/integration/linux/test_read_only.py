"""A finished image on a file system that is mounted read-only, such as a share of golden images."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.finished_disks import make_disk
from tests import needs
from tests.integration.linux.test_golden import configure, is_whole
from winimagetools.model import MIB, DiskFormat
from winimagetools.output.convert import convert

BIND = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && ! touch "$0/x" && exec "$@"'
UNWRITABLE = "share cannot be written to"


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Path:
    """A folder with a golden image in each of two containers, and a wrapped one."""
    folder = tmp_path_factory.mktemp("golden") / "share"
    folder.mkdir()
    make_disk(folder / "gold.raw", "uefi", install_wim, windows_size=600 * MIB)
    convert(folder / "gold.raw", folder / "gold.vhdx", DiskFormat.VHDX, False)
    subprocess.run(["gzip", "--keep", "--fast", str(folder / "gold.raw")], check=True)
    return folder


def call(share: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command while the folder is mounted read-only."""
    before = {path: path.stat().st_mtime_ns for path in [share, *share.iterdir()]}
    command = [sys.executable, "-m", "winimagetools", *words]
    argv = [*needs.own_mounts(), "sh", "-c", BIND, str(share), *command]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert {path: path.stat().st_mtime_ns for path in [share, *share.iterdir()]} == before
    return done


@pytest.mark.parametrize("name", ["gold.raw", "gold.vhdx"])
def test_a_golden_image(name: str, share: Path, tmp_path: Path) -> None:
    """Becomes an image elsewhere."""
    config = configure(tmp_path, share / name, "new.vhdx", image_type="HYPER-V")
    done = call(share, "golden-image", str(config))
    assert done.returncode == 0, done.stderr
    is_whole(tmp_path / "new.vhdx")


@pytest.mark.parametrize(
    "words", ["inspect IMAGE", r"ls IMAGE:\Windows", "boot --dry-run --accel tcg IMAGE"]
)
@pytest.mark.parametrize("name", ["gold.raw", "gold.vhdx"])
def test_looking(words: str, name: str, share: Path) -> None:
    """Takes no file beside the image."""
    image = str(share / name)
    done = call(share, *(word.replace("IMAGE", image) for word in shlex.split(words, posix=False)))
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "words", ["shrink gold.raw", "extend --size 2GB gold.vhdx", "test-image gold.raw.gz"]
)
def test_what_has_to_write_there(words: str, share: Path) -> None:
    """Says so, and what it would have needed."""
    *more, name = words.split()
    done = call(share, *more, str(share / name))
    assert done.returncode == 2, done.stderr
    assert UNWRITABLE in done.stderr
    assert "or move the image to one" in done.stderr
    assert done.stderr.count("error: ") == 1
