"""Time zones as people write them and as Windows calls them."""

from __future__ import annotations

import pytest

from winimagetools.errors import RequestError
from winimagetools.facts.time_zone import windows_time_zone


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""),
        ("W. Europe Standard Time", "W. Europe Standard Time"),
        (" w. europe standard time ", "W. Europe Standard Time"),
        ("UTC", "UTC"),
        ("UTC-11", "UTC-11"),
        ("Kamchatka Standard Time", "Kamchatka Standard Time"),
        ("Pacific Standard Time_dstoff", "Pacific Standard Time_dstoff"),
        ("Europe/Berlin", "W. Europe Standard Time"),
        ("asia/kolkata", "India Standard Time"),
        ("Asia/Calcutta", "India Standard Time"),
        ("Europe/Kyiv", "FLE Standard Time"),
        ("US/Pacific", "Pacific Standard Time"),
        ("Etc/UTC", "UTC"),
    ],
)
def test_time_zones(text: str, name: str) -> None:
    """Names of Windows in any case, IANA names with what Windows calls them."""
    assert windows_time_zone(text) == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Mitteleuropäische Zeit", "tzutil /l lists them"),
        ("W. Europe Standard Tme", "Did you mean W. Europe Standard Time"),
        ("UTC+1", "The names are English"),
        ("GMT+2", "The names are English"),
        ("Europe/Berlinn", "Did you mean Europe/Berlin or "),
        ("CET_dstoff2", "tzutil"),
    ],
)
def test_zones_windows_does_not_have(text: str, hint: str) -> None:
    """Refused before the build, with the nearest name when one is near."""
    with pytest.raises(RequestError) as caught:
        windows_time_zone(text)
    assert caught.value.option == "time_zone"
    assert hint in caught.value.hint
    assert repr(text) in caught.value.message


def test_other_offsets_are_not_proposed() -> None:
    """UTC+12 is nearly UTC+1 in letters only."""
    with pytest.raises(RequestError) as caught:
        windows_time_zone("UTC+1")
    assert "Did you mean" not in caught.value.hint
