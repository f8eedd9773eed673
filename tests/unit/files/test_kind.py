"""Whatever lies under a name instead of a file is told at once, and never waited for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from winimagetools import log
from winimagetools.cli.main import main
from winimagetools.errors import RequestError
from winimagetools.files.kind import kind_of, read_small, refuse_other_than_file

TEXT = b"[DEFAULT]\nimage_name = Server\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that is no file, as the current one."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mknod("socket", 0o600 | 0o140000)
    Path("folder").mkdir()
    Path("zero").symlink_to("/dev/zero")
    Path("good.ini").write_text(
        "[DEFAULT]\nwim_file_path = none.wim\nimage_name = x\nimage_path = out.qcow2\n"
    )
    return tmp_path


KINDS = {"pipe": "a named pipe", "socket": "a socket", "folder": "a folder", "zero": "a device"}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kinds(here: Path, name: str, kind: str) -> None:
    """Each is called what it is; a file and nothing at all are none."""
    assert kind_of(here / name) == kind
    with pytest.raises(RequestError, match=f"{name} is {kind}, not a file"):
        refuse_other_than_file(here / name)
    for fine in ("good.ini", "missing", "bad\0name"):
        assert kind_of(here / fine) == ""
        refuse_other_than_file(here / fine)


@pytest.mark.parametrize(
    "words",
    [
        ["wim-info", "@"],
        ["cloud-image", "good.ini", "--set", "wim_file_path=@"],
        ["cloud-image", "good.ini", "--set", "virtio_iso_path=@"],
        ["cloud-image", "good.ini", "--set", "unattend_xml_path=@"],
        ["test-image", "@.qcow2"],
        ["inspect", "@"],
        ["ls", "@"],
        ["copy-out", r"@:\Windows", "folder"],
        ["boot", "@"],
        ["publish", "@", "aws"],
        ["verify", "@"],
        ["convert", "@", "good.ini"],
        ["shrink", "@"],
        ["extend", "@"],
    ],
    ids=lambda words: " ".join(words),
)
@pytest.mark.parametrize("name", ["pipe", "socket", "zero"])
@pytest.mark.usefixtures("here")
def test_disks_and_media(words: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that takes one says what it is."""
    Path(f"{name}.qcow2").symlink_to(name)
    assert main([word.replace("@", name) for word in words]) == 2
    assert f"{KINDS[name]}, not a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["show-config", "pipe"],
        ["cloud-image", "pipe"],
        ["golden-image", "pipe"],
        ["test-image", "pipe"],
        ["ini", "get", "pipe", "a"],
        ["matrix-stage", "pipe"],
        ["cloud-image", "good.ini", "--sign-key", "pipe"],
        ["show-config", "good.ini", "--log-file", "pipe"],
        ["resume", "pipe"],
    ],
    ids=lambda words: " ".join(words),
)
@pytest.mark.usefixtures("here")
def test_texts(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that nobody uses is one clear error."""
    monkeypatch.setattr("winimagetools.files.kind._PATIENCE", 0.0)
    assert main(words) == 2
    assert "pipe" in capsys.readouterr().err


def _writing(path: Path) -> threading.Thread:
    thread = threading.Thread(target=lambda: path.write_bytes(TEXT))
    thread.start()
    return thread


def test_a_pipe_that_somebody_writes_to(here: Path) -> None:
    """As a shell makes one of a password manager: all of it is read, and no more than is asked."""
    writer = _writing(here / "pipe")
    assert read_small(here / "pipe", 1000) == TEXT
    writer.join()
    ready, write = os.pipe()
    os.write(write, TEXT)
    os.close(write)
    assert read_small(Path(f"/dev/fd/{ready}"), 9) == TEXT[:9]
    os.close(ready)


def test_a_device_that_never_ends() -> None:
    """Is read up to what is asked."""
    assert read_small(Path("/dev/zero"), 7) == bytes(7)
    assert read_small(Path(os.devnull), 7) == b""


def test_a_log_that_somebody_reads(here: Path) -> None:
    """Goes through the pipe."""
    reader = os.open(here / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    log.setup(file=here / "pipe")
    log.warning("The disk is small.")
    assert b"The disk is small." in os.read(reader, 1000)
    log.setup()
    os.close(reader)
