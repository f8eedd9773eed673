"""Reading, changing in memory and extracting WIM, ESD and SWM files with libwim.

A :class:`Wim` is open for as long as its ``with`` block. Long calls run in a thread of
their own, so that Ctrl-C and SIGTERM reach the caller at once; libwim is then told to
stop at its next progress message and the exception goes on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.errors import BuildError, DiskFullError, HostError, MediaError, WinImageError
from winimagetools.files.space import free_bytes
from winimagetools.formats.wim.container import find_beside, part_names
from winimagetools.host.linux import libwim
from winimagetools.host.linux.libwim import WimCode
from winimagetools.host.staged_tree import LayerItem

FILE_ATTRIBUTE_DIRECTORY = 0x10
FILE_ATTRIBUTE_REPARSE_POINT = 0x400

_DAMAGE = {
    WimCode.DECOMPRESSION,
    WimCode.IMAGE_COUNT,
    WimCode.INTEGRITY,
    WimCode.INVALID_CHUNK_SIZE,
    WimCode.INVALID_COMPRESSION_TYPE,
    WimCode.INVALID_HEADER,
    WimCode.INVALID_INTEGRITY_TABLE,
    WimCode.INVALID_LOOKUP_TABLE_ENTRY,
    WimCode.INVALID_METADATA_RESOURCE,
    WimCode.INVALID_RESOURCE_HASH,
    WimCode.INVALID_UTF16_STRING,
    WimCode.NOT_PIPABLE,
    WimCode.READ,
    WimCode.UNEXPECTED_END_OF_FILE,
    WimCode.XML,
}
_INCOMPLETE = {
    WimCode.INVALID_PART_NUMBER,
    WimCode.METADATA_NOT_FOUND,
    WimCode.RESOURCE_NOT_FOUND,
    WimCode.SPLIT_INVALID,
    WimCode.WIM_IS_INCOMPLETE,
}
_SPARE_BYTES = 16 * 1024 * 1024
"""A file system with less than this free counts as full."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class WimItem:
    """A file or folder of an image.

    Args:
        name: its name; empty for the root.
        path: full path with ``/``, such as ``/Windows/explorer.exe``.
        attributes: Windows file attribute bits.
        size: bytes of the unnamed data stream.
        descriptor: self-relative security descriptor, None when the WIM has none.
        short_name: 8.3 name, may be empty.
        named: bytes of each named data stream.
        group: the same number for all names of a file; 0 when it has only one.
    """

    name: str
    path: str
    attributes: int
    size: int
    descriptor: bytes | None = None
    short_name: str = ""
    named: tuple[int, ...] = ()
    group: int = 0

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder (a junction is one too)."""
        return bool(self.attributes & FILE_ATTRIBUTE_DIRECTORY)

    @property
    def is_link(self) -> bool:
        """Whether it is a reparse point: a symbolic link or junction, say."""
        return bool(self.attributes & FILE_ATTRIBUTE_REPARSE_POINT)


def media_error(code: int, path: Path, text: str) -> MediaError | None:
    """The error for a return code that speaks about the WIM file itself, or None.

    Args:
        code: libwim's return code.
        path: the WIM.
        text: what libwim said about it.
    """
    if code in _DAMAGE:
        return MediaError(
            f"{path} is damaged: {text}.", "Download or copy it again and compare its checksum."
        )
    if code in _INCOMPLETE:
        return MediaError(
            f"{path} is not complete: {text}.", "Put all parts of a split WIM into one folder."
        )
    if code == WimCode.NOT_A_WIM_FILE:
        return MediaError(f"{path} is not a WIM file.", "Give an install.wim, .esd or .swm.")
    if code == WimCode.WIM_IS_ENCRYPTED:
        return MediaError(f"{path} is encrypted.", "Use an ISO, or an ESD that has been decrypted.")
    if code == WimCode.UNKNOWN_VERSION:
        return MediaError(f"{path} has a WIM version that libwim does not know: {text}.")
    if code == WimCode.INVALID_IMAGE:
        return MediaError(f"{path} has no image with that index: {text}.")
    return None


def write_error(text: str, target: Path, free: int, *, volume: bool) -> BuildError:
    """The error for a failed extraction, told from libwim's words and the free space.

    Args:
        text: what libwim said.
        target: file or folder that was written to.
        free: bytes that are free on the file system of ``target``.
        volume: whether ``target`` is an NTFS volume, which may be full itself.
    """
    full = os.strerror(errno.ENOSPC) in text
    if free < _SPARE_BYTES or os.strerror(errno.EDQUOT) in text:
        return DiskFullError(
            f"There is no room left on the file system of {target}: {text}.",
            "Free some space there, or choose another folder for the image.",
        )
    if full and volume:
        return DiskFullError(
            "The Windows partition is too small for this image and what is added to it.",
            "Make disk_size larger.",
        )
    return BuildError(f"Extracting to {target} failed: {text}.")


class Wim:
    """An open WIM file; a context manager.

    Args:
        path: a WIM, an ESD or the first part of a split WIM.

    Raises:
        ToolMissingError: libwim is not installed.
        MediaError: the file is missing, damaged, encrypted, incomplete or no WIM.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lib = libwim.load()
        self._wim = ctypes.c_void_p()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._on_progress: OnProgress | None = None
        if not path.is_file():
            raise MediaError(f"The WIM file {path} does not exist.", "Check the path.")
        self._lib.messages.clear()
        code = self._lib.handle.wimlib_open_wim(os.fsencode(path), 0, ctypes.byref(self._wim))
        self._check(code)
        self._progress_callback = libwim.ProgressCallback(self._progress)
        self._lib.handle.wimlib_register_progress_function(self._wim, self._progress_callback, None)
        try:
            self._add_parts()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Wim:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(AttributeError):
            self.close()

    def close(self) -> None:
        """Free the WIM; it may be called twice."""
        if self._wim:
            self._lib.handle.wimlib_free(self._wim)
            self._wim = ctypes.c_void_p()

    @property
    def info(self) -> libwim.WimSummary:
        """What the header says: parts, images, compression."""
        info = libwim.WimSummary()
        self._check(self._lib.handle.wimlib_get_wim_info(self._wim, ctypes.byref(info)))
        return info

    def _add_parts(self) -> None:
        info = self.info
        if info.total_parts < 2:
            return
        if info.part_number != 1:
            raise MediaError(
                f"{self.path} is part {info.part_number} of a split WIM.",
                "Give its first part, the one without a number.",
            )
        expected = part_names(self.path.name, info.total_parts)[1:]
        parts = [part for name in expected if (part := find_beside(self.path, name))]
        if len(parts) < len(expected):
            raise MediaError(
                f"{self.path} has {info.total_parts} parts, of which {len(parts) + 1} are here.",
                "Put all parts into one folder.",
            )
        names = _texts([os.fspath(part) for part in parts])
        self._check(
            self._lib.handle.wimlib_reference_resource_files(self._wim, names, len(parts), 0, 0)
        )

    def iterate(
        self,
        index: int,
        path: str = "/",
        *,
        recursive: bool = False,
        children: bool = False,
        only_bare: bool = False,
    ) -> list[WimItem]:
        """The entry at ``path``; with ``children`` those in it; with ``recursive`` all below too.

        With ``only_bare`` only those of them that have no security descriptor.

        Raises:
            FileNotFoundError: the image has no such path.
            MediaError: the image cannot be read.
        """
        entries: list[WimItem] = []

        def collect(entry: Any, _context: object) -> int:
            try:
                if not (only_bare and entry.contents.security_descriptor_size):
                    entries.append(_entry(entry))
            except BaseException as error:
                self._failure = error
                return -1
            return 0

        flags = libwim.ITERATE_RECURSIVE * recursive | libwim.ITERATE_CHILDREN * children
        callback = libwim.IterateCallback(collect)
        code = self._call(
            "wimlib_iterate_dir_tree", index, os.fsencode(path), flags, callback, None
        )
        self._check(code, f"{path} in image {index} of {self.path}")
        return entries

    def extract_paths(
        self, index: int, paths: Sequence[str], target: Path, *, keep_folders: bool = False
    ) -> None:
        """Extract files and whole folders into the host folder ``target``, data only.

        Args:
            index: image index, from 1.
            paths: paths inside the image.
            target: folder, made when it is missing.
            keep_folders: whether the folders above each path are made in ``target`` too.

        Raises:
            FileNotFoundError: the image has no such path.
            MediaError, DiskFullError, BuildError
        """
        flags = libwim.EXTRACT_NO_ACLS | libwim.EXTRACT_NORPFIX
        if not keep_folders:
            flags |= libwim.EXTRACT_NO_PRESERVE_DIR_STRUCTURE
        names, count = _texts(paths), len(paths)
        code = self._call("wimlib_extract_paths", index, os.fsencode(target), names, count, flags)
        self._check(code, f"{', '.join(paths)} in image {index} of {self.path}", target)

    def update(
        self, index: int, adds: Sequence[tuple[Path, str]], deletes: Sequence[str] = ()
    ) -> None:
        """Change an image in memory; the WIM file itself stays as it is.

        Args:
            index: image index, from 1.
            adds: host file or folder and its path in the image; a folder is laid over one
                that exists, a file replaces a file.
            deletes: paths to remove first; those that do not exist are ignored.
        """
        commands = (libwim.UpdateCommand * (len(adds) + len(deletes)))()
        for command, path in zip(commands, deletes, strict=False):
            command.op = libwim.UPDATE_DELETE
            command.command.delete.wim_path = os.fsencode(path)
            command.command.delete.flags = libwim.DELETE_FORCE | libwim.DELETE_RECURSIVE
        for command, (source, path) in zip(commands[len(deletes) :], adds, strict=True):
            command.op = libwim.UPDATE_ADD
            command.command.add.fs_source_path = os.fsencode(source)
            command.command.add.wim_target_path = os.fsencode(path)
            command.command.add.flags = libwim.ADD_NORPFIX
        self._check(self._call("wimlib_update_image", index, commands, len(commands), 0))

    def extract_to_ntfs(
        self, index: int, volume: Path, on_progress: OnProgress | None = None
    ) -> None:
        """Extract a whole image straight into an NTFS volume in a plain file.

        Args:
            index: image index, from 1.
            volume: the volume, made by mkntfs and not mounted.
            on_progress: called with bytes done and bytes in all; what it raises stops the
                extraction and is raised here.

        Raises:
            MediaError: the WIM is damaged or incomplete.
            DiskFullError: the volume or the file system below it is full.
            BuildError: anything else.
        """
        self._on_progress = on_progress
        try:
            code = self._call(
                "wimlib_extract_image", index, os.fsencode(volume), libwim.EXTRACT_NTFS
            )
        finally:
            self._on_progress = None
        self._check(code, f"image {index} of {self.path}", volume, volume=True)

    def _call(self, name: str, *arguments: Any) -> int:
        """Call libwim in a thread, so that signals are handled here while it works."""
        self._lib.messages.clear()
        self._stop.clear()
        self._failure = None
        done = threading.Event()
        codes: list[int] = []

        def work() -> None:
            try:
                codes.append(getattr(self._lib.handle, name)(self._wim, *arguments))
            except BaseException as error:
                self._failure = error
            finally:
                done.set()

        threading.Thread(target=work, name=name, daemon=True).start()
        try:
            done.wait()
        except BaseException:
            self._stop.set()
            _wait_stubbornly(done)
            raise
        if self._failure is not None:
            raise self._failure
        return codes[0]

    def _progress(self, message: int, info: int | None, _context: object) -> int:
        try:
            if message == libwim.PROGRESS_EXTRACT_STREAMS and self._on_progress and info:
                numbers = libwim.ExtractProgress.from_address(info)
                self._on_progress(numbers.completed_bytes, numbers.total_bytes)
        except BaseException as error:
            self._failure = error
            return libwim.ABORT
        return libwim.ABORT if self._stop.is_set() else libwim.CONTINUE

    def _check(
        self, code: int, what: str = "", target: Path | None = None, *, volume: bool = False
    ) -> None:
        if code == 0:
            return
        text = self._lib.messages.text().rstrip(".!") or self._lib.error_string(code)
        log.LOGGER.debug("libwim: code %d: %s", code, text)
        if code in (WimCode.PATH_DOES_NOT_EXIST, WimCode.NOT_A_REGULAR_FILE):
            raise FileNotFoundError(f"There is no {what}.")
        raise self._error(code, text, target, volume=volume)

    def _error(self, code: int, text: str, target: Path | None, *, volume: bool) -> WinImageError:
        if code == WimCode.NOMEM:
            return HostError(
                f"There is not enough memory to work on {self.path}.",
                "End other programs, or build on a machine with more memory.",
            )
        if code == WimCode.UNSUPPORTED and volume:
            return HostError(
                "This libwim was built without NTFS support.",
                f"Install the one of your distribution: apt install {libwim.PACKAGE}",
            )
        error = media_error(code, self.path, text)
        if error is not None:
            return error
        if target is None:
            return MediaError(f"{self.path} cannot be used: {text}.")
        return write_error(text, target, free_bytes(target), volume=volume)


