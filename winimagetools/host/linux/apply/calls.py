"""The calls of libntfs-3g that lay a volume out.

Facts are from its headers ``volume.h``, ``inode.h``, ``attrib.h``, ``dir.h`` and ``security.h``.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from ctypes import (
    POINTER,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, NoReturn

from winimagetools.host.linux import libntfs
from winimagetools.host.linux.apply.blobs import Unsupported

DATA, STANDARD = 0x80, 0x10
FOLDER, FILE = 0o040000, 0o100000
ROOT_RECORD = 5
_SECURITY_ID_AT = 52
_ELEMENT = struct.Struct("<qqq")
"""An element of a run list: number in the content, cluster, how many."""
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "ntfs_mount": (c_void_p, (c_char_p, ctypes.c_ulong)),
    "ntfs_umount": (c_int, (c_void_p, c_int)),
    "ntfs_open_secure": (c_int, (c_void_p,)),
    "ntfs_inode_open": (c_void_p, (c_void_p, c_uint64)),
    "ntfs_inode_close": (c_int, (c_void_p,)),
    "ntfs_inode_close_in_dir": (c_int, (c_void_p, c_void_p)),
    "ntfs_inode_sync": (c_int, (c_void_p,)),
    "ntfs_create": (c_void_p, (c_void_p, c_uint32, c_char_p, c_uint8, c_uint32)),
    "ntfs_link": (c_int, (c_void_p, c_void_p, c_char_p, c_uint8)),
    "ntfs_attr_open": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint32)),
    "ntfs_attr_close": (None, (c_void_p,)),
    "ntfs_attr_add": (c_int, (c_void_p, c_uint32, c_char_p, c_uint8, c_char_p, c_int64)),
    "ntfs_attr_truncate_solid": (c_int, (c_void_p, c_int64)),
    "ntfs_attr_pwrite": (c_int64, (c_void_p, c_int64, c_int64, c_char_p)),
    "ntfs_attr_vcn_to_lcn": (c_int64, (c_void_p, c_int64)),
    "ntfs_attr_readall": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint32, POINTER(c_int64))),
    "ntfs_set_ntfs_acl": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_set_ntfs_attrib": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_inode_set_times": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_set_ntfs_dos_name": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_set_ntfs_reparse_data": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_set_ntfs_object_id": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
}
Runs = list[tuple[int, int]]
"""First cluster and number of clusters, in the order of the content."""


class LayoutError(Exception):
    """Something failed; the other engine does it all again."""


class Calls:
    """A mounted volume that is laid out, in a process with one thread.

    What is called for every file is called directly, by the names below; the rest is checked
    here. An inode is the address of the library's structure.

    Args:
        path: the volume.
        cluster: bytes of a cluster.

    Raises:
        Unsupported: the library lacks a call.
        LayoutError: it does not take the volume.
    """

    def __init__(self, path: str, cluster: int) -> None:
        # Calls of a PyDLL keep the interpreter's lock, which makes them cheaper.
        library = ctypes.PyDLL(None, handle=libntfs.load()._handle, use_errno=True)
        self._calls: dict[str, Callable[..., Any]] = {}
        try:
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
                self._calls[name] = function
            self._unnamed = ctypes.addressof(c_uint8.in_dll(library, "AT_UNNAMED"))
        except (AttributeError, ValueError) as error:
            raise Unsupported(f"libntfs-3g lacks a call ({error})") from error
        library.ntfs_set_char_encoding(b"C.UTF-8")
        self._cluster = cluster
        self._to_lcn = self._calls["ntfs_attr_vcn_to_lcn"]
        self._truncate = self._calls["ntfs_attr_truncate_solid"]
        self._open_attribute = self._calls["ntfs_attr_open"]
        self._close_attribute = self._calls["ntfs_attr_close"]
        self.create = self._calls["ntfs_create"]
        self.close_in = self._calls["ntfs_inode_close_in_dir"]
        self.set_times = self._calls["ntfs_inode_set_times"]
        self.volume = self._good("ntfs_mount", path.encode(), 0)
        if self._calls["ntfs_open_secure"](self.volume) != 0:
            raise LayoutError("the volume has no place for security descriptors")
        self._context = (c_void_p * 64)(self.volume)

    def fail(self, name: str) -> NoReturn:
        """Say that a call failed."""
        raise LayoutError(f"{name}: {os.strerror(ctypes.get_errno())}")

    def _good(self, name: str, *arguments: object) -> int:
        found: int | None = self._calls[name](*arguments)
        return found or self.fail(name)

    def _zero(self, name: str, *arguments: object) -> None:
        if self._calls[name](*arguments) != 0:
            self.fail(name)

    def unmount(self) -> None:
        """Write everything out."""
        self._zero("ntfs_umount", self.volume, 0)

    def open(self, record: int) -> int:
        """An inode by the number of its record."""
        return self._good("ntfs_inode_open", self.volume, record)

    def close(self, inode: int) -> None:
        """Write an inode and the copies of it in all of its folders."""
        self._zero("ntfs_inode_close", inode)

    def record_of(self, inode: int) -> int:
        """The number of its record: the first field of an inode."""
        return c_uint64.from_address(inode).value

    def link(self, inode: int, folder: int, name: bytes) -> None:
        """One more name."""
        self._zero("ntfs_link", inode, folder, name, len(name) // 2)

    def security_id(self, descriptor: bytes) -> int:
        """The number a descriptor has in the volume, which gets it when it has not."""
        root = self.open(ROOT_RECORD)
        self.set_security(root, descriptor)
        self._zero("ntfs_inode_sync", root)
        length = c_int64()
        place = self._good(
            "ntfs_attr_readall", root, STANDARD, self._unnamed, 0, ctypes.byref(length)
        )
        number = c_uint32.from_address(place + _SECURITY_ID_AT).value if length.value >= 56 else 0
        libntfs.release(c_void_p(place))
        self.close(root)
        if not number:
            raise LayoutError("a security descriptor has no number")
        return number

    def set_security(self, inode: int, descriptor: bytes) -> None:
        """Give it a descriptor."""
        self._zero("ntfs_set_ntfs_acl", self._context, inode, descriptor, len(descriptor), 0)

    def set_attributes(self, inode: int, bits: int) -> None:
        """Attribute bits that may be set."""
        self._zero("ntfs_set_ntfs_attrib", inode, bits.to_bytes(4, "little"), 4, 0)

    def set_short_name(self, inode: int, folder: int, name: bytes) -> None:
        """Give it a short name in the folder; both are closed, whatever happens."""
        self._zero("ntfs_set_ntfs_dos_name", inode, folder, name, len(name), 0)

    def set_reparse_data(self, inode: int, data: bytes) -> None:
        """Make it a reparse point."""
        self._zero("ntfs_set_ntfs_reparse_data", inode, data, len(data), 0)

    def set_object_id(self, inode: int, data: bytes) -> None:
        """Give it an object id."""
        self._zero("ntfs_set_ntfs_object_id", inode, data, len(data), 0)

    def put(self, inode: int, name: bytes, data: bytes) -> None:
        """A short content."""
        if name:
            self._zero("ntfs_attr_add", inode, DATA, name, len(name) // 2, data, len(data))
            return
        attribute = self._attribute(inode, name)
        try:
            self._zero("ntfs_attr_truncate_solid", attribute, len(data))
            if self._calls["ntfs_attr_pwrite"](attribute, 0, len(data), data) != len(data):
                self.fail("ntfs_attr_pwrite")
        finally:
            self._close_attribute(attribute)

    def _attribute(self, inode: int, name: bytes) -> int:
        place = libntfs.copied(name) if name else self._unnamed
        found: int | None = self._open_attribute(inode, DATA, place, len(name) // 2)
        return found or self.fail("ntfs_attr_open")

    def reserve(self, inode: int, name: bytes, size: int) -> Runs:
        """Clusters for a content that is written past this library."""
        if name:
            self._zero("ntfs_attr_add", inode, DATA, name, len(name) // 2, None, 0)
        attribute = self._attribute(inode, name)
        try:
            if self._truncate(attribute, size):
                self.fail("ntfs_attr_truncate_solid")
            return self.runs(attribute, -(-size // self._cluster))
        finally:
            self._close_attribute(attribute)

    def runs(self, attribute: int, clusters: int) -> Runs:
        """The places of a content, cross-checked with what the library says of both ends."""
        found: Runs = []
        place, done = c_uint64.from_address(attribute).value, 0
        while place and done < clusters:
            first, cluster, length = _ELEMENT.unpack(ctypes.string_at(place, 24))
            if first != done or cluster < 0 or length <= 0:
                break
            found.append((cluster, length))
            done, place = done + length, place + 24
        if (
            done != clusters
            or self._to_lcn(attribute, 0) != found[0][0]
            or self._to_lcn(attribute, clusters - 1) != found[-1][0] + found[-1][1] - 1
        ):
            raise LayoutError("the places of a content cannot be told")
        return found

    def table_places(self, records: int) -> list[int]:
        """The cluster of the master file table in which each record from 0 on is."""
        inode = self.open(0)
        attribute = self._attribute(inode, b"")
        per_cluster = self._cluster // 1024
        places = [self._to_lcn(attribute, at) for at in range(-(-records // per_cluster))]
        self._close_attribute(attribute)
        self.close(inode)
        if any(place < 0 for place in places):
            raise LayoutError("the places of the records cannot be told")
        return places

    def find_zone(self, table: int) -> c_int64 | None:
        """The field from which clusters for data are looked for; None when it is not found.

        After the mount five numbers stand in a row: begin and end of the zone of the table,
        the place in it (where the table is), the place for data (the end), and zero.
        """
        measure = ctypes.CDLL(None).malloc_usable_size
        measure.restype, measure.argtypes = c_size_t, (c_void_p,)
        count = measure(self.volume) // 8
        longs = (c_int64 * count).from_address(self.volume)
        found = [
            at
            for at in range(count - 4)
            if longs[at] in (0, table)
            and longs[at + 1] == longs[at + 3] > table == longs[at + 2]
            and longs[at + 4] == 0
        ]
        if len(found) != 1:
            return None
        return c_int64.from_address(self.volume + 8 * (found[0] + 3))
