"""The one pass: image plus overlay into an NTFS volume, then the security descriptors.

A file that libwim takes from a folder of Linux has no security descriptor and would come
out with full access for everyone. So after the extraction every file and folder of the
overlay gets the one it has to have, and so does what was put into the medium on Linux before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.files.times import set_times
from winimagetools.files.upcase import fold
from winimagetools.formats.security_descriptor import inherited_descriptor, private_descriptor
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.wimlib import Wim, WimItem
from winimagetools.host.staged_tree import Changes, StagedTree

_READ_ONLY, _HIDDEN, _SYSTEM = 0x01, 0x02, 0x04
KEPT_ATTRIBUTES = 0x2027
"""Read-only, hidden, system, archive and not-indexed: what a replaced file takes over."""
BOOT_ATTRIBUTES = {
    "BOOTMGR": _READ_ONLY | _HIDDEN | _SYSTEM,
    "BOOTNXT": _HIDDEN | _SYSTEM,
    "BOOT": _HIDDEN | _SYSTEM,
}
"""What Windows Setup gives the boot files in the root of the system volume."""


def extract_volume(disk: LinuxDisk, volume: Path) -> None:
    """Write the Windows volume of ``disk``: the image with all that was staged.

    Closes the image below ``disk.tree``; the tree is not to be used afterwards.

    Args:
        disk: after ``apply_image``.
        volume: an empty NTFS volume in a plain file, not mounted.

    Raises:
        MediaError: the image is damaged or incomplete.
        DiskFullError: the volume or the host's file system is full.
        BuildError: no image was applied, or the volume cannot be written.
    """
    if disk.source is None:
        raise BuildError(f"No image was applied to {disk.path}, so there is nothing to write.")
    changes = disk.tree.changes()
    disk.tree.detach()
    index = disk.source.index
    with log.step(f"Apply {disk.source.name}"):
        with Wim(disk.source.path) as wim:
            originals = {path: wim.iterate(index, f"/{path}")[0] for path in changes.replaced}
            bare = _without_descriptor(wim, index, changes)
            adds = _additions(disk, changes)
            if adds or changes.removed:
                wim.update(index, adds, [f"/{path}" for path in changes.removed])
            with log.Progress("Applying the image") as progress:
                wim.extract_to_ntfs(index, volume, progress.update)
        with NtfsVolume(volume) as ntfs:
            inherit = _Inheritance(ntfs)
            for path, is_dir in bare:
                ntfs.set_security(path, inherit(path, is_dir=is_dir))
            _secure(ntfs, inherit, disk.tree, changes, originals)


def _additions(disk: LinuxDisk, changes: Changes) -> list[tuple[Path, str]]:
    """What is put into the image and where: all folders at once, then file by file in order.

    Of files with the same content libwim takes the one it met first, and the order in which
    a folder of this host lists its files is a matter of its file system.
    """
    local, folders = disk.tree.local, disk.work / "folders"
    files = sorted((*changes.added, *changes.replaced))
    for path in (*changes.folders, *(file.rpartition("/")[0] for file in files)):
        (folders / path).mkdir(parents=True, exist_ok=True)
    for folder in (local, folders):
        set_times(folder, disk.stamp.time)
    if not folders.exists():
        return []
    return [(folders, "/"), *((local / path, f"/{path}") for path in files)]


def _without_descriptor(wim: Wim, index: int, changes: Changes) -> list[tuple[str, bool]]:
    """Files and folders of the image that have none and stay, parents first; and say how many."""
    gone = {fold(path) for path in (*changes.removed, *changes.replaced)}
    found = [
        (item.path.strip("/"), item.is_dir)
        for item in wim.iterate(index, recursive=True, only_bare=True)
        if item.name and not _is_within(fold(item.path.strip("/")), gone)
    ]
    if found:
        log.info(
            f"{len(found)} files and folders of the medium have no security descriptor; they get "
            "the one a new file in their folder has."
        )
    return found


def _is_within(path: str, folders: set[str]) -> bool:
    """Whether ``path`` is one of ``folders``, or below one of them."""
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts) + 1))


def _secure(
    ntfs: NtfsVolume,
    inherit: _Inheritance,
    tree: StagedTree,
    changes: Changes,
    originals: Mapping[str, WimItem],
) -> None:
    """Give everything that came from the overlay its security descriptor and attributes.

    Replaced files get what they had in the image, new ones what they inherit, and private
    paths are for SYSTEM and Administrators only.
    """
    for path in changes.folders:
        private = tree.is_private(path)
        ntfs.set_security(
            path, private_descriptor(is_dir=True) if private else inherit(path, is_dir=True)
        )
    for path in (*changes.added, *changes.replaced):
        original = originals.get(path)
        if tree.is_private(path):
            data = private_descriptor(is_dir=False)
        elif original is not None and original.descriptor is not None:
            data = original.descriptor
        else:
            data = inherit(path, is_dir=False)
        ntfs.set_security(path, data)
    _set_attributes(ntfs, changes, originals)


class _Inheritance:
    """What new files and folders inherit, read once per parent folder."""

    def __init__(self, ntfs: NtfsVolume) -> None:
        self._ntfs = ntfs
        self._found: dict[tuple[str, bool], bytes] = {}

    def __call__(self, path: str, *, is_dir: bool) -> bytes:
        parent = path.rpartition("/")[0]
        if (parent, is_dir) not in self._found:
            above = self._ntfs.security(parent)
            self._found[parent, is_dir] = inherited_descriptor(above, is_dir=is_dir)
        return self._found[parent, is_dir]


def _set_attributes(ntfs: NtfsVolume, changes: Changes, originals: Mapping[str, WimItem]) -> None:
    wanted = {path: entry.attributes & KEPT_ATTRIBUTES for path, entry in originals.items()}
    for path in (*changes.folders, *changes.added, *changes.replaced):
        if fold(path) in BOOT_ATTRIBUTES:
            wanted[path] = wanted.get(path, 0) | BOOT_ATTRIBUTES[fold(path)]
    for path, bits in wanted.items():
        if bits:
            ntfs.set_attributes(path, ntfs.attributes(path) | bits)
