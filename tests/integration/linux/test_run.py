"""The door to other programs, with small programs made for the purpose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools import log
from winimagetools.errors import CommandError, ToolMissingError
from winimagetools.run import Tool, follow, run

FAKE = Tool("fake-tool", "fake-package", "try things")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named fake-tool, first in PATH; its text is written by the test."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "fake-tool"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_arguments_arrive_unchanged(program: Path) -> None:
    """No shell touches an argument: blanks, quotes and dollars arrive as they are."""
    program.write_text('#!/bin/sh\nfor a in "$@"; do echo "<$a>"; done\n')
    assert run(FAKE, ["a b", "$HOME", "'\"", Path("ü;x")]) == "<a b>\n<$HOME>\n<'\">\n<ü;x>\n"


def test_failure_shows_command_code_and_last_lines(program: Path) -> None:
    """A failure names the command as typed, its exit code and what it said last."""
    program.write_text("#!/bin/sh\nfor i in $(seq 30); do echo line $i; done\nexit 7\n")
    with pytest.raises(CommandError) as caught:
        run(FAKE, ["--flag", "two words"])
    assert caught.value.returncode == 7
    assert caught.value.command == "fake-tool --flag 'two words'"
    assert caught.value.output.splitlines() == [f"line {i}" for i in range(11, 31)]


def test_secrets_are_masked_in_failures(program: Path) -> None:
    """A secret shows neither in the command line nor in the output of a failure."""
    log.add_secret("hush-hush-7")
    program.write_text('#!/bin/sh\necho "got $1"\nexit 1\n')
    with pytest.raises(CommandError) as caught:
        run(FAKE, ["hush-hush-7"])
    assert "hush-hush-7" not in str(caught.value)
    assert caught.value.output == "got ***"


def test_missing_program_names_its_package() -> None:
    """A program that is not there is named with package and reason."""
    with pytest.raises(ToolMissingError, match=r"no-such-tool .* to try it\. .*apt install nope"):
        run(Tool("no-such-tool", "nope", "try it"), [])


def test_accepted_exit_codes(program: Path) -> None:
    """Exit codes that are declared fine are no failures."""
    program.write_text("#!/bin/sh\necho ok\nexit 3\n")
    assert run(FAKE, [], accept=(0, 3)) == "ok\n"


def test_a_program_that_hangs_is_stopped(program: Path) -> None:
    """When the time is up the program is killed and the failure says so."""
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(CommandError, match=r"stopped after 0\.2 seconds"):
        run(FAKE, [], timeout=0.2)


def test_standard_input_and_environment(program: Path) -> None:
    """Text arrives on standard input; variables are added to those of this process."""
    program.write_text('#!/bin/sh\ncat\necho "$EXTRA $LC_ALL"\n')
    assert run(FAKE, [], input_text="hello\n", env={"EXTRA": "x"}) == "hello\nx C\n"


def test_output_is_followed_as_it_comes(program: Path) -> None:
    """Whoever follows sees every piece of output, and failures end in the same error."""
    program.write_text("#!/bin/sh\nprintf '10%%\\r'\nprintf '20%%\\r'\n")
    seen: list[str] = []
    follow(FAKE, [], seen.append)
    assert "".join(seen) == "10%\r20%\r"
    program.write_text("#!/bin/sh\necho broken\nexit 2\n")
    with pytest.raises(CommandError, match=r"exit code 2: fake-tool\. It said:\nbroken"):
        follow(FAKE, [], seen.append)


def test_following_stops_the_program_on_an_exception(program: Path, tmp_path: Path) -> None:
    """An exception while following (Ctrl-C, say) does not leave the program running."""
    pid_file = tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {pid_file}\necho go\nexec sleep 60\n")

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(FAKE, [], stop)
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()
