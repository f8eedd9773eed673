from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.paths import is_iso, is_url, is_windows_path, plain_path, without_extension


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


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("~/a.iso", "HOME/a.iso"),
        ("'~/a b.iso'", "HOME/a b.iso"),
        ('"/srv/a b.iso"', "/srv/a b.iso"),
        (" /srv/a.iso ", "/srv/a.iso"),
        ("~nobody-of-this-name/a.iso", "~nobody-of-this-name/a.iso"),
        ("a~b", "a~b"),
        ("\"a'", "\"a'"),
    ],
)
def test_plain_path(text: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a shell would have taken off is taken off."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert plain_path(text).replace("\\", "/") == meant.replace("HOME", str(tmp_path))


def test_a_file_with_an_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is meant when it is there."""
    monkeypatch.chdir(tmp_path)
    for name in ("~", "'a'"):
        Path(name).touch()
        assert plain_path(name) == name


@pytest.mark.parametrize("text", ["https://host/a.iso", "FILE:///a.iso", " ftp://h/a", "s3://b/k"])
def test_is_url(text: str) -> None:
    """With a scheme in any letter case."""
    assert is_url(text)


@pytest.mark.parametrize("text", ["C:\\a.iso", "c://a", "a/b://c", "a.iso", "//server/share"])
def test_is_no_url(text: str) -> None:
    """A drive letter is no scheme."""
    assert not is_url(text)
