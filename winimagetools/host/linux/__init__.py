"""How a Linux host does it: no root, no mount, no virtual machine for the offline part."""

from __future__ import annotations

from winimagetools.contract import Host
from winimagetools.model import DiskFormat


def linux_host() -> Host:
    """The Linux machine this runs on."""
    from winimagetools.host.linux.boot import LinuxBoot
    from winimagetools.host.linux.checks import LinuxChecks
    from winimagetools.host.linux.disks import LinuxDisks
    from winimagetools.host.linux.media import LinuxMedia
    from winimagetools.host.linux.servicing import LinuxServicing
    from winimagetools.host.linux.vm import LinuxVm
    from winimagetools.net.on_demand import FetcherOnDemand
    from winimagetools.output.image_files import ImageFiles

    return Host(
        name="Linux",
        work_format=DiskFormat.RAW,
        media=LinuxMedia(),
        disks=LinuxDisks(),
        servicing=LinuxServicing(),
        offline=None,
        boot=LinuxBoot(),
        vm=LinuxVm(),
        files=ImageFiles(),
        fetcher=FetcherOnDemand(),
        checks=LinuxChecks(),
    )
