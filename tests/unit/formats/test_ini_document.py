"""The rules of the Win32 profile API, and what is kept byte for byte when a file is edited."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.formats.ini_document import LARGEST, Entry, IniFile, Section, quote


def parsed(text: str) -> IniFile:
    """A document from text."""
    return IniFile(text.encode())


# Reading


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a=b", "b"),
        ("  a \t=  b \t", "b"),
        ("A=b", "b"),
        ("a=", ""),
        ('a=""', ""),
        ("a=''", ""),
        ("a", None),
        ('a="', '"'),
        ('a="b"', "b"),
        ("a='b'", "b"),
        ("a=\"b'", "\"b'"),
        ('a=""b""', '"b"'),
        ('a=" b "', " b "),
        ('a="E:\\"', "E:\\"),
        ("a=b ; c", "b ; c"),
        ("a=b # c", "b # c"),
        ("a=b=c", "b=c"),
        ("a=b\x1a", "b"),
        ("a=!b!", "!b!"),
        (";a=b", None),
        ("  ;a=b", None),
        ("#a=b", None),
        ("a = $image.Name", "$image.Name"),
    ],
)
def test_value_of_a_line(line: str, value: str | None) -> None:
    """A value is what follows the first =, trimmed, without one matching pair of quotes."""
    assert parsed(f"[s]\n{line}\n").get("s", "a") == value


@pytest.mark.parametrize(
    "header", ["[S]", "[s]", " [ s ] ", "\t[s]", "[s] ; see [docs]", "[s]trailing"]
)
def test_section_line(header: str) -> None:
    """Section names ignore case and blanks, and end at the first bracket."""
    assert parsed(f"{header}\na=1\n").get("s", "a") == "1"


@pytest.mark.parametrize("header", ["[s", "s]", ";[s]", "#[s]"])
def test_no_section_line(header: str) -> None:
    """A line without both brackets, or a comment, opens no section."""
    assert parsed(f"{header}\na=1\n").get("s", "a") is None


def test_lines_before_the_first_section_are_never_found() -> None:
    """A file without sections has no values, not even for the section without a name."""
    document = parsed("a=1\n[s]\nb=2\n")
    assert [document.get(section, "a") for section in ("", "s", "DEFAULT")] == [None] * 3


def test_first_key_wins() -> None:
    """A second line of the same key is not read."""
    assert parsed("[s]\na=1\nA=2\n").get("s", "a") == "1"


def test_key_without_equals_hides_a_later_one() -> None:
    """A key line without = counts as the first one and has no value."""
    assert parsed("[s]\na\na=2\n").get("s", "a") is None


def test_later_section_of_the_same_name_is_not_merged() -> None:
    """Only the first section of a name is looked at."""
    document = parsed("[s]\na=1\n[t]\n[S]\na=2\nb=3\n")
    assert (document.get("s", "a"), document.get("s", "b")) == ("1", None)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """LF, CR LF, a lone CR and a botched CR CR LF each end one line."""
    document = parsed(end.join(["[s]", "a=1", "", "b=2"]))
    assert [(entry.key, entry.value, entry.line) for entry in document.entries()] == [
        ("a", "1", 2),
        ("b", "2", 4),
    ]


def test_long_values_are_whole() -> None:
    """Values are not cut at 1000 characters as in the PowerShell tools."""
    assert parsed(f"[s]\na={'x' * 5000}\n").get("s", "a") == "x" * 5000


def test_entries_carry_their_lines() -> None:
    """Every key line is listed with its section and number, the ignored ones too."""
    document = parsed("x=0\n\n[s]\n; c\na = 'v'\nword\n[s]\n# n=1\n")
    first, second = Section("s", 3), Section("s", 7)
    assert list(document.entries()) == [
        Entry(None, "x", "0", 1),
        Entry(first, "a", "v", 5, quoted=True),
        Entry(first, "word", None, 6),
        Entry(second, "# n", "1", 8),
    ]
    assert list(document.sections()) == [first, second]


def test_lines_that_depend_on_the_encoding() -> None:
    """Those with a character beyond ASCII."""
    document = IniFile("[s]\na=1\nb=\xe4\n; \xe4\n".encode("cp1252"))
    assert document.encoding.codec == "cp1252"
    assert document.not_ascii() == {3, 4}
    assert parsed("[s]\na=1\n").not_ascii() == frozenset()


ENCODINGS = {
    "utf-8": "Zürich 東京".encode(),
    "utf-8 with mark": b"\xef\xbb\xbf" + "Zürich 東京".encode(),
    "utf-16-le": b"\xff\xfe" + "Zürich 東京".encode("utf-16-le"),
    "utf-16-be": b"\xfe\xff" + "Zürich 東京".encode("utf-16-be"),
    "cp1252": "Zürich €".encode("cp1252"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_are_recognised(name: str) -> None:
    """Byte order marks decide, then valid UTF-8, then code page 1252."""
    data = ENCODINGS[name]
    codec = {"utf-8 with mark": "utf-8-sig", "cp1252": "cp1252"}.get(name, name)
    text = data.decode("utf-16" if name.startswith("utf-16") else codec)
    head = "[s]\na="
    if name == "utf-8 with mark":
        whole = b"\xef\xbb\xbf" + head.encode() + data[3:]
    elif name.startswith("utf-16"):
        whole = data[:2] + head.encode(name) + data[2:]
    else:
        whole = head.encode() + data
    assert IniFile(whole).get("s", "a") == text


def test_bytes_without_a_character_in_cp1252_survive() -> None:
    """The five open bytes of code page 1252 are read as Windows does and written back."""
    data = b"[s]\na=\x81\x8d\x8f\x90\x9d\xe9\nb=1\n"
    document = IniFile(data)
    assert document.get("s", "a") == "\x81\x8d\x8f\x90\x9dé"
    document.set("s", "b", "2")
    assert document.serialize() == data.replace(b"b=1", b"b=2")


@pytest.mark.parametrize(
    ("mark", "codec", "errors", "odd"),
    [
        (codecs.BOM_UTF8, "utf-8", "surrogateescape", "\udce9\udcff"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "surrogatepass", "\ud800"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "surrogatepass", "\udc41"),
    ],
)
def test_what_breaks_the_encoding_survives_an_edit(
    mark: bytes, codec: str, errors: str, odd: str
) -> None:
    """Stray bytes in marked UTF-8 and half a pair in UTF-16 are read and written back."""
    before, after = (
        mark + f"[s]\na={odd}\nb={value}\n".encode(codec, errors) for value in ("1", "2")
    )
    document = IniFile(before)
    document.set("s", "b", "2")
    assert document.get("s", "a") == odd
    assert document.serialize() == after


def test_half_a_utf16_character_is_refused() -> None:
    """A truncated UTF-16 file gives one clear error."""
    with pytest.raises(RequestError, match=r"x\.ini cannot be read: it is marked as UTF-16"):
        IniFile(b"\xff\xfe[\x00s", "x.ini")


@pytest.mark.parametrize(
    "data", [b"QFI\xfb\0\0\0\3", "[DEFAULT]\nforce=True\n".encode("utf-16-le")]
)
def test_other_files_are_not_read(tmp_path: Path, data: bytes) -> None:
    """A disk, or UTF-16 that does not say so, is refused before all of it is read."""
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(RequestError, match="other is not a text file"):
        IniFile.read(path)
    path.write_bytes("[DEFAULT]\nforce=True\n".encode("utf-16"))
    assert IniFile.read(path).get("DEFAULT", "force") == "True"


# Editing


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[s]\na=1\nb=2\n", b"[s]\na=new\nb=2\n"),
        (b"[s]\r\n a = 1 \r\n", b"[s]\r\n a = new\r\n"),
        (b"[s]\na='1'", b"[s]\na=new"),
        (b"[s]\na\n", b"[s]\na=new\n"),
        (b"[s]\na =\n", b"[s]\na =new\n"),
        (b"[s]\na=1\na=2\n", b"[s]\na=new\na=2\n"),
        (b"[s]\nb=2", b"[s]\nb=2\na=new\n"),
        (b"[s]\r\nb=2\r\n\r\n[t]\r\n", b"[s]\r\nb=2\r\na=new\r\n\r\n[t]\r\n"),
        (b"[s]\n# note\n\n", b"[s]\n# note\na=new\n\n"),
        (b"[t]\na=1\n", b"[t]\na=1\n[s]\na=new\n"),
        (b"[s]\n[t]\n[s]\na=1\n", b"[s]\na=new\n[t]\n[s]\na=1\n"),
        (b"a=1\n", b"a=1\n[s]\na=new\n"),
        (b'[s]\na="new"\n', b'[s]\na="new"\n'),
    ],
)
def test_set(before: bytes, after: bytes) -> None:
    """A value goes into its line, else to the end of its section, else of the file."""
    document = IniFile(before)
    document.set("s", "a", "new")
    assert document.serialize() == after


def test_set_in_an_empty_file() -> None:
    """An empty file gets section and key with the line ends of this system."""
    document = IniFile()
    document.set(" s ", " a ", "1")
    assert document.serialize() == f"[s]{os.linesep}a=1{os.linesep}".encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[s]\na=1\nb=2\n", b"[s]\nb=2\n"),
        (b"[s]\r\nb=2\r\nA = 1", b"[s]\r\nb=2\r\n"),
        (b"[s]\na=1\na=2\n", b"[s]\na=2\n"),
        (b"[t]\na=1\n", b"[t]\na=1\n"),
        (b"[s]\na\n", b"[s]\n"),
    ],
)
def test_remove(before: bytes, after: bytes) -> None:
    """Only the line the value would be read from goes; the section stays."""
    document = IniFile(before)
    document.remove("s", "a")
    assert document.serialize() == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("v", "v"),
        ("", ""),
        (" v", '" v"'),
        ("v\t", '"v\t"'),
        ('"v"', '""v""'),
        ("'v'", "\"'v'\""),
        ('"', '"'),
        ("E:\\", "E:\\"),
    ],
)
def test_quote(value: str, written: str) -> None:
    """Only a value that reading would change is put in quotes."""
    assert quote(value) == written


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("s", "a", "1\n2", "The value of 'a' cannot be written to x.ini"),
        ("s", "a", "1\r2", "The value of 'a' cannot be written to x.ini"),
        ("s", "a", "1\x002", "The value of 'a' cannot be written to x.ini"),
        ("s", "a", "\ud800", "The value of 'a' cannot be written to x.ini"),
        ("s", "a\nb", "1", r"The key 'a\\nb' cannot be written"),
        ("s\nt", "a", "1", r"The section 's\\nt' cannot be written"),
        ("", "a", "1", "'' cannot be the name of a section"),
        ("s]", "a", "1", "'s]' cannot be the name of a section"),
        ("s", "", "1", "'' cannot be the name of a key"),
        ("s", "a=b", "1", "'a=b' cannot be the name of a key"),
        ("s", ";a", "1", "';a' cannot be the name of a key"),
        ("s", "[a]", "1", r"'\[a\]' cannot be the name of a key"),
    ],
)
def test_set_refuses_what_could_not_be_read(
    section: str, key: str, value: str, message: str
) -> None:
    """Line breaks and names that mean something else are one clear error; nothing changes."""
    document = IniFile(b"[s]\na=0\n", "x.ini")
    with pytest.raises(RequestError, match=message):
        document.set(section, key, value)
    assert document.serialize() == b"[s]\na=0\n"


def test_value_outside_the_code_page_is_refused() -> None:
    """A file in code page 1252 cannot take Chinese characters."""
    document = IniFile("[s]\na=é\n".encode("cp1252"), "x.ini")
    document.set("s", "b", "東")
    with pytest.raises(RequestError, match=r"x\.ini is written in the code page cp1252.*'東'"):
        document.serialize()


def test_value_that_would_change_the_encoding_is_refused() -> None:
    """A cp1252 file whose bytes would happen to be UTF-8 afterwards would be misread."""
    document = IniFile("[s]\na=é\n".encode("cp1252"), "x.ini")
    document.set("s", "a", "Ã©")
    with pytest.raises(RequestError, match=r"x\.ini would be taken for another encoding"):
        document.serialize()


def test_half_characters(tmp_path: Path) -> None:
    """A lone surrogate in UTF-16 is kept byte for byte, and told by its line."""
    path = tmp_path / "x.ini"
    text = "[a]\r\nok=1\r\nbad=x\ud800y\r\n"
    data = codecs.BOM_UTF16_LE + text.encode("utf-16-le", "surrogatepass")
    path.write_bytes(data)
    document = IniFile.read(path)
    assert document.serialize() == data
    assert [(entry.key, entry.line) for entry in document.undecodable()] == [("bad", 3)]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """What was meant for another argument does not fill the memory."""
    path = tmp_path / "x.ini"
    path.write_bytes(b"a" * (LARGEST + 5000))
    with pytest.raises(RequestError, match="so it is no ini file"):
        IniFile.read(path)
