"""Where our own files lie in an image, and how downloaded ones begin."""

from __future__ import annotations

RESOURCES = "UnattendResources"
"""Folder in the root of the Windows volume; removed by the guest at its end."""
UNATTEND = "Unattend.xml"
"""Answer file in the root of the Windows volume, where the PowerShell tools put it."""
MSI_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Compound File Binary header ([MS-CFB] 2.2), the container of every MSI."""
