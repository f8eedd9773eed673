"""The syntax of INF files."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import MediaError
from winimagetools.formats.inf.syntax import MAX_LINES, MAX_SIZE, Inf, decode, parse_inf

HEAD = '[Version]\r\nSignature="$Windows NT$"\r\n'


def parse(body: str) -> Inf:
    """An INF with a version section and ``body``."""
    return parse_inf((HEAD + body).encode(), "test.inf")


def fields(body: str) -> list[tuple[str, tuple[str, ...]]]:
    """Keys and fields of section A."""
    return [(line.key, line.fields) for line in parse(f"[A]\r\n{body}").lines("A")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Key = value", ("Key", ("value",))),
        ("Key=a,b , c", ("Key", ("a", "b", "c"))),
        ("only,,values,", ("", ("only", "", "values", ""))),
        ('Key = "a, b" , c', ("Key", ("a, b", "c"))),
        ('Key = "say ""hi"" now"', ("Key", ('say "hi" now',))),
        ('Key = "  spaces kept  "', ("Key", ("  spaces kept  ",))),
        ('Key = C:\\"Program Files"\\x', ("Key", ("C:\\Program Files\\x",))),
        ("Key = value ; comment", ("Key", ("value",))),
        ('Key = "not ; a comment" ; this is', ("Key", ("not ; a comment",))),
        ("HKR,,Name,,a=b", ("", ("HKR", "", "Name", "", "a=b"))),
        ("Key = a=b", ("Key", ("a=b",))),
        ('"Quoted Key" = 1', ("Quoted Key", ("1",))),
        ("Key = \t tabbed \t", ("Key", ("tabbed",))),
        ('Key = "unclosed, to the end', ("Key", ("unclosed, to the end",))),
    ],
)
def test_line(text: str, expected: tuple[str, tuple[str, ...]]) -> None:
    """Keys, quoted and plain values and comments are told apart as Windows does."""
    assert fields(text) == [expected]


def test_continuation() -> None:
    """A backslash at the end joins the next line, also before a comment; numbers stay."""
    text = (
        '[A]\r\nCopyFiles = one, \\ ; more follows\r\n two,\\\r\n  "dir\\"\\\r\n,x\r\nNext = 1\r\n'
    )
    first, second = parse(text).lines("a")
    assert first.fields == ("one", "two", "dir\\", "x")
    assert (first.number, second.number) == (4, 8)


def test_continuation_at_end_of_file() -> None:
    """What is continued into nothing still counts."""
    assert fields("Key = a,\\") == [("Key", ("a", ""))]


def test_header_is_never_continued() -> None:
    """A section name ending in a backslash does not swallow the next line."""
    inf = parse("[A]\\\r\nKey = 1\r\n")
    assert inf.value("A", "Key") == "1"


def test_sections_of_same_name_are_merged() -> None:
    """Entries of sections with one name, in whatever case, are one list in file order."""
    inf = parse("[Models]\r\na = 1\r\n[Other]\r\nx = 0\r\n[MODELS]\r\nb = 2\r\n")
    assert [line.key for line in inf.lines("models")] == ["a", "b"]
    assert set(inf.sections) == {"version", "models", "other"}
    assert inf.lines("none") == ()


def test_names_ignore_case() -> None:
    """Sections and keys are found in any letter case; the first value wins."""
    inf = parse("[A]\r\nKey = 1\r\nKEY = 2\r\n")
    assert inf.value("a", "kEy") == "1"
    assert [line.field(0) for line in inf.entries("A", "key")] == ["1", "2"]
    assert next(inf.entries("A", "key")).field(7) == ""


def test_strings() -> None:
    """``%name%`` is replaced everywhere, ``%%`` is a percent sign, folders stay."""
    inf = parse(
        '[Models.%Arch%]\r\n%Name% = %inst%, "%%SystemRoot%%\\%12%", 100%\r\n'
        '[Strings]\r\nName = "Red Hat, Inc."\r\nINST = Install\r\nArch = NTamd64\r\n'
    )
    (line,) = inf.lines("models.ntamd64")
    assert (line.key, line.fields) == (
        "Red Hat, Inc.",
        ("Install", "%SystemRoot%\\%12%", "100%"),
    )


def test_language_strings_only_fill_in() -> None:
    """A language section is used for what the neutral one does not have."""
    text = "[Strings.0407]\r\nA = deutsch\r\nB = nur deutsch\r\n[Strings]\r\nA = neutral\r\n"
    assert fields(f"x = %A%, %B%, %C%\r\n{text}") == [
        ("x", ("neutral", "nur deutsch", "%C%")),
    ]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("cp1252"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16le", "utf-16be", "utf-16le without mark", "ansi"],
)
def test_encodings(encode: object) -> None:
    """UTF-16, UTF-8 and ANSI files read the same."""
    assert callable(encode)
    data = encode(HEAD + "[A]\r\nProvider = Müller & Söhne\r\n")
    assert parse_inf(data, "x.inf").value("A", "Provider") == "Müller & Söhne"


def test_line_endings_and_end_mark() -> None:
    """LF, CR and CRLF end lines; a Ctrl-Z ends the file."""
    data = b"[Version]\nSignature=x\r[A]\r\nk=1\n\x1a[A]\nk=2\n"
    assert [line.field(0) for line in parse_inf(data, "x.inf").lines("A")] == ["1"]


@pytest.mark.parametrize(
    "data", [b"", b"[Version]\r\nClass=x\r\n", b"MZ\x90\0\3", b"[autorun]\nopen=setup.exe\n"]
)
def test_what_is_no_inf(data: bytes) -> None:
    """A file without signature is refused by name."""
    with pytest.raises(MediaError, match=r"broken\.inf is not a usable INF file"):
        parse_inf(data, "broken.inf")


def test_too_large() -> None:
    """A file no INF can be is not even read."""
    with pytest.raises(MediaError, match="too large for an INF"):
        parse_inf(bytes(MAX_SIZE + 1), "big.inf")


VERSION = b'[Version]\nSignature="$Windows NT$"\n'


@pytest.mark.parametrize(
    "use",
    [b"%a%\n" * 16_000, b"x = " + b"%a%" * 16_000, b"[%a%]\n" * 16_000, b"%a% = 1\n" * 16_000],
)
def test_strings_that_grow(use: bytes) -> None:
    """A file of 130 kB that its strings would make 960 MB of is refused with little memory."""
    data = VERSION + b"[Strings]\na = " + b"x" * 60_000 + b"\n[b]\n" + use
    tracemalloc.start()
    with pytest.raises(MediaError, match=r"bomb\.inf grows to more than \d+ characters by its str"):
        parse_inf(data, "bomb.inf")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 64 * 1024 * 1024


def test_too_many_lines() -> None:
    """Every line costs a hundred times its bytes, so that there is a limit for them too."""
    with pytest.raises(MediaError, match="has more than 200000 lines"):
        parse_inf(VERSION + b"[]\n" * MAX_LINES, "x.inf")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Arbitrary bytes are an INF or a MediaError, nothing else."""
    assert isinstance(decode(data), str)
    try:
        parse_inf(data, "x.inf")
    except MediaError as error:
        assert error.message.startswith("x.inf")


