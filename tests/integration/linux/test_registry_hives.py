"""Hives changed through libhivex, checked by two readers that know nothing of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import needs
from tests.hive_reader import RawKey, read_raw, read_regipy
from winimagetools.errors import BuildError, MediaError, ToolMissingError
from winimagetools.formats.regf import checksum, empty_hive
from winimagetools.formats.registry_values import encode, type_number
from winimagetools.host.linux import hivex
from winimagetools.host.linux.hive_edit import Hive, apply_edits, control_sets
from winimagetools.host.linux.hivex import Hivex
from winimagetools.plan import RegistryEdit, RegistryValue

REAL = ("hives/SYSTEM.win10-x64.xz", "hives/SYSTEM.win7-x86.xz")
ID = "VEN_1AF4&DEV_1001&REV_00"
INF = "winimagetools_viostor.inf"
EDITS = (
    RegistryEdit(
        "SYSTEM",
        r"CurrentControlSet\Services\viostor",
        (
            RegistryValue("Type", "REG_DWORD", 1),
            RegistryValue("Start", "REG_DWORD", 0),
            RegistryValue("Group", "REG_SZ", "SCSI miniport"),
            RegistryValue("ImagePath", "REG_EXPAND_SZ", r"system32\drivers\viostor.sys"),
        ),
    ),
    RegistryEdit("SYSTEM", r"CurrentControlSet\Services\viostor\Parameters\PnpInterface"),
    RegistryEdit(
        "SYSTEM",
        rf"DriverDatabase\DeviceIds\PCI\{ID}",
        (RegistryValue(INF, "REG_BINARY", b"\1\xff\0\0"),),
    ),
    RegistryEdit(
        "SYSTEM",
        rf"DriverDatabase\DriverInfFiles\{INF}",
        (RegistryValue("", "REG_MULTI_SZ", (f"{INF}_amd64_0000000000000000",)),),
    ),
    RegistryEdit("SYSTEM", r"Setup", (RegistryValue("OOBEInProgress", "REG_DWORD", 7),)),
)


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    """An empty hive in a folder of its own."""
    path = tmp_path / "SYSTEM"
    path.write_bytes(empty_hive())
    return path


def make_system(path: Path, current: int, default: int, *sets: str) -> None:
    """A SYSTEM hive with the given control sets."""
    path.write_bytes(empty_hive())
    with Hive(path, write=True) as hive:
        hive.set("Select", RegistryValue("Current", "REG_DWORD", current))
        hive.set("Select", RegistryValue("Default", "REG_DWORD", default))
        for name in sets:
            hive.add_key(rf"{name}\Services")


def alone(path: Path) -> bool:
    """Whether nothing was left beside the file."""
    return list(path.parent.iterdir()) == [path]


def lowered(path: Path) -> dict[str, RawKey]:
    """Every key by its path in lower case: Windows 7 spells ``services``, Windows 10 not."""
    return {key.lower(): found for key, found in read_raw(path.read_bytes()).items()}


def nearest(keys: dict[str, RawKey], path: str) -> RawKey:
    """The key at ``path`` or the nearest one above it."""
    while path not in keys:
        path = path.rpartition("\\")[0]
    return keys[path]


def test_every_kind_of_value_is_read_by_another_reader(hive: Path) -> None:
    """Texts, lists, numbers and bytes arrive as what they are; the other values stay."""
    values = (
        RegistryValue("", "REG_SZ", "default"),
        RegistryValue("text", "REG_SZ", "Überraschung"),
        RegistryValue("path", "REG_EXPAND_SZ", "%SystemRoot%"),
        RegistryValue("list", "REG_MULTI_SZ", ("a", "bc")),
        RegistryValue("number", "REG_DWORD", 0xFFFFFFFF),
        RegistryValue("long", "REG_QWORD", 2**40),
        RegistryValue("bytes", "REG_BINARY", b"\0\1\2\3\4"),
        RegistryValue("nothing", "REG_NONE", b""),
        RegistryValue("größe", "REG_DWORD", 1),
    )
    assert apply_edits(hive, [RegistryEdit("SYSTEM", r"A\B", values)]) is True
    found = read_regipy(hive)
    assert found["A"] == {}
    assert {name: item for name, item in found["A\\B"].items() if name.isascii()} == {
        "(default)": ("REG_SZ", "default"),
        "text": ("REG_SZ", "Überraschung"),
        "path": ("REG_EXPAND_SZ", "%SystemRoot%"),
        "list": ("REG_MULTI_SZ", ["a", "bc"]),
        "number": ("REG_DWORD", 0xFFFFFFFF),
        "long": ("REG_QWORD", 2**40),
        "bytes": ("REG_BINARY", b"\0\1\2\3\4"),
        "nothing": ("REG_NONE", b""),
    }
    raw = read_raw(hive.read_bytes())["A\\B"].values
    assert raw == {value.name: (type_number(value.kind), encode(value)) for value in values}
    with Hive(hive) as opened:
        assert opened.values(r"a\b") == values


@pytest.mark.parametrize("name", REAL)
def test_nothing_else_changes_in_a_real_hive(name: str, tmp_path: Path) -> None:
    """Every key, value, class and descriptor is compared before and after."""
    path = tmp_path / "SYSTEM"
    path.write_bytes(needs.genuine(name))
    before = lowered(path)
    assert apply_edits(path, EDITS) is True
    after = lowered(path)
    wanted = {edit.key.replace("Current", "").lower(): edit for edit in EDITS}
    wanted = {key.replace("controlset", "controlset001"): edit for key, edit in wanted.items()}
    for key, edit in wanted.items():
        values = {value.name: (type_number(value.kind), encode(value)) for value in edit.values}
        old = nearest(before, key)
        assert after[key].values == (old.values if key in before else {}) | values
        assert after[key].security == old.security
        assert read_regipy(path, key)[key].keys() >= {
            value.name or "(default)" for value in edit.values
        }
    new = after.keys() - before.keys()
    assert all(any(f"{key}\\".startswith(f"{at}\\") for key in wanted) for at in new)
    assert before.keys() <= after.keys()
    same = before.keys() - wanted.keys()
    assert {key: before[key] for key in same} == {key: after[key] for key in same}
    assert alone(path)


@pytest.mark.parametrize("name", REAL)
def test_applied_twice_is_applied_once(name: str, tmp_path: Path) -> None:
    """The second time there is nothing to write, so no byte and no time stamp changes."""
    path = tmp_path / "SYSTEM"
    path.write_bytes(needs.genuine(name))
    apply_edits(path, EDITS)
    once, status = path.read_bytes(), path.stat()
    assert apply_edits(path, EDITS) is False
    assert path.read_bytes() == once
    assert path.stat() == status


def test_an_equal_value_is_not_renamed(hive: Path) -> None:
    """A value keeps the spelling of its name, whether its data changes or not."""
    apply_edits(hive, [RegistryEdit("X", "Key", (RegistryValue("Start", "REG_DWORD", 1),))])
    apply_edits(hive, [RegistryEdit("X", "KEY", (RegistryValue("START", "REG_DWORD", 2),))])
    keys = read_raw(hive.read_bytes())
    assert keys.keys() == {"", "Key"}
    assert keys["Key"].values == {"Start": (4, b"\2\0\0\0")}


def test_equal_data_of_another_kind_is_written(hive: Path) -> None:
    """Kind and data both count."""
    apply_edits(hive, [RegistryEdit("X", "Key", (RegistryValue("Path", "REG_SZ", "a"),))])
    apply_edits(hive, [RegistryEdit("X", "Key", (RegistryValue("Path", "REG_EXPAND_SZ", "a"),))])
    assert read_regipy(hive, "Key") == {"Key": {"Path": ("REG_EXPAND_SZ", "a")}}


@pytest.mark.parametrize(
    ("current", "default", "written"),
    [
        (1, 1, {"ControlSet001"}),
        (2, 2, {"ControlSet002"}),
        (1, 2, {"ControlSet001", "ControlSet002"}),
        (1, 3, {"ControlSet001"}),
    ],
)
def test_control_sets(hive: Path, current: int, default: int, written: set[str]) -> None:
    """The current one and the one of the next start are written; none is invented."""
    make_system(hive, current, default, "ControlSet001", "ControlSet002")
    apply_edits(hive, [EDITS[0]])
    keys = read_raw(hive.read_bytes())
    assert {key.split("\\")[0] for key in keys if key.endswith("viostor")} == written
    assert {key for key in keys if key.startswith("ControlSet") and "\\" not in key} == {
        "ControlSet001",
        "ControlSet002",
    }


def test_no_current_control_set_is_refused(hive: Path) -> None:
    """Nothing is written when it is unknown where."""
    make_system(hive, 4, 1, "ControlSet001")
    before = hive.read_bytes()
    with pytest.raises(MediaError, match="does not say which control set is the current one"):
        apply_edits(hive, EDITS)
    assert hive.read_bytes() == before
    hive.write_bytes(empty_hive())
    apply_edits(hive, [RegistryEdit("X", "Select", (RegistryValue("Default", "REG_DWORD", 1),))])
    apply_edits(hive, [RegistryEdit("X", "ControlSet001")])
    with Hive(hive) as opened, pytest.raises(MediaError, match="current one"):
        control_sets(opened)


def break_dirty(data: bytearray) -> None:
    """A sequence number says that changes are in the logs."""
    data[4] += 1
    data[508:512] = checksum(bytes(data)).to_bytes(4, "little")


def break_checksum(data: bytearray) -> None:
    """The header has changed."""
    data[100] ^= 1


def break_length(data: bytearray) -> None:
    """The file was cut off."""
    del data[5000:]


def break_everything(data: bytearray) -> None:
    """This is a program."""
    data[:] = b"MZ" + bytes(9000)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (break_dirty, "was not closed cleanly"),
        (break_checksum, "checksum"),
        (break_length, "cut off after 5000"),
        (break_everything, "is not a registry hive"),
    ],
)
def test_damaged_hives_are_refused(
    hive: Path, damage: Callable[[bytearray], None], reason: str
) -> None:
    """For reading and for writing; the file stays as it is."""
    data = bytearray(hive.read_bytes())
    damage(data)
    hive.write_bytes(data)
    for write in (False, True):
        with pytest.raises(MediaError, match=reason), Hive(hive, write=write):
            pytest.fail("the hive was opened")
    assert hive.read_bytes() == data
    assert alone(hive)


def test_a_dirty_hive_is_named_by_its_place_in_the_image(hive: Path) -> None:
    """Not the copy that is worked on, and with a remedy that fits a WIM."""
    data = bytearray(hive.read_bytes())
    break_dirty(data)
    hive.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        apply_edits(hive, [RegistryEdit("SYSTEM", "Key")])
    assert caught.value.message.startswith(
        r"The registry hive \Windows\System32\config\SYSTEM in the image was not closed cleanly"
    )
    assert str(hive) not in str(caught.value)
    assert "dism /Mount-Image" in caught.value.hint


def test_a_missing_hive_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error of the medium, not a traceback."""
    with pytest.raises(MediaError, match=r"SYSTEM cannot be read"), Hive(tmp_path / "SYSTEM"):
        pytest.fail("the hive was opened")


