"""Registry values an image needs before it starts for the first time, whatever it is for."""

from __future__ import annotations

from winimagetools.host.base import RegistryEdit, RegistryValue
from winimagetools.model import WindowsVersion

_ENCRYPTS_ITSELF = WindowsVersion(10, 0, 26100)


def first_boot_registry_edits(version: WindowsVersion) -> tuple[RegistryEdit, ...]:
    """The edits for a Windows version; none for most.

    Windows 11 24H2 and Server 2025 (build 26100) turn on device encryption by themselves at
    the first start, and sysprep then refuses to generalize. ``PreventDeviceEncryption`` is
    Microsoft's documented way to prevent that ("BitLocker overview: device encryption").
    """
    if version < _ENCRYPTS_ITSELF:
        return ()
    value = RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1)
    return (RegistryEdit("SYSTEM", r"CurrentControlSet\Control\BitLocker", (value,)),)
