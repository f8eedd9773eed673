"""The door to other programs, with small programs made for the purpose."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import needs
from winimagetools import log
from winimagetools.errors import CommandError, ToolMissingError
from winimagetools.formats.partition_table import plan_partitions
from winimagetools.host.linux.disks import check_table, write_table
from winimagetools.model import GIB, MIB, DiskLayout
from winimagetools.run import ANSWER_LIMIT, Tail, Tool, follow, run, spawn

FAKE = Tool("fake-tool", "fake-package", "try things")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named fake-tool, first in PATH; its text is written by the test."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "fake-tool"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
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
    """When the time is up the program is ended and the failure says that, and what it said."""
    program.write_text("#!/bin/sh\necho so far\nexec sleep 60\n")
    with pytest.raises(CommandError) as caught:
        run(FAKE, [], timeout=0.5)
    assert str(caught.value) == (
        "This command was stopped after 0.5 seconds: fake-tool. It said:\nso far"
    )


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


def gone(pid_file: Path) -> bool:
    """Whether the process whose number a program wrote down has ended."""
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    for _ in range(100):
        # What init has not collected yet is a zombie: it has ended.
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def wait_for_number(pid_file: Path) -> None:
    """Wait until a program has written down its number."""
    for _ in range(6000):
        if pid_file.exists() and pid_file.read_text().strip():
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid_file.name} was not written within a minute")


def press_ctrl_c_after(pid_file: Path) -> None:
    """Send this process the signal of Ctrl-C half a second after a program has begun."""

    def press() -> None:
        wait_for_number(pid_file)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def test_standard_error_is_no_part_of_the_answer(program: Path) -> None:
    """Warnings do not get into what is parsed; a failure shows both streams."""
    program.write_text("#!/bin/sh\necho warning >&2\necho '{}'\necho more >&2\nexit $1\n")
    assert run(FAKE, ["0"]) == "{}\n"
    with pytest.raises(CommandError) as caught:
        run(FAKE, ["4"])
    assert caught.value.output == "{}\nwarning\nmore"
    seen: list[str] = []
    with pytest.raises(CommandError) as caught:
        follow(FAKE, ["5"], seen.append)
    assert (caught.value.output, seen) == ("{}\nwarning\nmore", ["{}\n"])


def test_the_loader_complains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that cannot be preloaded makes every program warn; the real sfdisk is read."""
    needs.program("sfdisk", "fdisk")
    monkeypatch.setenv("LD_PRELOAD", "/does/not/exist.so")
    said = subprocess.run(["sfdisk", "--version"], capture_output=True, text=True, check=True)
    assert "cannot be preloaded" in said.stderr
    raw, plan = tmp_path / "disk.raw", plan_partitions(GIB, DiskLayout.UEFI)
    raw.touch()
    write_table(raw, plan)
    check_table(raw, plan)


