"""The INF files of a folder or ISO, listed once and read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from winimagetools.errors import MediaError
from winimagetools.formats.inf.driver import DriverInf
from winimagetools.formats.inf.syntax import MAX_SIZE, decode
from winimagetools.formats.inf.target import Target
from winimagetools.plan import DriverPackage, SourceTree

_NO_DRIVER = "autorun.inf"
_SYMBOLS = ".pdb"
"""Debugging symbols are the larger half of a virtio ISO and never needed."""
_STORAGE_WORDS = re.compile(
    r"SCSIAdapter|Class\s*=\s*\"?hdc|4d36e97b-e325|4d36e96a-e325|SCSI miniport|viostor|vioscsi",
    re.IGNORECASE,
)
"""What the INF of a storage driver has somewhere, however damaged the rest of it is."""


def folder_of(path: str) -> str:
    """The folder a file is in; empty for the root."""
    return path.rpartition("/")[0]


def file_name(path: str) -> str:
    """The last part of a ``/``-separated path."""
    return path.rpartition("/")[2]


@dataclass(frozen=True)
class FoundPackage:
    """An INF that fits, with what was read of it.

    Args:
        inf: what it says.
        package: its files that are there.
        missing: files it names that are not there, and without which Windows refuses it.
        absent: further files it names that are not there.
    """

    inf: DriverInf
    package: DriverPackage
    missing: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass
class DriverIndex:
    """All INF files of a source and the files beside them.

    Args:
        source: a folder or ISO; its files are listed once.
    """

    source: SourceTree
    infs: tuple[str, ...] = ()
    _folders: dict[str, list[str]] = field(default_factory=dict)
    _read: dict[str, DriverInf] = field(default_factory=dict)
    _failed: dict[str, MediaError] = field(default_factory=dict)
    _suspects: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """List the source."""
        for path in self.source.files():
            self._folders.setdefault(folder_of(path).casefold(), []).append(path)
        everything = (path for paths in self._folders.values() for path in paths)
        self.infs = tuple(sorted(path for path in everything if _is_driver_inf(path)))

    def infs_below(self, folders: Iterable[str] | None) -> tuple[str, ...]:
        """The INF files in ``folders`` and what is below them; all of them for None."""
        if folders is None:
            return self.infs
        prefixes = tuple(f"{item.strip('/').casefold()}/" if item else "" for item in folders)
        return tuple(path for path in self.infs if path.casefold().startswith(prefixes))

    def read(self, path: str) -> DriverInf:
        """An INF; each is read once. Raises MediaError when it cannot be used."""
        if path in self._failed:
            raise self._failed[path]
        if path not in self._read:
            try:
                self._read[path] = self._parse(path)
            except MediaError as error:
                self._failed[path] = error
                raise
        return self._read[path]

    def _parse(self, path: str) -> DriverInf:
        name = f"{path} in {self.source.name}"
        data = b""
        try:
            size = self.source.size(path)
            if size > MAX_SIZE:
                raise MediaError(f"{name} has {size} bytes; that is too large for an INF file.")
            data = self.source.read_bytes(path)
            return DriverInf.read(data, name)
        except MediaError:
            if not data or _STORAGE_WORDS.search(f"{path}\n{decode(data)}"):
                self._suspects.add(path)
            raise

    def may_be_storage(self, path: str) -> bool:
        """Whether an INF that could not be read may be that of a driver for disks."""
        return path in self._suspects

    def find_beside(self, inf: str, relative: str) -> str | None:
        """A file of a package as the source spells it.

        A compressed one (``viostor.sy_``) counts, as for Windows.
        """
        folder = folder_of(inf)
        path = f"{folder}/{relative}" if folder else relative
        for candidate in (path, f"{path[:-1]}_"):
            for known in self._folders.get(folder_of(candidate).casefold(), ()):
                if known.casefold() == candidate.casefold():
                    return known
        return None

    def package(self, path: str, target: Target) -> FoundPackage | None:
        """The package of an INF, or None when it is not for ``target``.

        It has the files the INF names and, when it is alone in its folder, everything else
        there but debugging symbols: some INF files do not name all that their driver needs.

        Raises:
            MediaError: the INF cannot be used.
        """
        inf = self.read(path)
        if not inf.supports(target):
            return None
        named = {name: self.find_beside(path, name) for name in inf.source_files(target)}
        files = dict.fromkeys([path, *(found for found in named.values() if found)])
        beside = self._folders[folder_of(path).casefold()]
        if sum(_is_driver_inf(item) for item in beside) == 1:
            files.update(dict.fromkeys(item for item in beside if not _is_symbols(item)))
        required = set(inf.required_files(target))
        missing = [name for name, found in named.items() if found is None]
        package = DriverPackage(
            inf=path,
            name=file_name(path)[: -len(".inf")].casefold(),
            version=inf.version,
            files=tuple(sorted(files)),
            devices=_devices(inf, target),
        )
        return FoundPackage(
            inf,
            package,
            missing=tuple(name for name in missing if name in required),
            absent=tuple(name for name in missing if name not in required),
        )


def _devices(inf: DriverInf, target: Target) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for model in inf.models(target):
        if model.install_section and model.hardware_id:
            found.update(dict.fromkeys((model.hardware_id, *model.compatible_ids)))
    return tuple(found)


def _is_driver_inf(path: str) -> bool:
    name = file_name(path).casefold()
    return name.endswith(".inf") and name != _NO_DRIVER


def _is_symbols(path: str) -> bool:
    return path.casefold().endswith(_SYMBOLS)


def describe_folder(folder: str) -> str:
    """A folder for messages."""
    return folder or "the root folder"


def join_names(names: Sequence[str], limit: int = 8) -> str:
    """Names for a message, not more than ``limit`` of them."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
