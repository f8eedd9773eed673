"""Where programs are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools.errors import ToolMissingError
from winimagetools.run import Tool

FAKE = Tool("fake-tool", "fake-package", "try things")


def put(folder: Path, name: str = "fake-tool") -> str:
    """A program in a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("entries", ["", ".", "bin", os.pathsep, f"{os.pathsep}bin{os.pathsep}"])
def test_never_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: str
) -> None:
    """Empty and relative entries of PATH do not let a program there be taken."""
    put(tmp_path)
    put(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", entries)
    with pytest.raises(ToolMissingError):
        FAKE.find()


def test_the_first_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole paths count in their order, quoted ones too, as Windows has them."""
    first, second = put(tmp_path / "first"), put(tmp_path / "second")
    monkeypatch.setenv("PATH", os.pathsep.join(["x", f'"{tmp_path}/first"', f"{tmp_path}/second"]))
    assert FAKE.find() == first
    Path(first).chmod(0o644)
    assert FAKE.find() == second


def test_windows_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ending of Windows is understood; a whole path is that program and no other."""
    path = put(tmp_path, "fake-tool.exe")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert FAKE.find() == path
    assert Tool(path, "", "").find() == path
    with pytest.raises(ToolMissingError):
        Tool(str(tmp_path / "other"), "", "try").find()
