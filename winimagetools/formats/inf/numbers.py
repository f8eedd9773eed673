"""Numbers as ``SetupGetIntField`` reads them.

Microsoft's page of that function: decimal, whatever zeros it begins with, or hexadecimal
with ``0x``; a sign may stand before either. Bare hexadecimal digits with a letter (``FF``)
are hexadecimal in binary values; elsewhere the page does not say, and no other reading of
them makes sense.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:0x(?P<marked>[0-9a-f]+)|(?P<decimal>[0-9]+)|(?P<bare>[0-9a-f]+))",
    re.ASCII | re.IGNORECASE,
)
_LONGEST = 32
"""Characters; a number of 32 bits needs 11 of them."""


def read_number(text: str) -> int:
    """The number in a field.

    Raises:
        ValueError: there is none.
    """
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{text[:_LONGEST]!r} is not a number")
    base = 10 if match["decimal"] else 16
    value = int(match["decimal"] or match["marked"] or match["bare"], base)
    return -value if match["sign"] == "-" else value
