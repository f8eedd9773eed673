from __future__ import annotations

import io
import logging
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools import log
from winimagetools.errors import RequestError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture
def lines() -> io.StringIO:
    """What is logged."""
    stream = io.StringIO()
    log.setup(stream)
    return stream


def test_secrets_never_show(lines: io.StringIO) -> None:
    """A secret is replaced wherever it stands, also inside another one."""
    log.add_secret("Pa$$w0rd-test")
    log.add_secret("Pa$$w0rd-test-long")
    log.info("password Pa$$w0rd-test-long, again Pa$$w0rd-test")
    log.warning("and Pa$$w0rd-test")
    assert "Pa$$w0rd-test" not in lines.getvalue()
    assert "password ***, again ***" in lines.getvalue()


def test_warnings_only(lines: io.StringIO) -> None:
    """Lines about what goes on can be left out; those of --debug then stay complete."""
    log.warnings_only()
    log.info("goes on")
    log.warning("odd")
    assert "goes on" not in lines.getvalue()
    assert "odd" in lines.getvalue()
    log.setup(lines, logging.DEBUG)
    log.warnings_only()
    log.info("goes on")
    assert "goes on" in lines.getvalue()


def test_quiet(lines: io.StringIO, tmp_path: Path) -> None:
    """People see warnings and errors only; the file has everything, with the date."""
    file = tmp_path / "build.log"
    log.setup(lines, quiet=True, file=file)
    log.info("goes on")
    log.warning("odd")
    log.error("It broke.", "Mend it.")
    shown = lines.getvalue().splitlines()
    assert [line[9:] for line in shown[:1]] == ["warning: odd"]
    assert shown[1:] == ["error: It broke.", "       Mend it."]
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
    expected = ["     goes on", "warning: odd", "error: It broke."]
    written = file.read_text().splitlines()
    for line, text in zip(written, expected, strict=False):
        assert re.fullmatch(date + re.escape(text), line)
    assert written[3:] == ["       Mend it."]


def test_a_log_is_added_to(lines: io.StringIO, tmp_path: Path) -> None:
    """A second run goes on in the same file; an empty file is one as well."""
    file = tmp_path / "build.log"
    file.touch()
    for text in ("first", "second"):
        log.setup(lines, file=file)
        log.info(text)
    assert [line.split()[-1] for line in file.read_text().splitlines()] == ["first", "second"]


def test_only_a_log_is_added_to(lines: io.StringIO, tmp_path: Path) -> None:
    """A medium or a configuration named by mistake stays as it is."""
    file = tmp_path / "windows.iso"
    file.write_bytes(b"CD001" * 10)
    with pytest.raises(RequestError, match=r"windows.iso is not a log of winimagetools"):
        log.setup(lines, file=file)
    assert file.read_bytes() == b"CD001" * 10
    with pytest.raises(RequestError, match=r"none/a.log cannot be written: No such file"):
        log.setup(lines, file=tmp_path / "none/a.log")


def test_a_log_on_a_full_disk(lines: io.StringIO) -> None:
    """The build goes on, and it is said once that the log does not."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs a device that is full")
    log.setup(lines, file=full)
    log.info("one")
    log.info("two")
    assert lines.getvalue().count("/dev/full cannot be written any more") == 1
    assert [line[14:] for line in lines.getvalue().splitlines() if "warning" not in line] == [
        "one",
        "two",
    ]


def test_outer_steps_are_numbered(lines: io.StringIO) -> None:
    """As soon as their number is known; the inner ones belong to them."""
    log.take_steps()
    with log.step("copy"):
        pass
    log.expect_steps(3)
    with log.step("apply"), log.step("inner"):
        pass
    with log.step("deliver"):
        pass
    log.take_steps()
    with log.step("later"):
        pass
    assert [line[9:].strip() for line in lines.getvalue().splitlines()] == [
        "copy",
        "Step 2 of 3: apply",
        "inner",
        "Step 3 of 3: deliver",
        "later",
    ]
    log.take_steps()


def test_a_blank_is_no_secret(lines: io.StringIO) -> None:
    """An empty password does not turn every blank into stars."""
    log.add_secret("")
    log.add_secret(" ")
    log.info("a b")
    assert "a b" in lines.getvalue()


def test_steps_are_named_nested_and_recorded(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step stands above those inside it; each has its depth and its duration."""
    log.take_steps()
    clock = iter([0.0, 1.0, 4.0, 10.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    with log.step("outer"), log.step("inner"):
        pass
    assert log.take_steps() == [
        log.StepRecord("outer", 0, 10.0),
        log.StepRecord("inner", 1, 3.0),
    ]
    assert log.take_steps() == []
    assert "inner: done in 3.0 s" in lines.getvalue()


def test_a_failed_step_is_not_done(lines: io.StringIO) -> None:
    """A step that raises is not recorded and does not stay nested."""
    log.take_steps()
    with pytest.raises(ValueError, match="x"), log.step("fails"):
        raise ValueError("x")
    with log.step("next"):
        pass
    assert [(step.name, step.depth) for step in log.take_steps()] == [("next", 0)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (185, "3 min 05 s"), (3600, "60 min 00 s")],
)
def test_duration(seconds: float, text: str) -> None:
    """Durations are written for people."""
    assert log.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "512 bytes"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (40 << 30, "40.0 GiB")],
)
def test_size(count: int, text: str) -> None:
    """Sizes are written for people."""
    assert log.size(count) == text