@pytest.mark.parametrize(("name", "number"), [("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)])
def test_a_signal_is_named(program: Path, name: str, number: int) -> None:
    """A program that was ended by a signal is said to be."""
    program.write_text(f"#!/bin/sh\nkill -{number} $$\nsleep 60\n")
    for call in (lambda: run(FAKE, []), lambda: follow(FAKE, [], print)):
        with pytest.raises(CommandError, match=rf"was ended by signal {name} \({number}\)"):
            call()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_program_that_prints_without_end_while_followed(program: Path, stream: str) -> None:
    """Neither stream fills the memory, nor keeps Ctrl-C from ending it."""
    program.write_text(f"#!/bin/sh\necho $$ >pid\nexec yes {'x' * 1000} >&{stream}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    press_ctrl_c_after(Path("pid"))
    with pytest.raises(KeyboardInterrupt):
        follow(FAKE, [], lambda _: None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10  # KiB
    assert gone(Path("pid"))


def test_an_answer_without_end_is_refused(program: Path) -> None:
    """A program that prints more than an answer can be is ended, and the failure says so."""
    program.write_text("#!/bin/sh\necho $$ >pid\nexec yes\n")
    with pytest.raises(CommandError) as caught:
        run(FAKE, [])
    assert str(caught.value).startswith(
        "This command was stopped because it printed more than 16.0 MiB: fake-tool. It said:\ny"
    )
    assert gone(Path("pid"))
    program.write_text(f"#!/bin/sh\nhead -c {ANSWER_LIMIT} /dev/zero\n")
    assert len(run(FAKE, [])) == ANSWER_LIMIT


def test_complaints_without_end(program: Path) -> None:
    """Any amount of warnings is read and dropped; the last of it is shown in a failure."""
    program.write_text(f"#!/bin/sh\nyes | head -c {40 * MIB} >&2\necho last >&2\nexit 1\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CommandError) as caught:
        run(FAKE, [])
    assert caught.value.output.splitlines() == ["y"] * 19 + ["last"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10  # KiB


def test_ctrl_c_while_an_answer_is_awaited(program: Path) -> None:
    """Ctrl-C ends a program that only keeps on complaining."""
    program.write_text("#!/bin/sh\necho $$ >pid\nexec yes >&2\n")
    press_ctrl_c_after(Path("pid"))
    with pytest.raises(KeyboardInterrupt):
        run(FAKE, [])
    assert gone(Path("pid"))


def test_input_nobody_reads(program: Path) -> None:
    """More input than a pipe holds blocks neither a program that ignores it nor this one."""
    program.write_text("#!/bin/sh\necho done\n")
    assert run(FAKE, [], input_text="x" * MIB) == "done\n"
    program.write_text("#!/bin/sh\nexec cat\n")
    assert run(FAKE, [], input_text="x" * MIB) == "x" * MIB


def test_a_file_that_is_no_program(program: Path) -> None:
    """What the system cannot start is one clear error, which names the reason."""
    program.write_text("")
    with pytest.raises(CommandError) as caught:
        run(FAKE, ["x"])
    assert str(caught.value) == (
        "This command could not be started (Exec format error): fake-tool x. It printed nothing."
    )


def test_spawn_hands_over_both_streams(program: Path) -> None:
    """Whoever starts a program reads its streams, waits for it and gets its exit code."""
    program.write_text("#!/bin/sh\nread line\necho got $line\necho careful >&2\nexit 3\n")
    with spawn(FAKE, ["a b"], input_text="it\n") as started:
        complaints = Tail(started.error)
        assert started.output.read(100) == b"got it\n"
        assert started.wait() == 3
        assert complaints.text() == "careful\n"
        assert started.shown == "fake-tool 'a b'"


def test_spawn_leaves_the_input_open(program: Path) -> None:
    """A program reads what it is asked later, until the input is closed."""
    program.write_text('#!/bin/sh\nwhile read line; do echo "got $line"; done\necho end\n')
    with spawn(FAKE, [], open_input=True) as started:
        assert started.input is not None
        for text in ("a", "b"):
            started.input.write(f"{text}\n".encode())
            assert started.output.read(100) == f"got {text}\n".encode()
        started.input.close()
        assert started.wait(30) == 0
        assert started.output.read(100) == b"end\n"


def test_a_program_that_is_asked_to_end_can_tidy_up(program: Path, tmp_path: Path) -> None:
    """It gets the signal for that, and its own exit code counts."""
    program.write_text("#!/bin/sh\ntrap 'touch tidy; exit 3' TERM\necho on\nsleep 30 & wait\n")
    with spawn(FAKE, []) as running:
        assert running.output.read(3) == b"on\n"
        running.terminate()
        assert running.wait(5) == 3
        running.terminate()
    assert (tmp_path / "tidy").exists()


def test_spawn_ends_the_whole_group(program: Path) -> None:
    """On leaving, however that happens, the program and what it started are ended."""
    program.write_text(
        "#!/bin/sh\ntrap '' TERM INT\nsleep 60 &\necho $! >child\necho $$ >pid\necho up\nwait\n"
    )
    with pytest.raises(ZeroDivisionError), spawn(FAKE, []) as started:
        assert started.output.read(100) == b"up\n"
        with pytest.raises(TimeoutError, match=r"fake-tool still runs after 0\.1 seconds"):
            started.wait(0.1)
        raise ZeroDivisionError
    assert gone(Path("pid"))
    assert gone(Path("child"))


def test_a_program_that_leaves_something_running(program: Path) -> None:
    """What a program leaves behind with its output open is ended, not waited for."""
    program.write_text("#!/bin/sh\nsleep 60 &\necho $! >child\necho answer\n")
    began = time.monotonic()
    assert run(FAKE, []) == "answer\n"
    assert time.monotonic() - began < 30
    assert gone(Path("child"))


@pytest.mark.parametrize("attempt", range(3))
def test_a_signal_of_the_user_ends_the_program(program: Path, tmp_path: Path, attempt: int) -> None:
    """A Ctrl-C that reaches only this process, as the program has its own group, ends both.

    It comes as soon as the program runs, when this process may not know of it yet.
    """
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    script = "from winimagetools.run import Tool, run; run(Tool('fake-tool', 'p', 'r'), [])"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as process:
        wait_for_number(tmp_path / "pid")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert error.rstrip().endswith(b"KeyboardInterrupt")
    assert gone(tmp_path / "pid")


WITH_A_MACHINE = """
import sys
from winimagetools.run import Tool, spawn
with spawn(Tool("fake-tool", "fake-package", "try things"), [sys.argv[1]], tied="KILL") as started:
    started.wait()
"""


@pytest.mark.parametrize("late", [False, True])
def test_a_tied_program_ends_with_this_one(program: Path, tmp_path: Path, late: bool) -> None:
    """Be this one killed; also when that comes before the kernel has been told."""
    program.write_text('#!/bin/sh\necho $$ > "$1"\nexec sleep 60\n')
    pid_file, begun = tmp_path / "number", tmp_path / "begun"
    if late:
        slow = f'echo 1 > "{begun}"\nsleep 1\nPATH=/usr/bin:/bin\nexec setpriv "$@"\n'
        (tmp_path / "setpriv").write_text(f"#!/bin/sh\n{slow}")
        (tmp_path / "setpriv").chmod(0o755)
    words = [sys.executable, "-c", WITH_A_MACHINE, str(pid_file)]
    root = str(Path(__file__).parents[3])
    builder = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": root})
    wait_for_number(begun if late else pid_file)
    builder.kill()
    builder.wait()
    if late:
        time.sleep(1.5)
        assert not pid_file.exists()
    else:
        assert gone(pid_file)