SOME_TEXT = st.text(st.sampled_from('ab12 ,=;"%\\[].\t\r\n\x1a\x00ü'), max_size=120)


@settings(max_examples=150, deadline=None)
@given(SOME_TEXT)
def test_any_text(text: str) -> None:
    """Whatever stands in other sections, the version section is read and fields are text."""
    inf = parse_inf((HEAD + "[A]\n" + text).encode(), "x.inf")
    assert inf.value("Version", "Signature") == "$Windows NT$"
    for line in inf.lines("A"):
        assert line.number > 2
        assert all("\n" not in value and "\r" not in value for value in (line.key, *line.fields))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8), min_size=1))
def test_quoting_round_trip(values: list[str]) -> None:
    """Values that are quoted and escaped come back as they were."""
    values = [value.replace("\x85", "").replace("\ue000", "") for value in values]
    quoted = ",".join('"' + v.replace('"', '""').replace("%", "%%") + '"' for v in values)
    (line,) = parse(f"[A]\nKey = {quoted}\n").lines("A")
    assert line.fields == tuple(values)


def test_strings_cannot_grow_without_end() -> None:
    """A small INF whose strings would become gigabytes is refused before they do."""
    text = "[Version]\nSignature=x\n[S]\n" + "a = " + "%s%" * 20_000 + "\n[Strings]\ns = "
    with pytest.raises(MediaError, match=r"^x\.inf grows to more than 33554432 characters"):
        parse_inf((text + "x" * 60_000).encode(), "x.inf")
