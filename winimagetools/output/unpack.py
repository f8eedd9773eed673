"""Unwrap a disk, or the beginning of one, in one pass over the file it is wrapped in.

Layers are stacked like those of :mod:`winimagetools.output.pack`: each reads what the one
around it gives, and the innermost goes straight into a file with holes.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from winimagetools import log
from winimagetools.errors import DiskFullError, MediaError, RequestError
from winimagetools.files import sparse
from winimagetools.files.space import free_bytes
from winimagetools.output.pack import new_file

_DESCRIBING = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
"""Members of a tar that tell something of the next one; the reader keeps them in memory."""
_LARGEST_DESCRIPTION = 1 << 20
_WITHOUT_HOLES = (".qcow2", ".vhdx", ".vmdk")
"""Containers that store no empty parts, so they take the room their size tells."""


class _Member(tarfile.TarInfo):
    """A member whose header is read; refuses one that would fill the memory."""

    # The entry point that tarfile leaves to subclasses: every header goes through it. Since the
    # security updates of Python of 2026 none goes through frombuf() any more.
    def _proc_member(self, archive: tarfile.TarFile) -> Self:
        if self.type in _DESCRIBING and self.size > _LARGEST_DESCRIPTION:
            raise tarfile.ReadError(f"the name of a file in it has {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


@dataclass(frozen=True)
class _Layer:
    """One wrapping that is open.

    Args:
        content: what is in it.
        size: bytes of that; None where the format does not tell.
        seekable: whether going back in it costs nothing.
        finish: reads the rest, which holds check sums and must hold no other file.
    """

    content: IO[bytes]
    size: int | None
    seekable: bool
    finish: Callable[[], object]


def passes(formats: Sequence[str]) -> list[list[str]]:
    """Cut a chain into runs that can each be read in one pass, in the order of reading.

    A zip is read from the directory at its end, so it needs a file one can go back in: one
    on the disk, or one in a plain tar that is. Inside a gz or another zip it has to become a
    file first, and a run of its own begins with it.

    Args:
        formats: innermost first; so are the runs.
    """
    runs: list[list[str]] = []
    seekable = True
    for kind in reversed(formats):
        if not runs or (kind == "zip" and not seekable):
            runs.append([])
            seekable = True
        runs[-1].insert(0, kind)
        seekable = seekable and kind == "tar"
    return runs


def unpack(
    source: Path,
    folder: Path,
    formats: Sequence[str],
    password: str,
    on_progress: Callable[[int], None],
) -> Path:
    """Unwrap layers that can be read in one pass into ``folder``; the archive stays.

    Args:
        source: an archive whose name ends in ``formats``; ``.tgz`` stands for ``.tar.gz``.
        folder: where the result goes.
        formats: one run of :func:`passes`.
        password: of a zip archive.
        on_progress: gets the bytes of ``source`` read so far.

    Returns:
        The file, named like the archive without those suffixes.

    Raises:
        RequestError: the name does not end so, or there is such a file already.
        MediaError: the archive is damaged, holds several files, or the password is wrong.
        DiskFullError: there is less room than the archive says its file takes.
    """
    target = folder / _inner_name(source, formats)
    with source.open("rb") as file, _readable(source), ExitStack() as opened:
        layers = [_Layer(file, source.stat().st_size, True, lambda: None)]
        for kind in reversed(formats):
            layers.append(_open_layer(opened, layers[-1], kind, source, password))
        _check_room(source, target, layers[-1].size)
        with new_file(target) as output:
            written = sparse.SparseWriter(output)
            while data := layers[-1].content.read(sparse.CHUNK):
                written.write(data)
                on_progress(file.tell())
            for layer in reversed(layers):
                layer.finish()
            written.close()
    return target


def _inner_name(source: Path, formats: Sequence[str]) -> str:
    wrapping = "".join(f".{kind}" for kind in formats)
    name = source.name
    if name.lower().endswith(".tgz"):
        name = f"{name[:-4]}.tar.gz"
    if not name.lower().endswith(wrapping):
        raise RequestError(
            f"The name of {source} does not end in {wrapping}.",
            "Let compression_format say how the image is compressed.",
        )
    return name[: -len(wrapping)]


def _open_layer(opened: ExitStack, outer: _Layer, kind: str, source: Path, password: str) -> _Layer:
    if kind == "gz":
        content = cast(IO[bytes], opened.enter_context(gzip.GzipFile(fileobj=outer.content)))
        return _Layer(content, None, False, lambda: _drain(content))
    if kind == "zip":
        return _open_zip(opened, outer, source, password)
    return _open_tar(opened, outer, source)


def _open_tar(opened: ExitStack, outer: _Layer, source: Path) -> _Layer:
    """A tar in something that can only be read forwards tells at its end what else is in it."""
    archive = tarfile.open(  # noqa: SIM115 - the caller closes it
        fileobj=outer.content,
        mode="r:" if outer.seekable else "r|",
        bufsize=sparse.CHUNK,
        tarinfo=_Member,
    )
    files = _files(opened.enter_context(archive))
    found = list(files) if outer.seekable else [item for item in (next(files, None),) if item]
    _check_count(len(found), source)
    content = cast(IO[bytes], archive.extractfile(found[0]))

    def finish() -> None:
        _check_count(1 + sum(1 for _ in files), source)

    return _Layer(content, found[0].size, outer.seekable, finish)


def _files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (item := archive.next()) is not None:
        if item.isfile():
            yield item


def _open_zip(opened: ExitStack, outer: _Layer, source: Path, password: str) -> _Layer:
    from pyzipper import AESZipFile

    archive = opened.enter_context(AESZipFile(outer.content))
    members = [item for item in archive.infolist() if not item.is_dir()]
    _check_count(len(members), source)
    (member,) = members
    if member.is_encrypted and member.wz_aes_version is None:
        log.warning(f"{source} is encrypted in the old way: unwrapping takes very long.")
    content = opened.enter_context(archive.open(member, pwd=password.encode() or None))
    return _Layer(content, member.file_size, False, lambda: _drain(content))


def _drain(content: IO[bytes]) -> None:
    """Read to the end, where the check sum is compared."""
    while content.read(sparse.CHUNK):
        pass


def _check_count(count: int, source: Path) -> None:
    if count != 1:
        raise MediaError(
            f"{source} holds {count} files instead of one disk image.",
            "Give an archive as this project makes it.",
        )


def _check_room(source: Path, target: Path, size: int | None) -> None:
    """Say what room the disk takes; refuse where it is certain that there is too little.

    Holes take none, so of a disk that may have some its size is only the most it can take.
    Of gz alone nothing is known: it keeps the size modulo 4 GiB (RFC 1952).
    """
    free, folder = free_bytes(target.parent), target.parent
    left = f"{log.size(free)} are free in {folder}"
    if size is None:
        log.info(f"How large {target.name} gets, gz does not tell; {left}.")
        return
    log.info(f"{target.name} takes up to {log.size(size)}; {left}.")
    if size <= free:
        return
    if target.suffix.lower() in _WITHOUT_HOLES:
        raise DiskFullError(
            f"What is in {source} takes {log.size(size)}, and only {left}.",
            "Free some space there, or move the image to another file system.",
        )
    log.warning(f"{target.name} fits only if enough of it is empty: of {log.size(size)}, {left}.")


def _damaged() -> tuple[type[Exception], ...]:
    """What the readers raise; that of zip takes long to import, and hardly anything is a zip."""
    from pyzipper import BadZipFile

    own = (EOFError, struct.error, IndexError)
    return (*own, zlib.error, lzma.LZMAError, tarfile.TarError, BadZipFile, gzip.BadGzipFile)


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Turn what the readers raise about a damaged or locked archive into MediaError."""
    try:
        yield
    except _damaged() as error:
        raise _damage(source, error) from error
    except OSError as error:
        # Readers raise it without a number; a damaged zip lets them seek to where nothing is.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damage(source, error) from error
    except NotImplementedError as error:
        raise MediaError(
            f"{source} is packed in a way that is not read: {error}.",
            f"Unwrap it first: 7z x {source.name}",
        ) from error
    except RuntimeError as error:
        raise MediaError(
            f"{source} cannot be opened: the password is wrong or missing, or its kind of "
            "encryption is not known.",
            "Set zip_password to the password it was made with.",
        ) from error


def _damage(source: Path, error: Exception) -> MediaError:
    return MediaError(
        f"{source} is damaged or of another kind: {error}.",
        "Copy or download it again, and compare its checksum.",
    )


def beginning(path: Path, formats: Sequence[str], count: int) -> bytes:
    """The first bytes of what is inside, without unpacking the rest.

    Args:
        path: the wrapped file.
        formats: what it is wrapped in, innermost first: ``tar`` and ``gz``.
        count: how many bytes.

    Returns:
        Fewer where there are no more; none of another wrapping, and of one that
        cannot be read.
    """
    if not set(formats) <= {"tar", "gz"}:
        return b""
    try:
        with path.open("rb") as file, ExitStack() as opened:
            layer = _Layer(file, None, False, lambda: None)
            for kind in reversed(formats):
                layer = _open_layer(opened, layer, kind, path, "")
            return layer.content.read(count)
    except (OSError, MediaError):
        return b""
    except _damaged():
        return b""
