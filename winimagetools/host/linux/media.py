"""Installation media on Linux: no mount, no root.

libwim works on files. A WIM inside an ISO is shown to it as a file that is a range of the ISO,
see :mod:`winimagetools.host.linux.slices`; where this machine cannot do that, the WIM is copied
out, once, into the work folder of the build: 4 to 6 GB for current Windows. On XFS and Btrfs
the copy shares its blocks with the ISO when it happens to begin at a multiple of their block
size. Choosing an edition needs neither.

A medium is looked at when the edition is chosen and read when the image is written. It is held
open and compared meanwhile: if it is another one by then, the build stops.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory

from winimagetools import log
from winimagetools.errors import DiskFullError, HostError, MediaError
from winimagetools.files.identity import Watch
from winimagetools.files.space import free_bytes
from winimagetools.formats.iso import IsoTree, is_iso_file, open_source
from winimagetools.formats.wim.container import find_beside, part_names
from winimagetools.formats.wim.editions import (
    WimInfo,
    find_install_file,
    locate_media,
    read_wim,
    read_wim_in,
)
from winimagetools.host.linux.slices import FuseSlices, Slice, Slices
from winimagetools.host.linux.wimlib import Wim, WimLayer
from winimagetools.model import OtherImage, WimImage
from winimagetools.paths import is_iso
from winimagetools.plan import SourceTree


class LinuxMedia:
    """Opens ISOs, folders, WIMs, ESDs and split WIMs; implements ``contract.Media``.

    Args:
        slices: shows ranges of an ISO as files.
    """

    def __init__(self, slices: Slices | None = None) -> None:
        self._slices = slices or FuseSlices()

    def locate(self, text: str, resolve: Callable[[str], Path]) -> Path:
        """Find the installation medium a configuration names. Raises MediaError."""
        return locate_media(text, resolve)

    @contextmanager
    def open_install(self, path: Path) -> Iterator[LinuxInstallMedia]:
        """Open a WIM, ESD, first SWM part, or the one inside an ISO.

        Raises:
            MediaError: it cannot be used.
        """
        with ExitStack() as stack:
            media = LinuxInstallMedia(path, stack, self._slices)
            try:
                yield media
            except MediaError as error:
                media.check_unchanged()
                if media.taken_out is None:
                    raise
                # That file is gone when this is read; name what it was taken from.
                message = error.message.replace(str(media.taken_out), media.info.source)
                raise MediaError(message, error.hint) from error

    def open_source(self, path: Path) -> AbstractContextManager[SourceTree]:
        """Open an ISO or a folder to read files from. Raises MediaError."""
        return open_source(path)


class LinuxInstallMedia:
    """An opened installation medium.

    Args:
        medium: a WIM, ESD, first SWM part or ISO.
        stack: gets what has to be undone when the medium is closed.
        slices: shows ranges of an ISO as files.

    Raises:
        MediaError: it cannot be used.
    """

    def __init__(self, medium: Path, stack: ExitStack, slices: Slices) -> None:
        self._medium = medium
        self._stack = stack
        self._slices = slices
        self._iso: IsoTree | None = None
        self.taken_out: Path | None = None
        """The file that stands for the WIM inside an ISO, once it was asked for."""
        self.inside: tuple[Path, int] | None = None
        """The ISO and where the WIM begins in it, while it is used as it lies: who reads a WIM
        by himself saves the way through FUSE, which takes half as long as unpacking it."""
        self._watch = stack.enter_context(Watch([medium] if medium.is_file() else []))
        if is_iso(medium) or is_iso_file(medium):
            self._iso = stack.enter_context(IsoTree(medium))
            self.info: WimInfo = read_wim_in(self._iso)
        else:
            self.info = read_wim(medium)
            for name in part_names(medium.name, self.info.header.parts)[1:]:
                if part := find_beside(medium, name):
                    self._watch.add(part)
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Compare the medium with what it was, until its WIM was copied out of it.

        Raises:
            MediaError: it was replaced or written to.
        """
        self._watch.check()

    @property
    def images(self) -> Sequence[WimImage]:
        """The Windows editions it holds."""
        return self.info.images

    @property
    def others(self) -> Sequence[OtherImage]:
        """The images that hold something else."""
        return self.info.others

    def copied_bytes(self) -> int:
        """How much :meth:`wim_file` would copy; 0 where the WIM is used as it lies."""
        if self._iso is None:
            return 0
        names = _part_paths(self._iso, self.info)
        if not _obstacle(self._slices, self._iso, names):
            return 0
        return sum(self._iso.size(name) for name in names)

    def read_file(self, image: WimImage, path: str) -> bytes:
        """Content of a file of an edition, when no WIM has to be copied for it.

        Raises:
            FileNotFoundError: there is none, or the WIM would have to be copied.
            MediaError: the WIM is damaged, or the medium changed.
        """
        if self.copied_bytes():
            raise FileNotFoundError(path)
        work = Path(self._stack.enter_context(TemporaryDirectory(prefix="winimagetools-")))
        name, copy = PureWindowsPath(path.lstrip("\\")).as_posix(), work / "file"
        with Wim(self.wim_file(work)) as wim:
            wim.iterate(image.index, f"/{name}")
            WimLayer(wim, image.index).extract(name, copy)
        return copy.read_bytes()

    def wim_file(self, work: Path) -> Path:
        """The WIM as a file, until the medium is closed.

        Args:
            work: a folder that is not removed before the medium is closed.

        Raises:
            DiskFullError: no room for a copy.
            MediaError: the ISO cannot be read to the end, or the medium changed.
        """
        self.check_unchanged()
        if self._iso is None:
            return self._medium
        if self.taken_out is None:
            folder = Path(tempfile.mkdtemp(prefix="media-", dir=work))
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            names = _part_paths(self._iso, self.info)
            self._take_out(self._iso, names, folder)
            self.taken_out = folder / PurePosixPath(names[0]).name
        return self.taken_out

    def _take_out(self, iso: IsoTree, names: Sequence[str], folder: Path) -> None:
        obstacle = _obstacle(self._slices, iso, names)
        if not obstacle:
            pieces = [_slice(iso, name, folder) for name in names]
            try:
                self._stack.enter_context(self._slices.show(self._medium, pieces))
                self.check_unchanged()
                self.inside = (self._medium, pieces[0].offset) if len(pieces) == 1 else None
                return
            except HostError as error:
                obstacle = str(error)
        _copy_out(iso, names, folder, obstacle)
        self.check_unchanged()
        self._watch.close()


