r"""Which files of ``\Windows\Boot`` make a disk start, and where they go.

Pure decisions; :mod:`winimagetools.host.linux.boot` carries them out. The places are those
of bcdboot. Two differences: of the languages only those the boot manager can show are
taken (the store's own and en-US; bcdboot copies all 38), and no ``BOOTSTAT.DAT`` is made,
which the boot manager does without.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from winimagetools.errors import BuildError
from winimagetools.model import Architecture, DiskLayout

FALLBACK_LOCALE = "en-US"
_LOCALE = re.compile(r"[a-z]{2,3}(-[a-z0-9]+)+", re.IGNORECASE)
_UEFI_FOLDER = "EFI/Microsoft/Boot"
_BIOS_FOLDER = "Boot"
_FALLBACKS = {
    Architecture.AMD64: "bootx64.efi",
    Architecture.X86: "bootia32.efi",
    Architecture.ARM64: "bootaa64.efi",
    Architecture.ARM: "bootarm.efi",
}
"""What firmware starts from a disk it has no boot entry for (UEFI 2.10, 3.5.1.1)."""
_EX = ("EFI_EX", "Fonts_EX")
_EX_LOWER = frozenset(name.lower() for name in _EX)
_SUFFIX = "_EX"
_BEFORE_EXTENSION = re.compile(r"_EX(?=\.[^/]*$)", re.IGNORECASE)
_MANAGER = "EFI/bootmgfw.efi"
_BIOS_ROOT = {"bootmgr": "bootmgr", "bootnxt": "BOOTNXT"}


def boot_folder(layout: DiskLayout) -> str:
    """Folder of the system partition that holds the store and the fonts."""
    return _UEFI_FOLDER if layout is DiskLayout.UEFI else _BIOS_FOLDER


def source_folders(layout: DiskLayout, *, ex: bool = False) -> tuple[str, ...]:
    r"""The folders of ``\Windows\Boot`` that are needed; the boot manager is in the first.

    Args:
        layout: how firmware will start the disk.
        ex: with the boot files that are signed under the newer certificate.
    """
    if layout is DiskLayout.BIOS:
        return ("PCAT", "Fonts", "Resources")
    return ("EFI", "Fonts", "Resources", *(_EX if ex else ()))


def plan_boot_files(
    layout: DiskLayout,
    architecture: Architecture,
    files: Sequence[str],
    locale: str,
    *,
    ex: bool = False,
) -> list[tuple[str, str]]:
    r"""What is copied where.

    Args:
        layout: how firmware will start the disk.
        architecture: of the image.
        files: the files below ``\Windows\Boot``, ``/``-separated.
        locale: language of the boot messages, as in the store.
        ex: files of ``EFI_EX`` and ``Fonts_EX`` are taken for those they replace.

    Returns:
        Pairs of a file below ``\Windows\Boot`` and its path on the system partition.

    Raises:
        BuildError: the image cannot be started by such firmware.
    """
    if layout is DiskLayout.UEFI:
        plan = _plan_uefi(architecture, files, {locale.lower(), FALLBACK_LOCALE.lower()})
        return _replaced(plan, files) if ex else list(plan)
    return list(_plan_bios(architecture, files, {locale.lower(), FALLBACK_LOCALE.lower()}))


def _plan_uefi(
    architecture: Architecture, files: Sequence[str], locales: Collection[str]
) -> Iterator[tuple[str, str]]:
    if architecture not in _FALLBACKS:
        raise BuildError(
            f"UEFI firmware cannot start an image for {architecture}.",
            "Choose an image for amd64, arm64 or x86.",
        )
    manager = _find(files, _MANAGER)
    if manager is None:
        raise BuildError(
            r"This image has no \Windows\Boot\EFI\bootmgfw.efi, so UEFI firmware cannot start it.",
            "Set disk_layout to BIOS, or choose an edition that supports UEFI.",
        )
    for source, below in _wanted(files, DiskLayout.UEFI, locales):
        yield source, f"{_UEFI_FOLDER}/{below}"
    yield manager, f"EFI/Boot/{_FALLBACKS[architecture]}"


def _replaced(plan: Iterator[tuple[str, str]], files: Sequence[str]) -> list[tuple[str, str]]:
    """A plan in which every file that the newer folders have comes from there.

    Without the newer boot manager nothing is replaced: fonts alone would be of no use.
    """
    newer = {
        _plain(file).lower(): file for file in files if file.split("/")[0].lower() in _EX_LOWER
    }
    if _MANAGER.lower() not in newer:
        return list(plan)
    return [(newer.get(source.lower(), source), target) for source, target in plan]


def _plain(file: str) -> str:
    """The file that one of ``EFI_EX`` or ``Fonts_EX`` replaces: ``Fonts/wgl4_boot.ttf``."""
    folder, _, name = file.partition("/")
    return f"{folder[: -len(_SUFFIX)]}/{_BEFORE_EXTENSION.sub('', name)}"


def _plan_bios(
    architecture: Architecture, files: Sequence[str], locales: Collection[str]
) -> Iterator[tuple[str, str]]:
    if architecture not in (Architecture.AMD64, Architecture.X86):
        raise BuildError(
            f"A BIOS cannot start an image for {architecture}.", "Set disk_layout to UEFI."
        )
    if _find(files, "PCAT/bootmgr") is None:
        raise BuildError(
            r"This image has no \Windows\Boot\PCAT\bootmgr, so a BIOS cannot start it.",
            "Set disk_layout to UEFI.",
        )
    for source, below in _wanted(files, DiskLayout.BIOS, locales):
        yield source, _BIOS_ROOT.get(below.lower(), f"{_BIOS_FOLDER}/{below}")


def _wanted(
    files: Sequence[str], layout: DiskLayout, locales: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The needed files, each with its path below the boot folder of the system partition."""
    first, *others = source_folders(layout)
    for file in files:
        folder, _, name = file.partition("/")
        inner = name.split("/")[0]
        if "/" in name and _LOCALE.fullmatch(inner) and inner.lower() not in locales:
            continue
        if folder.lower() == first.lower():
            yield file, name
        elif folder.lower() in (other.lower() for other in others):
            yield file, f"{folder}/{name}"


def _find(files: Sequence[str], wanted: str) -> str | None:
    return next((file for file in files if file.lower() == wanted.lower()), None)
