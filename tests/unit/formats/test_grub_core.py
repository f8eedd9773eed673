"""GRUB's core image, read back."""

from __future__ import annotations

import random

import pytest

from tests.unit.host.linux.grub_files import make_core, make_module
from winimagetools.errors import MediaError
from winimagetools.formats.grub_core import read_core, read_module

NTFS = make_module("ntfs", ["fshelp"])
HELP = make_module("fshelp")


def test_a_module_names_itself_and_what_it_needs() -> None:
    """In sections of its own."""
    module = read_module(make_module("chain", ["relocator", "boot"]))
    assert (module.name, module.needs) == ("chain", ("relocator", "boot"))
    assert read_module(HELP).needs == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"a module that is none \(0 bytes\)"),
        (bytes(5000), r"a module that is none \(5000 bytes\)"),
        (NTFS[:60], r"cut off \(60 bytes\)"),
        (NTFS[:-1], "cut off"),
        (NTFS.replace(b".modname", b".nodname"), "a module without a name"),
    ],
)
def test_what_is_no_module(data: bytes, said: str) -> None:
    """An empty one, one of zeros, one that is cut off."""
    with pytest.raises(MediaError, match=said):
        read_module(data)


def test_modules_and_commands_are_found() -> None:
    """Although the kernel has the mark of the modules in its code, too."""
    core = read_core(make_core([HELP, NTFS], "boot\n"))
    assert list(core.modules) == ["fshelp", "ntfs"]
    assert core.modules["ntfs"].data.startswith(NTFS)
    assert core.settings == "boot\n"


@pytest.mark.parametrize(
    ("core", "said"),
    [
        (b"", "has only 0 bytes"),
        (bytes(50000), "does not say how large it is"),
        (make_core([HELP], "")[:-20], "cannot be unpacked"),
        (make_core([HELP, b""], ""), r"a module that is none \(0 bytes\)"),
        (make_core([], "")[:512] + b"\x01" * 4000, "does not say how large it is"),
    ],
)
def test_what_is_no_core_image(core: bytes, said: str) -> None:
    """Nothing at all, zeros, a part, one with an empty module."""
    with pytest.raises(MediaError, match=said):
        read_core(core)


def test_damage_never_ends_in_anything_else() -> None:
    """Whatever bits are changed."""
    whole, chance = make_core([HELP, NTFS], "boot\n"), random.Random(8)
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(512, len(data))] ^= 1 << chance.randrange(8)
        try:
            read_core(bytes(data[: chance.choice([len(data), chance.randrange(len(data))])]))
        except MediaError:
            continue
