"""Hives read by ranges: what a writer that is not ours put in, and damage of any kind."""

from __future__ import annotations

import random

import pytest

from fixtures import hives, regf
from fixtures.releases import RELEASES
from tests import hive_reader, needs
from winimagetools.errors import MediaError
from winimagetools.formats.regf_reader import HiveReader
from winimagetools.formats.registry_values import decode
from winimagetools.model import Architecture

RELEASE = RELEASES["2022"]
SYSTEM = hives.system(RELEASE, Architecture.AMD64, RELEASE.edition("ServerStandard"))


def compare(data: bytes, keys: int = 1 << 30) -> int:
    """Compare every key with an independent reader; how many there were."""
    reader, raw = HiveReader.of(data, "SYSTEM"), hive_reader.read_raw(data)
    below: dict[str, list[str]] = {}
    for path in raw:
        if path:
            above, _, name = path.rpartition("\\")
            below.setdefault(above, []).append(name)
    for path, key in list(raw.items())[:keys]:
        assert sorted(reader.subkeys(path)) == sorted(below.get(path, []))
        expected = {name.lower(): decode(name, *value) for name, value in key.values.items()}
        assert reader.values(path) == expected, path
    return len(raw)


def test_every_key_and_value() -> None:
    """Of a stand-in hive."""
    assert compare(SYSTEM) > 50


def test_look_ups_ignore_case() -> None:
    """And what is not there is nothing."""
    reader = HiveReader.of(SYSTEM, "SYSTEM")
    assert reader.number("SELECT", "current") == 1
    assert reader.text(r"setup", "CMDLINE") == r"oobe\windeploy.exe"
    assert reader.exists(r"controlset001\SERVICES\disk")
    assert not reader.exists(r"ControlSet001\Services\nothing")
    assert (reader.subkeys("x"), reader.values("x"), reader.get("Select", "x")) == ([], {}, None)
    assert (reader.text("Select", "Current"), reader.number("Setup", "CmdLine")) == ("", None)
    assert not reader.dirty


def test_long_lists_and_long_values() -> None:
    """Lists of lists, and values of several blocks."""
    root = regf.Key("ROOT")
    for number in range(1200):
        root.make(f"Many\\key{number}").values["n"] = regf.dword(number)
    root.values["long"] = regf.Value(regf.REG_BINARY, bytes(range(256)) * 63)
    reader = HiveReader.of(regf.dump(root, file_name="x"), "x")
    assert len(reader.subkeys("Many")) == 1200
    assert reader.number(r"many\KEY1199", "n") == 1199
    assert reader.get("", "long") == bytes(range(256)) * 63


def test_a_hive_that_was_not_closed() -> None:
    """Read, and said to be dirty."""
    data = SYSTEM[:4] + b"\7" + SYSTEM[5:]
    assert HiveReader.of(data, "SYSTEM").dirty


def test_damage_is_never_another_error() -> None:
    """Bytes changed anywhere, or cut off: values, nothing, or MediaError."""
    source = random.Random(5)
    for _ in range(300):
        data = bytearray(SYSTEM)
        for _ in range(source.randrange(1, 40)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.2:
            del data[source.randrange(len(data)) :]
        try:
            reader = HiveReader.of(bytes(data), "SYSTEM")
            for key in ("Select", r"ControlSet001\Services\disk", r"Setup\Status"):
                reader.values(key)
                reader.subkeys(key)
        except MediaError as error:
            assert "The registry hive SYSTEM is damaged" in error.message


@pytest.mark.parametrize("name", ["SYSTEM.win7-x86.xz", "SYSTEM.win10-x64.xz"])
def test_hives_that_windows_wrote(name: str) -> None:
    """The first thousand keys, read like another reader reads them."""
    assert compare(needs.genuine(f"hives/{name}"), 1000) > 10_000
