"""Which boot files go where, for both kinds of firmware."""

from __future__ import annotations

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux.boot_files import boot_folder, plan_boot_files, source_folders
from winimagetools.model import Architecture, DiskLayout

FILES = (
    "EFI/CIPolicies/Active/policy.cip",
    "EFI/boot.stl",
    "EFI/bootmgfw.efi",
    "EFI/bootmgr.efi",
    "EFI/de-DE/bootmgfw.efi.mui",
    "EFI/en-US/bootmgfw.efi.mui",
    "EFI/qps-ploc/memtest.efi.mui",
    "EFI/sr-Latn-RS/bootmgfw.efi.mui",
    "Fonts/wgl4_boot.ttf",
    "PCAT/bootmgr",
    "PCAT/bootnxt",
    "PCAT/bootvhd.dll",
    "PCAT/cs-CZ/bootmgr.exe.mui",
    "PCAT/en-US/bootmgr.exe.mui",
    "Resources/bootres.dll",
    "Resources/de-DE/bootres.dll.mui",
    "Resources/en-US/bootres.dll.mui",
)


def test_uefi_files_and_fallback() -> None:
    """The EFI folder, fonts and resources; the boot manager once more where firmware looks."""
    plan = plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, FILES, "en-US")
    boot = "EFI/Microsoft/Boot"
    assert plan == [
        ("EFI/CIPolicies/Active/policy.cip", f"{boot}/CIPolicies/Active/policy.cip"),
        ("EFI/boot.stl", f"{boot}/boot.stl"),
        ("EFI/bootmgfw.efi", f"{boot}/bootmgfw.efi"),
        ("EFI/bootmgr.efi", f"{boot}/bootmgr.efi"),
        ("EFI/en-US/bootmgfw.efi.mui", f"{boot}/en-US/bootmgfw.efi.mui"),
        ("Fonts/wgl4_boot.ttf", f"{boot}/Fonts/wgl4_boot.ttf"),
        ("Resources/bootres.dll", f"{boot}/Resources/bootres.dll"),
        ("Resources/en-US/bootres.dll.mui", f"{boot}/Resources/en-US/bootres.dll.mui"),
        ("EFI/bootmgfw.efi", "EFI/Boot/bootx64.efi"),
    ]


def test_bios_files() -> None:
    """The boot manager goes to the root, everything else below Boot."""
    plan = plan_boot_files(DiskLayout.BIOS, Architecture.X86, FILES, "en-US")
    assert plan == [
        ("Fonts/wgl4_boot.ttf", "Boot/Fonts/wgl4_boot.ttf"),
        ("PCAT/bootmgr", "bootmgr"),
        ("PCAT/bootnxt", "BOOTNXT"),
        ("PCAT/bootvhd.dll", "Boot/bootvhd.dll"),
        ("PCAT/en-US/bootmgr.exe.mui", "Boot/en-US/bootmgr.exe.mui"),
        ("Resources/bootres.dll", "Boot/Resources/bootres.dll"),
        ("Resources/en-US/bootres.dll.mui", "Boot/Resources/en-US/bootres.dll.mui"),
    ]


@pytest.mark.parametrize(
    ("locale", "languages"),
    [
        ("de-DE", {"de-DE", "en-US"}),
        ("DE-de", {"de-DE", "en-US"}),
        ("sr-latn-rs", {"sr-Latn-RS", "en-US"}),
        ("fr-FR", {"en-US"}),
    ],
)
def test_only_languages_that_can_be_shown(locale: str, languages: set[str]) -> None:
    """The language of the store and English; folders that are no language always come along."""
    plan = plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, FILES, locale)
    found = {source.split("/")[1] for source, _ in plan if source.endswith(".mui")}
    assert found == languages
    assert any("CIPolicies" in target for _, target in plan)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        (Architecture.AMD64, "bootx64.efi"),
        (Architecture.X86, "bootia32.efi"),
        (Architecture.ARM64, "bootaa64.efi"),
        (Architecture.ARM, "bootarm.efi"),
    ],
)
def test_fallback_is_named_after_the_architecture(architecture: Architecture, name: str) -> None:
    """Firmware of each architecture looks for another file."""
    plan = plan_boot_files(DiskLayout.UEFI, architecture, FILES, "en-US")
    assert plan[-1] == ("EFI/bootmgfw.efi", f"EFI/Boot/{name}")


