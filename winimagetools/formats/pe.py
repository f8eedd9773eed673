"""Reading Windows programs, libraries and drivers: what this project asks of a PE file.

Layout: Microsoft's "PE Format" for headers, resources and the attribute certificate table,
"VS_VERSIONINFO structure" for the version resource. The security version of a boot manager is a
resource of raw data with a name of its own, two numbers of 16 bits, the minor one first; that is
how Rufus and others who compare it with what firmware demands read it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from winimagetools.model import Architecture, WindowsVersion

_MACHINES = {
    0x014C: Architecture.X86,
    0x8664: Architecture.AMD64,
    0xAA64: Architecture.ARM64,
    0x01C4: Architecture.ARM,
    0x0200: Architecture.IA64,
}
_PE32_PLUS = 0x20B
_RESOURCES, _CERTIFICATES = 2, 4
"""Data directories, by number."""
_RT_RAW_DATA, _RT_VERSION = 10, 16
_SECURITY_VERSION = "BOOTMGRSECURITYVERSIONNUMBER"
_SUBDIRECTORY = 0x80000000
_VERSION_KEY = "VS_VERSION_INFO\0".encode("utf-16-le")
_FIXED_INFO = 0xFEEF04BD
_PKCS_SIGNED_DATA = 2
_SECURITY_VERSION_SIZE = 4


@dataclass(frozen=True)
class PeFile:
    """What matters of a Windows program or driver.

    Args:
        architecture: None for a machine Windows does not run on.
        version: product version; None without a version resource.
        certificates: the PKCS #7 messages it is signed with.
        security_version: of a boot manager, such as ``7.0``; empty where it has none.
    """

    architecture: Architecture | None
    version: WindowsVersion | None = None
    certificates: tuple[bytes, ...] = ()
    security_version: str = ""


def read_pe(data: bytes) -> PeFile | None:
    """Read a PE file; None when it is not one. A damaged resource counts as missing."""
    try:
        header = _Header(data)
        certificates = tuple(_certificates(header))
    except struct.error:
        return None
    if not header.is_valid:
        return None
    return PeFile(
        _MACHINES.get(header.machine),
        _product_version(header),
        certificates,
        _security_version(header),
    )


class _Header:
    """The headers of a file, and how addresses in memory become offsets in it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (start,) = struct.unpack_from("<I", data, 0x3C)
        self.is_valid = data[:2] == b"MZ" and data[start : start + 4] == b"PE\0\0"
        self.machine, self._section_count = struct.unpack_from("<HH", data, start + 4)
        optional = start + 24
        size, _, magic = struct.unpack_from("<HHH", data, optional - 4)
        self._sections = optional + size
        self._directories = optional + (112 if magic == _PE32_PLUS else 96)
        (self._directory_count,) = struct.unpack_from("<I", data, self._directories - 4)

    def directory(self, number: int) -> tuple[int, int]:
        """Address and size of a data directory; zeros when there is none."""
        if number >= self._directory_count:
            return 0, 0
        address, size = struct.unpack_from("<II", self.data, self._directories + number * 8)
        return address, size

    def offset(self, address: int) -> int:
        """Where in the file an address is. Raises LookupError when no section holds it."""
        for number in range(self._section_count):
            entry = self._sections + number * 40
            begin, size, position = struct.unpack_from("<III", self.data, entry + 12)
            if begin <= address < begin + size:
                return int(position + address - begin)
        raise LookupError(address)


def _product_version(header: _Header) -> WindowsVersion | None:
    """The product version in ``VS_FIXEDFILEINFO``."""
    try:
        start, _ = _resource(header, _RT_VERSION)
        key = header.data[start + 6 : start + 6 + len(_VERSION_KEY)]
        fields = struct.unpack_from("<6I", header.data, start + 40)
    except (struct.error, LookupError):
        return None
    if key != _VERSION_KEY or fields[0] != _FIXED_INFO:
        return None
    high, low = fields[4:]
    return WindowsVersion(high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF)


def _security_version(header: _Header) -> str:
    """The security version of a boot manager; empty where there is none."""
    try:
        start, size = _resource(header, _RT_RAW_DATA, _SECURITY_VERSION)
        minor, major = struct.unpack_from("<HH", header.data, start)
    except (struct.error, LookupError):
        return ""
    return f"{major}.{minor}" if size == _SECURITY_VERSION_SIZE else ""


def _resource(header: _Header, kind: int, name: str | None = None) -> tuple[int, int]:
    """Offset and size of the first resource of a kind: the tree is type, name, language.

    Raises:
        LookupError: there is none.
    """
    root = header.offset(header.directory(_RESOURCES)[0])
    node = root
    for wanted in (kind, name, None):
        node = root + (_resource_child(header.data, root, node, wanted) & ~_SUBDIRECTORY)
    address, size = struct.unpack_from("<II", header.data, node)
    return header.offset(address), int(size)


def _resource_child(data: bytes, root: int, node: int, wanted: int | str | None) -> int:
    """The entry with that number or name, the first for None. Raises LookupError without one."""
    named, numbered = struct.unpack_from("<HH", data, node + 12)
    for index in range(named + numbered):
        number, child = struct.unpack_from("<II", data, node + 16 + index * 8)
        if wanted is None or wanted == _resource_id(data, root, number):
            return int(child)
    raise LookupError(wanted)


def _resource_id(data: bytes, root: int, number: int) -> int | str:
    """A number, or the name at the place in the resources that a number with a mark gives."""
    if not number & _SUBDIRECTORY:
        return int(number)
    start = root + (number & ~_SUBDIRECTORY)
    (length,) = struct.unpack_from("<H", data, start)
    return data[start + 2 : start + 2 + length * 2].decode("utf-16-le", "replace")


def _certificates(header: _Header) -> Iterator[bytes]:
    """The PKCS #7 messages; their directory holds an offset, not an address."""
    position, size = header.directory(_CERTIFICATES)
    end = min(position + size, len(header.data))
    while position and position + 8 <= end:
        length, _, kind = struct.unpack_from("<IHH", header.data, position)
        if length <= 8 or position + length > end:
            return
        if kind == _PKCS_SIGNED_DATA:
            yield header.data[position + 8 : position + length]
        position += (length + 7) & ~7
