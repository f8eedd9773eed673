from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from winimagetools.files import target
from winimagetools.files.target import target_problem


def message(path: Path) -> str:
    """What is wrong with a target; empty when nothing is."""
    problem = target_problem(path)
    return problem.message if problem else ""


def test_a_new_file_an_older_one_and_a_link_are_no_problem(tmp_path: Path) -> None:
    """They can be made or replaced."""
    (tmp_path / "older").touch()
    (tmp_path / "older").chmod(0o400)
    (tmp_path / "link").symlink_to("older")
    assert [message(tmp_path / name) for name in ("new", "older", "link")] == ["", "", ""]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """It is not created: a typing error would go unnoticed."""
    assert message(tmp_path / "no" / "image") == f"The folder {tmp_path / 'no'} does not exist."


def test_a_folder_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its mode or by its file system."""
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    assert message(tmp_path / "image") == f"{tmp_path} cannot be written to."


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """Nobody wants /dev/null to become a disk image."""
    os.mkfifo(tmp_path / "pipe")
    assert message(tmp_path / "pipe").endswith("pipe is a device, pipe or socket, not a file.")
    assert message(tmp_path).endswith("is a folder, not a file.")
    assert message(Path(os.devnull)).endswith("is a device, pipe or socket, not a file.")


@pytest.mark.parametrize(
    ("sticky", "right", "refused"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_the_file_of_another_user_in_a_sticky_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sticky: bool, right: bool, refused: bool
) -> None:
    """Only its owner, that of the folder, and who has the right may replace it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777 | (stat.S_ISVTX if sticky else 0))
    (shared / "image").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(target, "_has_right", lambda _: right)
    assert ("belongs to another user" in message(shared / "image")) is refused


def test_ones_own_file_in_a_sticky_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be replaced by anybody who owns it."""
    monkeypatch.setattr(target, "_has_right", lambda _: False)
    tmp_path.chmod(0o777 | stat.S_ISVTX)
    (tmp_path / "image").touch()
    assert message(tmp_path / "image") == ""


@pytest.mark.parametrize(
    ("flags", "word", "letter"), [(0x10, "immutable", "i"), (0x20, "append-only", "a")]
)
def test_attributes_that_forbid_replacing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, word: str, letter: str
) -> None:
    """Of the file and of its folder; the hint says how to take them away."""
    image = tmp_path / "image"
    image.touch()
    for marked in (image, tmp_path):
        monkeypatch.setattr(
            target, "file_flags", lambda path, marked=marked: flags if path == marked else 0
        )
        problem = target_problem(image)
        assert problem is not None
        assert word in problem.message
        assert f"chattr -{letter} {marked}" in problem.hint


def test_a_file_that_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers mount single files; a blank in the name stands as an octal number."""
    image = tmp_path / "my image"
    image.touch()
    point = str(image).replace(" ", "\\040")
    table = f"36 35 98:0 /x {point} rw,noatime master:1 - ext4 /dev/root rw\n".encode()
    monkeypatch.setattr(Path, "read_bytes", lambda _: table)
    assert message(image) == f"{image} is a mount point and cannot be replaced."
    assert message(tmp_path / "other") == ""


@pytest.mark.parametrize(("effective", "right"), [("0000000000000008", True), ("0", False)])
def test_the_right_to_replace_files_of_others(
    monkeypatch: pytest.MonkeyPatch, effective: str, right: bool
) -> None:
    """Root without its capabilities has it not."""
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"Name:\tx\nCapEff:\t{effective}\n")
    assert target._has_right(target._CAP_FOWNER) is right