def test_an_exception_drops_the_changes(hive: Path) -> None:
    """What was begun and not finished never reaches the file."""
    before = hive.read_bytes()
    with pytest.raises(KeyboardInterrupt), Hive(hive, write=True) as opened:
        opened.add_key("Half")
        raise KeyboardInterrupt
    assert hive.read_bytes() == before
    assert alone(hive)


def test_reading_does_not_allow_changes(hive: Path) -> None:
    """A hive opened for reading refuses them."""
    with pytest.raises(BuildError, match="could not get the new key"), Hive(hive) as opened:
        opened.add_key("New")


def stale(handle: Hivex, path: Path) -> None:
    """A library that loses the changes."""
    path.write_bytes(empty_hive())


def cut(handle: Hivex, path: Path) -> None:
    """A library that writes half of the file."""
    path.write_bytes(empty_hive()[:6000])


@pytest.mark.parametrize(
    ("commit", "reason"),
    [(stale, "key a does not hold what was written"), (cut, "unusable: .* cut off after 6000")],
)
def test_a_copy_that_is_not_right_never_replaces_the_hive(
    hive: Path, monkeypatch: pytest.MonkeyPatch, commit: Callable[[Hivex, Path], None], reason: str
) -> None:
    """The copy is read back; what was written must be in it."""
    before = hive.read_bytes()
    monkeypatch.setattr(Hivex, "commit", commit)
    with pytest.raises(BuildError, match=reason):
        apply_edits(hive, [RegistryEdit("X", "a", (RegistryValue("b", "REG_DWORD", 1),))])
    assert hive.read_bytes() == before
    assert alone(hive)


