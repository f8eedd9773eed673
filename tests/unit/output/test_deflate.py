from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.output import deflate
from winimagetools.output.deflate import CHUNK, ParallelDeflate, combine_crc

_NOISE = random.Random(1).randbytes(3 * CHUNK // 2)


def _deflated(pieces: list[bytes | int], level: int = 3) -> tuple[bytes, ParallelDeflate]:
    out = bytearray()
    with ParallelDeflate(out.extend, level, threads=3) as engine:
        for piece in pieces:
            if isinstance(piece, int):
                engine.write_zeros(piece)
            else:
                engine.write(piece)
    return bytes(out), engine


def _inflated(stream: bytes) -> bytes:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    data = engine.decompress(stream) + engine.flush()
    assert engine.eof
    assert engine.unused_data == b""
    return data


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_crcs_combine(first: bytes, second: bytes) -> None:
    """The CRC-32 of two pieces follows from theirs and the length of the second."""
    combined = combine_crc(zlib.crc32(first), zlib.crc32(second), len(second))
    assert combined == zlib.crc32(first + second)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.integers(0, 2 * CHUNK + 7),
            st.integers(0, len(_NOISE)).map(lambda length: _NOISE[:length]),
        ),
        max_size=5,
    )
)
@settings(max_examples=25, deadline=None)
def test_any_mixture_of_data_and_zeros_is_inflated_again(pieces: list[bytes | int]) -> None:
    """One complete deflate stream; CRC and size are those of the data."""
    content = b"".join(bytes(piece) for piece in pieces)
    stream, engine = _deflated(pieces)
    assert _inflated(stream) == content
    assert (engine.crc, engine.size) == (zlib.crc32(content), len(content))


def test_chunks_keep_their_order() -> None:
    """Threads finish in any order; the stream does not show it."""
    content = b"".join(bytes([number]) * CHUNK for number in range(12))
    assert _inflated(_deflated([content])[0]) == content


def test_a_hole_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty chunks of zeros cost one compression."""
    calls = []
    compress = deflate._compress

    def counted(data: bytes, level: int) -> deflate._Chunk:
        calls.append(len(data))
        return compress(data, level)

    monkeypatch.setattr(deflate, "_compress", counted)
    stream, engine = _deflated([40 * CHUNK])
    assert calls == [CHUNK]
    assert engine.size == 40 * CHUNK
    assert engine.crc == zlib.crc32(bytes(40 * CHUNK))
    assert len(stream) < 45_000


def test_a_failure_abandons_the_stream() -> None:
    """No end mark is written, and no thread is left waiting."""
    out = bytearray()
    with pytest.raises(KeyboardInterrupt), ParallelDeflate(out.extend, 3) as engine:
        engine.write(bytes(10))
        raise KeyboardInterrupt
    assert out == b""


def test_a_write_error_is_passed_on() -> None:
    """A full disk ends the compression with that error."""

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), ParallelDeflate(full, 3) as engine:
        engine.write(_NOISE * 8)
