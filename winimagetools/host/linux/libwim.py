"""The C side of libwim: structures, constants and the loaded library.

Facts are from ``wimlib.h`` of wimlib 1.13 and 1.14 (ABI 15). The library is loaded and
initialised once per process. What it would print to standard error goes to a file in
memory instead, so that it can become part of an exception.
"""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    Union,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from enum import IntEnum

from winimagetools.errors import HostError, ToolMissingError

LIBRARY = "libwim.so.15"
PACKAGE = "libwim15"

INIT_CASE_INSENSITIVE = 0x20
ITERATE_RECURSIVE, ITERATE_CHILDREN = 1, 2
ADD_NORPFIX = 0x200
DELETE_FORCE, DELETE_RECURSIVE = 1, 2
EXTRACT_NTFS = 0x1
EXTRACT_NO_ACLS = 0x40
EXTRACT_NORPFIX = 0x200
EXTRACT_NO_PRESERVE_DIR_STRUCTURE = 0x200000
UPDATE_ADD, UPDATE_DELETE = 0, 1
PROGRESS_EXTRACT_STREAMS = 4
CONTINUE, ABORT = 0, 1


class WimCode(IntEnum):
    """The return codes this project tells apart."""

    DECOMPRESSION = 2
    IMAGE_COUNT = 10
    INTEGRITY = 13
    INVALID_CHUNK_SIZE = 15
    INVALID_COMPRESSION_TYPE = 16
    INVALID_HEADER = 17
    INVALID_IMAGE = 18
    INVALID_INTEGRITY_TABLE = 19
    INVALID_LOOKUP_TABLE_ENTRY = 20
    INVALID_METADATA_RESOURCE = 21
    INVALID_PART_NUMBER = 25
    INVALID_RESOURCE_HASH = 28
    INVALID_UTF16_STRING = 30
    METADATA_NOT_FOUND = 36
    NOMEM = 39
    NOT_A_REGULAR_FILE = 42
    NOT_A_WIM_FILE = 43
    NOT_PIPABLE = 44
    PATH_DOES_NOT_EXIST = 49
    READ = 50
    RESOURCE_NOT_FOUND = 55
    SPLIT_INVALID = 62
    UNEXPECTED_END_OF_FILE = 65
    UNKNOWN_VERSION = 67
    UNSUPPORTED = 68
    XML = 73
    WIM_IS_ENCRYPTED = 74
    WIM_IS_INCOMPLETE = 84


class Timespec(Structure):
    """``struct wimlib_timespec``."""

    _fields_ = (("seconds", c_int64), ("nanoseconds", c_int32))


class ResourceEntry(Structure):
    """``struct wimlib_resource_entry``; flags are one word here."""

    _fields_ = (
        ("uncompressed_size", c_uint64),
        ("compressed_size", c_uint64),
        ("offset", c_uint64),
        ("sha1_hash", c_uint8 * 20),
        ("part_number", c_uint32),
        ("reference_count", c_uint32),
        ("flags", c_uint32),
        ("raw_resource_offset", c_uint64),
        ("raw_resource_compressed_size", c_uint64),
        ("raw_resource_uncompressed_size", c_uint64),
        ("reserved", c_uint64),
    )


class StreamEntry(Structure):
    """``struct wimlib_stream_entry``."""

    _fields_ = (
        ("stream_name", c_char_p),
        ("resource", ResourceEntry),
        ("reserved", c_uint64 * 4),
    )


class DirEntry(Structure):
    """``struct wimlib_dir_entry``; an array of StreamEntry follows it in memory."""

    _fields_ = (
        ("filename", c_char_p),
        ("dos_name", c_char_p),
        ("full_path", c_char_p),
        ("depth", c_size_t),
        ("security_descriptor", c_void_p),
        ("security_descriptor_size", c_size_t),
        ("attributes", c_uint32),
        ("reparse_tag", c_uint32),
        ("num_links", c_uint32),
        ("num_named_streams", c_uint32),
        ("hard_link_group_id", c_uint64),
        ("creation_time", Timespec),
        ("last_write_time", Timespec),
        ("last_access_time", Timespec),
        ("unix_owner_and_mode", c_uint32 * 4),
        ("object_id", c_uint8 * 64),
        ("times_high", c_int32 * 4),
        ("reserved", c_uint64 * 4),
    )


class AddCommand(Structure):
    """``struct wimlib_add_command``."""

    _fields_ = (
        ("fs_source_path", c_char_p),
        ("wim_target_path", c_char_p),
        ("config_file", c_char_p),
        ("flags", c_int),
    )


class DeleteCommand(Structure):
    """``struct wimlib_delete_command``."""

    _fields_ = (("wim_path", c_char_p), ("flags", c_int))


class _Command(Union):
    _fields_ = (("add", AddCommand), ("delete", DeleteCommand))


