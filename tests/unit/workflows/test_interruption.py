"""Ctrl-C in the moment in which a build gets its folder."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from types import TracebackType

import pytest

from tests.unit.dry_build import SERVER_2022, FakeMedia, config_text, lay_out
from tests.unit.recording_host import recording_host
from winimagetools import interruption
from winimagetools.contract import Host
from winimagetools.workflows.build import new_windows_cloud_image


class Folder:
    """A folder that is there when the signal comes; ``left`` says whether it was given back."""

    def __init__(self, path: Path) -> None:
        self.path, self.left = path, False

    def __enter__(self) -> Path:
        signal.raise_signal(signal.SIGINT)
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.left = True


class Files:
    """The files of a host whose builds work in such a folder."""

    def __init__(self, host: Host, folder: Folder) -> None:
        self._files, self._folder = host.files, folder

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)

    def build_folder(self, _image: Path) -> Folder:
        """The one; a command before this in the same process was complete, and this begins."""
        interruption.begin()
        return self._folder


def test_ctrl_c_when_the_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build ends, and the folder is given back."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    options: dict[str, str | bool | int] = {
        "wim_file_path": "install.wim",
        "image_name": SERVER_2022,
        "image_path": "win.raw",
        "virtual_disk_format": "RAW",
    }
    Path("config.ini").write_text(config_text(options), encoding="utf-8")
    folder = Folder(tmp_path / "work")
    host = recording_host(FakeMedia(), lambda _: None)
    host = dataclasses.replace(host, files=Files(host, folder))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        new_windows_cloud_image("config.ini", host=host)
    assert folder.left
