from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from winimagetools import log
from winimagetools.errors import BuildError, CommandError, DiskFullError
from winimagetools.files.access import Access
from winimagetools.model import DiskFormat
from winimagetools.output import convert, image_files
from winimagetools.output.convert import convert_arguments
from winimagetools.output.image_files import ImageFiles

OUT = Path("work/image")


def _fail(monkeypatch: pytest.MonkeyPatch, *outputs: str, made: bytes = b"\0") -> list[Any]:
    """Let qemu-img fail with each of ``outputs`` in turn and then succeed; returns the calls.

    What it makes begins with ``made``; nothing is made when that is empty.
    """
    calls: list[Any] = []
    waiting = list(outputs)

    def fake(tool: object, arguments: list[object], on_text: object) -> None:
        calls.append(arguments)
        if waiting:
            raise CommandError("qemu-img convert", 1, waiting.pop(0))
        if made:
            Path(str(arguments[-1])).write_bytes(made)

    monkeypatch.setattr(convert, "follow", fake)
    return calls


def test_a_busy_source_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a virus scanner holds a disk for a moment after it was detached."""
    busy = "Could not open 'a.vhdx': The file is being used by another process."
    calls = _fail(monkeypatch, busy, busy)
    source = tmp_path / "a.vhdx"
    source.write_bytes(b"vhdxfile")
    out = tmp_path / "a.raw"
    convert.convert(source, out, DiskFormat.RAW, False, sleep=calls.append)
    arguments = convert_arguments(source, out, DiskFormat.RAW, False, read_as=DiskFormat.VHDX)
    assert calls == [arguments, 4.0, arguments, 8.0, arguments]


@pytest.mark.parametrize(
    ("disk_format", "beginning"),
    [
        (DiskFormat.QCOW2, b"QFI\xfb\0\0\0\3"),
        (DiskFormat.VHD, b"conectix"),
        (DiskFormat.VHDX, b"vhdxfile"),
        (DiskFormat.VMDK, b"KDMV\1"),
        (DiskFormat.RAW, b"\0"),
    ],
)
def test_a_qemu_img_that_makes_nothing_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk_format: DiskFormat, beginning: bytes
) -> None:
    """Or something else, although it ends with exit code 0."""
    source, out = tmp_path / "a.vhdx", tmp_path / "image.out"
    source.write_bytes(b"vhdxfile")
    _fail(monkeypatch, made=beginning)
    convert.convert(source, out, disk_format, False)
    wrong = [b""] if disk_format is DiskFormat.RAW else [b"", b"\0" * 16]
    for made in wrong:
        out.unlink(missing_ok=True)
        _fail(monkeypatch, made=made)
        with pytest.raises(BuildError, match=rf"image\.out is no {disk_format} file"):
            convert.convert(source, out, disk_format, False)


def test_after_four_attempts_it_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as the PowerShell tools."""
    calls = _fail(monkeypatch, *["Failed to get shared lock"] * 9)
    source = tmp_path / "a.raw"
    source.touch()
    with pytest.raises(CommandError, match="shared lock"):
        convert.convert(source, OUT, DiskFormat.QCOW2, False, sleep=calls.append)
    assert [call for call in calls if isinstance(call, float)] == [4.0, 8.0, 16.0]
    assert len(calls) == 4 + 3


@pytest.mark.parametrize(
    ("output", "error"),
    [("Invalid argument", CommandError), ("No space left on device", DiskFullError)],
)
def test_other_failures_are_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, error: type[Exception]
) -> None:
    """They would only fail again, an hour later."""
    calls = _fail(monkeypatch, output)
    (tmp_path / "a.raw").touch()
    with pytest.raises(error):
        ImageFiles().convert(tmp_path / "a.raw", OUT, DiskFormat.QCOW2, False)
    assert len(calls) == 1


@pytest.mark.parametrize("checksum", [True, False])
def test_size_and_checksum(tmp_path: Path, checksum: bool) -> None:
    """The size always, the SHA-256 only when it is asked for: it takes as long as reading."""
    (tmp_path / "file").write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest() if checksum else ""
    assert ImageFiles().measure(tmp_path / "file", checksum) == (3, expected)


def test_compress_removes_what_it_read(tmp_path: Path) -> None:
    """Only the last file is left, under the name of the whole chain."""
    source = tmp_path / "image.raw"
    source.write_bytes(b"content" * 1000)
    packed = ImageFiles().compress(source, ["gz", "tar", "gz"], "")
    assert packed == tmp_path / "image.raw.gz.tar.gz"
    assert list(tmp_path.iterdir()) == [packed]


def test_a_password_is_never_logged(tmp_path: Path) -> None:
    """It becomes a secret before anything is done with it."""
    source = tmp_path / "image.raw"
    source.write_bytes(b"content" * 1000)
    packed = ImageFiles().compress(source, ["zip"], "pass-4711")
    assert log.mask("the password is pass-4711") == "the password is ***"
    (tmp_path / "out").mkdir()
    made = ImageFiles().decompress(packed, tmp_path / "out", ["zip"], "pass-4711")
    assert made.read_bytes() == b"content" * 1000
    assert packed.exists()


