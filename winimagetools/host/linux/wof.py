"""Files that Windows compressed by itself (CompactOS): LZX and XPRESS, read with libwim.

Such a file is a reparse point that says how, and a stream ``WofCompressedData`` with a table
of chunks and the chunks. Sources: [MS-FSCC] 2.1.2 for the tag, ``wofapi.h`` for the algorithms;
the chunks are those of a WIM ([MS-XCA], [MS-PATCH] without its header).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from functools import lru_cache

from winimagetools.errors import BuildError
from winimagetools.host.linux import libwim

STREAM = "WofCompressedData"
TAG = 0x80000017
_XPRESS, _LZX = 1, 2
_ALGORITHMS = {0: (_XPRESS, 4096), 1: (_LZX, 32768), 2: (_XPRESS, 8192), 3: (_XPRESS, 16384)}
_LONG = 1 << 32
_CHUNKS_KEPT = 8
Read = Callable[[int, int], bytes]


def algorithm_of(reparse: bytes) -> int | None:
    """The algorithm a reparse point names; None when it is another kind of reparse point."""
    if len(reparse) < 24 or struct.unpack_from("<I", reparse)[0] != TAG:
        return None
    _, provider, _, algorithm = struct.unpack_from("<4I", reparse, 8)
    return algorithm if provider == 2 and algorithm in _ALGORITHMS else None


@contextmanager
def unpacked(algorithm: int, size: int, stored: Read, name: str) -> Iterator[Read]:
    """Read the content of a compressed file.

    Args:
        algorithm: from :func:`algorithm_of`.
        size: bytes of the content.
        stored: reads the stream :data:`STREAM`.
        name: of the file, for messages.

    Raises:
        BuildError: it is damaged.
        ToolMissingError: libwim is not installed.
    """
    kind, chunk = _ALGORITHMS[algorithm]
    count = -(-size // chunk)
    form, width = ("Q", 8) if size > _LONG else ("I", 4)
    table = stored(0, max(count - 1, 0) * width)
    try:
        begins = (0, *struct.unpack(f"<{max(count - 1, 0)}{form}", table))
    except struct.error as error:
        raise _damaged(name) from error
    with _decompressor(kind, chunk) as decompress:

        @lru_cache(_CHUNKS_KEPT)
        def whole(number: int) -> bytes:
            length = min(chunk, size - number * chunk)
            end = begins[number + 1] if number + 1 < count else begins[number] + length
            packed = stored(len(table) + begins[number], max(end - begins[number], 0))
            if len(packed) == length:
                return packed
            data = decompress(packed, length)
            if data is None:
                raise _damaged(name)
            return data

        def read(at: int, length: int) -> bytes:
            length = max(min(length, size - at), 0)
            first, last = at // chunk, -(-(at + length) // chunk)
            return b"".join(map(whole, range(first, last)))[at - first * chunk :][:length]

        yield read


@contextmanager
def _decompressor(kind: int, chunk: int) -> Iterator[Callable[[bytes, int], bytes | None]]:
    library = libwim.load().handle
    create, run, free = (
        library.wimlib_create_decompressor,
        library.wimlib_decompress,
        library.wimlib_free_decompressor,
    )
    create.argtypes, create.restype = (c_int, c_size_t, ctypes.POINTER(c_void_p)), c_int
    run.argtypes, run.restype = (c_char_p, c_size_t, c_char_p, c_size_t, c_void_p), c_int
    free.argtypes, free.restype = (c_void_p,), None
    handle = c_void_p()
    if create(kind, chunk, ctypes.byref(handle)) != 0:
        raise BuildError("libwim cannot decompress the files of this Windows.")
    out = ctypes.create_string_buffer(chunk)

    def decompress(packed: bytes, length: int) -> bytes | None:
        return out.raw[:length] if run(packed, len(packed), out, length, handle) == 0 else None

    try:
        yield decompress
    finally:
        free(handle)


def _damaged(name: str) -> BuildError:
    return BuildError(
        f"The compressed file {name} is damaged.", "Repair that Windows with sfc /scannow."
    )
