from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.paths import is_iso, is_windows_path, without_extension


@pytest.mark.parametrize(
    ("name", "depth", "expected"),
    [
        ("win.vhdx", 0, "win"),
        ("win.raw.tar.gz", 3, "win"),
        ("win.raw.tgz", 3, "win"),
        ("win.raw.tgz", 0, "win.raw"),
        ("win", 3, "win"),
        (".hidden", 3, ".hidden"),
        ("win-10.0.1.qcow2", 3, "win-10.0.1"),
        ("HCI.10.2405.0.24.tgz", 3, "HCI.10.2405.0.24"),
        ("archive.7z", 0, "archive"),
    ],
)
def test_without_extension(name: str, depth: int, expected: str) -> None:
    """Extensions go one by one; numbers in a name are no extensions; the folder stays."""
    assert without_extension(Path("some.folder") / name, depth) == Path("some.folder") / expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.iso", True), ("A.ISO", True), ("a.iso.txt", False), ("iso", False), ("a.wim", False)],
)
def test_is_iso(name: str, expected: bool) -> None:
    """The extension decides, in any letter case."""
    assert is_iso(name) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"D:\Sources\install.wim", True),
        ("d:/sources", True),
        ("D:", True),
        (r"\\server\share", True),
        ("/srv/install.wim", False),
        ("install.wim", False),
        ("a:b", False),
    ],
)
def test_is_windows_path(text: str, expected: bool) -> None:
    """Drive letters and shares are recognised on any system."""
    assert is_windows_path(text) is expected
