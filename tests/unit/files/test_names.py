"""Names inside Windows: paths, what is no name, letter case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.errors import BuildError
from winimagetools.files.names import fold, split_path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        (r"Windows\System32/ntdll.dll", ("Windows", "System32", "ntdll.dll")),
        ("a//b/./c/", ("a", "b", "c")),
        (".hidden/a b.txt", (".hidden", "a b.txt")),
    ],
)
def test_paths_take_either_slash(path: str, parts: tuple[str, ...]) -> None:
    """Both slashes part a path; empty parts and single dots do not count."""
    assert split_path(path) == parts


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        r"\Windows",
        r"\\server\share",
        r"C:\Windows",
        "C:",
        "../x",
        r"a\..\..\b",
        "...",
        "a/b.txt:stream",
        "what?",
        'say "hi"',
        "trailing ",
        "trailing.",
        "bell\x07",
        "bad\udcff",
    ],
)
def test_paths_that_leave_the_volume_or_windows_cannot_hold_are_refused(path: str) -> None:
    """Absolute paths, drive letters, climbing, streams and reserved characters are errors."""
    with pytest.raises(BuildError) as caught:
        split_path(path)
    assert repr(path) in caught.value.message


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_folding_keeps_length_and_is_stable(name: str) -> None:
    """NTFS folds letter by letter, so the length stays and folding twice changes nothing."""
    assert len(fold(name)) == len(name)
    assert fold(fold(name)) == fold(name)


def test_folding_tells_apart_what_ntfs_tells_apart() -> None:
    """Letters with a single capital fold; the sharp s does not become SS."""
    assert fold("Äé") == "ÄÉ"
    assert fold("straße") != fold("STRASSE")