def test_the_mode_of_the_file_stays(hive: Path) -> None:
    """The new file has the permissions of the old one."""
    hive.chmod(0o640)
    apply_edits(hive, [RegistryEdit("X", "Key")])
    assert hive.stat().st_mode & 0o777 == 0o640


def test_reading_keys_and_values(hive: Path) -> None:
    """Look-ups ignore case; what does not exist is empty, not an error."""
    make_system(hive, 1, 1, "ControlSet001")
    with Hive(hive) as opened:
        assert opened.exists(r"controlset001\SERVICES")
        assert opened.get("SELECT", "current") == RegistryValue("Current", "REG_DWORD", 1)
        assert opened.get("Select", "Missing") is None
        assert opened.get("Missing") is None
        assert not opened.exists(r"Missing\Key")
        assert opened.values("Missing") == ()


def test_long_values_follow_the_version_of_the_hive(hive: Path, tmp_path: Path) -> None:
    """Windows expects them split from version 1.4 on, which libhivex cannot do."""
    long = RegistryEdit("X", "Key", (RegistryValue("v", "REG_BINARY", bytes(range(256)) * 65),))
    assert apply_edits(hive, [long]) is True
    assert read_raw(hive.read_bytes())["Key"].values["v"][1] == bytes(range(256)) * 65
    newer = bytearray(empty_hive())
    newer[24] = 5
    newer[508:512] = checksum(bytes(newer)).to_bytes(4, "little")
    hive.write_bytes(newer)
    with pytest.raises(BuildError, match=r"has 16640 bytes; more than 16344 cannot be written"):
        apply_edits(hive, [long])
    assert hive.read_bytes() == newer


