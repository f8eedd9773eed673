"""Names inside Windows: paths, and what is no name."""

import pytest

from winimagetools.errors import BuildError
from winimagetools.files.names import name_fault, path_faults, split_path


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
        "x/NUL/y",
        "bell\x07",
        "bad\udcff",
    ],
)
def test_paths_that_leave_the_volume_or_windows_cannot_hold_are_refused(path: str) -> None:
    """Absolute paths, drive letters, climbing, streams and reserved characters are errors."""
    with pytest.raises(BuildError) as caught:
        split_path(path)
    assert repr(path) in caught.value.message


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, "is the name of a device") for name in ("CON", "nul", "Aux.txt", "prn.tar.gz")),
        *(
            (name, "is the name of a device")
            for name in ("com1", "LPT9.x", "COM\u00b2", "nul .txt")
        ),
        *((name, "is the name of a device") for name in ("CONIN$", "conout$")),
        *((name, "") for name in ("console", "com", "com0", "com10", "nul1", "xnul", "conin$.txt")),
        ("a\\b", "has '\\\\' in it"),
        ("a:b*", "has '*' ':' in it"),
        ("a\x1bb", "has '\\x1b' in it"),
        ("a\x7fb", ""),
        ("dot.", "ends in a dot or a space"),
        ("space ", "ends in a dot or a space"),
        (" .x", ""),
        ("x" * 255, ""),
        ("x" * 256, "is longer than 255 characters"),
        ("\U0001f600" * 128, "is longer than 255 characters"),
        ("bad\udcff", "is not valid UTF-8"),
        ("..", "is no name"),
    ],
)
def test_what_is_no_name(name: str, fault: str) -> None:
    """Devices with any extension, separators, control characters, ends, length and encoding."""
    assert name_fault(name) == fault


def test_faults_of_paths() -> None:
    """All faults of a list of paths are found at once, each once."""
    paths = ("ok/a.sys", "ok/A.SYS", "nul/a", "nul/b", "OK/c.", "ok/d.sys")
    assert path_faults(paths) == (
        "'ok/a.sys' and 'ok/A.SYS' are one name for Windows.",
        "'nul' is the name of a device.",
        "'ok' and 'OK' are one name for Windows.",
        "'OK/c.' ends in a dot or a space.",
    )
    assert path_faults(("ok/a.sys", "ok/b/c")) == ()
