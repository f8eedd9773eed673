"""What makes two builds of the same things the same: one time, and ids that are not random.

Two disks made of the same things share their ids, as two machines made of one image always
have. Nothing secret comes out of a stamp and nothing secret goes into it: whoever has an image
could try passwords on an id that was made of one.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

_SEED = 32
_FILETIME_UNITS, _FILETIME_EPOCH = 10_000_000, 11_644_473_600
"""A FILETIME counts 100 ns from 1601-01-01."""


@dataclass(frozen=True)
class Stamp:
    """The time everything in an image is from, and where its ids come from.

    Args:
        time: seconds since 1970, UTC.
        seed: builds with the same one have the same ids.
    """

    time: int
    seed: bytes

    @classmethod
    def fresh(cls) -> Stamp:
        """One like no other, for what cannot be made twice."""
        return cls(int(time.time()), secrets.token_bytes(_SEED))

    @classmethod
    def of(cls, time: int, inputs: str) -> Stamp:
        """One that is the same whenever the time and the text are."""
        return cls(time, hashlib.sha256(inputs.encode(errors="surrogatepass")).digest())

    @property
    def filetime(self) -> int:
        """The time as Windows counts it."""
        return (self.time + _FILETIME_EPOCH) * _FILETIME_UNITS

    def source(self, purpose: str) -> Callable[[int], bytes]:
        """Returns so many bytes, others at each call; the same ones for the same purpose."""
        calls = iter(range(1 << 32))

        def following(count: int) -> bytes:
            text = f"{purpose} {next(calls)}".encode()
            return hashlib.shake_256(self.seed + text).digest(count)

        return following

    def uuid(self, purpose: str) -> UUID:
        """A UUID for one purpose; version 4, as a random one."""
        return UUID(bytes=self.source(purpose)(16), version=4)


def from_filetime(filetime: int) -> int:
    """Whole seconds since 1970 of a time as Windows counts it."""
    return filetime // _FILETIME_UNITS - _FILETIME_EPOCH
