"""How a Windows host does it."""

from __future__ import annotations

from winimagetools.contract import Host
from winimagetools.model import DiskFormat


def windows_host() -> Host:
    """The Windows machine this runs on."""
    from winimagetools.host.windows.boot import WindowsBoot
    from winimagetools.host.windows.checks import WindowsChecks
    from winimagetools.host.windows.disks import WindowsDisks
    from winimagetools.host.windows.media import WindowsMediaReader
    from winimagetools.host.windows.powershell import PowerShell
    from winimagetools.host.windows.servicing import WindowsServicing
    from winimagetools.host.windows.vm import HyperV
    from winimagetools.net.on_demand import FetcherOnDemand
    from winimagetools.output.image_files import ImageFiles

    shell = PowerShell()
    servicing = WindowsServicing(shell)
    return Host(
        name="Windows",
        work_format=DiskFormat.VHDX,
        media=WindowsMediaReader(shell),
        disks=WindowsDisks(shell),
        servicing=servicing,
        offline=servicing,
        boot=WindowsBoot(),
        vm=HyperV(shell),
        files=ImageFiles(),
        fetcher=FetcherOnDemand(),
        checks=WindowsChecks(shell),
    )
