import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.files import read_files, write_files
from tests.unit.folder_layer import FolderLayer
from winimagetools.contract import WindowsTree
from winimagetools.errors import BuildError
from winimagetools.host.mounted_tree import MountedTree
from winimagetools.host.staged_tree import Changes, StagedTree

IMAGE = {
    "Windows/System32/config/SYSTEM": b"hive",
    "Windows/System32/ntdll.dll": b"nt",
    "Windows/Boot/EFI/bootmgfw.efi": b"efi",
    "Windows/Boot/EFI/de-DE/bootmgfw.efi.mui": b"de",
    "Windows/Temp/old.log": b"log",
}


@pytest.fixture
def layer(tmp_path: Path) -> FolderLayer:
    """An image of a few files."""
    return FolderLayer(write_files(tmp_path / "image", IMAGE))


@pytest.fixture
def tree(tmp_path: Path, layer: FolderLayer) -> StagedTree:
    """A staged tree above the image."""
    staged = StagedTree(tmp_path / "overlay")
    staged.attach(layer)
    return staged


def test_is_a_windows_tree(tree: StagedTree) -> None:
    """It can be used wherever a WindowsTree is asked for."""
    windows: WindowsTree = tree
    assert windows.exists("Windows")


def test_there_is_nothing_below_before_the_image_is_attached(tmp_path: Path) -> None:
    """Only what was staged is there."""
    tree = StagedTree(tmp_path / "overlay")
    assert not tree.exists("Windows") and tree.list_dir("") == []
    tree.write_bytes("unattend.xml", b"x")
    assert tree.list_dir("") == ["unattend.xml"]
    assert tree.read_bytes("Unattend.XML") == b"x"


def test_reading_falls_through(tree: StagedTree, layer: FolderLayer) -> None:
    """Files of the image are found in any spelling; nothing is staged by reading."""
    assert tree.read_bytes(r"windows\SYSTEM32\NTDLL.dll") == b"nt"
    assert tree.is_dir("WINDOWS/boot") and not tree.is_dir("windows/system32/ntdll.dll")
    assert tree.list_dir("windows") == ["Boot", "System32", "Temp"]
    assert layer.extracted == ["Windows/System32/ntdll.dll"]
    assert read_files(tree.local) == {}
    for path in ("windows/missing", "windows", "windows/system32/ntdll.dll/x"):
        with pytest.raises(FileNotFoundError):
            tree.read_bytes(path)


def test_editing_copies_up(tree: StagedTree, layer: FolderLayer, tmp_path: Path) -> None:
    """The edited file is staged under the name the image has; the image stays."""
    with tree.edit("windows/system32/CONFIG/system") as path:
        assert path.read_bytes() == b"hive"
        path.write_bytes(b"edited")
    assert read_files(tree.local) == {"Windows/System32/config/SYSTEM": b"edited"}
    assert tree.read_bytes("Windows/System32/config/SYSTEM") == b"edited"
    assert read_files(layer.folder) == IMAGE
    assert sorted(item.name for item in tmp_path.iterdir()) == ["image", "overlay"]


def test_an_edit_that_fails_leaves_nothing(tree: StagedTree, tmp_path: Path) -> None:
    """Neither the overlay nor its folder keeps anything of it."""
    with pytest.raises(ZeroDivisionError), tree.edit("windows/system32/config/system") as path:
        path.write_bytes(b"lost")
        raise ZeroDivisionError
    assert read_files(tree.local) == {}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["image", "overlay"]


def test_removing_hides_the_image(tree: StagedTree) -> None:
    """What was removed is gone, with all below; a new folder of that name starts empty."""
    tree.remove("windows/TEMP")
    tree.remove("windows/missing")
    assert not tree.exists("Windows/Temp/old.log")
    assert tree.list_dir("windows") == ["Boot", "System32"]
    tree.write_bytes("windows/temp/new.log", b"n")
    assert tree.list_dir("Windows/Temp") == ["new.log"]
    assert tree.changes() == Changes(
        folders=("Windows/temp",),
        added=("Windows/temp/new.log",),
        replaced=(),
        removed=("Windows/Temp",),
    )


def test_removing_a_folder_forgets_marks_below_it(tree: StagedTree) -> None:
    """One mark is enough, and staged files in it are gone."""
    tree.write_bytes("windows/temp/new.log", b"n")
    tree.remove("windows/temp/old.log")
    tree.remove("windows/temp")
    assert tree.changes() == Changes((), (), (), ("Windows/Temp",))


def test_changes_tell_added_from_replaced(tree: StagedTree, tmp_path: Path) -> None:
    """Files the image has are replaced, others added, and new folders listed first."""
    source = write_files(tmp_path / "in", {"NTDLL.DLL": b"2", "new/a.txt": b"1"})
    tree.copy_in(source, "windows/system32")
    assert tree.changes() == Changes(
        folders=("Windows/System32/new",),
        added=("Windows/System32/new/a.txt",),
        replaced=("Windows/System32/ntdll.dll",),
        removed=(),
    )


def test_files_staged_before_take_the_spelling_of_the_image(
    tmp_path: Path, layer: FolderLayer
) -> None:
    """Resources are copied before the image is applied."""
    tree = StagedTree(tmp_path / "overlay")
    tree.write_bytes("windows/SYSTEM32/Ntdll.dll", b"mine")
    tree.write_bytes("windows/panther/unattend.xml", b"u")
    tree.attach(layer)
    assert read_files(tree.local) == {
        "Windows/System32/ntdll.dll": b"mine",
        "Windows/panther/unattend.xml": b"u",
    }
    assert tree.changes().replaced == ("Windows/System32/ntdll.dll",)


