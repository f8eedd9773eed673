"""Installation media and driver ISOs on a Windows host: attached by Windows itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from winimagetools.contract import InstallMedia
from winimagetools.errors import BuildError, MediaError
from winimagetools.files.identity import Watch
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
    """An opened medium: a WIM with a path Windows knows.

    Args:
        path: the WIM.
        watch: knows whether it changed; None for one that Windows lets nobody write to.
    """

    path: Path
    watch: Watch | None = None

    def wim_file(self, work: Path) -> Path:
        """The WIM; inside an ISO it is a file of the attached volume."""
        return self.path

    def read_file(self, image: WimImage, path: str) -> bytes:
        """Never: DISM takes no single file out of a WIM."""
        raise FileNotFoundError(path)

    def copied_bytes(self) -> int:
        """0: Windows attaches ISOs."""
        return 0

    def check_unchanged(self) -> None:
        """Raise MediaError when the WIM is not what it was when it was opened."""
        if self.watch is not None:
            self.watch.check()

    @cached_property
    def info(self) -> WimInfo:
        """What it holds. Raises MediaError, also for a WIM that DISM cannot read."""
        info = read_wim(self.path)
        if info.header.pipable:
            raise MediaError(
                f"{info.source} is a pipable WIM, which DISM cannot read.",
                "Make a normal one of it: wimlib-imagex optimize --not-pipable",
            )
        return info

    @property
    def images(self) -> Sequence[WimImage]:
        """The editions in it."""
        return self.info.images

    @property
    def others(self) -> Sequence[OtherImage]:
        """The images that hold something else."""
        return self.info.others


class AttachedIso:
    """An ISO this program reads itself, with folders for the programs of Windows.

    Args:
        tree: reads the ISO.
        attach: attaches it and returns its root; called when a folder is asked for, once.
    """

    def __init__(self, tree: SourceTree, attach: Callable[[], Path]) -> None:
        self.name = tree.name
        self.files = tree.files
        self.find = tree.find
        self.size = tree.size
        self.read_bytes = tree.read_bytes
        self.copy_out = tree.copy_out
        self._root = cache(attach)

    def local_folder(self, path: str) -> Path | None:
        """The folder on the drive the ISO is attached as."""
        return iso.FolderTree(self._root()).local_folder(path)


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
            with Watch([path] if path.is_file() else []) as watch:
                yield WindowsMedia(path, watch)
            return
        with self._attached(path) as root:
            tree = iso.FolderTree(root)
            yield WindowsMedia(root / find_install_file(tree))

    @contextmanager
    def open_source(self, path: Path) -> Iterator[SourceTree]:
        """A folder, or an ISO that is attached when a program of Windows needs its folders."""
        with ExitStack() as stack:
            tree = stack.enter_context(iso.open_source(path))
            yield (
                AttachedIso(tree, lambda: self._attach_copy(path, stack)) if is_iso(path) else tree
            )

    def _attach_copy(self, path: Path, stack: ExitStack) -> Path:
        """Attach a private copy, which can be detached whatever Windows does with the original."""
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="winimagetools-"))
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        return stack.enter_context(self._attached(copy))

    @contextmanager
    def _attached(self, path: Path) -> Iterator[Path]:
        with virtdisk.attached(virtdisk.open_disk(path, self._load())) as device:
            physical = device.physical_path()
            letter = execute_retry(
                lambda: self._shell.invoke(scripts.ISO_LETTER, device=physical), retry_on=BuildError
            )
            yield Path(f"{letter}:\\")
