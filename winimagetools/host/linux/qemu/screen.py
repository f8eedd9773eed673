"""Where people see the screen of a virtual machine: a window of this desktop, or VNC."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from winimagetools.errors import HostError
from winimagetools.host.linux.qemu.machine import QEMU
from winimagetools.run import run

WINDOW, VNC, AUTO = "window", "vnc", "auto"
LOOPBACK = "vnc=127.0.0.1:0,to=99"
"""The first of a hundred displays that is free, for this machine only."""
NO_PORT = "Failed to find an available port"
"""What QEMU says when none of them is (``inet_listen_saddr``)."""
_DESKTOPS = ("WAYLAND_DISPLAY", "DISPLAY")
_WINDOWS = ("gtk", "sdl")


def choose_screen(wanted: str, environment: Mapping[str, str], displays: Collection[str]) -> str:
    """What QEMU is told of its display.

    Args:
        wanted: ``window``, ``vnc``, or ``auto`` for a window where one can be had.
        environment: variables of this process, which name the desktop.
        displays: what QEMU can show a screen with.

    Raises:
        HostError: a window is wanted, and there is no desktop or QEMU has no windows.
    """
    window = next((name for name in _WINDOWS if name in displays), "")
    desktop = any(environment.get(name) for name in _DESKTOPS)
    if wanted == VNC or (wanted == AUTO and not (window and desktop)):
        return LOOPBACK
    if not desktop:
        raise HostError(
            "There is no desktop to show a window on: neither WAYLAND_DISPLAY nor DISPLAY is set.",
            "Use --screen vnc, and a viewer at the address that is said then.",
        )
    if not window:
        raise HostError(
            "This QEMU cannot open windows.",
            "apt install qemu-system-gui, or use --screen vnc.",
        )
    return window


def screen_for(wanted: str) -> str:
    """What QEMU is told of its display on this host; empty when there is to be none.

    Raises:
        HostError: see :func:`choose_screen`.
        ToolMissingError: QEMU is not installed.
    """
    if not wanted:
        return ""
    displays = run(QEMU, ["-display", "help"]).split() if wanted != VNC else []
    return choose_screen(wanted, os.environ, displays)
