"""What all commands have in common: help, messages, completion."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from winimagetools import log
from winimagetools.cli import main
from winimagetools.cli.commands import COMMANDS
from winimagetools.cli.parser import build_parser
from winimagetools.cli.translate import translate


@pytest.mark.parametrize("words", [[], ["ini"]])
def test_help_when_called_bare(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The help, as with --help, and no error."""
    assert main.main(words) == 0
    captured = capsys.readouterr()
    with pytest.raises(SystemExit):
        main.main([*words, "--help"])
    assert (captured.out, captured.err) == (capsys.readouterr().out, "")
    assert "commands:\n" in captured.out


@pytest.mark.parametrize("names", [command.names for command in COMMANDS])
def test_every_help_has_the_common_options(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever one looks."""
    with pytest.raises(SystemExit):
        main.main([*names, "--help"])
    printed = capsys.readouterr().out
    for option in ("--debug", "--quiet", "--log-file FILE"):
        assert f"  {option} " in printed or f"  {option}\n" in printed


@pytest.mark.parametrize(
    "words",
    [
        ["--debug", "show-config", "CONFIG"],
        ["show-config", "--debug", "CONFIG"],
        ["show-config", "CONFIG", "--debug"],
        ["--debug", "Get-WindowsImageConfig", "CONFIG"],
        ["Get-WindowsImageConfig", "-ConfigFilePath", "CONFIG", "--debug"],
    ],
)
def test_debug_anywhere(words: list[str], tmp_path: Path) -> None:
    """Before the command and behind it, in both spellings."""
    config = tmp_path / "config.ini"
    config.write_text("[DEFAULT]\n")
    assert main.main([str(config) if word == "CONFIG" else word for word in words]) == 0
    assert log.LOGGER.level == logging.DEBUG


@pytest.mark.parametrize("before", [True, False])
def test_log_file(before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error that ends a command is in it too, with its remedy, in both spellings."""
    file = tmp_path / "build.log"
    option = ["--log-file", str(file)]
    words = ["New-WindowsCloudImage", str(tmp_path / "none.ini")]
    assert main.main([*option, *words] if before else [*words, *option]) == 2
    error = capsys.readouterr().err.removeprefix("error: ")
    assert "none.ini cannot be used: It does not exist.\n" in error
    assert file.read_text()[20:] == f"error: {error}"


def test_the_powershell_spelling_replaces_a_configuration(tmp_path: Path) -> None:
    """Scripts rely on it; the plain one asks for --force."""
    config = tmp_path / "config.ini"
    config.write_text("mine")
    assert main.main(["new-config", str(config)]) == 2
    assert config.read_text() == "mine"
    assert main.main(["New-WindowsImageConfig", "-ConfigFilePath", str(config)]) == 0
    assert config.read_text().startswith("[DEFAULT]")
    config.write_text("mine")
    assert main.main(["new-config", str(config), "--force"]) == 0
    assert config.read_text().startswith("[DEFAULT]")


def test_options_with_values_behind_a_cmdlet() -> None:
    """Their values are not taken for arguments of the cmdlet."""
    words = ["New-WindowsCloudImage", "--mode", "600", "--set", "a=b", "c.ini", "--log-file", "l"]
    arguments = build_parser().parse_args(translate(words))
    assert (arguments.config, arguments.mode, arguments.log_file) == ("c.ini", 0o600, "l")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script of each shell knows every command and the options of a build."""
    assert main.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command in COMMANDS:
        assert command.names[-1] in script
    assert "--no-checksum" in script
    assert "--dry-run" in script


def test_guides(capsys: pytest.CaptureFixture[str]) -> None:
    """They are listed by name and title, shown by name, and a wrong name gets the right one."""
    assert main.main(["guide"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [
        "azure",
        "checking",
        "differences",
        "hacking",
        "hyper-v",
        "kubevirt",
        "linux",
        "maas",
        "matrix",
        "migrating",
        "offline",
        "openstack",
        "options",
        "proof",
        "proxmox",
        "reproducible",
        "secure-boot-2026",
        "troubleshooting",
        "virtual-machine",
        "vmware",
    ]
    assert "maas              From an image to MAAS" in listed
    assert main.main(["guide", "MAAS"]) == 0
    assert capsys.readouterr().out.startswith("# From an image to MAAS\n")
    assert main.main(["guide", "openstak"]) == 2
    assert "error: There is no guide 'openstak'.\n       Did you mean openstack?" in (
        capsys.readouterr().err
    )


def test_a_log_file_holds_no_secret(tmp_path: Path) -> None:
    """A log file is for others to read too: no secret is in it."""
    file, config = tmp_path / "build.log", tmp_path / "config.ini"
    config.write_text("[vm]\nadministrator_password=Sesame-1-Sesame\ndisk_size=Sesame-1-Sesame\n")
    words = ["--log-file", str(file), "show-config", str(config)]
    assert main.main(words) == 2
    assert "disk_size" in file.read_text()
    assert "Sesame" not in file.read_text()


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("error", [ValueError("pw-Geheim-91"), RecursionError("x"), KeyError("y")])
def test_a_fault_of_its_own(
    error: Exception,
    debug: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Is one sentence with its place; --debug shows how it came about, without secrets."""

    def fail(_: str) -> None:
        raise error

    log.add_secret("pw-Geheim-91")
    monkeypatch.setattr("winimagetools.cli.guides.read_guide", fail)
    assert main.main(["guide", "openstack", *(["--debug"] if debug else [])]) == 1
    said = capsys.readouterr().err
    assert "pw-Geheim-91" not in said
    assert said.count("error: ") == 1
    assert f"error: This is a fault of winimagetools: {type(error).__name__} in " in said
    assert "Report it with what --debug shows" in said
    assert ("Traceback" in said) is debug


def test_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the current one that does not exist, not some file nobody named."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main.main(["cloud-image", "config.ini"]) == 1
    monkeypatch.chdir(tmp_path)
    said = capsys.readouterr().err
    assert "error: The folder this was started in does not exist any more." in said


def test_no_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Is said as such."""

    def fail(_: str) -> None:
        raise MemoryError

    monkeypatch.setattr("winimagetools.cli.guides.read_guide", fail)
    assert main.main(["guide", "openstack"]) == 1
    assert "error: There is not enough memory." in capsys.readouterr().err
