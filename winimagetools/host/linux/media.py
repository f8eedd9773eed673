"""Installation media on Linux: no mount, no root.

libwim works on files, so a WIM inside an ISO is copied out before it is applied: once, into
the work folder of the build, at the speed of the disk (a copy of 4 to 6 GB for current
Windows). On XFS and Btrfs it shares its blocks with the ISO when it happens to begin at a
multiple of their block size. Choosing an edition needs no copy.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

from winimagetools import log
from winimagetools.errors import DiskFullError, MediaError
from winimagetools.files.space import free_bytes
from winimagetools.formats.iso import MediaTree, is_iso_file, open_source
from winimagetools.formats.wim.container import part_names
from winimagetools.formats.wim.editions import WimInfo, find_install_file, locate_media, read_wim
from winimagetools.model import OtherImage, WimImage
from winimagetools.paths import is_iso
from winimagetools.plan import SourceTree


class LinuxMedia:
    """Opens ISOs, folders, WIMs, ESDs and split WIMs; implements ``contract.Media``."""

    def locate(self, text: str, resolve: Callable[[str], Path]) -> Path:
        """Find the installation medium a configuration names. Raises MediaError."""
        return locate_media(text, resolve)

    @contextmanager
    def open_install(self, path: Path, work: Path) -> Iterator[LinuxInstallMedia]:
        """Open a WIM, ESD, first SWM part, or the one inside an ISO.

        Args:
            path: the medium.
            work: a folder where a WIM may be put that has to be copied out of an ISO.

        Raises:
            MediaError: it cannot be used.
        """
        media = LinuxInstallMedia(path, work)
        try:
            yield media
        except MediaError as error:
            if media.copied is None:
                raise
            # The copy is gone when this is read; name what it was copied from.
            message = error.message.replace(str(media.copied), media.info.source)
            raise MediaError(message, error.hint) from error
        finally:
            media.close()

    def read_source(self, path: Path) -> AbstractContextManager[SourceTree]:
        """Open an ISO or a folder to read files from. Raises MediaError."""
        return open_source(path)

    def open_source(self, path: Path) -> AbstractContextManager[SourceTree]:
        """Open an ISO or a folder to read files from. Raises MediaError."""
        return open_source(path)


class LinuxInstallMedia:
    """An opened installation medium.

    Args:
        medium: a WIM, ESD, first SWM part or ISO.
        work: a folder for the copy of what is inside an ISO.

    Raises:
        MediaError: it cannot be used.
    """

    def __init__(self, medium: Path, work: Path) -> None:
        self._medium = medium
        self._work = work
        self._copies: Path | None = None
        self.copied: Path | None = None
        self.info: WimInfo = read_wim(medium)

    @property
    def images(self) -> Sequence[WimImage]:
        """The Windows editions it holds."""
        return self.info.images

    @property
    def others(self) -> Sequence[OtherImage]:
        """The images that hold something else."""
        return self.info.others

    @cached_property
    def path(self) -> Path:
        """The WIM as a file; asking for it copies it out of the ISO.

        Raises:
            DiskFullError: no room for the copy.
            MediaError: the ISO cannot be read to the end.
        """
        if not (is_iso(self._medium) or is_iso_file(self._medium)):
            return self._medium
        self._copies = Path(tempfile.mkdtemp(prefix="media-", dir=self._work))
        with open_source(self._medium) as tree:
            self.copied = _copy_out(tree, self.info.header.parts, self._copies)
        return self.copied

    def close(self) -> None:
        """Remove what was copied out of the ISO."""
        if self._copies is not None:
            shutil.rmtree(self._copies, ignore_errors=True)


def _copy_out(tree: MediaTree, parts: int, folder: Path) -> Path:
    first = find_install_file(tree)
    names = part_names(PurePosixPath(first).name, parts)
    sources = [str(PurePosixPath(first).with_name(name)) for name in names]
    total = sum(tree.size(source) for source in sources)
    free = free_bytes(folder)
    if free < total:
        raise DiskFullError(
            f"{names[0]} has to be copied out of {tree.name}, which needs {log.size(total)}, but "
            f"{folder.parent} has only {log.size(free)} left.",
            "Free some space, or give the WIM itself instead of the ISO.",
        )
    with (
        log.step(f"Copy {names[0]} out of {tree.name}"),
        log.Progress(f"Copying {names[0]}", total) as progress,
    ):
        before = 0
        for name, source in zip(names, sources, strict=True):
            tree.copy_out(source, folder / name, _offset(progress, before))
            before += tree.size(source)
    return folder / names[0]


def _offset(progress: log.Progress, before: int) -> Callable[[int], None]:
    return lambda done: progress.update(before + done)
