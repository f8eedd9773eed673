"""Whose signature a Windows boot manager carries, on which Secure Boot depends.

Firmware starts only what an authority in its ``db`` has signed and nobody in its ``dbx`` has
revoked. Microsoft signed boot managers under a certificate of 2011 and signs them under one of
2023 as well; firmware may know one of them or both, and may have revoked the older ("How to
manage the Windows Boot Manager revocations for Secure Boot changes", Microsoft, KB5025885).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

BOOT_MANAGER = r"Windows\Boot\EFI\bootmgfw.efi"
"""The boot manager that is put on a disk that starts with UEFI firmware."""
BOOT_MANAGER_EX = r"Windows\Boot\EFI_EX\bootmgfw_EX.efi"
"""The one that updates since April 2024 bring beside it, signed under the certificate of 2023;
with it go ``EFI_EX`` and ``Fonts_EX``, whose file names end in ``_EX`` before their extension
("Updating Windows bootable media to use the PCA2023 signed boot manager", Microsoft)."""


class BootAuthority(StrEnum):
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


@dataclass(frozen=True)
class BootManager:
    """What Secure Boot asks about a boot manager.

    Args:
        authority: who signed it; None for somebody else or nobody.
        security_version: such as ``7.0``, which firmware may demand a minimum of; empty where it
            has none.
    """

    authority: BootAuthority | None
    security_version: str = ""

    @property
    def signed(self) -> str:
        """Whose signature it has, for people."""
        return self.authority.value if self.authority else "nobody of Microsoft"


def boot_manager_sentence(manager: BootManager) -> str:
    """What a boot manager means for where the image starts, for people."""
    version = f" and has security version {manager.security_version}"
    having = version if manager.security_version else ""
    if manager.authority is BootAuthority.PCA_2011:
        return (
            f"The boot manager is signed under {manager.signed}{having}: with Secure Boot it does "
            "not start where the firmware has revoked that one."
        )
    if manager.authority is BootAuthority.CA_2023:
        return (
            f"The boot manager is signed under {manager.signed}{having}: with Secure Boot it does "
            "not start where the firmware does not know that one yet."
        )
    return (
        f"The boot manager carries no signature of Microsoft{having}: Secure Boot does not "
        "start it."
    )
