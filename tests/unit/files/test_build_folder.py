from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.files.build_folder import BuildFolder


def test_the_folder_is_private_and_lies_beside_the_image(tmp_path: Path) -> None:
    """Only its owner can enter it, and it is gone afterwards with all it holds."""
    with BuildFolder(tmp_path / "image.raw") as folder:
        assert folder == tmp_path / ".image.raw.building"
        assert os.name == "nt" or folder.stat().st_mode & 0o777 == 0o700
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_removed_after_a_failure_and_the_image_stays(tmp_path: Path) -> None:
    """An older image is not touched by a build that fails."""
    image = tmp_path / "image.raw"
    image.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt), BuildFolder(image) as folder:
        (folder / "disk").write_bytes(b"half")
        raise KeyboardInterrupt
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"image.raw": b"older"}


def test_a_second_build_of_the_same_image_is_refused(tmp_path: Path) -> None:
    """The error names the process that builds; its folder is left alone."""
    image = tmp_path / "image.raw"
    with BuildFolder(image) as folder:
        (folder / "disk").write_bytes(b"first")
        with (
            pytest.raises(RequestError, match=rf"Another build \(process {os.getpid()}\)"),
            BuildFolder(image),
        ):
            raise AssertionError("the second build must not begin")
        assert (folder / "disk").read_bytes() == b"first"


def test_two_images_in_one_folder_can_be_built_at_once(tmp_path: Path) -> None:
    """The lock is per image."""
    with BuildFolder(tmp_path / "a.raw") as first, BuildFolder(tmp_path / "b.raw") as second:
        assert first != second


def test_what_a_killed_build_left_is_removed_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A lock dies with its process: a folder without one is emptied and used."""
    left = tmp_path / ".image.raw.building"
    (left / "deep").mkdir(parents=True)
    (left / "deep" / "disk").write_bytes(b"old")
    (left / "lock").write_text("1234567890\n")
    (left / "config.ini").touch()
    with BuildFolder(tmp_path / "image.raw") as folder:
        assert [item.name for item in folder.iterdir()] == ["lock"]
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"
    assert "was left by a build that was stopped" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_gives_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was left, nothing is said."""
    with BuildFolder(tmp_path / "image.raw"):
        pass
    assert caplog.text == ""


def test_a_missing_target_folder_is_refused(tmp_path: Path) -> None:
    """It is not created: a typing error would go unnoticed."""
    with (
        pytest.raises(RequestError, match="does not exist"),
        BuildFolder(tmp_path / "no" / "image.raw"),
    ):
        raise AssertionError("must not begin")
    assert list(tmp_path.iterdir()) == []


def test_an_image_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """A file cannot take its name."""
    with pytest.raises(RequestError, match="is a folder"), BuildFolder(tmp_path):
        raise AssertionError("must not begin")


def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only file system is one sentence, not a traceback."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(RequestError, match=r"cannot be written to: Read-only file system\."),
        BuildFolder(tmp_path / "image.raw"),
    ):
        raise AssertionError("must not begin")
