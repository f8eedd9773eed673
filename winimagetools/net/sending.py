"""What is sent: a file with bytes around it, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PIECE = 1 << 20
"""Bytes that are read and sent at once."""


@dataclass(frozen=True)
class Content:
    """A file of a known size between two pieces of memory.

    Args:
        path: the file; None when there is only ``head``.
        size: bytes of the file.
    """

    head: bytes = b""
    path: Path | None = None
    size: int = 0
    tail: bytes = b""

    @property
    def length(self) -> int:
        """Bytes in all."""
        return len(self.head) + self.size + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        """Everything; less when the file has become shorter."""
        yield self.head
        if self.path is not None:
            with self.path.open("rb", buffering=0) as file:
                left = self.size
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece
        yield self.tail


class Body:
    """The body of a request; it can be sent again.

    Args:
        content: what is sent.
        on_piece: gets each piece and the bytes that are done before it.
    """

    def __init__(self, content: Content, on_piece: Callable[[bytes, int], object]) -> None:
        self._content = content
        self._on_piece = on_piece

    def __len__(self) -> int:
        return self._content.length

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        for piece in filter(None, self._content.pieces()):
            self._on_piece(piece, done)
            done += len(piece)
            yield piece
