"""Whether a finished image is what it should be: every check, in the order it is told.

Port of the checks of ``Test-OfflineWindowsImage``, and of what its users missed.
"""

from __future__ import annotations

from collections.abc import Callable

from winimagetools.checks import boot, container, contents, disk, drivers, windows
from winimagetools.checks.ntfs import check as ntfs
from winimagetools.checks.result import Result
from winimagetools.checks.subject import Subject

Check = Callable[[Subject], Result | None]
"""Looks at one thing; None where it does not matter for this image."""
CHECKS: tuple[Check, ...] = (
    container.check_container,
    disk.check_layout,
    disk.check_table,
    disk.check_volume,
    ntfs.check_ntfs,
    boot.check_boot_files,
    boot.check_boot_store,
    windows.check_edition,
    windows.check_hives,
    windows.check_state,
    contents.check_cloudbase_init,
    contents.check_hooks,
    contents.check_agent,
    drivers.check_number,
    drivers.check_storage,
    contents.check_leftovers,
    contents.check_passwords,
    disk.check_free_space,
    disk.check_growth,
)


def check_image(subject: Subject) -> tuple[Result, ...]:
    """Make every check that matters for an image."""
    results = (check(subject) for check in CHECKS)
    return tuple(result for result in results if result is not None)
