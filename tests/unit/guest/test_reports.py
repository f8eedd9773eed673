"""What the reports of a guest are worth."""

from __future__ import annotations

import pytest

from winimagetools.errors import BuildError
from winimagetools.guest.reports import judge, merge_reports


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


def test_silence_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Without any report nothing can be judged; the user is told."""
    judge({})
    assert "powered off without a report" in caplog.text
