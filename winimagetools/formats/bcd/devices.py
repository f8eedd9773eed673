"""Device elements of a BCD store, byte by byte.

A device element is a 16-byte GUID of additional options (none here) and a descriptor:
type, flags, size of the descriptor, padding, then what the type asks for. The numbers on
disk are those of the boot environment library, not those of the WMI provider. Layouts
were read from real stores; Microsoft's boot managers of build 19041 follow such devices.
"""

from __future__ import annotations

import struct

from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import Partition, PartitionPlan
from winimagetools.model import DiskLayout

_PARTITION = 6
_LOCATE = 8
_GPT, _MBR = 0, 1
_NO_OPTIONS = bytes(16)
_HEAD = struct.calcsize("<4I")


def partition_device(plan: PartitionPlan, partition: Partition) -> bytes:
    """A partition of a hard disk: found by GUIDs on GPT, by signature and offset on MBR.

    Raises:
        BuildError: the plan has no GUID where the layout needs one.
    """
    if plan.layout is DiskLayout.BIOS:
        where = struct.pack("<Q8x", partition.start)
        disk = struct.pack("<I12x", plan.signature)
        return _device(_PARTITION, where + struct.pack("<2I", 0, _MBR) + disk + bytes(16))
    if partition.guid is None or plan.disk_guid is None:
        raise BuildError(f"The {partition.name} partition or its GPT disk has no GUID.")
    where, disk = partition.guid.bytes_le, plan.disk_guid.bytes_le
    return _device(_PARTITION, where + struct.pack("<2I", 0, _GPT) + disk + bytes(16))


def locate_device(element: int) -> bytes:
    """Whatever volume has the file or folder that another element of the object names.

    What ``bcdedit /set ... device locate`` writes. It survives another disk signature.

    Args:
        element: id of the element with the path, such as 0x12000002 for ``path``.
    """
    by_element = 0
    return _device(_LOCATE, struct.pack("<3I", by_element, element, 0) + "\0".encode("utf-16-le"))


def _device(kind: int, content: bytes) -> bytes:
    return _NO_OPTIONS + struct.pack("<4I", kind, 0, _HEAD + len(content), 0) + content
