"""What signals do to the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from winimagetools.cli.signals import obey_signals
from winimagetools.errors import Interrupted


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Begin as a program in the foreground does; put the handlers of the tests back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_stops(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C interrupts; impatience afterwards does not disturb the cleaning up."""
    obey_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert capfd.readouterr().err == "Still cleaning up.\n" * 2


def test_being_told_to_end() -> None:
    """SIGTERM ends a build with an error of this project that names it."""
    obey_signals()
    with pytest.raises(Interrupted, match="Stopped by SIGTERM"):
        signal.raise_signal(signal.SIGTERM)


def test_an_ignored_signal_stays_ignored() -> None:
    """What runs in the background of a script is not stopped by its terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    obey_signals()
    signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
