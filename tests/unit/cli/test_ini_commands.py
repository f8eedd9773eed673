"""``ini get``, ``ini set`` and ``ini remove``, and the cmdlets they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.cli import main

TEXT = "[DEFAULT]\na=1\n[vm]\nb=True\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two sections."""
    file = tmp_path / "a b.ini"
    file.write_text(TEXT)
    return file


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["ini", "get", "PATH", "a"], "1"),
        (["ini", "get", "PATH", "B", "--section", "VM"], "True"),
        (["ini", "get", "PATH", "b", "--default", "none"], "none"),
        (["ini", "get", "PATH", "a", "--default", "none"], "1"),
        (["ini", "get", "PATH", "b", "--section", "vm", "--as-boolean"], "True"),
        (["ini", "get", "PATH", "c", "--default", "false", "--as-boolean"], "False"),
        (["Get-IniFileValue", "-Path", "PATH", "-Key", "a"], "1"),
        (["Get-IniFileValue", "-Path", "PATH", "-Key", "b"], ""),
        (["get-inifilevalue", "-path", "PATH", "-key", "b", "-section", "vm"], "True"),
        (["Get-IniFileValue", "-Path", "PATH", "-Key", "x", "-Default", "d e"], "d e"),
        (
            ["Get-IniFileValue", "-Path", "PATH", "-Key", "b", "-Section", "vm", "-AsBoolean"],
            "True",
        ),
    ],
)
def test_get(
    path: Path, capsys: pytest.CaptureFixture[str], words: list[str], printed: str
) -> None:
    """The value and nothing else is printed; the file stays as it is."""
    assert main.main([str(path) if word == "PATH" else word for word in words]) == 0
    assert capsys.readouterr().out == f"{printed}\n"
    assert path.read_text() == TEXT


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("b", "[vm] has it: add --section vm."),
        ("aa", "Did you mean a in [DEFAULT]?"),
        ("other", "Give what to print instead with --default."),
    ],
)
def test_get_what_is_not_there(
    path: Path, capsys: pytest.CaptureFixture[str], key: str, advice: str
) -> None:
    """Exit code 1, nothing on standard output, and where it may be."""
    assert main.main(["ini", "get", str(path), key]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: {path} has no {key} in [DEFAULT].\n       {advice}\n"


def test_get_an_empty_value(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is there, so it is printed."""
    path.write_text("[DEFAULT]\na=\n")
    assert main.main(["ini", "get", str(path), "a"]) == 0
    assert capsys.readouterr().out == "\n"


@pytest.mark.parametrize(
    ("text", "words", "warning"),
    [
        (
            "[DEFAULT]\nimage_type=KVM\n",
            ["image_typ", "KVM"],
            "A build has no option image_typ; only scripts of your own in the image can read it. "
            "Did you mean image_type in [DEFAULT]?",
        ),
        (
            "",
            ["disk_size", "20GB"],
            "A build reads disk_size from [vm], not from [DEFAULT]. Add --section vm, and remove "
            "what was set now with: ini remove.",
        ),
        ("[DEFAULT]\nimage_type=KVM\n", ["DISK_SIZE", "20GB", "--section", "VM"], ""),
        ("[DEFAULT]\nusername=Admin\n", ["groups", "Administrators"], ""),
    ],
)
def test_set_what_no_build_reads(
    path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str], warning: str
) -> None:
    """It is set with a warning that says what was meant; other files may hold anything."""
    path.write_text(text)
    assert main.main(["ini", "set", str(path), *words]) == 0
    assert f"{words[0]}={words[1]}" in path.read_text()
    assert capsys.readouterr().err[18:].strip() == warning


def test_get_prints_a_url_as_it_is(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script asked for it, and has the file."""
    path.write_text("[DEFAULT]\nurl=https://joe:pw@h/a?token=t\n")
    assert main.main(["ini", "get", str(path), "url"]) == 0
    assert capsys.readouterr().out == "https://joe:pw@h/a?token=t\n"


def test_get_what_is_no_boolean(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and a sentence that names section and key."""
    assert main.main(["ini", "get", str(path), "a", "--as-boolean"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"[DEFAULT] a in {path}: '1' is neither True nor False." in captured.err


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (["ini", "set", "PATH", "a", "2"], "[DEFAULT]\na=2\n[vm]\nb=True\n"),
        (["ini", "set", "PATH", "c", "x", "--section", "vm"], f"{TEXT}c=x\n"),
        (["ini", "remove", "PATH", "b", "--section", "vm"], "[DEFAULT]\na=1\n[vm]\n"),
        (["ini", "remove", "PATH", "b"], TEXT),
        (
            ["Set-IniFileValue", "-Path", "PATH", "-Key", "a", "-Value", "2"],
            "[DEFAULT]\na=2\n[vm]\nb=True\n",
        ),
        (
            ["Remove-IniFileValue", "-Path", "PATH", "-Key", "a", "-Section", "DEFAULT"],
            "[DEFAULT]\n[vm]\nb=True\n",
        ),
    ],
)
def test_set_and_remove(
    path: Path, capsys: pytest.CaptureFixture[str], words: list[str], after: str
) -> None:
    """The one line is changed and nothing is printed."""
    assert main.main([str(path) if word == "PATH" else word for word in words]) == 0
    assert path.read_text() == after
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["get", "k"], ["set", "k", "v"], ["remove", "k"]])
def test_a_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """All three end with exit code 2 and make no file."""
    path = tmp_path / "none.ini"
    assert main.main(["ini", words[0], str(path), *words[1:]]) == 2
    assert f"The ini file {path} does not exist." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
