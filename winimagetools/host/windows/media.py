"""Installation media and driver ISOs on a Windows host: attached by Windows itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from winimagetools.contract import InstallMedia
from winimagetools.errors import BuildError
from winimagetools.formats import iso
from winimagetools.formats.wim.editions import WimInfo, find_install_file, locate_media, read_wim
from winimagetools.host.windows import scripts, virtdisk
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import OtherImage, WimImage
from winimagetools.paths import is_iso
from winimagetools.plan import SourceTree
from winimagetools.retry import execute_retry


@dataclass(frozen=True)
class WindowsMedia:
    """An opened medium: a WIM with a path Windows knows."""

    path: Path

    def wim_file(self, work: Path) -> Path:
        """The WIM; inside an ISO it is a file of the attached volume."""
        return self.path

    def copied_bytes(self) -> int:
        """0: Windows attaches ISOs."""
        return 0

    @cached_property
    def info(self) -> WimInfo:
        """What it holds."""
        return read_wim(self.path)

    @property
    def images(self) -> Sequence[WimImage]:
        """The editions in it."""
        return self.info.images

    @property
    def others(self) -> Sequence[OtherImage]:
        """The images that hold something else."""
        return self.info.others


class WindowsMediaReader:
    """Implements :class:`winimagetools.contract.Media`.

    Args:
        shell: runs PowerShell.
        load: gives ``virtdisk.dll``.
    """

    def __init__(self, shell: PowerShell, load: Callable[[], Any] = virtdisk.load_library) -> None:
        self._shell = shell
        self._load = load

    def locate(self, text: str, resolve: Callable[[str], Path]) -> Path:
        return locate_media(text, resolve)

    @contextmanager
    def open_install(self, path: Path) -> Iterator[InstallMedia]:
        if not is_iso(path):
            yield WindowsMedia(path)
            return
        with self._attached(path) as root:
            tree = iso.FolderTree(root)
            yield WindowsMedia(root / find_install_file(tree))

    def read_source(self, path: Path) -> AbstractContextManager[SourceTree]:
        return iso.open_source(path)

    @contextmanager
    def open_source(self, path: Path) -> Iterator[SourceTree]:
        """A folder as it is; an ISO attached as a private copy, so that it can be detached
        whatever else Windows does with the original.
        """
        if not is_iso(path):
            yield iso.FolderTree(path)
            return
        with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            with self._attached(copy) as root:
                yield iso.FolderTree(root)

    @contextmanager
    def _attached(self, path: Path) -> Iterator[Path]:
        with virtdisk.attached(virtdisk.open_disk(path, self._load())) as device:
            physical = device.physical_path()
            letter = execute_retry(
                lambda: self._shell.invoke(scripts.ISO_LETTER, device=physical), retry_on=BuildError
            )
            yield Path(f"{letter}:\\")
