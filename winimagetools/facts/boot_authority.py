"""Whose signature a Windows boot manager carries, on which Secure Boot depends.

Firmware starts only what an authority in its ``db`` has signed and nobody in its ``dbx`` has
revoked. Microsoft signed boot managers under a certificate of 2011 and signs them under one of
2023 as well; firmware may know one of them or both, and may have revoked the older ("How to
manage the Windows Boot Manager revocations for Secure Boot changes", Microsoft, KB5025885).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

BOOT_MANAGER = r"Windows\Boot\EFI\bootmgfw.efi"
"""The boot manager that is put on a disk that starts with UEFI firmware."""


class BootAuthority(Enum):
    """The certificates of Microsoft, by the common name each has."""

    PCA_2011 = "Microsoft Windows Production PCA 2011"
    CA_2023 = "Windows UEFI CA 2023"


def boot_authority(certificates: Iterable[bytes]) -> BootAuthority | None:
    """The authority that a boot manager was signed under; None for another one or none.

    Args:
        certificates: the PKCS #7 messages of the file, which name the authority as it is written
            there: in ASCII or in UTF-16.
    """
    messages = tuple(certificates)
    for authority in (BootAuthority.CA_2023, BootAuthority.PCA_2011):
        names = (authority.value.encode("ascii"), authority.value.encode("utf-16-be"))
        if any(name in message for message in messages for name in names):
            return authority
    return None


def authority_sentence(authority: BootAuthority | None) -> str:
    """What an authority means for where the image starts, for people."""
    if authority is BootAuthority.PCA_2011:
        return (
            f"The boot manager is signed under {authority.value}: with Secure Boot it does not "
            "start where the firmware has revoked that one."
        )
    if authority is BootAuthority.CA_2023:
        return (
            f"The boot manager is signed under {authority.value}: with Secure Boot it does not "
            "start where the firmware does not know that one yet."
        )
    return "The boot manager carries no signature of Microsoft: Secure Boot does not start it."
