"""Media that repackaging tools have taken the description of their editions from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.media import MediaFormat, MediaSpec
from tests.integration.linux.build import Job
from winimagetools.host.linux.media import LinuxMedia

MakeMedia = Callable[[MediaSpec], Path]
SYSTEM = r"\Windows\System32\config\SYSTEM"
LOST = ("WINDOWS/INSTALLATIONTYPE", "WINDOWS/EDITIONID", "WINDOWS/PRODUCTTYPE", "FLAGS")


@pytest.mark.parametrize("kind", [MediaFormat.WIM, MediaFormat.ISO])
def test_a_file_of_an_edition(install_media: MakeMedia, kind: MediaFormat) -> None:
    """It is read from a WIM and from one inside an ISO; a missing one is told."""
    medium = install_media(MediaSpec(editions=("ServerStandard",), media_format=kind))
    with LinuxMedia().open_install(medium) as media:
        (image,) = media.images
        assert media.read_file(image, SYSTEM).startswith(b"regf")
        assert media.read_file(image, SYSTEM).startswith(b"regf")
        with pytest.raises(FileNotFoundError):
            media.read_file(image, r"\Windows\nothing.txt")


def test_the_registry_tells_a_server(
    tmp_path: Path, install_wim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A WIM that says nothing of its edition is asked for its registry, and built as a server."""
    wim = tmp_path / "install.wim"
    shutil.copyfile(install_wim, wim)
    for name in LOST:
        argv = ["wimlib-imagex", "info", str(wim), "1", f"--image-property={name}="]
        subprocess.run(argv, check=True, capture_output=True)
    argv = ["wimlib-imagex", "info", str(wim), "1", "mine", "nothing to tell"]
    subprocess.run([*argv, "--image-property=DISPLAYNAME="], check=True, capture_output=True)
    job = Job(tmp_path, wim, {"DEFAULT.image_name": "mine"})
    assert job.build("--dry-run") == 0
    lines = capsys.readouterr().out
    assert "mine (10.0.20348.587, amd64)" in lines
    assert "BypassNRO" not in lines
