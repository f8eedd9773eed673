"""Trying again."""

from __future__ import annotations

import pytest

from winimagetools.retry import execute_retry


class Flaky:
    """Fails as often as it is told, then returns the number of calls."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.slept: list[float] = []

    def __call__(self) -> int:
        """One attempt."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.calls

    def run(self, attempts: int = 4) -> int:
        """Call through the retry helper, noting the pauses."""
        return execute_retry(
            self, retry_on=OSError, attempts=attempts, interval=2, sleep=self.slept.append
        )


def test_success_needs_no_pause() -> None:
    """What works at once is done once."""
    flaky = Flaky()
    assert (flaky.run(), flaky.slept) == (1, [])


def test_pauses_double() -> None:
    """Each pause is twice as long as the one before."""
    flaky = Flaky(OSError(), OSError(), OSError())
    assert (flaky.run(), flaky.slept) == (4, [2, 4, 8])


def test_gives_up_with_the_last_error() -> None:
    """After the last attempt its error is raised, without another pause."""
    last = OSError("last")
    flaky = Flaky(OSError("first"), last)
    with pytest.raises(OSError, match="last") as caught:
        flaky.run(attempts=2)
    assert caught.value is last
    assert flaky.slept == [2]


def test_other_errors_pass() -> None:
    """Errors that trying again does not help are raised at once."""
    flaky = Flaky(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        flaky.run()
    assert (flaky.calls, flaky.slept) == (1, [])


def test_error_may_ask_for_more_time() -> None:
    """A longer pause the error asks for is kept, a shorter one is not."""
    patient, hasty = OSError(), OSError()
    patient.wait, hasty.wait = 30.0, 1.0  # type: ignore[attr-defined]
    flaky = Flaky(patient, hasty)
    flaky.run()
    assert flaky.slept == [30.0, 4]
