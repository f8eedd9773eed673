"""Names in an image that somebody else made: nothing is written where they lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.fakes import MemoryTree
from winimagetools.errors import RequestError
from winimagetools.workflows import look
from winimagetools.workflows.look import Listed, copy_out, list_folder


class Odd(MemoryTree):
    """A tree with a further name in its folder ``Windows``, as an index of NTFS may have it."""

    def __init__(self, files: Mapping[str, bytes], name: str) -> None:
        super().__init__(files)
        self._name = name

    def list_dir(self, path: str) -> list[str]:
        """The names that are there, and the odd one."""
        return [*super().list_dir(path), *([self._name] if path == "Windows" else [])]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets an image hold a tree."""

    def hold(tree: MemoryTree) -> None:
        @contextmanager
        def open_(*_: object) -> Iterator[Any]:
            yield SimpleNamespace(tree=tree, path=Path("image.raw"))

        monkeypatch.setattr(look, "opened_image", open_)

    return hold


@pytest.mark.parametrize("name", ["{out}/shadow", "../shadow", "..", "a/../../shadow", "con", "a."])
def test_copy_out_stays_in_its_folder(
    name: str, opened: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A name with a slash is left out, although its path leads to a file in the image."""
    name = name.format(out=tmp_path)
    files = {"Windows/win.ini": b"good", f"Windows/{name.strip('/')}": b"evil"}
    opened(Odd({path: data for path, data in files.items() if ".." not in path}, name))
    made = copy_out(r"image.raw:\Windows", tmp_path / "out" / "deep", host=SimpleNamespace())  # type: ignore[arg-type]
    assert tmp_path / "out/deep/Windows/win.ini" in made
    assert not (tmp_path / "shadow").exists()
    there = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(tmp_path / "out/deep/Windows") for path in there)
    assert "is left out: its name" in caplog.text


def test_copy_out_of_empty_folders(opened: Any, tmp_path: Path) -> None:
    """They are made as well, and may be there; a file in their place is in the way."""
    tree = MemoryTree({"Windows/Panther/deep/gone": b""})
    tree.remove("Windows/Panther/deep/gone")
    opened(tree)
    made = copy_out(r"image.raw:\Windows\Panther", tmp_path, host=SimpleNamespace())  # type: ignore[arg-type]
    assert (made, list(tmp_path.rglob("*"))) == (
        [],
        [tmp_path / "Panther", tmp_path / "Panther/deep"],
    )
    copy_out(r"image.raw:\Windows\Panther", tmp_path, host=SimpleNamespace())  # type: ignore[arg-type]
    (tmp_path / "Panther/deep").rmdir()
    (tmp_path / "Panther/deep").touch()
    with pytest.raises(RequestError, match="deep exists already"):
        copy_out(r"image.raw:\Windows\Panther", tmp_path, host=SimpleNamespace())  # type: ignore[arg-type]


def test_ls_shows_odd_names(opened: Any) -> None:
    """Without a size: nothing of that name can be opened."""
    opened(Odd({"Windows/win.ini": b"good"}, "../shadow"))
    found = list_folder(r"image.raw:\Windows", host=SimpleNamespace())  # type: ignore[arg-type]
    assert found == [Listed("win.ini", 4), Listed("../shadow", None)]
