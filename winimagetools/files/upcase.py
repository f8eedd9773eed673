"""The letters that NTFS takes for one, whatever their case.

Every NTFS volume has a table, ``$UpCase``, that gives each UTF-16 unit its upper case; it is
the one of Windows 7, which mkntfs writes too, with the letters of Unicode 5.1. Python's own
``str.upper`` follows a newer Unicode, makes several letters of one (ß), and takes letters for
one that NTFS tells apart (i and the dotless i of Turkish).
"""

from __future__ import annotations

from collections.abc import Iterator

_RUNS = """
61-7a:-20 e0-f6:-20 f8-fe:-20 ff:+79 101-12f/2:-1 133-137/2:-1 13a-148/2:-1 14b-177/2:-1
17a-17e/2:-1 180:+c3 183-185/2:-1 188:-1 18c:-1 192:-1 195:+61 199:-1 19a:+a3 19e:+82
1a1-1a5/2:-1 1a8:-1 1ad:-1 1b0:-1 1b4-1b6/2:-1 1b9:-1 1bd:-1 1bf:+38 1c6:-2 1c9:-2 1cc:-2
1ce-1dc/2:-1 1dd:-4f 1df-1ef/2:-1 1f3:-2 1f5:-1 1f9-21f/2:-1 223-233/2:-1 23c:-1 242:-1
247-24f/2:-1 250:+2a1f 251:+2a1c 253:-d2 254:-ce 256-257:-cd 259:-ca 25b:-cb 260:-cd 263:-cf
268:-d1 269:-d3 26b:+29f7 26f:-d3 271:+29fd 272:-d5 275:-d6 27d:+29e7 280:-da 283:-da
288:-da 289:-45 28a-28b:-d9 28c:-47 292:-db 371-373/2:-1 377:-1 37b-37d:+82 3ac:-26
3ad-3af:-25 3b1-3c1:-20 3c3-3cb:-20 3cc:-40 3cd-3ce:-3f 3d7:-8 3d9-3ef/2:-1 3f2:+7 3f8:-1
3fb:-1 430-44f:-20 450-45f:-50 461-481/2:-1 48b-4bf/2:-1 4c2-4ce/2:-1 4cf:-f 4d1-523/2:-1
561-586:-30 1d79:+8a04 1d7d:+ee6 1e01-1e95/2:-1 1ea1-1eff/2:-1 1f00-1f07:+8 1f10-1f15:+8
1f20-1f27:+8 1f30-1f37:+8 1f40-1f45:+8 1f51-1f57/2:+8 1f60-1f67:+8 1f70-1f71:+4a
1f72-1f75:+56 1f76-1f77:+64 1f78-1f79:+80 1f7a-1f7b:+70 1f7c-1f7d:+7e 1f80-1f87:+8
1f90-1f97:+8 1fa0-1fa7:+8 1fb0-1fb1:+8 1fb3:+9 1fc3:+9 1fd0-1fd1:+8 1fe0-1fe1:+8 1fe5:+7
1ff3:+9 214e:-1c 2170-217f:-10 2184:-1 24d0-24e9:-1a 2c30-2c5e:-30 2c61:-1 2c65:-2a2b
2c66:-2a28 2c68-2c6c/2:-1 2c73:-1 2c76:-1 2c81-2ce3/2:-1 2d00-2d25:-1c60 a641-a65f/2:-1
a663-a66d/2:-1 a681-a697/2:-1 a723-a72f/2:-1 a733-a76f/2:-1 a77a-a77c/2:-1 a77f-a787/2:-1
a78c:-1 ff41-ff5a:-20
"""
"""``first-last/2:+difference``, in hexadecimal: every letter, or with ``/2`` every second."""


def _pairs() -> Iterator[tuple[int, int]]:
    for run in _RUNS.split():
        letters, _, difference = run.partition(":")
        bounds, _, step = letters.partition("/")
        first, _, last = bounds.partition("-")
        for letter in range(int(first, 16), int(last or first, 16) + 1, int(step or 1)):
            yield letter, letter + int(difference, 16)


UPPER_CASE = dict(_pairs())
"""The upper case of each letter that has one, by code point."""


def fold(name: str) -> str:
    """A name as NTFS compares it."""
    return name.translate(UPPER_CASE)
