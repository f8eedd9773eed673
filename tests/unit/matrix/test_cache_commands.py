"""``cache ls``, ``cache prune`` and ``cache verify``; a job that is none."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from winimagetools.cli.main import main
from winimagetools.matrix.store import RECORD, StageName, StageStore, record_of


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    """With two stages, used three and thirty hours ago."""
    store = StageStore(tmp_path / "cache")
    for letter, hours in (("a", 3), ("b", 30)):
        name = StageName("offline", letter * 64)
        with store.private(name) as folder:
            (folder / "disk.raw").write_bytes(os.urandom(8192))
            record = record_of(folder / "disk.raw", "disk.raw", seconds=0, parts={})
            store.commit(name, folder, record)
        when = time.time() - hours * 3600
        os.utime(store.folder(name) / RECORD, (when, when))
    return store


def test_ls(store: StageStore, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, the one used last first, and what they take together."""
    assert main(["cache", "ls", "--cache", str(store.root)]) == 0
    head, first, second, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["Stage", "Made", "for", "Size", "Used"]
    assert first.startswith("offline-aaaaaaaaaaaa  offline disk  12.0 KiB")
    assert second.startswith("offline-bbbbbbbbbbbb")
    assert last == f"24.0 KiB in {store.root}"


def test_prune(store: StageStore, capsys: pytest.CaptureFixture[str]) -> None:
    """By age, then by size; what was removed is named."""
    cache = ["--cache", str(store.root)]
    assert main(["cache", "prune", *cache, "--age", "1d"]) == 0
    assert capsys.readouterr().out == f"offline-{'b' * 64}\n"
    assert main(["cache", "prune", *cache, "--size", "1KB"]) == 0
    assert capsys.readouterr().out == f"offline-{'a' * 64}\n"
    for text in ("3", "d", "3m", "-1d", ""):
        assert main(["cache", "prune", *cache, f"--age={text}"]) == (2 if text else 0)


def test_verify(store: StageStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and a name for what is not what it was."""
    assert main(["cache", "verify", "--cache", str(store.root)]) == 0
    assert capsys.readouterr().out == "All intact.\n"
    disk = store.folder(StageName("offline", "b" * 64)) / "disk.raw"
    disk.write_bytes(os.urandom(8192))
    assert main(["cache", "verify", "--cache", str(store.root)]) == 1
    assert f"offline-{'b' * 64}: damaged" in capsys.readouterr().out


def test_a_job_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it is, one sentence says so."""
    job = tmp_path / "job.json"
    for text in (None, "", "[]", "{}", '{"stage": {"name": "x"}}'):
        if text is not None:
            job.write_text(text)
        assert main(["matrix-stage", str(job)]) == 2
        assert "is no stage of a matrix" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"name": "x"}', '{"name":' * 100_000])
def test_what_is_kept_of_no_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """The same for what is left of one that failed."""
    (tmp_path / "stage.json").write_text(text)
    assert main(["resume", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'stage.json'} is damaged" in said and "Run the matrix again" in said
