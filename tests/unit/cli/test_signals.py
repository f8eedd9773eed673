"""What signals do to the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from winimagetools import interruption
from winimagetools.cli.signals import obey_signals
from winimagetools.errors import BuildError, Interrupted
from winimagetools.output.image_files import ImageFiles


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


def test_nothing_undoes_what_is_complete(capfd: pytest.CaptureFixture[str]) -> None:
    """A signal after the image got its name changes nothing; before, it stops the build."""
    obey_signals()
    with interruption.completing():
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert capfd.readouterr().err == "The image is complete already.\n" * 2
    interruption.begin()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_could_not_be_completed() -> None:
    """When the image did not get its name, signals count again."""
    obey_signals()
    with pytest.raises(OSError, match="no"), interruption.completing():
        raise OSError("no")
    assert not interruption.is_complete()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_publishing_completes(tmp_path: Path) -> None:
    """The files of every host know when a build begins and when its image is there."""
    obey_signals()
    files = ImageFiles()
    with files.build_folder(tmp_path / "x.raw") as folder:
        assert not interruption.is_complete()
        (folder / "x.raw").write_bytes(b"1")
        with pytest.raises(BuildError):
            files.publish(folder / "x.raw", tmp_path / "no" / "x.raw")
        assert not interruption.is_complete()
        (folder / "x.raw").write_bytes(b"1")
        files.publish(folder / "x.raw", tmp_path / "x.raw")
        assert interruption.is_complete()
    signal.raise_signal(signal.SIGINT)
    with files.build_folder(tmp_path / "y.raw"):
        assert not interruption.is_complete()


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
