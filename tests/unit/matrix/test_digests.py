"""What stands for the content of files and of stages."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from winimagetools.matrix import digests
from winimagetools.matrix.digests import FileDigests, content_digest, digest_of, sealed

OLD = 1_600_000_000


def write(path: Path, data: bytes, when: float = OLD) -> Path:
    """A file that was written long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (when, when))
    return path


def test_a_file(tmp_path: Path) -> None:
    """Its SHA-256, again when it changed."""
    file = write(tmp_path / "a.iso", b"one")
    assert FileDigests(tmp_path / "d").of(file) == hashlib.sha256(b"one").hexdigest()
    write(file, b"two", OLD + 1)
    assert FileDigests(tmp_path / "d").of(file) == hashlib.sha256(b"two").hexdigest()


def test_what_is_known(tmp_path: Path) -> None:
    """A file that would not be read again; one that changed or is gone would."""
    file = write(tmp_path / "a.iso", b"one")
    assert not FileDigests(tmp_path / "d").knows(file)
    FileDigests(tmp_path / "d").of(file)
    assert FileDigests(tmp_path / "d").knows(file)
    write(file, b"two", OLD + 1)
    assert not FileDigests(tmp_path / "d").knows(file)
    file.unlink()
    assert not FileDigests(tmp_path / "d").knows(file)


def test_a_folder(tmp_path: Path) -> None:
    """Names and content of all files below it; only what changed is read again."""
    folder = tmp_path / "drivers"
    write(folder / "a.inf", b"a")
    write(folder / "sub" / "b.sys", b"b")
    first = FileDigests(tmp_path / "d").of(folder)
    assert first == digest_of(
        {
            name: hashlib.sha256(data).hexdigest()
            for name, data in (("a.inf", b"a"), ("sub/b.sys", b"b"))
        }
    )
    assert FileDigests(tmp_path / "d").of(folder) == first
    write(folder / "sub" / "b.sys", b"B", OLD + 5)
    second = FileDigests(tmp_path / "d").of(folder)
    (folder / "a.inf").rename(folder / "c.inf")
    assert len({first, second, FileDigests(tmp_path / "d").of(folder)}) == 3


def test_all_parts_of_a_split_wim(tmp_path: Path) -> None:
    """The option names the first one only."""
    first = write(tmp_path / "install.swm", b"1")
    write(tmp_path / "install2.swm", b"2")
    before = FileDigests(tmp_path / "d").of(first)
    write(tmp_path / "install2.swm", b"x", OLD + 5)
    assert FileDigests(tmp_path / "d").of(first) != before


def test_content_without_holes(tmp_path: Path) -> None:
    """Zeros count the same as holes and as data; every other byte, its place and the size count."""

    def of(*pieces: tuple[int, bytes], size: int) -> str:
        path = tmp_path / "disk.raw"
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)
            file.truncate(size)
        return content_digest(path)

    mib = 1 << 20
    sparse = of((5 * mib + 7, b"x"), size=9 * mib + 3)
    assert of((0, bytes(9 * mib + 3)), (5 * mib + 7, b"x"), size=9 * mib + 3) == sparse
    assert of((4 * mib, bytes(mib) + bytes(7) + b"x"), size=9 * mib + 3) == sparse
    others = {
        of((5 * mib + 8, b"x"), size=9 * mib + 3),
        of((5 * mib + 7, b"y"), size=9 * mib + 3),
        of((5 * mib + 7 + 65536, b"x"), size=9 * mib + 3),
        of((5 * mib + 7, b"x"), size=9 * mib + 4),
        of((5 * mib + 7, b"x"), (9 * mib, b"abc"), size=9 * mib + 3),
        of(size=9 * mib + 3),
    }
    assert len(others | {sparse}) == 7


def test_parts_in_any_order() -> None:
    """And no two sets of parts have one digest."""
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1b2"}) != digest_of({"a": "1", "b": "2"})


def test_secrets_are_sealed() -> None:
    """The same secret gives the same text with the same key only."""
    assert sealed(b"k", "secret") == sealed(b"k", "secret")
    assert sealed(b"k", "secret") != sealed(b"l", "secret")
    assert sealed(b"k", "secret") != hashlib.sha256(b"secret").hexdigest()
    assert digests.sealed(b"k", "") != sealed(b"k", " ")
