"""Fingerprints of files and folders, taken beside a build."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from winimagetools.files import digests, fingerprint
from winimagetools.files.digests import DigestMemory
from winimagetools.files.fingerprint import Fingerprint, Fingerprints


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    """A folder has the sum of the lines sha256sum writes, sorted by path."""
    folder = tmp_path / "drivers"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "two.sys").write_bytes(b"two")
    (folder / "a.inf").write_bytes(b"a")
    iso = tmp_path / "windows.iso"
    iso.write_bytes(b"iso")
    lines = (
        f"{hashlib.sha256(b'a').hexdigest()}  a.inf\n"
        f"{hashlib.sha256(b'two').hexdigest()}  b/two.sys\n"
    )
    with Fingerprints([iso, folder]) as taken:
        assert taken.results() == [
            Fingerprint(3, hashlib.sha256(b"iso").hexdigest()),
            Fingerprint(4, hashlib.sha256(lines.encode()).hexdigest()),
        ]


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It is told to whoever asks."""
    with Fingerprints([tmp_path / "none"]) as taken, pytest.raises(FileNotFoundError):
        taken.results()


def test_a_build_that_failed_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving ends what is being read, and begins nothing else."""
    reading, asked = threading.Event(), []

    def endless(path: Path, on_progress: Callable[[int], None]) -> str:
        asked.append(path.name)
        reading.set()
        while True:
            on_progress(0)

    monkeypatch.setattr(fingerprint, "sha256_beside", endless)
    for name in ("first", "second"):
        (tmp_path / name).touch()
    with Fingerprints([tmp_path / "first", tmp_path / "second"]):
        assert reading.wait(10)
    assert asked == ["first"]


def test_large_files_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And small ones read each time; without a memory all are."""
    monkeypatch.setattr(fingerprint, "LARGE", 4)
    asked: list[str] = []

    def known(path: Path, on_progress: Callable[[int], None]) -> str:
        asked.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    for module in (fingerprint, digests):
        monkeypatch.setattr(module, "sha256_beside", known)
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(b"1234")
    small.write_bytes(b"123")
    os.utime(large, (1, 1))
    memory = DigestMemory(tmp_path / "memory")
    expected = [
        Fingerprint(4, hashlib.sha256(b"1234").hexdigest()),
        Fingerprint(3, hashlib.sha256(b"123").hexdigest()),
    ]
    for _ in range(2):
        with Fingerprints([large, small], memory) as taken:
            assert taken.results() == expected
    assert asked == ["large", "small", "small"]
    with Fingerprints([large, small]) as taken:
        assert taken.results() == expected
    assert asked == ["large", "small", "small", "large", "small"]
