"""A zip archive with one file, written as a stream.

Layout: PKWARE APPNOTE.TXT 6.3.10, with the sizes in a descriptor after the data and ZIP64
records always. With a password the file is encrypted with AES-256 the way WinZip defined it
(AE-2): 7-Zip, WinRAR, WinZip and libarchive open it. The older ZipCrypto of the PowerShell tools is
not written: whoever knows a few bytes of the content finds the key, and everybody knows how a
disk image begins (Biham and Kocher, 1994).
"""

from __future__ import annotations

import struct
import time
from typing import Any, Protocol

from winimagetools.output.deflate import Deflate

_VERSION = 45
"""The version that introduced ZIP64."""
_VERSION_AES = 51
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x0001, 0x0008, 0x0800
_DEFLATED, _AES = 8, 99
_SEE_ZIP64 = 0xFFFFFFFF
_AES_256 = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, _DEFLATED)
"""Extra field of an AE-2 encrypted file: version, vendor, key strength, real method."""
_UNIX_FILE = 0o100644 << 16


class Output(Protocol):
    """Where the archive goes."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


class _Plain:
    """Stands in for the encrypter when there is no password."""

    def encryption_header(self) -> bytes:
        return b""

    def encrypt(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def _encrypter(password: str) -> Any:
    from pyzipper.zipfile_aes import AESZipEncrypter  # with a cipher that takes long to import

    return AESZipEncrypter(password.encode())


class ZipWriter:
    """Zip what is written to it as the one file ``name``.

    Args:
        out: where the archive goes.
        name: base name of the file inside.
        modified: its time, in seconds since 1970.
        password: encrypts with AES-256; empty for none.

    Use as a context manager: a clean exit completes the archive.
    """

    def __init__(self, out: Output, name: str, modified: float, password: str = "") -> None:
        self._out = out
        self._name = name.encode()
        self._time = _dos_time(modified)
        self._cipher = _encrypter(password) if password else _Plain()
        self._extra = _AES_256 if password else b""
        self._position = 0
        self._deflate = Deflate(self._take_compressed)
        self.write = self._deflate.write
        self.write_zeros = self._deflate.write_zeros

    def __enter__(self) -> ZipWriter:
        sizes = struct.pack("<HHQQ", 1, 16, 0, 0)
        self._put(b"PK\3\4" + self._common(0, _SEE_ZIP64, _SEE_ZIP64, sizes))
        self._put(self._name + sizes + self._extra)
        self._data_start = self._position
        self._put(self._cipher.encryption_header())
        self._deflate.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._deflate.__exit__(kind)
        if kind is None:
            self._put(self._cipher.flush())
            self._put_directory(self._position - self._data_start)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _take_compressed(self, data: bytes) -> None:
        self._put(self._cipher.encrypt(data))

    def _common(self, crc: int, packed: int, size: int, zip64: bytes) -> bytes:
        """The fields that a local header and a directory entry share."""
        flags = _DESCRIPTOR | _UTF8 | (_ENCRYPTED if self._extra else 0)
        return struct.pack(
            "<HHHIIIIHH",
            _VERSION_AES if self._extra else _VERSION,
            flags,
            _AES if self._extra else _DEFLATED,
            self._time,
            crc,
            packed,
            size,
            len(self._name),
            len(zip64) + len(self._extra),
        )

    def _put_directory(self, packed: int) -> None:
        """The descriptor after the data, the directory entry, and where to find that."""
        crc = 0 if self._extra else self._deflate.crc  # AE-2 leaves it out: it tells too much
        self._put(struct.pack("<4sIQQ", b"PK\7\10", crc, packed, self._deflate.size))
        start = self._position
        sizes = struct.pack("<HHQQ", 1, 16, self._deflate.size, packed)
        made_by = 3 << 8 | _VERSION
        self._put(struct.pack("<4sH", b"PK\1\2", made_by))
        self._put(self._common(crc, _SEE_ZIP64, _SEE_ZIP64, sizes))
        self._put(struct.pack("<HHHII", 0, 0, 0, _UNIX_FILE, 0))
        self._put(self._name + sizes + self._extra)
        length, end = self._position - start, self._position
        versions = (made_by, _VERSION)
        self._put(struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, *versions, 0, 0, 1, 1, length, start))
        self._put(struct.pack("<4sIQI", b"PK\6\7", 0, end, 1))
        self._put(struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, length, _SEE_ZIP64, 0))


def _dos_time(modified: float) -> int:
    """Date and time as MS-DOS packs them, UTC here: the same archive wherever it is made.

    1980 is the earliest year it knows.
    """
    moment = time.gmtime(max(modified, 315619200.0))
    date = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
    return date << 16 | moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
