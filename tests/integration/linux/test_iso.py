"""ISOs made by the programs other people make theirs with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import needs
from winimagetools.formats.iso import IsoTree

FILES = {
    "sources/install.wim": bytes(range(256)) * 5000,
    "NetKVM/2k8R2/amd64/netkvm.inf": b"[Version]\r\n",
    "a/b/c/d/e/f/g/h/i/deep.txt": b"deep",
    "guest-agent/qemu-ga-x86_64.msi": b"msi",
    "Straße ファイル.txt": b"1",
    "empty.txt": b"",
}
MASTERING = {
    "genisoimage -udf -D": ("genisoimage", "genisoimage", "-udf", "-D"),
    "virtio-win up to 0.1.172": ("genisoimage", "genisoimage", "-r", "-J"),
    "virtio-win since 0.1.173": ("genisoimage", "genisoimage", "-r", "-iso-level", "4"),
    "xorriso": ("xorriso", "xorriso", "-as", "mkisofs", "-r", "-iso-level", "3"),
}
BIG = 4_500_000_000
MARKS = {0: b"begin", 2**32 - 3: b"middle", BIG - 5: b"final"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What goes on the ISOs, one file under two names."""
    root = tmp_path / "content"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "amd64").mkdir()
    (root / "amd64" / "linked.inf").hardlink_to(root / "NetKVM/2k8R2/amd64/netkvm.inf")
    (root / "link.txt").symlink_to("empty.txt")
    return root


@pytest.mark.parametrize("how", MASTERING)
def test_reads_what_was_mastered(tmp_path: Path, folder: Path, how: str) -> None:
    """All files come with name and content; hard links are files, symbolic links are not."""
    package, *command = MASTERING[how]
    needs.program(command[0], package)
    iso = tmp_path / "x.iso"
    subprocess.run([*command, "-quiet", "-o", iso, folder], check=True, capture_output=True)
    with IsoTree(iso) as tree:
        found = {path: tree.read_bytes(path) for path in tree.files()}
        assert tree.find("AMD64/LINKED.INF") == "amd64/linked.inf"
        assert tree.extents("amd64/linked.inf") == tree.extents("NetKVM/2k8R2/amd64/netkvm.inf")
    assert found == {**FILES, "amd64/linked.inf": b"[Version]\r\n"}


@pytest.mark.parametrize(
    "command",
    [
        ("genisoimage", "-udf", "-allow-limited-size"),
        ("xorriso", "-as", "mkisofs", "-iso-level", "3", "-r"),
    ],
    ids=["udf", "iso9660"],
)
def test_larger_than_4_gib(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A file over 4 GiB is read right to its end: UDF ranges, or several ISO 9660 records."""
    needs.program(command[0], command[0])
    content = tmp_path / "content"
    content.mkdir()
    with (content / "big").open("wb") as stream:
        for at, mark in MARKS.items():
            stream.seek(at)
            stream.write(mark)
    iso = tmp_path / "x.iso"
    _master_sparse([*command, "-quiet", os.fspath(content)], iso)
    with IsoTree(iso) as tree:
        assert tree.size("big") == BIG
        assert len(tree.extents("big")) == 1
        assert {at: tree.read_range("big", at, len(mark)) for at, mark in MARKS.items()} == MARKS


def _master_sparse(command: list[str], iso: Path) -> None:
    """Write what a program prints, leaving out zeros, so that the test needs no space."""
    zeros = bytes(1024 * 1024)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        iso.open("wb") as out,
    ):
        assert process.stdout is not None
        while block := process.stdout.read(len(zeros)):
            if block == zeros:
                out.seek(len(block), os.SEEK_CUR)
            else:
                out.write(block)
        out.truncate()
    assert process.returncode == 0
