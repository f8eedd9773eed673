from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from winimagetools.output.deflate import CHUNK, Deflate

_NOISE = random.Random(1).randbytes(3 * CHUNK // 2)


def _deflated(pieces: list[bytes | int]) -> tuple[bytes, Deflate]:
    out = bytearray()
    with Deflate(out.extend) as engine:
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
    assert (_inflated(stream) == content) is True
    assert (engine.crc, engine.size) == (zlib.crc32(content), len(content))


def test_what_comes_after_zeros_does_not_refer_to_what_was_before_them() -> None:
    """The engine does not know that zeros were put in between."""
    pattern = random.Random(3).randbytes(20_000)
    pieces: list[bytes | int] = [pattern, CHUNK, pattern, 2 * CHUNK, pattern[:9]]
    stream, _ = _deflated(pieces)
    assert (_inflated(stream) == b"".join(bytes(piece) for piece in pieces)) is True


def test_a_hole_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of zeros is neither read nor compressed by the engine, and takes next to nothing."""
    _deflated([CHUNK])
    monkeypatch.setattr(zlib, "compressobj", lambda *_: pytest.fail("zeros compressed again"))
    monkeypatch.setattr(isal_zlib, "crc32", lambda *_: pytest.fail("zeros were looked at"))
    stream, engine = _deflated([40 * CHUNK])
    assert engine.size == 40 * CHUNK
    assert engine.crc == zlib.crc32(bytes(40 * CHUNK))
    assert len(stream) < 45_000


def test_the_size_is_about_that_of_zlib() -> None:
    """At the level the PowerShell tools ask pigz for; text and machine code shrink alike."""
    text = b"".join(b"line %d of %d\n" % (number, number * 7919 % 1013) for number in range(50_000))
    stream, _ = _deflated([text])
    assert len(stream) < 1.2 * len(zlib.compress(text, 3))


def test_a_failure_abandons_the_stream() -> None:
    """No end mark is written."""
    out = bytearray()
    with pytest.raises(KeyboardInterrupt), Deflate(out.extend) as engine:
        engine.write(bytes(10))
        raise KeyboardInterrupt
    assert out == b""


def test_a_write_error_is_passed_on() -> None:
    """A full disk ends the compression with that error."""

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), Deflate(full) as engine:
        engine.write(_NOISE * 8)
