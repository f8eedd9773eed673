"""Which engine writes a Windows volume: the parallel one where it can, else libwim."""

from __future__ import annotations

from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, DiskFullError, Interrupted, WinImageError
from winimagetools.files.space import is_disk_full
from winimagetools.files.times import set_times
from winimagetools.host.linux.apply.blobs import Unsupported
from winimagetools.host.linux.apply.calls import LayoutError
from winimagetools.host.linux.apply.parallel import Job, Laid, apply_parallel
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.output.foretold import Foretell


def write_inside(
    disk: LinuxDisk, target: Path, start: int, size: int, foretell: Foretell | None = None
) -> Laid | None:
    """Write the Windows volume of ``disk`` into a range of a file, with several processes.

    Whatever this engine meets that it does not do, or that goes wrong, is for
    :func:`~winimagetools.host.linux.apply.with_libwim.extract_volume`, which tells the user of
    damage as usual. Afterwards the tree of ``disk`` is not to be used; unless that is called.

    Args:
        disk: after ``apply_image``.
        target: the file.
        start: where the volume begins in it and on the disk; a hole in the file.
        size: bytes of the volume.
        foretell: computes the checksum of what the file will become, meanwhile.

    Returns:
        What was written; None when nothing was: the log says why, and the file is spoiled.

    Raises:
        BuildError: no image was applied.
        DiskFullError, OSError: no room in the host's file system.
    """
    if disk.source is None:
        raise BuildError(f"No image was applied to {disk.path}, so there is nothing to write.")
    try:
        with log.step(f"Apply {disk.source.name}"):
            changes = disk.tree.changes()
            set_times(disk.tree.local, disk.stamp.time)
            source, stamp = disk.source, disk.stamp
            job = Job(source, disk.tree, changes, target, start, size, stamp, foretell)
            laid = apply_parallel(job)
    except (Interrupted, DiskFullError):
        raise
    except Unsupported as error:
        log.info(f"libwim applies the image: {error}.")
        return None
    except (LayoutError, WinImageError, OSError) as error:
        if isinstance(error, OSError) and is_disk_full(error):
            raise
        said = error.message if isinstance(error, WinImageError) else str(error)
        log.info(f"libwim applies the image; the parallel engine failed: {said.rstrip('.')}.")
        return None
    disk.tree.detach()
    log.info("libntfs-3g laid the volume out, and several processes filled it.")
    if laid.bare:
        log.info(
            f"{laid.bare} files and folders of the medium have no security descriptor; they get "
            "the one a new file in their folder has."
        )
    return laid
