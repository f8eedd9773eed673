from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from winimagetools.errors import BuildError, RequestError
from winimagetools.files import build_folder
from winimagetools.files.build_folder import BuildFolder, alone_in
from winimagetools.output.image_files import ImageFiles


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


@pytest.fixture
def other_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that exists belongs to somebody else."""
    if not hasattr(os, "geteuid"):
        pytest.skip("files have no such owner here")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


@pytest.mark.usefixtures("other_user")
def test_the_folder_of_another_user_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Whoever made it could read the image, or have the files of the builder removed."""
    left = tmp_path / ".image.raw.building"
    left.mkdir(mode=0o700)
    (left / "disk").write_bytes(b"theirs")
    with (
        pytest.raises(RequestError, match=r"\.image\.raw\.building belongs to another user"),
        BuildFolder(tmp_path / "image.raw"),
    ):
        raise AssertionError("must not begin")
    assert [item.name for item in left.iterdir()] == ["disk"]
    assert (left / "disk").read_bytes() == b"theirs"


@pytest.mark.parametrize("target", ["folder", "file", "nothing"])
def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path, target: str) -> None:
    """Not even one to a folder of the builder, which would be emptied."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_bytes(b"data")
    (tmp_path / "folder" / "lock").write_bytes(b"data")
    (tmp_path / "file").write_bytes(b"data")
    left = tmp_path / ".image.raw.building"
    left.symlink_to(tmp_path / target)
    with (
        pytest.raises(RequestError, match=r"\.building is not a folder this program made"),
        BuildFolder(tmp_path / "image.raw"),
    ):
        raise AssertionError("must not begin")
    assert left.is_symlink()
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == {
        "precious": b"data",
        "lock": b"data",
        "file": b"data",
        **({".image.raw.building": b"data"} if target == "file" else {}),
    }


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """It is somebody's, so it stays."""
    (tmp_path / ".image.raw.building").write_bytes(b"data")
    with (
        pytest.raises(RequestError, match=r"is not a folder this program made"),
        BuildFolder(tmp_path / "image.raw"),
    ):
        raise AssertionError("must not begin")
    assert (tmp_path / ".image.raw.building").read_bytes() == b"data"


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="folders have no mode here")
def test_a_folder_others_could_enter_is_made_private(tmp_path: Path) -> None:
    """A folder of this user that is too open is closed before anything is put into it."""
    left = tmp_path / ".image.raw.building"
    left.mkdir()
    left.chmod(0o777)
    with BuildFolder(tmp_path / "image.raw") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
def test_a_lock_that_is_a_link_is_not_written_to(tmp_path: Path, make: str) -> None:
    """The file it leads to keeps its content; the error is one sentence."""
    left = tmp_path / ".image.raw.building"
    left.mkdir()
    (tmp_path / "precious").write_bytes(b"data")
    getattr(left / "lock", make)(tmp_path / "precious")
    with pytest.raises(RequestError), BuildFolder(tmp_path / "image.raw"):
        raise AssertionError("must not begin")
    assert (tmp_path / "precious").read_bytes() == b"data"


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


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build is refused there, but not in a folder that no other process makes anything in."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RequestError) as caught, BuildFolder(tmp_path / "image.raw"):
        pass
    assert caught.value.message == f"Files in {tmp_path} cannot be locked: No locks available."
    (tmp_path / "own").mkdir()
    with alone_in(tmp_path / "own"):
        with BuildFolder(tmp_path / "own" / "image.raw") as folder:
            assert folder.is_dir()
        with pytest.raises(RequestError), BuildFolder(tmp_path / "image.raw"):
            pass
    assert list((tmp_path / "own").iterdir()) == []
    with pytest.raises(RequestError), BuildFolder(tmp_path / "own" / "image.raw"):
        pass


def test_the_topmost_folder() -> None:
    """Has no name, so no folder can be made beside it."""
    with pytest.raises(RequestError, match="/ is a folder, not a file"):
        BuildFolder(Path("/")).__enter__()


REPLACED = r"\.image\.raw\.building was moved, replaced or emptied by somebody else"


def replace(folder: Path, how: str) -> Path:
    """Do to the folder of a build what others can do in theirs; where something precious is."""
    folder.rename(folder.with_name("taken"))
    precious = folder.with_name("home") / "precious"
    precious.parent.mkdir()
    precious.write_bytes(b"years of work")
    if how == "link":
        folder.symlink_to(precious.parent)
    elif how == "folder":
        precious.parent.rename(folder)
        precious = folder / precious.name
    return precious


@pytest.mark.parametrize("how", ["link", "folder", "gone"])
def test_a_folder_that_was_replaced(how: str, tmp_path: Path) -> None:
    """Is not taken for the one that was made: it is not emptied, least of all through a link."""
    with pytest.raises(BuildError, match=REPLACED), BuildFolder(tmp_path / "image.raw") as folder:
        (folder / "disk").write_bytes(b"ours")
        precious = replace(folder, how)
    assert precious.read_bytes() == b"years of work"
    assert (tmp_path / "taken/disk").read_bytes() == b"ours"


@pytest.mark.parametrize("how", ["link", "folder"])
def test_what_lies_in_another_folder_is_no_image(how: str, tmp_path: Path) -> None:
    """Somebody else's file of the same name is not delivered; an older image stays."""
    image = tmp_path / "image.raw"
    image.write_bytes(b"older")
    with pytest.raises(BuildError, match=REPLACED) as told, BuildFolder(image) as folder:
        (folder / "disk").write_bytes(b"ours")
        replace(folder, how).rename(folder / "disk")
        ImageFiles().publish(folder / "disk", image)
    assert "a folder that only you can write to" in told.value.hint
    assert image.read_bytes() == b"older"
    assert (folder / "disk").read_bytes() == b"years of work"


def test_the_cause_is_told_not_its_consequence(tmp_path: Path) -> None:
    """A file that is not found any more says less than who took it; Ctrl-C stays what it is."""
    with pytest.raises(BuildError, match=REPLACED), BuildFolder(tmp_path / "image.raw") as folder:
        replace(folder, "gone")
        (folder / "disk").read_bytes()
    (tmp_path / "taken/lock").unlink()
    (tmp_path / "taken").rmdir()
    (tmp_path / "home/precious").unlink()
    (tmp_path / "home").rmdir()
    with pytest.raises(KeyboardInterrupt), BuildFolder(tmp_path / "image.raw") as folder:
        replace(folder, "gone")
        raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["_make_private", "_empty"])
def test_ctrl_c_while_it_begins(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half made folder is left, and the build does not begin."""
    function, began = getattr(build_folder, moment), []

    def interrupted(folder: Path) -> object:
        done = function(folder)
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(build_folder, moment, interrupted)
    with pytest.raises(KeyboardInterrupt), BuildFolder(tmp_path / "image.raw") as folder:
        began.append(folder)
    assert began == []
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder goes first."""
    function = build_folder._empty

    def interrupted(folder: Path) -> bool:
        signal.raise_signal(signal.SIGINT)
        return function(folder)

    with pytest.raises(KeyboardInterrupt), BuildFolder(tmp_path / "image.raw") as folder:
        (folder / "disk").touch()
        monkeypatch.setattr(build_folder, "_empty", interrupted)
    assert list(tmp_path.iterdir()) == []
