"""Where the screen of a machine is shown."""

from __future__ import annotations

import pytest

from winimagetools.errors import HostError
from winimagetools.host.linux.qemu.screen import LOOPBACK, choose_screen

X, WAYLAND = {"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}


@pytest.mark.parametrize(
    ("wanted", "environment", "displays", "expected"),
    [
        ("auto", X, ("none", "sdl", "gtk"), "gtk"),
        ("auto", WAYLAND, ("sdl",), "sdl"),
        ("auto", X, ("none", "curses"), LOOPBACK),
        ("auto", {"DISPLAY": ""}, ("gtk",), LOOPBACK),
        ("window", X, ("gtk",), "gtk"),
        ("vnc", X, ("gtk",), LOOPBACK),
    ],
)
def test_choice(
    wanted: str, environment: dict[str, str], displays: tuple[str, ...], expected: str
) -> None:
    """A window where desktop and QEMU can have one, else VNC for this machine only."""
    assert choose_screen(wanted, environment, displays) == expected
    assert "127.0.0.1" in LOOPBACK


@pytest.mark.parametrize(
    ("environment", "displays", "hint"),
    [({}, ("gtk",), "--screen vnc"), (X, ("curses",), "qemu-system-gui")],
)
def test_no_window(environment: dict[str, str], displays: tuple[str, ...], hint: str) -> None:
    """A window that was asked for and cannot be had is refused with what to do."""
    with pytest.raises(HostError) as refused:
        choose_screen("window", environment, displays)
    assert hint in refused.value.hint
