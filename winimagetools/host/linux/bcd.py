r"""The boot configuration store (BCD): what bcdboot would write, made without it.

A store is data first: objects with elements, :func:`bcd_store`. :func:`write_bcd` puts
them into a fresh hive. The whole set of objects is written, not only the two that are
needed to start, so that bcdedit, reagentc and Windows Update find what they expect.

Differences from bcdboot, on purpose: the menu waits 5 seconds instead of 30, and boot
failures are ignored, because nobody sits in front of a virtual machine to answer; objects
that Windows adds by itself ({fwbootmgr}, {ntldr}) are left out; there is no second store
for ``\EFI\Microsoft\Recovery``, which no boot manager reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from winimagetools.errors import MediaError
from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.elements import BcdObject, element_key, store_edits
from winimagetools.formats.bcd.store import locate_edits
from winimagetools.formats.regf import empty_hive
from winimagetools.host.linux.hive_edit import Hive, apply_edits


def write_bcd(path: Path, objects: Sequence[BcdObject]) -> None:
    """Make a new store at ``path``; one that was there is replaced.

    Raises:
        ToolMissingError: libhivex is not installed.
        BuildError: the store could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(empty_hive())
    apply_edits(path, store_edits(objects))


def use_locate_devices(path: Path, name: str = "") -> bool:
    """Change an existing store so that it survives another disk signature.

    Args:
        path: the store.
        name: what to call it in messages; its path when empty.

    Returns:
        Whether anything had to be changed.

    Raises:
        MediaError: the store is dirty, damaged, or has no default entry.
        BuildError, ToolMissingError: see ``apply_edits``.
    """
    name = name or str(path)
    return apply_edits(path, locate_edits(_default_entry(path, name)), name)


def _default_entry(path: Path, name: str) -> UUID:
    with Hive(path, name=name) as store:
        value = store.get(element_key(el.BOOTMGR, el.DEFAULT_OBJECT), "Element")
    try:
        return UUID(str(value and value.data))
    except ValueError:
        raise MediaError(
            f"The boot configuration {name} has no default entry.",
            "Repair it in that Windows with bcdboot.",
        ) from None
