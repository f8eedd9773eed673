"""Registry values written before the first start."""

from __future__ import annotations

import pytest

from winimagetools.image.servicing import first_boot_registry_edits
from winimagetools.model import WindowsVersion
from winimagetools.plan import RegistryEdit, RegistryValue


@pytest.mark.parametrize("version", ["10.0.26100", "10.0.26100.1742", "10.0.26200", "11.0"])
def test_device_encryption(version: str) -> None:
    """Windows 11 24H2, Server 2025 and later do not encrypt the disk by themselves."""
    assert first_boot_registry_edits(WindowsVersion.parse(version)) == (
        RegistryEdit(
            "SYSTEM",
            r"CurrentControlSet\Control\BitLocker",
            (RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1),),
        ),
    )


@pytest.mark.parametrize("version", ["6.1.7601", "10.0.20348", "10.0.22631.3155", "10.0.26052"])
def test_older_windows(version: str) -> None:
    """Older Windows needs nothing."""
    assert first_boot_registry_edits(WindowsVersion.parse(version)) == ()
