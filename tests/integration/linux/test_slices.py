"""A WIM inside an ISO, used where it lies, with the real qemu-storage-daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fixtures.boot_proof import boot
from fixtures.media import MediaFormat, MediaSpec
from tests import needs
from tests.integration.linux.build import Job
from winimagetools.errors import HostError
from winimagetools.host.linux.slices import STORAGE_DAEMON, FuseSlices, Slice

MakeMedia = Callable[[MediaSpec], Path]
DATA = os.urandom(300_000)


@pytest.fixture(autouse=True)
def fuse() -> None:
    """FUSE and the daemon."""
    needs.program("qemu-storage-daemon", "qemu-system-common")
    if obstacle := FuseSlices().obstacle():
        pytest.skip(obstacle)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with an awkward name to take ranges of."""
    path = tmp_path / 'a, "b"=c.iso'
    path.write_bytes(DATA)
    return path


def daemons(folder: Path) -> list[int]:
    """Running daemons that show files in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if os.fsencode(folder) in line and b"storage-daemon" in line:
                found.append(int(entry.name))
    return found


def gone(folder: Path) -> bool:
    """Whether no daemon shows anything in a folder any more, after a moment at most."""
    deadline = time.monotonic() + 10
    while daemons(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not daemons(folder) and str(folder) not in Path("/proc/mounts").read_text()


def test_ranges_are_files(source: Path, tmp_path: Path) -> None:
    """Several at once; each ends with the sector its range ends in; afterwards nothing is left."""
    one, two = tmp_path / "install.swm", tmp_path / "install2.swm"
    with FuseSlices().show(source, [Slice(2048, 5000, one), Slice(100 * 512, 1024, two)]):
        assert one.read_bytes() == DATA[2048 : 2048 + 5120]
        assert two.read_bytes() == DATA[51200 : 51200 + 1024]
        with pytest.raises(PermissionError if os.geteuid() else OSError):
            one.write_bytes(b"x")
    assert list(tmp_path.iterdir()) == [source]
    assert gone(tmp_path)


def test_a_range_that_does_not_exist(source: Path, tmp_path: Path) -> None:
    """The daemon's own words say why; nothing is left."""
    with (
        pytest.raises(HostError, match=r"qemu-storage-daemon cannot show the WIM as a file: .+"),
        FuseSlices().show(source, [Slice(2048, 10 << 20, tmp_path / "x")]),
    ):
        pass
    assert list(tmp_path.iterdir()) == [source]
    assert gone(tmp_path)


def test_a_daemon_without_io_uring(
    source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel, or in a container, that forbids it: it reads in the old way."""
    folder, tried = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("tried") / "tried"
    fake = folder / "qemu-storage-daemon"
    fake.write_text(
        f'#!/bin/sh\ncase "$*" in *\\"io_uring\\"*) : >{tried}; exit 1;; esac\n'
        f'exec {STORAGE_DAEMON.find()} "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    shown = tried.with_name("x")
    with FuseSlices().show(source, [Slice(2048, 5120, shown)]):
        assert tried.exists()
        assert shown.read_bytes() == DATA[2048 : 2048 + 5120]
    assert not shown.exists()
    assert gone(shown.parent)


def test_nothing_is_left_after_an_error(source: Path, tmp_path: Path) -> None:
    """As when the user gives up."""
    with (
        pytest.raises(KeyboardInterrupt),
        FuseSlices().show(source, [Slice(0, 512, tmp_path / "x")]),
    ):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [source]
    assert gone(tmp_path)


def test_a_daemon_that_is_killed(source: Path, tmp_path: Path) -> None:
    """Its file is taken away even then."""
    needs.program("fusermount3", "fuse3")
    with FuseSlices().show(source, [Slice(0, 512, tmp_path / "x")]):
        os.kill(daemons(tmp_path)[0], signal.SIGKILL)
        time.sleep(0.2)
    assert list(tmp_path.iterdir()) == [source]
    assert gone(tmp_path)


def test_when_this_process_is_killed(source: Path, tmp_path: Path) -> None:
    """The daemon ends with it and unmounts its file, so that the next build can remove it."""
    script = (
        "import sys, time; from pathlib import Path;"
        "from winimagetools.host.linux.slices import FuseSlices, Slice\n"
        "source, shown = map(Path, sys.argv[1:])\n"
        "with FuseSlices().show(source, [Slice(0, 512, shown)]): print('on', flush=True);"
        " time.sleep(60)"
    )
    shown = tmp_path / "x"
    argv: list[str | Path] = [sys.executable, "-c", script, source, shown]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        assert shown.stat().st_size == 512
        os.killpg(process.pid, signal.SIGKILL)
    assert gone(tmp_path)
    assert shown.stat().st_size == 0
    shown.unlink()


@pytest.mark.parametrize(
    "install",
    [
        MediaSpec(media_format=MediaFormat.ISO),
        MediaSpec(media_format=MediaFormat.ISO, install=MediaFormat.SWM, split_size=200_000),
    ],
    ids=["wim", "swm"],
)
def test_a_build_from_an_iso_copies_nothing(
    tmp_path: Path,
    install_media: MakeMedia,
    install: MediaSpec,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The image starts, nothing was copied out, nothing is left."""
    job = Job(tmp_path, install_media(install))
    assert job.build("--no-checksum") == 0
    assert "out of" not in "".join(capsys.readouterr())
    assert boot(job.image, "raw", "uefi").bcd_size > 8192
    assert job.left_over() == []
    assert gone(tmp_path)