def _part_paths(iso: IsoTree, info: WimInfo) -> list[str]:
    """Where the WIM, or every part of a split one, is in the ISO."""
    first = find_install_file(iso)
    names = part_names(PurePosixPath(first).name, info.header.parts)
    return [str(PurePosixPath(first).with_name(name)) for name in names]


def _obstacle(slices: Slices, iso: IsoTree, names: Sequence[str]) -> str:
    """Why a WIM has to be copied out of an ISO, as a sentence; empty when it has not."""
    for name in names:
        extents = iso.extents(name)
        if len(extents) != 1 or extents[0].offset is None:
            return f"{name} lies in {len(extents)} pieces."
    return slices.obstacle()


def _slice(iso: IsoTree, name: str, folder: Path) -> Slice:
    (extent,) = iso.extents(name)
    return Slice(extent.offset or 0, extent.length, folder / PurePosixPath(name).name)


def _copy_out(iso: IsoTree, names: Sequence[str], folder: Path, reason: str) -> None:
    first = PurePosixPath(names[0]).name
    total = sum(iso.size(name) for name in names)
    free = free_bytes(folder)
    log.info(f"{first} is copied out of the ISO ({log.size(total)}): {reason}")
    if free < total:
        raise DiskFullError(
            f"{first} has to be copied out of {iso.name}, which needs {log.size(total)}, but "
            f"{folder.parent} has only {log.size(free)} left.",
            "Free some space, or give the WIM itself instead of the ISO.",
        )
    with (
        log.step(f"Copy {first} out of {iso.name}"),
        log.Progress(f"Copying {first}", total) as progress,
    ):
        before = 0
        for name in names:
            iso.copy_out(name, folder / PurePosixPath(name).name, _offset(progress, before))
            before += iso.size(name)


def _offset(progress: log.Progress, before: int) -> Callable[[int], None]:
    return lambda done: progress.update(before + done)