class UpdateCommand(Structure):
    """``struct wimlib_update_command``."""

    _fields_ = (("op", c_int), ("command", _Command))


class ExtractProgress(Structure):
    """``struct wimlib_progress_info_extract``, up to the counters that are used."""

    _fields_ = (
        ("image", c_uint32),
        ("flags", c_uint32),
        ("texts", c_char_p * 4),
        ("total_bytes", c_uint64),
        ("completed_bytes", c_uint64),
    )


class WimSummary(Structure):
    """``struct wimlib_wim_info``."""

    _fields_ = (
        ("guid", c_uint8 * 16),
        ("image_count", c_uint32),
        ("boot_index", c_uint32),
        ("wim_version", c_uint32),
        ("chunk_size", c_uint32),
        ("part_number", c_uint16),
        ("total_parts", c_uint16),
        ("compression_type", c_int32),
        ("total_bytes", c_uint64),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 9),
    )


IterateCallback = CFUNCTYPE(c_int, POINTER(DirEntry), c_void_p)
ProgressCallback = CFUNCTYPE(c_int, c_int, c_void_p, c_void_p)

_SIGNATURES: dict[str, tuple[object, ...]] = {
    "wimlib_global_init": (c_int,),
    "wimlib_set_error_file_by_name": (c_char_p,),
    "wimlib_open_wim": (c_char_p, c_int, POINTER(c_void_p)),
    "wimlib_reference_resource_files": (c_void_p, POINTER(c_char_p), c_int, c_int, c_int),
    "wimlib_get_wim_info": (c_void_p, POINTER(WimSummary)),
    "wimlib_iterate_dir_tree": (c_void_p, c_int, c_char_p, c_int, IterateCallback, c_void_p),
    "wimlib_update_image": (c_void_p, c_int, POINTER(UpdateCommand), c_size_t, c_int),
    "wimlib_extract_image": (c_void_p, c_int, c_char_p, c_int),
    "wimlib_extract_paths": (c_void_p, c_int, c_char_p, POINTER(c_char_p), c_size_t, c_int),
}


class Messages:
    """What libwim says: an anonymous file in memory that is read after a failed call."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("libwim", os.MFD_CLOEXEC)

    @property
    def path(self) -> str:
        """A name under which libwim can open the file; it appends."""
        return f"/proc/self/fd/{self.descriptor}"

    def clear(self) -> None:
        """Forget what was said so far."""
        os.truncate(self.descriptor, 0)

    def text(self) -> str:
        """What was said since on one line: no ``[ERROR]`` marks, offsets and checksums.

        Such details stand on indented lines of their own.
        """
        said = os.pread(self.descriptor, 4096, 0).decode(errors="replace")
        for mark in ("[ERROR] ", "[WARNING] "):
            said = said.replace(mark, "")
        lines = [line for line in said.splitlines() if not line.startswith((" ", "\t"))]
        return " ".join(" ".join(lines).split())


class LibWim:
    """libwim, loaded and initialised: NTFS names are looked up without regard to case."""

    def __init__(self, handle: ctypes.CDLL) -> None:
        self.handle = handle
        self.messages = Messages()
        for name, arguments in _SIGNATURES.items():
            function = getattr(handle, name)
            function.argtypes, function.restype = arguments, c_int
        handle.wimlib_free.argtypes, handle.wimlib_free.restype = (c_void_p,), None
        handle.wimlib_register_progress_function.argtypes = (c_void_p, ProgressCallback, c_void_p)
        handle.wimlib_register_progress_function.restype = None
        handle.wimlib_get_error_string.argtypes = (c_int,)
        handle.wimlib_get_error_string.restype = c_char_p
        handle.wimlib_get_version.restype = c_uint32
        handle.wimlib_set_error_file_by_name(self.messages.path.encode())
        code = handle.wimlib_global_init(INIT_CASE_INSENSITIVE)
        if code != 0:
            raise HostError(f"{LIBRARY} cannot be used: {self.error_string(code)}.")

    @property
    def version(self) -> str:
        """Version such as ``1.13.6``: ten bits each for minor and patch (wimlib.h)."""
        number = self.handle.wimlib_get_version()
        return f"{number >> 20}.{number >> 10 & 0x3FF}.{number & 0x3FF}"

    def error_string(self, code: int) -> str:
        """What libwim calls a return code, without the full stop."""
        text = self.handle.wimlib_get_error_string(code)
        return (text or b"unknown error").decode(errors="replace").rstrip(".")


@functools.cache
def load() -> LibWim:
    """The library. Raises ToolMissingError when it is not installed."""
    try:
        handle = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError as error:
        raise ToolMissingError(LIBRARY, PACKAGE, "read and apply WIM files") from error
    return LibWim(handle)
