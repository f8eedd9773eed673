"""The workflows, each as a contents page: when what happens to an image.

``python -m winimagetools.builder New-WindowsCloudImage -ConfigFilePath config.ini`` is the
command line of :mod:`winimagetools.cli.main` under the name of the PowerShell module.

Where each function of the PowerShell tools is here (modules of ``winimagetools``); the
docstring of the port names it::

    WinImageBuilder.psm1
        Write-Log                     log
        Execute-Retry                 retry
        Is-Administrator              host.windows.checks
        Get-WimInteropObject          formats.wim.editions
        Get-WimFileImagesInfo         formats.wim.editions
        Create-ImageVirtualDisk       host.windows.disks
        Apply-Image                   host.windows.servicing
        Reset-BCDSearchOrder          host.windows.boot
        Create-BCDBootConfig          host.windows.boot
        Transform-Xml                 guest.answer_file
        Generate-UnattendXml          guest.answer_file
        Detach-VirtualDisk            host.windows.virtdisk
        Check-DismVersionForImage     host.windows.servicing
        Convert-VirtualDisk           output.convert
        Copy-CustomResources          guest.resources
        Copy-UnattendResources        guest.resources
        Validate-WindowsImageConfig   image.preflight
        Download-CloudbaseInit        guest.cloudbase_init
        Copy-QemuGuestAgentFromISO    guest.qemu_agent
        Download-QemuGuestAgent       guest.qemu_agent
        Download-ZapFree              guest.ntfszapfree
        Generate-ConfigFile           guest.resources
        Add-DriversToImage            host.windows.servicing
        Add-PackageToImage            host.windows.servicing
        Enable-FeaturesInImage        host.windows.servicing
        Add-CapabilitiesToImage       host.windows.servicing
        Check-EnablePowerShellInImage image.servicing
        Is-IsoFile                    paths
        Is-ServerInstallationType     model
        Get-VirtIODrivers             image.drivers.virtio
        Add-VirtIODrivers             image.drivers.virtio
        Add-VirtIODriversFromISO      image.drivers.virtio
        Set-DotNetCWD                 not ported: a Python process has one current folder only
        Get-PathWithoutExtension      paths
        Compress-Image                output.image_files
        Decompress-File               output.image_files
        Start-Executable              run
        Get-7zipPath                  not ported: archives are written without another program
        Get-PigzPath                  not ported: archives are written without another program
        Resize-VHDImage               host.windows.disks
        Check-Prerequisites           host.windows.vm
        Wait-ForVMShutdown            host.windows.vm
        Run-Sysprep                   host.windows.vm
        Convert-KvpData               host.windows.vm
        Get-KVPData                   host.windows.vm
        Get-ImageInformation          image.inspection
        Set-WindowsWallpaper          guest.wallpaper
        Reset-WindowsWallpaper        guest.wallpaper
        Get-TotalLogicalProcessors    host.windows.vm
        Map-KMSProductKey             facts.product_key
        Clean-WindowsUpdates          host.windows.servicing
        New-WindowsOnlineImage        workflows.build
        New-WindowsCloudImage         workflows.build
        New-WindowsFromGoldenImage    workflows.build
        Test-OfflineWindowsImage      workflows.check

    Config.psm1
        Get-AvailableConfigOptions    config
        Get-WindowsImageConfig        config
        Set-IniComment                config
        New-WindowsImageConfig        config

    UnattendResources/ini.psm1
        Get-IniFileValue              ini
        Set-IniFileValue              ini
        Remove-IniFileValue           ini
"""

from __future__ import annotations

if __name__ == "__main__":
    from winimagetools.cli.start import start

    raise SystemExit(start())

from winimagetools.config import get_windows_image_config, new_windows_image_config
from winimagetools.formats.wim.editions import get_wim_file_images_info
from winimagetools.image.drivers.virtio import add_virtio_drivers_from_iso
from winimagetools.workflows.build import (
    new_windows_cloud_image,
    new_windows_from_golden_image,
    new_windows_online_image,
    resize_vhd_image,
)
from winimagetools.workflows.check import test_offline_windows_image

__all__ = [
    "add_virtio_drivers_from_iso",
    "get_wim_file_images_info",
    "get_windows_image_config",
    "new_windows_cloud_image",
    "new_windows_from_golden_image",
    "new_windows_image_config",
    "new_windows_online_image",
    "resize_vhd_image",
    "test_offline_windows_image",
]
