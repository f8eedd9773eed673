"""The beginning of a disk that is wrapped, without unpacking the rest."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast


def beginning(path: Path, layers: Sequence[str], count: int) -> bytes:
    """The first bytes of what is inside.

    Args:
        path: the wrapped file.
        layers: what it is wrapped in, innermost first: ``tar`` and ``gz``.
        count: how many bytes.

    Returns:
        Fewer where there are no more; none of another wrapping, and of one that
        cannot be read.
    """
    if not set(layers) <= {"tar", "gz"}:
        return b""
    try:
        with ExitStack() as opened:
            stream: IO[bytes] | None = opened.enter_context(path.open("rb"))
            for layer in reversed(layers):
                stream = _inside(opened, cast(IO[bytes], stream), layer)
                if stream is None:
                    return b""
            return cast(IO[bytes], stream).read(count)
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        return b""


def _inside(opened: ExitStack, stream: IO[bytes], layer: str) -> IO[bytes] | None:
    if layer == "gz":
        return cast(IO[bytes], opened.enter_context(gzip.open(stream)))
    archive = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 - the caller closes it
    member = opened.enter_context(archive).next()
    return archive.extractfile(member) if member is not None else None
