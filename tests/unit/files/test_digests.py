"""SHA-256 of files that are read once, until they change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from winimagetools.files.digests import DigestMemory

OLD = 1_600_000_000


def sha256(data: bytes) -> str:
    """As ``sha256sum`` prints it."""
    return hashlib.sha256(data).hexdigest()


class Reader:
    """Asks for the sum of one file, each time as a new process would.

    Args:
        file: the file.
        folder: where sums are remembered.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder = file, folder

    def read(self) -> tuple[str, bool]:
        """The sum, and whether the file was read for it."""
        done: list[int] = []
        found = DigestMemory(self.folder).of(self.file, {"": self.file}, done.append)
        return found[""], bool(done)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Of a file that was written long ago."""
    file = tmp_path / "windows.iso"
    file.write_bytes(b"one")
    os.utime(file, (OLD, OLD))
    return Reader(file, tmp_path / "cache" / "digests")


def test_a_file_is_read_once(reader: Reader) -> None:
    """Whoever asks next gets what is remembered, and nobody else sees what that is."""
    assert reader.read() == (sha256(b"one"), True)
    assert reader.read() == (sha256(b"one"), False)
    assert reader.folder.stat().st_mode & 0o077 == 0


def _other_content(file: Path) -> None:
    """The time is put back: only that of the last change of any kind tells."""
    file.write_bytes(b"two")
    os.utime(file, (OLD, OLD))


def _other_time(file: Path) -> None:
    file.write_bytes(b"two")
    os.utime(file, (OLD + 1, OLD + 1))


def _other_size(file: Path) -> None:
    file.write_bytes(b"three")
    os.utime(file, (OLD, OLD))


def _other_file(file: Path) -> None:
    new = file.with_name("new")
    new.write_bytes(b"two")
    os.utime(new, (OLD, OLD))
    new.replace(file)


@pytest.mark.parametrize("change", [_other_content, _other_time, _other_size, _other_file])
def test_a_file_that_changed(change: Callable[[Path], None], reader: Reader) -> None:
    """Is read again, and then remembered as it is now."""
    reader.read()
    change(reader.file)
    now = sha256(reader.file.read_bytes())
    assert reader.read() == (now, True)
    assert reader.read() == (now, False)


def test_a_file_that_was_just_written(reader: Reader) -> None:
    """Nothing is remembered of it: a second write may not show in its time."""
    reader.file.write_bytes(b"one")
    assert reader.read() == (sha256(b"one"), True)
    assert reader.read() == (sha256(b"one"), True)
    assert list(reader.folder.glob("*")) == []


def test_one_of_several_files(reader: Reader) -> None:
    """Only what changed is read again; what is gone is forgotten."""
    other = reader.file.with_name("other")
    other.write_bytes(b"other")
    os.utime(other, (OLD, OLD))
    files = {"a": reader.file, "b": other}
    memory = DigestMemory(reader.folder)
    assert memory.of(reader.file, files) == {"a": sha256(b"one"), "b": sha256(b"other")}
    _other_time(other)
    done: list[int] = []
    assert memory.of(reader.file, files, done.append) == {"a": sha256(b"one"), "b": sha256(b"two")}
    assert done == [len(b"two")]
    assert memory.knows(reader.file, files)
    memory.of(reader.file, {"b": other})
    assert not memory.knows(reader.file, files)


def test_a_damaged_memory(reader: Reader) -> None:
    """Whatever is remembered wrongly in form is computed again."""
    reader.read()
    (memory,) = reader.folder.iterdir()
    begin = f'{{"path": "{reader.file}", "files": '
    for text in ("", "[]", "{}", '{"path": 1, "files": 3}', f"{begin}3}}", f'{begin}{{"": [1]}}}}'):
        memory.write_text(text)
        assert reader.read() == (sha256(b"one"), True)
    memory.write_text(memory.read_text().replace("windows.iso", "another.iso"))
    assert reader.read() == (sha256(b"one"), True)


def test_nowhere_to_remember(reader: Reader) -> None:
    """Costs the time of reading, and nothing else."""
    reader.folder.parent.touch()
    assert reader.read() == (sha256(b"one"), True)
    assert reader.read() == (sha256(b"one"), True)


def test_a_file_that_is_gone(reader: Reader) -> None:
    """Is told, whatever is remembered."""
    reader.read()
    reader.file.unlink()
    with pytest.raises(FileNotFoundError):
        reader.read()