def test_names_windows_would_not_find_are_refused(hive: Path) -> None:
    """The library sorts other than ASCII names differently from Windows."""
    with pytest.raises(BuildError, match="cannot be added"):
        apply_edits(hive, [RegistryEdit("X", "Größe")])
    with pytest.raises(BuildError, match="NUL character"):
        apply_edits(hive, [RegistryEdit("X", "a\0b")])


NAMES = st.text("aAbBzZ059_-^[{&.~ ", min_size=1, max_size=3)
VALUES = st.builds(RegistryValue, NAMES, st.just("REG_BINARY"), st.binary(max_size=12)) | st.builds(
    RegistryValue, NAMES, st.just("REG_DWORD"), st.integers(0, 2**32 - 1)
)
CHANGES = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=2), VALUES), max_size=25)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
def test_any_sequence_of_changes(
    tmp_path: Path, changes: list[tuple[list[str], RegistryValue]]
) -> None:
    """The hive holds exactly what was set last, sorted, hashed, and with one descriptor."""
    path = tmp_path / "hive"
    path.write_bytes(empty_hive())
    expected: dict[tuple[str, ...], dict[str, tuple[int, bytes]]] = {(): {}}
    with Hive(path, write=True) as hive:
        for parts, value in changes:
            hive.set("\\".join(parts), value)
            lower = tuple(part.lower() for part in parts)
            for depth in range(1, len(parts) + 1):
                expected.setdefault(lower[:depth], {})
            expected[lower][value.name.lower()] = (type_number(value.kind), encode(value))
    found = read_raw(path.read_bytes())
    lower_case = {
        tuple(key.lower().split("\\")) if key else (): {
            name.lower(): data for name, data in item.values.items()
        }
        for key, item in found.items()
    }
    assert lower_case == expected
    assert len({item.security for item in found.values()}) == 1


def test_buffers_of_the_library_are_freed(hive: Path) -> None:
    """Reading 60 KB two thousand times does not need 120 MB."""
    apply_edits(hive, [RegistryEdit("X", "Key", (RegistryValue("v", "REG_BINARY", bytes(60000)),))])

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    with Hive(hive) as opened:
        opened.values("Key")
        before = resident()
        for _ in range(2000):
            opened.values("Key")
        assert resident() - before < 20_000_000


def test_a_missing_library_is_named_with_its_package(
    hive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user learns what to install and what for."""
    monkeypatch.setattr(hivex, "LIBRARY", "libhivex.so.missing")
    hivex._library.cache_clear()
    try:
        with pytest.raises(ToolMissingError):
            hivex.find_library()
        with pytest.raises(ToolMissingError) as caught, Hive(hive):
            pytest.fail("the hive was opened")
    finally:
        hivex._library.cache_clear()
    assert caught.match("needed to edit the Windows registry.*apt install libhivex0")
    monkeypatch.undo()
    hivex.find_library()


def test_a_closed_hive_is_not_used(hive: Path) -> None:
    """A handle that was given back never reaches the library."""
    with Hive(hive) as opened:
        pass
    with pytest.raises(ValueError, match="already closed"):
        opened.values()
