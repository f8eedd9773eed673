"""What holds for every ini file: read after write, nothing else touched, no line lost."""

from __future__ import annotations

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from winimagetools.errors import RequestError
from winimagetools.formats.ini_document import Encoding, IniFile

NAMES = st.sampled_from(["a", "A", "b", "key two", "é"])
SECTIONS = st.sampled_from(["s", "S", "t", "DEFAULT"])
VALUES = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12
) | st.sampled_from(['""', "'x'", '"', " x ", "\\", "a=b", ";", "#", "[s]", "True"])
LINES = st.one_of(
    st.builds("[{}]".format, SECTIONS),
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", " = ", "  ="]), VALUES),
    st.builds("{}{}".format, st.sampled_from([";", "#", " ; "]), VALUES),
    st.sampled_from(["", "  ", "word", "[open", "a"]),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Bytes of an ini file in one of the encodings, with one kind of line end."""
    lines = draw(st.lists(LINES, max_size=12))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    codec = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    return text.encode(codec, "replace")


def _state(document: IniFile) -> dict[tuple[str, str], str | None]:
    """Every value the API would find in a document."""
    names = {(e.section.name.lower(), e.key.lower()) for e in document.entries() if e.section}
    return {name: document.get(*name) for name in names}


@settings(max_examples=150, deadline=None)
@given(files())
def test_unedited_files_are_written_as_they_were(data: bytes) -> None:
    """Reading and writing back gives the same bytes."""
    assert IniFile(data).serialize() == data


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_survive(data: bytes) -> None:
    """Whatever is in a file is either written back as it was or refused as half UTF-16."""
    try:
        document = IniFile(data)
    except RequestError:
        assert data[:2] in (b"\xff\xfe", b"\xfe\xff")
        assert len(data) % 2 == 1
    else:
        assert document.serialize() == data


@settings(max_examples=200, deadline=None)
@given(files(), SECTIONS, NAMES, VALUES)
def test_set_properties(data: bytes, section: str, key: str, value: str) -> None:
    """What is set is read, other keys stay, twice is once, and every other line is kept."""
    document = IniFile(data)
    before, texts = _state(document), _texts(document)
    document.set(section, key, value)
    after = _state(document)
    assert after.pop((section.lower(), key.lower())) == value
    before.pop((section.lower(), key.lower()), None)
    assert after == before
    assert _is_edit_of(texts, _texts(document))
    once = _texts(document)
    document.set(section, key, value)
    assert _texts(document) == once


def _texts(document: IniFile) -> list[str]:
    """The lines with their ends; a last line without one counts as having the usual one."""
    usual = document._new_line or os.linesep
    return [line.text + (line.end or usual) for line in document._lines]


def _is_edit_of(before: list[str], after: list[str]) -> bool:
    """Whether one line was changed, or a key, or a section with a key, was put in."""
    added = len(after) - len(before)
    if added == 0:
        return sum(a != b for a, b in zip(before, after, strict=True)) <= 1
    return any(after[:i] + after[i + added :] == before for i in range(len(after))) and added <= 2


@settings(max_examples=100, deadline=None)
@given(files(), SECTIONS, NAMES, VALUES)
@example(b"\xe9=", "s", "a", "\x91")
def test_set_is_read_back_from_the_bytes(data: bytes, section: str, key: str, value: str) -> None:
    """What is set is found again in the written bytes, which start as the old ones did."""
    document = IniFile(data)
    document.set(section, key, value)
    try:
        written = document.serialize()
    except RequestError:
        assert Encoding.of(data).codec == "cp1252"
    else:
        assert IniFile(written).get(section, key) == value
        assert Encoding.of(written).mark == Encoding.of(data).mark


@settings(max_examples=100, deadline=None)
@given(files(), SECTIONS, NAMES)
def test_remove_properties(data: bytes, section: str, key: str) -> None:
    """Removing takes away at most the one line of the key."""
    document = IniFile(data)
    texts, entry = _texts(document), document.find(section, key)
    document.remove(section, key)
    if entry is not None:
        del texts[entry.line - 1]
    assert _texts(document) == texts