def test_a_file_where_the_image_has_a_folder_is_refused(tmp_path: Path, layer: FolderLayer) -> None:
    """Before or after the image is attached."""
    tree = StagedTree(tmp_path / "overlay")
    tree.write_bytes("windows", b"")
    with pytest.raises(BuildError, match="folder"):
        tree.attach(layer)
    tree = StagedTree(tmp_path / "other")
    tree.attach(layer)
    with pytest.raises(BuildError):
        tree.write_bytes("windows/system32", b"")
    with pytest.raises(BuildError):
        tree.write_bytes("windows/system32/ntdll.dll/x", b"")
    assert read_files(tree.local) == {}


def test_detaching_closes_the_layer(tree: StagedTree, layer: FolderLayer) -> None:
    """The image is freed once; what was staged stays."""
    tree.write_bytes("a", b"1")
    tree.detach()
    tree.detach()
    assert layer.closed
    assert tree.list_dir("") == ["a"]


def test_copies_a_folder_out_in_one_go(
    tree: StagedTree, layer: FolderLayer, tmp_path: Path
) -> None:
    """Image and overlay come out merged, what was removed does not; one extraction does it."""
    tree.remove("windows/boot/efi/DE-de")
    tree.write_bytes("windows/boot/EFI/bootmgfw.efi", b"patched")
    tree.write_bytes("windows/boot/fonts/x.ttf", b"ttf")
    tree.copy_out("windows/boot", tmp_path / "esp")
    assert read_files(tmp_path / "esp") == {"EFI/bootmgfw.efi": b"patched", "fonts/x.ttf": b"ttf"}
    assert layer.extracted == ["Windows/Boot"]


def test_copies_out_into_a_folder_that_has_files(tree: StagedTree, tmp_path: Path) -> None:
    """Other files there stay, and those of the same name are replaced."""
    esp = write_files(tmp_path / "esp", {"EFI/bootmgfw.efi": b"old", "EFI/other": b"o"})
    tree.copy_out("Windows/Boot", esp)
    assert read_files(esp) == {
        "EFI/bootmgfw.efi": b"efi",
        "EFI/de-DE/bootmgfw.efi.mui": b"de",
        "EFI/other": b"o",
    }


def test_copies_a_file_out(tree: StagedTree, tmp_path: Path) -> None:
    """To exactly the name given."""
    tree.copy_out("windows/system32/NTDLL.DLL", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == b"nt"
    with pytest.raises(FileNotFoundError):
        tree.copy_out("windows/missing", tmp_path / "y")


def test_links_of_the_image_are_not_read(tmp_path: Path) -> None:
    """Their content is a target, which may be anywhere."""
    layer = FolderLayer(write_files(tmp_path / "image", {"a/link": b"x"}), links=("a/link",))
    tree = StagedTree(tmp_path / "overlay")
    tree.attach(layer)
    with pytest.raises(FileNotFoundError):
        tree.read_bytes("a/link")
    assert layer.extracted == []


@pytest.mark.parametrize("path", ["../x", "/etc/x", r"C:\x", "a/../../x", "", "a:b"])
def test_paths_outside_the_volume_are_refused(tree: StagedTree, path: str, tmp_path: Path) -> None:
    """Nothing is ever written beside the overlay."""
    with pytest.raises(BuildError):
        tree.write_bytes(path, b"x")
    with pytest.raises(BuildError):
        tree.remove(path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["image", "overlay"]


@pytest.mark.parametrize(
    ("path", "private"),
    [
        ("unattendresources", True),
        (r"UnattendResources\Servicing\done", True),
        ("UnattendResources2", False),
        ("UNATTEND.XML", True),
        ("Windows/Panther/Unattend.xml", True),
        ("Windows/Panther", False),
        ("Windows/Unattend.xml", False),
    ],
)
def test_knows_what_is_private(tree: StagedTree, path: str, private: bool) -> None:
    """The answer files and everything in the resources folder are for administrators."""
    assert tree.is_private(path) is private


NAMES = st.sampled_from(["a", "A", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ACTIONS = st.lists(st.tuples(st.sampled_from(["write", "copy", "remove", "edit"]), PATHS))


def _act(tree: WindowsTree, action: str, path: str, empty: Path) -> str:
    try:
        if action == "write":
            tree.write_bytes(path, path.encode())
        elif action == "copy":
            tree.copy_in(empty, path)
        elif action == "remove":
            tree.remove(path)
        else:
            with tree.edit(path) as file:
                file.write_bytes(b"edited")
    except (BuildError, FileNotFoundError) as error:
        return type(error).__name__
    return "done"


def _content(tree: WindowsTree, folder: str = "") -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for name in tree.list_dir(folder):
        path = f"{folder}/{name}".lstrip("/")
        if tree.is_dir(path):
            found |= {path.upper(): None, **_content(tree, path)}
        else:
            found[path.upper()] = tree.read_bytes(path)
    return found


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_behaves_like_the_volume_itself(actions: list[tuple[str, str]]) -> None:
    """Whatever is done, overlay and image together look like a folder it was done to."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"a/b/c": b"1", "a/x": b"2", "B/a": b"3", "c": b"4"}
        image = write_files(Path(folder) / "image", files)
        mounted = MountedTree(Path(shutil.copytree(image, Path(folder) / "mounted")))
        staged = StagedTree(Path(folder) / "overlay")
        staged.attach(FolderLayer(image))
        empty = write_files(Path(folder) / "empty", {})
        for action, path in actions:
            assert _act(staged, action, path, empty) == _act(mounted, action, path, empty)
        assert _content(staged) == _content(mounted)
        assert read_files(image) == files
