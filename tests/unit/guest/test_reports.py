"""What the reports of a guest are worth."""

from __future__ import annotations

import pytest

from winimagetools.errors import BuildError
from winimagetools.guest.reports import (
    Report,
    by_stage,
    check_failure,
    exchanged_report,
    judge,
    last_words,
    merge_reports,
    parse_report,
)


def test_a_power_off_is_not_success() -> None:
    """A guest that did not say it is done has not finished; the last report is named."""
    with pytest.raises(BuildError, match="last report was Updates: 3 installed"):
        judge({"StatusInitial": "started", "Updates": "3 installed"})


def test_success() -> None:
    """Only the last report of the guest is success."""
    judge({"StatusInitial": "started", "StatusFinal": "done"})


def test_a_hook_may_power_off(caplog: pytest.LogCaptureFixture) -> None:
    """Exit code 1006 of a hook ends the stage, as in the PowerShell tools, with a warning."""
    judge({"StatusInitial": "started", "StatusStopped": "RunBeforeSysprep.ps1 asked for it."})
    assert "may not be generalized: RunBeforeSysprep.ps1 asked for it." in caplog.text


@pytest.mark.parametrize(
    ("known", "news", "merged"),
    [
        ({"A": "1"}, {}, {"A": "1"}),
        ({"A": "1"}, {"A": "2", "B": "3"}, {"A": "2", "B": "3"}),
        ({"StatusFinal": "gold", "A": "1"}, {"A": "1"}, {"A": "1"}),
        ({"A": "1", "StatusFinal": "done"}, {"StatusFinal": "done"}, {"StatusFinal": "done"}),
    ],
)
def test_reports_of_an_earlier_run_do_not_count(
    known: dict[str, str], news: dict[str, str], merged: dict[str, str]
) -> None:
    """A machine that is off shows none and takes none back; one that cleared them starts anew."""
    assert merge_reports(known, news) == merged


def test_what_is_new_comes_last() -> None:
    """Hyper-V shows values in no order; the last words are those that were said last."""
    known = {"StatusInitial": "started", "Updates": "3 found", "Hook": "done"}
    news = {"Hook": "done", "Updates": "3 installed", "StatusInitial": "started"}
    assert last_words(merge_reports(known, news)) == "its last report was Updates: 3 installed"
    anew = {"Drivers": "2 added", "StatusInitial": "started"}
    assert last_words(merge_reports(known, anew)) == "its last report was Drivers: 2 added"


@pytest.mark.parametrize(
    ("stage", "result"),
    [
        ("StatusFinal", "done"),
        ("StatusStopped", "stopped"),
        ("ERROR", "failed"),
        ("Drivers(failed)", "running"),
    ],
)
def test_a_value_of_the_exchange_is_a_report(stage: str, result: str) -> None:
    """Its result is that of ``Report.ps1``, which the value itself does not carry."""
    assert exchanged_report(stage, "text") == Report(stage, "text", result)


def test_silence_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Without any report nothing can be judged; the user is told."""
    judge({})
    assert "powered off without a report" in caplog.text


def test_lines_of_the_serial_port() -> None:
    """A report is read; what firmware, drivers and a restart leave on the port is passed over."""
    line = '{"stage": "Updates", "message": "3 \\u00fcber \\"all\\"", "result": "running"}'
    assert parse_report(line) == Report("Updates", '3 über "all"')
    assert parse_report(f"\x1b[2J\x00{line}\r") == Report("Updates", '3 über "all"')
    for noise in (
        "",
        "Booting",
        line[3:],
        line[:-3],
        "[]",
        "{}",
        '{"stage": 1, "message": "x", "result": "done"}',
        '{"stage": "A", "message": "x"}',
        '{"a":' * 100_000,
    ):
        assert parse_report(noise) is None


def test_by_stage() -> None:
    """The last word of each stage counts, the last stage comes last, each start begins anew."""
    reports = [
        Report("Updates", "old"),
        Report("ERROR", "old", "failed"),
        Report("StatusInitial", "begun"),
        Report("Updates", "1"),
        Report("Cleanup", "done"),
        Report("Updates", "2"),
    ]
    assert list(by_stage(reports).items()) == [
        ("StatusInitial", "begun"),
        ("Cleanup", "done"),
        ("Updates", "2"),
    ]


def test_failure() -> None:
    """What the guest says of its failure is the message."""
    check_failure({"Updates": "none"})
    with pytest.raises(BuildError, match="reported a failure: no MSI"):
        check_failure({"Updates": "none", "ERROR": "no MSI"})


def test_last_words() -> None:
    """The last report, or that there was none."""
    assert last_words({"A": "1", "B": "2"}) == "its last report was B: 2"
    assert last_words({}) == "it reported nothing"