def test_progress_line_has_rate_and_time_left() -> None:
    """A quarter done after ten seconds leaves thirty; the bar is as long as there is room."""
    progress = log.Progress("Applying", 400 << 20, io.StringIO())
    text = " 25% 100.0 MiB of 400.0 MiB, 10.0 MiB/s, 30 s left"
    assert progress.line(100 << 20, 10.0, 120) == f"Applying [{'#' * 6}{'.' * 18}] {text}"
    assert progress.line(100 << 20, 10.0, 74) == f"Applying [###.........] {text}"
    assert progress.line(100 << 20, 10.0, 60) == f"Applying: {text.strip()}"
    assert progress.line(100 << 20, 10.0) == f"Applying: {text.strip()}"


def test_no_time_left_at_the_beginning() -> None:
    """Nobody knows how long it takes before some of it is done, or when the end is unknown."""
    progress = log.Progress("Applying", 400 << 20, io.StringIO())
    assert progress.line(52, 0.5) == "Applying: 0% 52 bytes of 400.0 MiB, 104 bytes/s"
    assert log.Progress("Copying", 0, io.StringIO()).line(52, 0.5) == (
        "Copying: 52 bytes, 104 bytes/s"
    )


@pytest.fixture
def terminal() -> Terminal:
    """A terminal that lines are logged to."""
    stream = Terminal()
    log.setup(stream)
    return stream


def screen(stream: io.StringIO) -> list[str]:
    """What a terminal shows after all that was written to it."""
    lines = [""]
    for part in re.split(r"(\n)|\r", stream.getvalue()):
        if part == "\n":
            lines.append("")
        elif part:
            lines[-1] = part + lines[-1][len(part) :]
    return [line.rstrip() for line in lines]


def test_progress_draws_a_bar_on_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line redraws itself, fits the terminal, and is gone at the end."""
    clock = iter([0.0, 0.05, 1.0, 2.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    with log.Progress("Copying " + "a" * 68, 100, terminal) as progress:
        progress.update(10)
        assert screen(terminal) == [""]
        progress.update(50)
        assert screen(terminal) == ["Copying " + "a" * 68 + ":"]
        progress.name = "Copying"
        progress.update(100)
        assert screen(terminal) == [f"Copying [{'#' * 24}] 100% 100 bytes of 100 bytes, 50 bytes/s"]
    assert screen(terminal) == [""]


def test_a_line_takes_the_place_of_the_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is logged meanwhile stands on a line of its own, and the bar below it."""
    clock = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    with log.Progress("Copying", 0, terminal) as progress:
        progress.update(50)
        log.warning("The network is slow.")
        progress.update(60)
        first, second = screen(terminal)
    assert first.endswith("warning: The network is slow.")
    assert second == "Copying: 60 bytes, 30 bytes/s"


def test_the_bar_names_the_step(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which step of how many goes on, then how far it is; the log file has a line instead."""
    clock = iter([0.0, 0.0, 11.0, 12.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    log.take_steps()
    log.expect_steps(7)
    with log.step("apply"), log.Progress("Copying", 100, terminal) as progress:
        progress.update(50)
        assert screen(terminal)[-1] == (
            f"[1/7] Copying [{'#' * 6}{'.' * 6}]  50% 50 bytes of 100 bytes, 5 bytes/s, 11 s left"
        )
    assert len(screen(terminal)) == 3
    log.take_steps()


def test_no_bar_when_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing on the terminal; the log file has its lines all the same."""
    stream, file = Terminal(), tmp_path / "build.log"
    log.setup(stream, quiet=True, file=file)
    clock = iter([0.0, 11.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    with log.Progress("Copying", 100, stream) as progress:
        progress.update(50)
    assert stream.getvalue() == ""
    assert "Copying: 50% 50 bytes of 100 bytes" in file.read_text()


def test_progress_is_rare_in_a_log(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is a plain line every ten seconds."""
    clock = iter([0.0, 1.0, 9.0, 11.0, 12.0, 22.0])
    monkeypatch.setattr("winimagetools.log.time.monotonic", lambda: next(clock))
    with log.Progress("Copying", 100, io.StringIO()) as progress:
        for done in (10, 20, 30, 40, 50):
            progress.update(done)
    assert lines.getvalue().count("Copying") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("a\rb\x08\x7f\x9b1m", r"a\rb\x08\x7f\x9b1m"),
        ("exe.\u202egpj \u2066x\u200f", r"exe.\u202egpj \u2066x\u200f"),
        ("half \ud800 \udcff", r"half \ud800 \udcff"),
        ("größe 日本\tx\n  y", "größe 日本\tx\n  y"),
    ],
)
def test_only_letters_reach_the_terminal(text: str, shown: str) -> None:
    """Escape sequences, and what turns the direction of writing, are written out."""
    stream = io.StringIO()
    log.setup(stream)
    log.info(text)
    log.warning(text)
    assert log.printable(text) == shown
    assert stream.getvalue().count(shown) == 2


@given(st.text())
def test_any_text_is_printable(text: str) -> None:
    """Whatever a name holds, it can be encoded and has no control characters."""
    shown = log.printable(text)
    shown.encode()
    categories = {unicodedata.category(letter) for letter in shown if letter not in "\t\n"}
    assert not categories & {"Cc", "Cs"}
