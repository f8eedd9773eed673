"""Desktop background and the local policy that sets it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.fakes import MemoryTree
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.formats.policy import PolicyEntry, registry_pol
from winimagetools.guest.wallpaper import (
    check_wallpaper,
    reset_windows_wallpaper,
    set_windows_wallpaper,
)
from winimagetools.plan import RegistryValue

PICTURE = "Windows/Web/Wallpaper/Cloud/Wallpaper.jpg"
POLICY = "Windows/System32/GroupPolicy/User/Registry.pol"
INDEX = "Windows/System32/GroupPolicy/gpt.ini"
THEMES = "Users/Administrator/AppData/Roaming/Microsoft/Windows/Themes"
JPEG = b"\xff\xd8\xff\xe0 mine"


def read_pol(data: bytes) -> list[tuple[str, str, int, bytes]]:
    """An independent reader of the PReg format: key, name, type, data."""
    assert data[:8] == b"PReg\x01\x00\x00\x00"
    found, position = [], 8

    def expect(character: str) -> None:
        nonlocal position
        assert data[position : position + 2] == character.encode("utf-16-le")
        position += 2

    def text() -> str:
        nonlocal position
        begin = position
        while data[position : position + 2] != b"\0\0":
            position += 2
        position += 2
        return data[begin : position - 2].decode("utf-16-le")

    def number() -> int:
        nonlocal position
        position += 4
        return int(struct.unpack_from("<I", data, position - 4)[0])

    while position < len(data):
        expect("[")
        key = text()
        expect(";")
        name = text()
        expect(";")
        kind = number()
        expect(";")
        size = number()
        expect(";")
        found.append((key, name, kind, data[position : position + size]))
        position += size
        expect("]")
    return found


def sz(text: str) -> bytes:
    """A string as the registry stores it."""
    return f"{text}\0".encode("utf-16-le")


SYSTEM = r"Software\Microsoft\Windows\CurrentVersion\Policies\System"


def test_one_entry_byte_for_byte() -> None:
    """The format of [MS-GPREG] 2.2.1."""
    entry = PolicyEntry("K", RegistryValue("n", "REG_DWORD", 258))
    assert registry_pol([entry]) == (
        b"PReg\x01\0\0\0[\0K\0\0\0;\0n\0\0\0;\0\x04\0\0\0;\0\x04\0\0\0;\0\x02\x01\0\0]\0"
    )


@pytest.mark.parametrize(
    ("value", "kind", "data"),
    [
        (RegistryValue("n", "REG_SZ", "ä"), 1, sz("ä")),
        (RegistryValue("n", "REG_EXPAND_SZ", "%x%"), 2, sz("%x%")),
        (RegistryValue("n", "REG_BINARY", b"]\0;\0"), 3, b"]\0;\0"),
        (RegistryValue("n", "REG_MULTI_SZ", ("a", "b")), 7, sz("a") + sz("b") + b"\0\0"),
        (RegistryValue("n", "REG_QWORD", 1), 11, b"\x01\0\0\0\0\0\0\0"),
        (RegistryValue("n", "REG_NONE", b""), 0, b""),
    ],
)
def test_every_kind_of_value(value: RegistryValue, kind: int, data: bytes) -> None:
    """Number and encoding of each registry type."""
    assert read_pol(registry_pol([PolicyEntry(r"A\B", value)])) == [(r"A\B", "n", kind, data)]


def test_data_of_another_kind_is_an_error() -> None:
    """A text is no number."""
    with pytest.raises(ValueError, match="REG_DWORD"):
        registry_pol([PolicyEntry("K", RegistryValue("n", "REG_DWORD", "1"))])


NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-16-le"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=4))
def test_what_is_written_is_read_back(entries: list[tuple[str, str, str]]) -> None:
    """Any keys, names and texts survive, in order."""
    policy = registry_pol(
        [PolicyEntry(key, RegistryValue(name, "REG_SZ", text)) for key, name, text in entries]
    )
    assert read_pol(policy) == [(key, name, 1, sz(text)) for key, name, text in entries]


def test_the_picture_of_this_project_is_the_default() -> None:
    """Picture, policy that names it, and the index that makes Windows read the policy."""
    tree = MemoryTree()
    set_windows_wallpaper(tree)
    assert set(tree.content) == {PICTURE, POLICY, INDEX}
    assert tree.content[PICTURE] == data_path("wallpaper.jpg").read_bytes()
    assert read_pol(tree.content[POLICY]) == [
        (SYSTEM, "Wallpaper", 1, sz(r"C:\Windows\Web\Wallpaper\Cloud\Wallpaper.jpg")),
        (SYSTEM, "WallpaperStyle", 1, sz("3")),
    ]
    index = tree.content[INDEX].decode("ascii")
    assert index.splitlines()[0] == "[General]"
    assert re.search(
        r"^gPCUserExtensionNames=\[\{35378EAC-683F-11D2-A89A-00C04FBBCFA2\}", index, re.M
    )
    assert re.search(r"^Version=196608\r$", index, re.M)


def test_the_built_in_picture_is_a_small_jpeg() -> None:
    """It goes into every image, so it must not weigh much."""
    data = data_path("wallpaper.jpg").read_bytes()
    assert data.startswith(b"\xff\xd8\xff")
    assert data.endswith(b"\xff\xd9")
    assert len(data) < 100_000


def test_a_picture_of_the_user_replaces_cached_copies(tmp_path: Path) -> None:
    """An Administrator who has logged on before sees it too; scaled copies go away."""
    picture = tmp_path / "Mine.JPEG"
    picture.write_bytes(JPEG)
    tree = MemoryTree(
        {
            f"{THEMES}/TranscodedWallpaper": b"old",
            f"{THEMES}/CachedFiles/CachedImage_1024_768.jpg": b"old",
            f"{THEMES}/slideshow.ini": b"old",
        }
    )
    set_windows_wallpaper(tree, picture)
    files = {path: data for path, data in tree.content.items() if path.startswith(THEMES)}
    assert files == {f"{THEMES}/TranscodedWallpaper": JPEG}
    assert tree.content[PICTURE] == JPEG


def test_themes_without_a_cached_picture_stay() -> None:
    """Nothing is removed when Windows keeps no copy."""
    tree = MemoryTree({f"{THEMES}/slideshow.ini": b"keep"})
    set_windows_wallpaper(tree)
    assert tree.content[f"{THEMES}/slideshow.ini"] == b"keep"


@pytest.mark.parametrize(
    ("given_colour", "written"), [("0 0 0", "0 0 0"), (" 255  128 007 ", "255 128 7")]
)
def test_a_solid_colour_needs_no_picture(given_colour: str, written: str) -> None:
    """The colour is set, and the policy keeps pictures away."""
    tree = MemoryTree()
    set_windows_wallpaper(tree, solid_color=given_colour)
    assert set(tree.content) == {POLICY, INDEX}
    assert read_pol(tree.content[POLICY]) == [
        (r"Control Panel\Colors", "Background", 1, sz(written)),
        (r"Control Panel\Desktop", "WallPaper", 1, sz("")),
        (SYSTEM, "Wallpaper", 1, sz("1")),
    ]


@pytest.mark.parametrize("colour", ["black", "0 0", "0 0 256", "#000000", "0,0,0"])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    """Three numbers up to 255."""
    with pytest.raises(RequestError, match="not a colour"):
        check_wallpaper(None, colour)


def test_picture_and_colour_exclude_each_other(tmp_path: Path) -> None:
    """Nothing is written then."""
    tree = MemoryTree()
    with pytest.raises(RequestError, match="cannot both be set"):
        set_windows_wallpaper(tree, tmp_path / "a.jpg", "0 0 0")
    assert tree.content == {}


@pytest.mark.parametrize("name", ["picture.png", "picture", "picture.jpg.bmp"])
def test_other_pictures_are_refused(name: str) -> None:
    """By name, before the build; not replaced in silence."""
    with pytest.raises(RequestError, match=r"not a \.jpg or \.jpeg"):
        check_wallpaper(name, "")


def test_a_png_called_jpg_is_refused(tmp_path: Path) -> None:
    """Windows would show a black screen."""
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(RequestError, match="not a JPEG"):
        set_windows_wallpaper(MemoryTree(), picture)


def test_a_missing_picture_is_one_clear_error(tmp_path: Path) -> None:
    """Named with its path."""
    with pytest.raises(RequestError, match=r"none\.jpg cannot be read"):
        set_windows_wallpaper(MemoryTree(), tmp_path / "none.jpg")


@pytest.mark.parametrize("cached", ["TranscodedWallpaper", "TranscodedWallpaper.jpg"])
def test_reset_takes_it_all_away(cached: str) -> None:
    """Picture, cached copy and policy; other files stay."""
    tree = MemoryTree({f"{THEMES}/{cached}": b"old", f"{THEMES}/slideshow.ini": b"keep"})
    set_windows_wallpaper(tree)
    tree.write_bytes(f"{THEMES}/slideshow.ini", b"keep")
    reset_windows_wallpaper(tree)
    assert set(tree.content) == {f"{THEMES}/slideshow.ini", INDEX}


def test_reset_of_an_image_without_wallpaper_does_nothing() -> None:
    """A golden image that never had one."""
    tree = MemoryTree({"Windows/explorer.exe": b"x"})
    reset_windows_wallpaper(tree)
    assert tree.content == {"Windows/explorer.exe": b"x"}
