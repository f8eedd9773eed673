"""Desktop background and the local policy that sets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.fakes import MemoryTree, put
from tests.unit.policy_reader import read_pol, sz
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.guest.wallpaper import (
    check_wallpaper,
    read_picture,
    windows_wallpaper,
    without_wallpaper,
)

PICTURE = "Windows/Web/Wallpaper/Cloud/Wallpaper.jpg"
POLICY = "Windows/System32/GroupPolicy/User/Registry.pol"
INDEX = "Windows/System32/GroupPolicy/gpt.ini"
THEMES = "Users/Administrator/AppData/Roaming/Microsoft/Windows/Themes"
JPEG = b"\xff\xd8\xff\xe0 mine"


SYSTEM = r"Software\Microsoft\Windows\CurrentVersion\Policies\System"


def test_the_picture_of_this_project_is_the_default() -> None:
    """Picture, policy that names it, and the index that makes Windows read the policy."""
    tree = MemoryTree()
    put(windows_wallpaper(tree=tree), tree)
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
    put(windows_wallpaper(picture, tree=tree), tree)
    files = {path: data for path, data in tree.content.items() if path.startswith(THEMES)}
    assert files == {f"{THEMES}/TranscodedWallpaper": JPEG}
    assert tree.content[PICTURE] == JPEG


def test_themes_without_a_cached_picture_stay() -> None:
    """Nothing is removed when Windows keeps no copy."""
    tree = MemoryTree({f"{THEMES}/slideshow.ini": b"keep"})
    put(windows_wallpaper(tree=tree), tree)
    assert tree.content[f"{THEMES}/slideshow.ini"] == b"keep"


@pytest.mark.parametrize(
    ("given_colour", "written"), [("0 0 0", "0 0 0"), (" 255  128 007 ", "255 128 7")]
)
def test_a_solid_colour_needs_no_picture(given_colour: str, written: str) -> None:
    """The colour is set, and the policy keeps pictures away."""
    tree = MemoryTree()
    put(windows_wallpaper(solid_color=given_colour), tree)
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
    """The user has to say which."""
    with pytest.raises(RequestError, match="cannot both be set"):
        windows_wallpaper(tmp_path / "a.jpg", "0 0 0")


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
        read_picture(picture)


def test_a_missing_picture_is_one_clear_error(tmp_path: Path) -> None:
    """Named with its path."""
    with pytest.raises(RequestError, match=r"none\.jpg cannot be read"):
        read_picture(tmp_path / "none.jpg")


@pytest.mark.parametrize("cached", ["TranscodedWallpaper", "TranscodedWallpaper.jpg"])
def test_reset_takes_it_all_away(cached: str) -> None:
    """Picture, cached copy and policy; other files stay."""
    tree = MemoryTree({f"{THEMES}/{cached}": b"old", f"{THEMES}/slideshow.ini": b"keep"})
    put(windows_wallpaper(tree=tree), tree)
    tree.write_bytes(f"{THEMES}/slideshow.ini", b"keep")
    put(without_wallpaper(tree), tree)
    assert set(tree.content) == {f"{THEMES}/slideshow.ini", INDEX}


def test_reset_of_an_image_without_wallpaper_does_nothing() -> None:
    """A golden image that never had one."""
    tree = MemoryTree({"Windows/explorer.exe": b"x"})
    put(without_wallpaper(tree), tree)
    assert tree.content == {"Windows/explorer.exe": b"x"}
