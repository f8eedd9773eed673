"""Time zones by the names Windows has for them.

The names are those of Unicode's table windowsZones (CLDR), which tzlocal brings; it leaves
out two that Windows keeps though no place has them any more.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from winimagetools.errors import RequestError

_NOWHERE = ("Kamchatka Standard Time", "Mid-Atlantic Standard Time")
_WITHOUT_SUMMER_TIME = "_dstoff"
"""What ``tzutil /s`` takes behind a name to leave summer time out."""


@dataclass(frozen=True)
class _Zones:
    """All names, by what is left of them in small letters.

    Args:
        windows: names of Windows.
        iana: IANA names.
        zone_of: IANA name → name of Windows.
    """

    windows: Mapping[str, str]
    iana: Mapping[str, str]
    zone_of: Mapping[str, str]


@cache
def _zones() -> _Zones:
    """Read when a zone is named: hardly any configuration does."""
    from tzlocal.windows_tz import tz_win, win_tz

    iana = {name.casefold(): name for name in tz_win if name}
    windows = {name.casefold(): name for name in (*win_tz, *_NOWHERE)}
    return _Zones(windows, iana, tz_win)


def windows_time_zone(text: str) -> str:
    """The name Windows has for a time zone.

    Args:
        text: such a name in any letter case, with ``_dstoff`` behind it or not, or an IANA
            name such as ``Europe/Berlin``; nothing stays nothing.

    Raises:
        RequestError: Windows has no such zone; the nearest names are told.
    """
    wanted = text.strip().casefold()
    if not wanted:
        return ""
    zone, known = wanted.removesuffix(_WITHOUT_SUMMER_TIME), _zones()
    if zone in known.windows:
        return known.windows[zone] + (_WITHOUT_SUMMER_TIME if zone != wanted else "")
    if wanted in known.iana:
        return known.zone_of[known.iana[wanted]]
    raise RequestError(
        f"Windows has no time zone called {text.strip()!r}.",
        f"{_nearest(wanted)}The names are English on every Windows; tzutil /l lists them, and "
        "IANA names such as Europe/Berlin are understood.",
        "time_zone",
    )


def _nearest(wanted: str) -> str:
    if wanted.startswith(("utc", "gmt")):
        return ""  # zones of another offset would be near in letters only
    names = {**_zones().windows, **_zones().iana}
    near = difflib.get_close_matches(wanted, names, n=2, cutoff=0.7)
    return f"Did you mean {' or '.join(names[name] for name in near)}? " if near else ""
