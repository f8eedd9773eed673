"""The strict check of NTFS volumes: nothing to say of sound ones, and each damage is found."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import odd_tree
from fixtures.ntfs_editor import ALLOCATION, NtfsEditor
from tests.integration.linux.ntfs_damage import DAMAGES
from tests.ntfs import check_file
from tests.unit.checks.subjects import facts, subject
from winimagetools.checks.ntfs.check import check_ntfs
from winimagetools.checks.ntfs.volume import check_volume
from winimagetools.checks.result import Result, State
from winimagetools.contract import RawVolume
from winimagetools.host.linux import volume
from winimagetools.host.linux.wimlib import Wim
from winimagetools.model import MIB
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "apply the odd tree")
SIZE = 48 * MIB


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A volume with the odd tree."""
    folder = tmp_path_factory.mktemp("odd")
    wim = odd_tree.write(folder / "odd.wim", odd_tree.build(600, 150, 20))
    volume.format_volume(folder / "volume", MIB, SIZE)
    with Wim(wim) as opened:
        opened.extract_to_ntfs(1, folder / "volume", lambda *_: None)
    return (folder / "volume").read_bytes()


def kinds(data: bytes | bytearray, *, fresh: bool = True) -> set[str]:
    """Kinds of what is found."""
    found = check_volume(
        lambda offset, length: bytes(data[offset : offset + length]), len(data), fresh=fresh
    )
    assert all(finding.text.endswith(".") for finding in found)
    return {finding.kind for finding in found}


def test_a_sound_volume_has_no_findings(sound: bytes) -> None:
    """Whatever is in it."""
    assert kinds(sound) == set()


@pytest.mark.parametrize("size", [8 * MIB, 100 * MIB + 4096 + 512, 3000 * MIB])
@pytest.mark.parametrize("cluster", [512, 4096, 65536])
def test_an_empty_volume_has_no_findings(tmp_path: Path, size: int, cluster: int) -> None:
    """Of any size, with clusters of any size."""
    path = tmp_path / "volume"
    path.touch()
    os.truncate(path, size)
    run(volume.MKNTFS, ["-F", "-Q", "-s", "512", "-c", str(cluster), path])
    assert check_file(path, fresh=True) == ()


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(sound: bytes, name: str) -> None:
    """Each kind of damage as what it is."""
    kind, plant = DAMAGES[name]
    data = bytearray(sound)
    plant(NtfsEditor(data))
    assert data != sound
    assert kind in kinds(data)


def checked(data: bytes | bytearray, *, thorough: bool, **changes: bool) -> Result:
    """What test-image says of a volume."""
    volume = RawVolume(lambda at, length: bytes(data[at : at + length]), len(data))
    known = replace(facts(), volume=replace(facts().volume, **changes))
    return check_ntfs(subject(disk_facts=known, volume=volume, thorough=thorough))


@pytest.mark.parametrize("thorough", [False, True])
def test_what_an_image_check_says_of_a_sound_volume(sound: bytes, thorough: bool) -> None:
    """One line; the short check names the option for the long one."""
    result = checked(sound, thorough=thorough)
    assert result.state is State.OK
    assert ("--strict-ntfs" in result.text) is not thorough


@pytest.mark.parametrize("name", DAMAGES)
def test_what_an_image_check_says_of_damage(sound: bytes, name: str) -> None:
    """The long check fails with advice; the short one never says what the long one does not."""
    data = bytearray(sound)
    DAMAGES[name][1](NtfsEditor(data))
    long, short = checked(data, thorough=True), checked(data, thorough=False)
    if kinds(data, fresh=False):
        assert long.state is State.FAILED and "chkdsk" in long.hint
        assert long.text.startswith("The NTFS volume is damaged. ") and len(long.text) < 700
    assert long.state is State.FAILED or short.state is State.OK


def test_a_glance_finds_records_that_are_not_whole(sound: bytes) -> None:
    """What a write that stopped halfway leaves, with the record and what to do."""
    data = bytearray(sound)
    editor = NtfsEditor(data)
    at = editor.record_place(editor.number_of("4097.bin"))
    data[at + 510] ^= 0xFF
    result = checked(data, thorough=False)
    assert result.state is State.FAILED
    assert f"Record {editor.number_of('4097.bin')} was not written as a whole." in result.text


def test_what_an_unclean_volume_has_is_told_once(sound: bytes) -> None:
    """Its flags and its log are the matter of another check."""
    data = bytearray(sound)
    plants = [plant for kind, plant in DAMAGES.values() if kind in ("volume flags", "log")]
    for plant in plants:
        plant(NtfsEditor(data))
    assert len(plants) > 1
    assert checked(data, thorough=True, clean=False).state is State.OK
    assert checked(data, thorough=True).state is State.FAILED


def test_copies_may_be_old_where_windows_wrote(sound: bytes) -> None:
    """Windows brings the sizes in a folder up to date for one name only."""
    data = bytearray(sound)
    DAMAGES["another_size_than_in_the_folder"][1](NtfsEditor(data))
    assert kinds(data, fresh=False) == set()
    assert kinds(data, fresh=True) == {"folder copies"}


def test_a_volume_within_a_disk(sound: bytes, tmp_path: Path) -> None:
    """It is found where it lies; what is behind it does not count."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(MIB) + sound + b"\xff" * MIB)
    assert check_file(disk, MIB, len(sound), fresh=True) == ()
    assert {finding.kind for finding in check_file(disk)} == {"boot sector"}


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_is_told_and_none_stops_the_check(sound: bytes, seed: int) -> None:
    """Metadata with odd bytes in them lead to findings, never to another error."""
    data, chance = bytearray(sound), random.Random(seed)
    editor = NtfsEditor(data)
    many, places = editor.number_of("many"), []
    for number, name in ((many, "$I30"), (9, "$SDH"), (9, "$SII")):
        with suppress(StopIteration):
            places.append(editor.stream_place(number, ALLOCATION, name) + 64)
    for place in places:
        data[place + chance.randrange(200)] ^= 1 << chance.randrange(8)
    for _ in range(30):
        number = chance.choice([*range(12), *range(24, 27), *range(64, editor.count())])

        def change(block: bytearray) -> None:
            for _ in range(3):
                block[chance.randrange(56, 400)] = chance.choice([0, 1, 2, 7, 0x7F, 0xFF])

        editor.change(number, change)
    assert kinds(data)