def test_publish_replaces_an_older_image(tmp_path: Path) -> None:
    """The new one appears under its name at once."""
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "image").write_bytes(b"old")
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"image": b"new"}


@pytest.mark.skipif(os.name == "nt", reason="Windows does not open folders")
def test_what_is_published_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it gets its name, and the name before anybody is told."""
    flushed: list[tuple[int, bool]] = []

    def fsync(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, (tmp_path / "image").exists()))

    (tmp_path / "new").write_bytes(b"new")
    file = (tmp_path / "new").stat().st_ino
    monkeypatch.setattr(os, "fsync", fsync)
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert flushed == [(file, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize("left", [True, False], ids=["after a killed run", "first run"])
def test_publish_between_file_systems_copies_beside_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """What has the final name is always complete; nothing else is left."""
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "image").write_bytes(b"old")
    if left:
        (tmp_path / ".image.part").write_bytes(b"left by a killed run")
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"image": b"new"}


def test_publish_that_fails_keeps_the_older_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither name is lost."""

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "image").write_bytes(b"old")
    with pytest.raises(BuildError, match=r"cannot be put at .*image: Permission denied\."):
        ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="files have no mode")
@pytest.mark.parametrize(
    ("asked", "old", "expected"),
    [
        (None, None, 0o600),
        (None, 0o640, 0o640),
        (None, 0o444, 0o444),
        (0o644, None, 0o644),
        (0o600, 0o644, 0o600),
    ],
)
def test_the_mode_of_an_image(
    tmp_path: Path, asked: int | None, old: int | None, expected: int
) -> None:
    """What was asked for, else that of the image it replaces, else private."""
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").chmod(0o666)
    if old is not None:
        (tmp_path / "image").write_bytes(b"old")
        (tmp_path / "image").chmod(old)
    ImageFiles().publish(tmp_path / "new", tmp_path / "image", asked)
    assert (tmp_path / "image").read_bytes() == b"new"
    assert (tmp_path / "image").stat().st_mode & 0o777 == expected


@pytest.mark.skipif(os.name == "nt", reason="files have no mode")
def test_an_image_never_has_its_name_and_a_wider_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is private before it is visible, also when it is copied between file systems."""
    seen: list[tuple[str, int]] = []
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        seen.append((self.name, self.stat().st_mode & 0o777))
        if self.name == "new":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").chmod(0o666)
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert seen == [("new", 0o600), (".image.part", 0o600)]
    assert (tmp_path / "image").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name == "nt", reason="files have no owner")
def test_the_owner_of_a_replaced_image_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system lets this user do that."""
    asked: list[tuple[int, int]] = []
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "image").write_bytes(b"old")
    monkeypatch.setattr(image_files, "access_of", lambda _: Access(0o640, 4711, 4712))
    monkeypatch.setattr(os, "chown", lambda _, *ids: asked.append(ids))
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert asked == [(4711, -1), (-1, 4712)]


def test_a_link_with_the_name_of_the_image_is_not_followed(tmp_path: Path) -> None:
    """The link is replaced; what it leads to stays."""
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "image").symlink_to("victim")
    (tmp_path / ".image.part").symlink_to("victim")
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert not (tmp_path / "image").is_symlink()
    assert (tmp_path / "image").read_bytes() == b"new"
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_copy_beside_the_image_is_never_written_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour may have put one under its name, which can be guessed."""
    real = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".image.part").symlink_to("victim")
    ImageFiles().publish(tmp_path / "new", tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == b"new"
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["image", "victim"]


def test_remove_is_content_when_there_is_nothing(tmp_path: Path) -> None:
    """Removing twice is not an error."""
    (tmp_path / "file").touch()
    ImageFiles().remove(tmp_path / "file")
    ImageFiles().remove(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_the_build_folder_is_that_of_the_image(tmp_path: Path) -> None:
    """Beside the image and gone afterwards."""
    with ImageFiles().build_folder(tmp_path / "image.raw") as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_of_an_archive_is_taken_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was just written is not read again; of a chain the last file counts."""
    source, files = tmp_path / "image.raw", ImageFiles()
    with source.open("wb") as file:
        file.write(os.urandom(3 << 20))
        file.truncate(9 << 20)
    packed = files.compress(source, ["zip", "tar", "gz"], "", checksum=True)
    expected = hashlib.sha256(packed.read_bytes()).hexdigest()
    monkeypatch.setattr("winimagetools.output.image_files.sha256_of", lambda *_: "read again")
    assert files.measure(packed, True) == (packed.stat().st_size, expected)


def test_the_checksum_of_a_plain_tar_counts_holes(tmp_path: Path) -> None:
    """They are written as holes and count as zeros."""
    source, files = tmp_path / "image.raw", ImageFiles()
    with source.open("wb") as file:
        file.truncate(5 << 20)
    packed = files.compress(source, ["tar"], "", checksum=True)
    assert files._known == {
        image_files._identity(packed): hashlib.sha256(packed.read_bytes()).hexdigest()
    }