class WimLayer:
    """One image of a WIM as the lower layer of a staged tree.

    Args:
        wim: an open WIM; closed together with this layer.
        index: image index, from 1.
    """

    def __init__(self, wim: Wim, index: int) -> None:
        self.wim = wim
        self.index = index
        wim.iterate(index)

    def close(self) -> None:
        """Free the WIM."""
        self.wim.close()

    def children(self, folder: str) -> Sequence[LayerItem]:
        """What is in a folder; nothing when there is no such folder."""
        try:
            found = self.wim.iterate(self.index, f"/{folder}", children=True)
        except FileNotFoundError:
            return ()
        return [LayerItem(item.name, item.is_dir, item.is_link) for item in found]

    def extract(self, path: str, destination: Path) -> None:
        """Extract a file to exactly ``destination``, or a folder as ``destination``."""
        with _folder_beside(destination) as temporary:
            self.wim.extract_paths(self.index, [f"/{path}"], temporary)
            (only,) = temporary.iterdir()
            only.rename(destination)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A temporary folder on the same file system as ``path``."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".extract-") as folder:
        yield Path(folder)


def _entry(pointer: Any) -> WimItem:
    entry = pointer.contents
    after = ctypes.addressof(entry) + ctypes.sizeof(libwim.DirEntry)
    length = entry.security_descriptor_size
    streams = (libwim.StreamEntry * (entry.num_named_streams + 1)).from_address(after)
    return WimItem(
        name=(entry.filename or b"").decode(errors="surrogateescape"),
        path=(entry.full_path or b"").decode(errors="surrogateescape"),
        attributes=entry.attributes,
        size=streams[0].resource.uncompressed_size,
        descriptor=ctypes.string_at(entry.security_descriptor, length) if length else None,
        short_name=(entry.dos_name or b"").decode(errors="surrogateescape"),
        named=tuple(stream.resource.uncompressed_size for stream in streams[1:]),
        group=entry.hard_link_group_id if entry.num_links > 1 else 0,
    )


def _texts(items: Sequence[str]) -> Any:
    return (ctypes.c_char_p * len(items))(*(os.fsencode(item) for item in items))


def _wait_stubbornly(done: threading.Event) -> None:
    """Wait however often the user presses Ctrl-C: freeing a WIM in use would crash."""
    while not done.is_set():
        with suppress(BaseException):
            done.wait()
