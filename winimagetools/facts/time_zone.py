"""Time zones by the names Windows has for them.

The names are those of Unicode's table windowsZones (CLDR), which tzlocal brings; it leaves
out two that Windows keeps though no place has them any more.
"""

from __future__ import annotations

import difflib

from tzlocal.windows_tz import tz_win, win_tz

from winimagetools.errors import RequestError

_NOWHERE = ("Kamchatka Standard Time", "Mid-Atlantic Standard Time")
_WITHOUT_SUMMER_TIME = "_dstoff"
"""What ``tzutil /s`` takes behind a name to leave summer time out."""
_WINDOWS = {name.casefold(): name for name in (*win_tz, *_NOWHERE)}
_IANA = {name.casefold(): zone for name, zone in tz_win.items() if name}


def windows_time_zone(text: str) -> str:
    """The name Windows has for a time zone.

    Args:
        text: such a name in any letter case, with ``_dstoff`` behind it or not, or an IANA
            name such as ``Europe/Berlin``; nothing stays nothing.

    Raises:
        RequestError: Windows has no such zone; the nearest names are told.
    """
    wanted = text.strip().casefold()
    zone = wanted.removesuffix(_WITHOUT_SUMMER_TIME)
    if zone in _WINDOWS:
        return _WINDOWS[zone] + (_WITHOUT_SUMMER_TIME if zone != wanted else "")
    if wanted in _IANA:
        return _IANA[wanted]
    if not wanted:
        return ""
    raise RequestError(
        f"Windows has no time zone called {text.strip()!r}.",
        f"{_nearest(wanted)}The names are English on every Windows; tzutil /l lists them, and "
        "IANA names such as Europe/Berlin are understood.",
        "time_zone",
    )


def _nearest(wanted: str) -> str:
    if wanted.startswith(("utc", "gmt")):
        return ""  # zones of another offset would be near in letters only
    names = {name.casefold(): name for name in (*_WINDOWS.values(), *tz_win)}
    near = difflib.get_close_matches(wanted, names, n=2, cutoff=0.7)
    return f"Did you mean {' or '.join(names[name] for name in near)}? " if near else ""
