"""The build folder when other processes are involved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.files.build_folder import BuildFolder

_BUILD = """
import sys, time
from pathlib import Path
from winimagetools.files.build_folder import BuildFolder
with BuildFolder(Path(sys.argv[1])) as folder:
    (folder / "half").mkdir()
    (folder / "half" / "disk.raw").write_bytes(b"x" * 4096)
    print("building", flush=True)
    time.sleep(60)
"""


def test_a_killed_build_does_not_block_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While it runs a second one is refused by its number; after kill -9 it goes ahead."""
    image = tmp_path / "image.raw"
    arguments = [sys.executable, "-c", _BUILD, str(image)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "building\n"
        with (
            pytest.raises(RequestError, match=rf"process {other.pid}\) is writing"),
            BuildFolder(image),
        ):
            raise AssertionError("two builds at once")
        os.kill(other.pid, signal.SIGKILL)
    assert (tmp_path / ".image.raw.building" / "half" / "disk.raw").exists()
    with BuildFolder(image) as folder:
        assert not (folder / "half").exists()
    assert "was left by a build that was stopped" in caplog.text
    assert list(tmp_path.iterdir()) == []
