import errno
import os
from pathlib import Path

import pytest

from tests.files import read_files, write_files
from winimagetools.contract import WindowsTree
from winimagetools.errors import BuildError, DiskFullError
from winimagetools.host.mounted_tree import MountedTree

posix = pytest.mark.skipif(os.name == "nt", reason="needs links and names Windows lacks")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A volume with one file in a folder with capital letters."""
    return write_files(tmp_path / "volume", {"Windows/System32/ntdll.dll": b"nt"})


def test_is_a_windows_tree(root: Path) -> None:
    """It can be used wherever a WindowsTree is asked for."""
    tree: WindowsTree = MountedTree(root)
    assert tree.exists("")


def test_reads_without_regard_to_case(root: Path) -> None:
    """Any spelling finds the file."""
    tree = MountedTree(root)
    assert tree.read_bytes(r"WINDOWS\system32\NTDLL.DLL") == b"nt"
    assert tree.exists("windows") and tree.is_dir("windows")
    assert not tree.is_dir("windows/system32/ntdll.dll")
    assert tree.list_dir("windows") == ["System32"]
    assert tree.list_dir("nowhere") == []
    assert not tree.exists("windows/system32/ntdll.dll/below")


def test_reading_what_is_not_there_or_a_folder_fails(root: Path) -> None:
    """FileNotFoundError tells it."""
    for path in ("windows/missing", "windows"):
        with pytest.raises(FileNotFoundError):
            MountedTree(root).read_bytes(path)


def test_writing_keeps_the_existing_spelling_and_inode(root: Path) -> None:
    """The file itself stays, so a security descriptor on it would too."""
    file = root / "Windows/System32/ntdll.dll"
    before = file.stat().st_ino
    MountedTree(root).write_bytes("windows/SYSTEM32/NtDll.dll", b"new")
    assert read_files(root) == {"Windows/System32/ntdll.dll": b"new"}
    assert file.stat().st_ino == before


def test_writing_makes_folders(root: Path) -> None:
    """Missing folders come into being below those that exist."""
    tree = MountedTree(root)
    tree.write_bytes(r"windows\Setup\Scripts\a.cmd", b"x")
    tree.write_bytes("WINDOWS/setup/scripts/inner/b.cmd", b"y")
    assert (root / "Windows/Setup/Scripts/a.cmd").read_bytes() == b"x"
    assert (root / "Windows/Setup/Scripts/inner/b.cmd").read_bytes() == b"y"


def test_a_folder_cannot_become_a_file_nor_a_file_a_folder(root: Path) -> None:
    """Either is an error, not a loss."""
    for path in ("windows/system32", "windows/system32/ntdll.dll/x", ""):
        with pytest.raises(BuildError):
            MountedTree(root).write_bytes(path, b"x")
    assert read_files(root) == {"Windows/System32/ntdll.dll": b"nt"}


def test_copies_a_file_or_the_content_of_a_folder(root: Path, tmp_path: Path) -> None:
    """A file goes to exactly the path; a folder is laid over the one that exists."""
    tree = MountedTree(root)
    source = write_files(tmp_path / "in", {"NTDLL.dll": b"2", "sub/One.txt": b"1"})
    tree.copy_in(source, "windows/system32")
    tree.copy_in(source / "sub" / "One.txt", "windows/SYSTEM32/sub/ONE.TXT")
    assert read_files(root) == {
        "Windows/System32/ntdll.dll": b"2",
        "Windows/System32/sub/One.txt": b"1",
    }


def test_removes_files_and_folders(root: Path) -> None:
    """Nothing happens for what is not there; the root cannot be removed."""
    tree = MountedTree(root)
    tree.remove("windows/missing")
    tree.remove("windows/SYSTEM32/ntdll.dll")
    assert (root / "Windows/System32").is_dir()
    tree.remove("WINDOWS")
    assert list(root.iterdir()) == []
    with pytest.raises(BuildError):
        tree.remove("")


def test_edit_puts_the_content_back_on_a_clean_exit_only(root: Path) -> None:
    """An exception leaves the file as it was."""
    tree = MountedTree(root)
    with tree.edit("windows/system32/ntdll.dll") as path:
        assert path.read_bytes() == b"nt"
        path.write_bytes(b"changed")
    assert tree.read_bytes("windows/system32/ntdll.dll") == b"changed"
    with pytest.raises(ZeroDivisionError), tree.edit("windows/system32/ntdll.dll") as path:
        path.write_bytes(b"lost")
        raise ZeroDivisionError
    assert tree.read_bytes("windows/system32/ntdll.dll") == b"changed"
    with pytest.raises(FileNotFoundError), tree.edit("windows/missing"):
        pass


@posix
def test_links_that_lead_outside_are_not_followed(root: Path, tmp_path: Path) -> None:
    """A junction of the image never reaches files of the host."""
    outside = write_files(tmp_path / "outside", {"secret": b"s"})
    (root / "Escape").symlink_to(outside)
    (root / "secret").symlink_to(outside / "secret")
    (root / "Inside").symlink_to(root / "Windows")
    tree = MountedTree(root)
    assert not tree.exists("escape/secret")
    assert not tree.exists("secret")
    assert tree.read_bytes("inside/system32/ntdll.dll") == b"nt"
    for path in ("escape/new", "secret"):
        with pytest.raises(BuildError):
            tree.write_bytes(path, b"x")
    assert read_files(outside) == {"secret": b"s"}


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "full"), DiskFullError, "no room left in .*Windows for hive"),
        (PermissionError(errno.EACCES, "no"), PermissionError, "no"),
    ],
)
def test_a_full_host_is_told_as_such(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    kind: type[Exception],
    words: str,
) -> None:
    """ENOSPC becomes a DiskFullError that names the file; other errors stay."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(kind, match=words):
        MountedTree(root).write_bytes("Windows/hive", b"")
