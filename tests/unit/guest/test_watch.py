"""How long a guest is waited for."""

from __future__ import annotations

import pytest

from winimagetools.errors import BuildError
from winimagetools.guest.reports import Report
from winimagetools.guest.watch import RESTARTS, Watch


def test_news_keeps_it_going() -> None:
    """No deadline of silence passes while something new is reported."""
    watch = Watch(10, 1000, 0)
    for now in range(9, 900, 9):
        assert watch.hear(Report("Updates", f"{now} installed"), now)
        watch.check(now + 8)


def test_silence() -> None:
    """A guest that says nothing is given up, and its last stage is named."""
    watch = Watch(10, 1000, 0)
    watch.hear(Report("Updates", "3 found"), 5)
    watch.check(15)
    with pytest.raises(BuildError, match=r"nothing new for 10 s; its last stage was Updates\."):
        watch.check(15.5)


def test_the_same_again_is_no_news() -> None:
    """A guest that repeats itself for ever hangs."""
    watch = Watch(10, 1000, 0)
    assert watch.hear(Report("Updates", "waiting"), 1)
    assert not watch.hear(Report("Updates", "waiting"), 9)
    with pytest.raises(BuildError, match="silent_minutes"):
        watch.check(12)


def test_time_limit() -> None:
    """Even news does not help for ever."""
    watch = Watch(10, 100, 0)
    watch.hear(Report("Updates", "4"), 99)
    with pytest.raises(BuildError, match=r"not done within 1 min 40 s.*vm_minutes"):
        watch.check(101)


def test_a_loop_of_restarts() -> None:
    """Restarts that lead nowhere are counted; one that brought news begins the count anew."""
    watch = Watch(10, 100, 0)
    moments = iter(range(0, 1000, 5))
    for _ in range(RESTARTS - 1):
        assert watch.restarted(next(moments))
    watch.hear(Report("Specialize", "First start."), 1)
    for _ in range(RESTARTS - 1):
        assert watch.restarted(next(moments))
    assert watch.restarts == 2 * RESTARTS - 2
    with pytest.raises(BuildError, match=r"restarts again and again: 6 times .* stage Specialize"):
        watch.restarted(next(moments))


def test_a_restart_in_two_parts() -> None:
    """SeaBIOS restarts twice for one restart; a guest that restarts all the time still loops."""
    watch = Watch(10, 100, 0)
    assert [watch.restarted(now) for now in (5.0, 5.4, 7.2, 7.5)] == [True, False, True, False]
    assert watch.restarts == 2
    with pytest.raises(BuildError, match="again and again"):
        for tenth in range(80, 400, 3):
            watch.restarted(tenth / 10)


def test_describe() -> None:
    """Stage, its age, the last sign of life, and restarts."""
    watch = Watch(1000, 1000, 0)
    watch.hear(Report("Updates", "3 found"), 20)
    watch.hear(Report("Updates", "1 installed"), 50)
    assert watch.describe(50) == "Updates for 30 s"
    watch.restarted(60)
    assert watch.describe(80) == "Updates for 1 min 00 s, last sign of life 30 s ago, 1 restarts"