def test_letter_case_of_the_image_does_not_matter() -> None:
    """Windows finds its files in any case, and so is the boot manager found here."""
    files = ["pcat/BOOTMGR", "pcat/BootNxt", "EFI/BootMgFw.efi"]
    bios = plan_boot_files(DiskLayout.BIOS, Architecture.AMD64, files, "en-US")
    uefi = plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, files, "en-US")
    assert bios == [("pcat/BOOTMGR", "bootmgr"), ("pcat/BootNxt", "BOOTNXT")]
    assert uefi[-1] == ("EFI/BootMgFw.efi", "EFI/Boot/bootx64.efi")


@pytest.mark.parametrize(
    ("layout", "architecture", "files", "message"),
    [
        (
            DiskLayout.UEFI,
            Architecture.X86,
            ["PCAT/bootmgr"],
            r"bootmgfw\.efi.*disk_layout to BIOS",
        ),
        (DiskLayout.BIOS, Architecture.AMD64, FILES[:8], r"PCAT.bootmgr.*disk_layout to UEFI"),
        (DiskLayout.BIOS, Architecture.ARM64, FILES, "BIOS cannot start an image for arm64"),
        (DiskLayout.UEFI, Architecture.IA64, FILES, "UEFI firmware cannot start .* ia64"),
    ],
)
def test_an_image_the_firmware_cannot_start_is_refused(
    layout: DiskLayout, architecture: Architecture, files: list[str], message: str
) -> None:
    """Firmware and image must fit; the message says what to set."""
    with pytest.raises(BuildError) as caught:
        plan_boot_files(layout, architecture, files, "en-US")
    assert caught.match(message)


def test_places() -> None:
    """Where the store lies, and which folders of the image are read."""
    assert boot_folder(DiskLayout.UEFI) == "EFI/Microsoft/Boot"
    assert boot_folder(DiskLayout.BIOS) == "Boot"
    assert source_folders(DiskLayout.UEFI) == ("EFI", "Fonts", "Resources")
    assert source_folders(DiskLayout.BIOS) == ("PCAT", "Fonts", "Resources")


EX_FILES = (
    *FILES,
    "EFI_EX/bootmgfw_EX.efi",
    "EFI_EX/bootmgr_EX.efi",
    "EFI_EX/en-US/bootmgfw_EX.efi.mui",
    "Fonts_EX/wgl4_boot_EX.ttf",
)


def test_the_newer_boot_files() -> None:
    """Files of the folders EX take the place of those they replace, under the usual names."""
    usual = plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, EX_FILES, "en-US")
    newer = plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, EX_FILES, "en-US", ex=True)
    assert [target for _, target in newer] == [target for _, target in usual]
    assert {old: new for (old, _), (new, _) in zip(usual, newer, strict=True) if old != new} == {
        "EFI/bootmgfw.efi": "EFI_EX/bootmgfw_EX.efi",
        "EFI/bootmgr.efi": "EFI_EX/bootmgr_EX.efi",
        "EFI/en-US/bootmgfw.efi.mui": "EFI_EX/en-US/bootmgfw_EX.efi.mui",
        "Fonts/wgl4_boot.ttf": "Fonts_EX/wgl4_boot_EX.ttf",
    }
    assert newer[-1] == ("EFI_EX/bootmgfw_EX.efi", "EFI/Boot/bootx64.efi")


def test_an_image_without_newer_boot_files() -> None:
    """It keeps the usual ones, and newer fonts alone are of no use."""
    for files in (FILES, [*FILES, "Fonts_EX/wgl4_boot_EX.ttf"]):
        plans = [
            plan_boot_files(DiskLayout.UEFI, Architecture.AMD64, files, "en-US", ex=ex)
            for ex in (False, True)
        ]
        assert plans[0] == plans[1]


def test_folders_that_are_read() -> None:
    """The newer ones only where they are wanted, and never for a BIOS."""
    assert source_folders(DiskLayout.UEFI) == ("EFI", "Fonts", "Resources")
    assert source_folders(DiskLayout.UEFI, ex=True)[3:] == ("EFI_EX", "Fonts_EX")
    assert "EFI_EX" not in source_folders(DiskLayout.BIOS, ex=True)
