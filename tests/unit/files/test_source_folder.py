"""What is found in a folder that is copied into an image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.files import write_files
from winimagetools.errors import BuildError
from winimagetools.files.source_folder import source_is_dir, source_problems, walk_source

pytestmark = pytest.mark.skipif(os.name != "posix", reason="names that Windows cannot hold")


def problems(source: Path) -> list[str]:
    """What is wrong, without the path of the folder."""
    return [item.message.replace(f"{source}/", "") for item in source_problems(source)]


def test_walks_parents_first(tmp_path: Path) -> None:
    """Folders come before what is in them, and links are followed."""
    source = write_files(tmp_path / "in", {"b/c": b"", "a": b"1", "b/a/x": b""})
    (source / "z").symlink_to(source / "b")
    assert [name for name, _ in walk_source(source)] == [
        *("a", "b", "b/a", "b/a/x", "b/c", "z", "z/a", "z/a/x", "z/c")
    ]
    assert source_problems(source) == ()
    assert source_problems(source / "a") == ()


def test_everything_at_once(tmp_path: Path) -> None:
    """All faults of a folder are found in one look, also below folders with faults."""
    source = write_files(
        tmp_path / "in",
        {"a:b": b"", "con.d/readme": b"", "con.d/README": b"", "x\\y": b"", "ok/fine.txt": b""},
    )
    (source / "ok" / "gone").symlink_to(tmp_path / "nowhere")
    (source / "ok" / "up").symlink_to(source)
    os.mkfifo(source / "pipe")
    assert problems(source) == [
        "a:b cannot be put into a Windows volume: its name 'a:b' has ':' in it.",
        "con.d cannot be put into a Windows volume: its name 'con.d' is the name of a device.",
        r"x\y cannot be put into a Windows volume: its name 'x\\y' has '\\' in it.",
        "con.d has both 'README' and 'readme', which are one name for Windows.",
        "The link ok/gone leads nowhere: No such file or directory.",
        "The link ok/up leads back to a folder above it.",
        "pipe is neither a file nor a folder and cannot be copied.",
    ]
    with pytest.raises(BuildError) as caught:
        list(walk_source(source))
    assert caught.value.message.splitlines()[0] == f"{source} cannot be copied into an image:"
    assert len(caught.value.message.splitlines()) == 8
    assert caught.value.hint.count("Rename it.") == 1


def test_three_twins(tmp_path: Path) -> None:
    """Each further spelling of a name is told."""
    source = write_files(tmp_path / "in", {"A\u1f80": b"", "a\u1f80": b"", "a\u1f88": b""})
    assert len(problems(source)) == 2
    two = write_files(tmp_path / "two", {"ki": b"", "k\u0131": b""})
    assert problems(two) == []


def test_what_does_not_exist(tmp_path: Path) -> None:
    """A source that is not there is a problem of its own."""
    assert problems(tmp_path / "no") == [
        f"{tmp_path / 'no'} cannot be copied: No such file or directory."
    ]
    with pytest.raises(BuildError, match="cannot be copied"):
        source_is_dir(tmp_path / "no")


def test_names_of_another_encoding(tmp_path: Path) -> None:
    """A name that is not UTF-8, or would change a terminal, is told in plain letters."""
    source = write_files(tmp_path / "in", {})
    (source / os.fsdecode(b"k\xf6ln")).touch()
    (source / "red\x1b[31m").touch()
    for message in (item.message for item in source_problems(source)):
        assert message.isprintable()
        assert "'k\\udcf6ln' is not valid UTF-8" in message or "has '\\x1b' in it" in message
    assert len(source_problems(source)) == 2


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are looked at before the build, for files and folders."""
    source = write_files(tmp_path / "in", {"secret": b"", "closed/x": b"", "open": b""})
    real = os.access

    def access(path: Path, mode: int) -> bool:
        return path.name not in ("secret", "closed") and real(path, mode)

    monkeypatch.setattr(os, "access", access)
    assert problems(source) == [
        "closed may not be read by this user.",
        "secret may not be read by this user.",
    ]


def test_long_lists_are_cut(tmp_path: Path) -> None:
    """The error of a folder with very many faults stays readable; the list has them all."""
    source = write_files(tmp_path / "in", {f"{number}.": b"" for number in range(30)})
    assert len(source_problems(source)) == 30
    with pytest.raises(BuildError) as caught:
        list(walk_source(source))
    assert caught.value.message.splitlines()[-1] == "  - and 10 more"
