"""Wrap a disk image in tar, gzip or zip; :mod:`winimagetools.output.unpack` unwraps it.

Layers are stacked: a chain such as ``tar.gz`` is written in one pass, each layer handing its
output to the next, and holes travel through it as holes. Only base names are stored.

A tar holds the file as plain data, not in one of the sparse formats: MAAS unpacks with
``tar -xOzf - | dd``, and few readers other than GNU tar know them.
"""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from winimagetools.errors import RequestError
from winimagetools.files import sparse
from winimagetools.files.access import private_opener
from winimagetools.files.hash import Sha256Beside
from winimagetools.files.space import room_for
from winimagetools.output.deflate import Deflate
from winimagetools.output.zip_writer import ZipWriter

_GZIP_FASTEST, _GZIP_UNIX, _GZIP_NAME = 4, 3, 8


class _Sink(Protocol):
    """What takes bytes in order; every layer and a file are one."""

    def write(self, data: bytes, /) -> object: ...
    def write_zeros(self, count: int, /) -> object: ...


class GzipWriter:
    """Gzip (RFC 1952) what is written to it, as one member.

    Args:
        out: where the compressed stream goes.
        name: base name stored in the header.
        modified: time stored in the header, in seconds since 1970.

    Use as a context manager: a clean exit completes the stream.
    """

    def __init__(self, out: _Sink, name: str, modified: float) -> None:
        self._out = out
        self._deflate = Deflate(out.write)
        stored = name.encode("latin-1", "ignore").replace(b"\0", b"")
        fields = (b"\x1f\x8b\x08", _GZIP_NAME, int(modified), _GZIP_FASTEST, _GZIP_UNIX)
        self._header = struct.pack("<3sBIBB", *fields) + stored + b"\0"
        self.write = self._deflate.write
        self.write_zeros = self._deflate.write_zeros

    def __enter__(self) -> GzipWriter:
        self._out.write(self._header)
        self._deflate.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._deflate.__exit__(kind)
        if kind is None:
            size = self._deflate.size & 0xFFFFFFFF
            self._out.write(struct.pack("<II", self._deflate.crc, size))


class TarWriter:
    """Put what is written to it into a tar archive as its one file.

    Args:
        out: where the archive goes.
        name: base name of the file.
        modified: its time, in seconds since 1970.
        size: its bytes; exactly so many must be written.

    Use as a context manager: a clean exit completes the archive.
    """

    def __init__(self, out: _Sink, name: str, modified: float, size: int) -> None:
        self._out = out
        self._info = tarfile.TarInfo(name)
        self._info.size, self._info.mtime = size, int(modified)
        self.write = out.write
        self.write_zeros = out.write_zeros

    def __enter__(self) -> TarWriter:
        header = self._info.tobuf(tarfile.GNU_FORMAT)
        self._length = len(header) + self._info.size
        self._out.write(header)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            end = self._length + -self._length % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE
            end += -end % tarfile.RECORDSIZE
            self._out.write_zeros(end - self._length)


def stages(formats: Sequence[str]) -> list[list[str]]:
    """Cut a chain into runs that can be written in one pass each.

    A tar begins with the size of its file, so it can only be the first of a run.
    """
    runs: list[list[str]] = []
    for name in formats:
        if name == "tar" or not runs:
            runs.append([])
        runs[-1].append(name)
    return runs


@dataclass(frozen=True)
class Content:
    """What is wrapped.

    Args:
        name: base name of the file.
        size: its bytes.
        modified: its time, in seconds since 1970.
        parts: its bytes in order; a number stands for so many zeros.
    """

    name: str
    size: int
    modified: float
    parts: Iterable[bytes | int]


class _Hashed:
    """Writes to a file and to a SHA-256."""

    def __init__(self, out: _Sink, digest: Sha256Beside) -> None:
        self._out = out
        self._digest = digest

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)

    def write_zeros(self, count: int) -> None:
        self._out.write_zeros(count)
        self._digest.update_zeros(count)


def pack(
    source: Path,
    formats: Sequence[str],
    password: str,
    on_progress: Callable[[int], None],
    digest: Sha256Beside | None = None,
    modified: float | None = None,
) -> Path:
    """Wrap ``source`` in layers that can be written in one pass, beside it.

    Args:
        source: the file; it stays.
        formats: one run of :func:`stages`.
        password: for ``zip``; empty for none.
        on_progress: gets the bytes of the source done so far.
        digest: gets what is written.
        modified: the time in the archive, in seconds since 1970; None for that of the file.

    Returns:
        The archive, named like the source with all formats added.

    Raises:
        RequestError: there is such a file already.
    """
    status = source.stat()
    with source.open("rb") as reader:
        when = status.st_mtime if modified is None else modified
        content = Content(source.name, status.st_size, when, sparse.read(reader))
        return pack_content(content, source.parent, formats, password, on_progress, digest)


def pack_content(
    content: Content,
    folder: Path,
    formats: Sequence[str],
    password: str,
    on_progress: Callable[[int], None],
    digest: Sha256Beside | None = None,
) -> Path:
    """The same for something that need not be a file; the archive goes into ``folder``."""
    target = folder / ".".join([content.name, *formats])
    with new_file(target) as file:
        written = sparse.SparseWriter(file)
        with ExitStack() as stack:
            out = written if digest is None else _Hashed(written, digest)
            sink = _stack_layers(stack, out, content, formats, password)
            done = 0
            for piece in content.parts:
                if isinstance(piece, int):
                    sink.write_zeros(piece)
                    done += piece
                else:
                    sink.write(piece)
                    done += len(piece)
                on_progress(done)
        written.close()
    return target


def _stack_layers(
    stack: ExitStack, out: _Sink, content: Content, formats: Sequence[str], password: str
) -> _Sink:
    """Enter the layers, the outermost first, and return the one that takes the file."""
    names = [".".join([content.name, *formats[:depth]]) for depth in range(len(formats))]
    modified = content.modified
    sink = out
    for name, kind in reversed(list(zip(names, formats, strict=True))):
        if kind == "tar":
            sink = stack.enter_context(TarWriter(sink, name, modified, content.size))
        elif kind == "gz":
            sink = stack.enter_context(GzipWriter(sink, name, modified))
        else:
            sink = stack.enter_context(ZipWriter(sink, name, modified, password))
    return sink


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Make a file only its owner can read, and remove it again when something fails."""
    try:
        file = open(path, "xb", opener=private_opener)  # noqa: SIM115
    except FileExistsError as error:
        raise RequestError(
            f"{path} exists already and would be overwritten.", "Move it away or delete it."
        ) from error
    try:
        with file, room_for(path):
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
