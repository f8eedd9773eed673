"""Both engines write the same volume."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

from fixtures import odd_tree
from tests.integration.linux.test_apply import capture, make_disk, make_volume
from winimagetools.checks.ntfs.volume import check_file
from winimagetools.errors import MediaError
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import MIB
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "read NTFS volumes back")


def extract_parallel(disk: LinuxDisk, volume: Path) -> None:
    """The parallel engine, and libwim where that has to do it."""
    size = volume.stat().st_size
    os.truncate(volume, 0)
    os.truncate(volume, size)
    if not write_inside(disk, volume, 0, size):
        extract_volume(disk, make_volume(volume, size))


@pytest.fixture(scope="module", params=["none", "LZX", "XPRESS"])
def odd_wim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The odd tree, packed in each way."""
    folder = tmp_path_factory.mktemp("odd")
    plain = odd_tree.write(folder / "plain.wim", odd_tree.build(800, 200, 40))
    run(WIMLIB, ["export", plain, "1", folder / "odd.wim", f"--compress={request.param}"])
    return folder / "odd.wim"


def described(volume: Path, wim: Path) -> tuple[str, set[frozenset[str]]]:
    """Everything wimlib tells of a volume, and which names are of one file."""
    text = run(WIMLIB, ["dir", capture(volume, wim), "1", "--detailed"])
    groups: dict[str, set[str]] = defaultdict(set)
    for path, group in re.findall(r'Full Path += "(.*)"(?s:.*?)Link Group ID += (\S+)', text):
        if int(group, 16):
            groups[group].add(path)
    plain = re.sub(r"(?m)^(Link Group ID|Offset in WIM) .*\n", "", text)
    return plain, {frozenset(names) for names in groups.values()}


def stage(tree: StagedTree) -> None:
    """What a build does to an image: add, replace, take away."""
    tree.write_bytes(r"Windows\small.dll", b"another one")
    tree.write_bytes(r"sizes\65536.bin", b"x" * 70_000)
    tree.write_bytes(r"UnattendResources\deep\er\Logon.ps1", b"logon" * 1000)
    tree.write_bytes("Unattend.xml", b"<u/>")
    tree.write_bytes("bootmgr", b"boot" * 999)
    tree.write_bytes(r"Boot\BCD", b"bcd" * 4000)
    tree.write_bytes(r"empty\file", b"")
    tree.remove(r"links\3")
    tree.remove(r"names\größe.txt")


@pytest.mark.parametrize("staged", [False, True])
def test_both_write_the_same(
    odd_wim: Path, tmp_path: Path, staged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """And what they write is sound."""
    caplog.set_level("INFO")
    found = []
    for name, extract in (("libwim", extract_volume), ("parallel", extract_parallel)):
        folder = tmp_path / name
        folder.mkdir()
        volume, disk = make_volume(folder / "volume", 64 * MIB), make_disk(folder, odd_wim)
        if staged:
            stage(disk.tree)
        extract(disk, volume)
        assert check_file(volume, fresh=True) == ()
        found.append(described(volume, folder / "back.wim"))
    assert "libwim applies" not in caplog.text
    ours, theirs = found
    left, right = ours[0].split("\n\n"), theirs[0].split("\n\n")
    times = re.compile(r"(Creation|Last Access|Last Write) Time .*")
    assert [times.sub("", each) for each in left] == [times.sub("", each) for each in right]
    assert ours[1] == theirs[1]
    if not staged:
        assert left == right


def test_what_it_does_not_do_libwim_does(
    install_wim: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A solid medium comes out all the same, and the log says why."""
    caplog.set_level("INFO")
    solid = tmp_path / "install.esd"
    run(WIMLIB, ["export", install_wim, "1", solid, "--solid"])
    volume = make_volume(tmp_path / "volume")
    extract_parallel(make_disk(tmp_path, solid), volume)
    assert check_file(volume, fresh=True) == ()
    assert "libwim applies the image: it is solid or split." in caplog.text


def test_damage_is_told_by_libwim(odd_wim: Path, tmp_path: Path) -> None:
    """A changed byte of a content is found, and the error is the usual one."""
    data = bytearray(odd_wim.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 64):
        data[at] ^= 0x5A
    damaged = tmp_path / "damaged.wim"
    damaged.write_bytes(data)
    with pytest.raises(MediaError, match="is damaged"):
        extract_parallel(make_disk(tmp_path, damaged), make_volume(tmp_path / "volume", 64 * MIB))
