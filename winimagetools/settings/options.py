r"""Every option of the configuration file, declared once: :class:`WindowsImageConfig`.

The names, sections, defaults and their order are those of the PowerShell tools'
``Get-AvailableConfigOptions``, so that files made for them are read without a change and a
file made here looks familiar. The texts are our own. One default differs: ``image_path`` was
in the folder for temporary files, which on Linux belongs to everybody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from winimagetools.data import UNATTEND_TEMPLATE
from winimagetools.errors import Problem, RequestError
from winimagetools.model import GIB, AgentSource
from winimagetools.paths import is_url, is_windows_path, plain_path
from winimagetools.settings.declaration import Origin, declarations, option


@dataclass(frozen=True)
class WindowsImageConfig:
    """A configuration: one attribute per option, and where the values came from.

    An empty text means that the option is not set. Paths are as they stand in the file;
    :meth:`resolve_path` makes them absolute. Two configurations are equal when all options
    are, wherever the values came from.
    """

    wim_file_path: str = option(
        r"D:\Sources\install.wim",
        help="The Windows media: an install.wim, install.esd or first install.swm file, or the "
        "ISO image that holds one.",
    )
    image_name: str = option(
        "Windows Server 2012 R2 SERVERSTANDARD",
        help="The edition to install, named as in the media, or its index when several have one "
        "name. Get-WimFileImagesInfo (wim-info) lists both.",
    )
    image_path: str = option(
        "win-image.vhdx",
        help="Where the finished image goes, in the current folder unless it says another. An "
        "older file of this name stays until the new image is complete.",
    )
    virtual_disk_format: str = option(
        "VHDX", help="The container of the disk: VHD, VHDX, QCOW2, VMDK or RAW."
    )
    vhd_subformat: str = option(
        "dynamic",
        help="The kind of a VHD: dynamic, which grows with what is in it, or fixed, which has "
        "all of its disk in it, in whole MiB; Azure wants fixed. The PowerShell tools only made "
        "dynamic ones.",
    )
    image_type: str = option(
        "HYPER-V",
        help="The platform that will run the image: HYPER-V, KVM, VMware or MAAS. OpenStack, "
        "KubeVirt and Proxmox run KVM in most cases. KVM images need the virtio drivers, MAAS "
        "images the curtin hooks, VMware images the VMware tools.",
    )
    apply_engine: str = option(
        "auto",
        help="What writes the files of the media on Linux: libwim, which does everything, or "
        "parallel, which is faster on several processors. auto is parallel, and libwim for what "
        "it does not do. The PowerShell tools have no such option.",
    )
    disk_layout: str = option(
        "BIOS", help="The firmware that will start the disk: BIOS (MBR) or UEFI (GPT)."
    )
    product_key: str = option(
        "",
        help="The product key of the edition. default_kms_key selects Microsoft's public key "
        "for clients of a KMS server.",
        secret=True,
        guest=True,
    )
    extra_features: str = option(
        "", help="Windows features to enable, separated by commas. The media must contain them."
    )
    extra_capabilities: str = option(
        "", help="Windows capabilities to add, separated by commas. The media must contain them."
    )
    force: bool = option(
        False,
        help="Build even when run_sysprep is False or external_switch is no external switch. "
        "Such images may behave badly.",
    )
    install_maas_hooks: bool = option(
        False, help="Put MAAS's curtin hooks for Windows into the root folder of the image."
    )
    compression_format: str = option(
        "",
        help="How to pack the finished image: tar, gz or zip, or several joined with a dot such "
        "as tar.gz. Empty leaves it as it is.",
    )
    zip_password: str = option(
        "",
        help="The password of the zip archive. Used when compression_format contains zip, and "
        "for a golden image in a zip.",
        secret=True,
    )
    gold_image: bool = option(
        False,
        help="Stop when Windows is installed and updated, before Cloudbase-Init and sysprep. "
        "The result is a base for New-WindowsFromGoldenImage (golden-image).",
        guest=True,
    )
    gold_image_path: str = option(
        "",
        help="The golden image to start from, in any container, also wrapped as tar, gz or zip. It "
        "is never changed.",
    )
    vmware_tools_path: str = option(
        "", help="The installer of the VMware tools to run in the image.", guest=True
    )
    install_net_3_5: bool = option(
        False,
        help="Install .NET Framework 3.5 before the updates. Meant for Windows Server 2012 R2.",
        guest=True,
    )
    custom_resources_path: str = option(
        "",
        help="A folder, or several separated by commas, to copy to "
        r"UnattendResources\CustomResources in the image for your own scripts.",
    )
    custom_scripts_path: str = option(
        "",
        help="A folder, or several separated by commas, with PowerShell scripts to run in the "
        "image while it is made. A script runs at the moment its name says: "
        "RunBeforeWindowsUpdates.ps1, RunAfterWindowsUpdates.ps1, "
        "RunBeforeCloudbaseInitInstall.ps1, RunAfterCloudbaseInitInstall.ps1, "
        "RunBeforeSysprep.ps1 or RunAfterSysprep.ps1. None of them has to exist.",
    )
    enable_administrator_account: bool = option(
        False,
        help="Enable the Administrator account on client editions, where it is off by default.",
        guest=True,
    )
    shrink_image_to_minimum_size: bool = option(
        True,
        help="Make the Windows partition and the disk as small as their content allows once the "
        "image has been finished in a virtual machine.",
    )
    enable_custom_wallpaper: bool = option(
        True, help="Set the wallpaper that wallpaper_path or wallpaper_solid_color describe."
    )
    wallpaper_path: str = option(
        "", help="A .jpg or .jpeg picture to use instead of the one that comes with these tools."
    )
    wallpaper_solid_color: str = option(
        "",
        help="A plain colour instead of a picture: red, green and blue from 0 to 255, such as "
        "0 0 0 for black. Not together with wallpaper_path.",
    )
    disable_first_logon_animation: bool = option(
        False, help="Do not play the animation of the first logon on client editions.", guest=True
    )
    compress_qcow2: bool = option(
        False,
        help="Compress inside a QCOW2 image. The file gets smaller, writing it takes longer.",
    )
    zero_unused_volume_sectors: bool = option(
        False,
        help="Overwrite unused space with zeros in the last clean-up, so that the converted or "
        "compressed image is smaller.",
    )
    extra_packages: str = option(
        "", help="Packages (.msu or .cab files) to add to the image, separated by commas."
    )
    extra_packages_ignore_errors: bool = option(
        False, help="Go on when one of extra_packages cannot be installed."
    )
    enable_shutdown_without_logon: bool = option(
        False, help="Offer shutting down on the logon screen.", guest=True
    )
    enable_ping_requests: bool = option(
        False, help="Let the firewall answer IPv4 and IPv6 ping requests.", guest=True
    )
    enable_ipv6_eui64: bool = option(
        False,
        help="Derive IPv6 addresses from the MAC address and switch privacy extensions off, as "
        "OpenStack and CloudStack expect.",
        guest=True,
    )
    enable_active_mode: bool = option(
        False,
        help="Choose the high performance power plan and keep Windows from sleeping.",
        guest=True,
    )

    administrator_password: str = option(
        "Pa$$w0rd",
        "vm",
        help="The Administrator password while the image is made, used to log on by itself. It "
        "is not the password of the machines that start from the image.",
        secret=True,
    )
    external_switch: str = option(
        "external",
        "vm",
        help="The Hyper-V switch of the virtual machine that finishes the image. It has to be "
        "external. On Linux a network bridge, none for no network, and QEMU's own network when it "
        "is empty or the default.",
    )
    cpu_count: int = option(1, "vm", help="Processors of that virtual machine.")
    ram_size: int = option(
        2 * GIB,
        "vm",
        help="Memory of that virtual machine, in bytes or with a unit such as 4GB.",
        size=True,
    )
    disk_size: int = option(
        40 * GIB,
        "vm",
        help="Size of the disk, in bytes or with a unit such as 40GB. A GB is 1024 x 1024 x 1024 "
        "bytes.",
        size=True,
    )
    disable_secure_boot: bool = option(
        False, "vm", help="Start that virtual machine without Secure Boot when disk_layout is UEFI."
    )
    boot_authority: str = option(
        "auto",
        "vm",
        help="Whose signature the boot manager has, for Secure Boot: 2011, 2023 (where the medium "
        "has such a one), or auto, which is 2023 from build 26200 on where there is one, else what "
        "Windows itself would take. The PowerShell tools have no such option.",
    )
    accel: str = option(
        "auto",
        "vm",
        help="What runs that virtual machine on Linux: auto or kvm for KVM, tcg for software, "
        "which takes ten to twenty times as long. The PowerShell tools have no such option.",
    )
    silent_minutes: int = option(
        60,
        "vm",
        help="Minutes without anything new from that virtual machine after which it is given up. "
        "The PowerShell tools wait for ever.",
    )
    vm_minutes: int = option(
        1440,
        "vm",
        help="Minutes after which that virtual machine is given up whatever it reports. The "
        "PowerShell tools wait for ever.",
    )
    discard_failed: bool = option(
        False,
        "vm",
        help="Keep nothing when that virtual machine fails. Otherwise a folder beside image_path "
        "holds its disk, pictures and logs. The PowerShell tools keep nothing.",
    )
    vnc_socket: str = option(
        "",
        "vm",
        help="A socket to be made on Linux, at which a VNC viewer shows that virtual machine. The "
        "PowerShell tools have no such option.",
    )

    virtio_iso_path: str = option(
        "", "drivers", help="The virtio-win ISO image to take drivers from."
    )
    virtio_base_path: str = option(
        "", "drivers", help="A folder with the content of the virtio-win ISO image."
    )
    drivers_path: str = option(
        "", "drivers", help="A folder with further drivers (.inf files, in subfolders too)."
    )

    install_qemu_ga: str = option(
        "False",
        "custom",
        help="Install the QEMU guest agent: False, True, or the URL of its MSI file. The "
        "section virtio_qemu_guest_agent says where True takes it from. The agent needs the "
        "virtio drivers.",
        guest=True,
    )
    time_zone: str = option(
        "",
        "custom",
        help="The time zone by its Windows name, such as W. Europe Standard Time, or by its IANA "
        "name, such as Europe/Berlin.",
        guest=True,
    )
    ntp_servers: str = option("", "custom", help="Time servers, separated by spaces.", guest=True)

    source: str = option(
        AgentSource.WEB.value,
        "virtio_qemu_guest_agent",
        help="Where the QEMU guest agent comes from: web downloads it, iso takes it from "
        "virtio_iso_path, auto tries the ISO image first and then the web.",
    )
    url: str = option(
        "",
        "virtio_qemu_guest_agent",
        help="The MSI file of the QEMU guest agent to download, whatever source says. It needs "
        "checksum.",
    )
    checksum: str = option(
        "", "virtio_qemu_guest_agent", help="The SHA-256 checksum of the file at url."
    )

    install_updates: bool = option(
        False, "updates", help="Download and install the current Windows updates.", guest=True
    )
    purge_updates: bool = option(
        False,
        "updates",
        help="Remove superseded components for good. Saves space in WinSxS; installed updates "
        "can no longer be removed.",
        guest=True,
    )
    clean_updates_offline: bool = option(
        False,
        "updates",
        help="Clean the component store up before the first start. Useful after extra_packages "
        "or extra_capabilities.",
    )
    clean_updates_online: bool = option(
        True,
        "updates",
        help="Clean the component store up while Windows runs, after the updates.",
        guest=True,
    )

    run_sysprep: bool = option(
        True,
        "sysprep",
        help="Start the image once in a virtual machine, to finish the installation and "
        "generalize it. New-WindowsCloudImage (cloud-image) leaves that to its first start.",
    )
    unattend_xml_path: str = option(
        UNATTEND_TEMPLATE,
        "sysprep",
        help="Your own template of the answer file. UnattendTemplate.xml is the one that comes "
        "with these tools, unless a file of this name exists.",
    )
    disable_swap: bool = option(
        False,
        "sysprep",
        help="Make the image without a page file and switch it on in the first boot. The page "
        "file grows with the memory and might not fit before the disk has been enlarged.",
        guest=True,
    )
    persist_drivers_install: bool = option(
        True,
        "sysprep",
        help="Keep the installed drivers when generalizing. Set it to False when the image will "
        "run on other hardware than it is made on.",
        guest=True,
    )

    beta_release: bool = option(
        False,
        "cloudbase_init",
        help="Download the beta instead of the stable release of Cloudbase-Init.",
    )
    serial_logging_port: str = option(
        "COM1",
        "cloudbase_init",
        help="The serial port Cloudbase-Init logs to. Empty takes the first one there is while "
        "the image is made.",
        guest=True,
    )
    msi_path: str = option(
        "", "cloudbase_init", help="The Cloudbase-Init MSI file to install instead of a download."
    )
    cloudbase_init_config_path: str = option(
        "", "cloudbase_init", help="Your own cloudbase-init.conf."
    )
    cloudbase_init_unattended_config_path: str = option(
        "", "cloudbase_init", help="Your own cloudbase-init-unattend.conf."
    )
    cloudbase_init_use_local_system: bool = option(
        False,
        "cloudbase_init",
        help="Run Cloudbase-Init as Local System instead of an administrator of its own.",
        guest=True,
    )
    cloudbase_init_delayed_start: bool = option(
        False,
        "cloudbase_init",
        help="Start the Cloudbase-Init service some time after Windows instead of with it.",
        guest=True,
    )

    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def problem(self, name: str, message: str, hint: str = "") -> Problem:
        """A problem with an option, with its section and line filled in.

        Args:
            name: the option; :exc:`KeyError` when there is none of this name.
            message: what is wrong, as a whole sentence.
            hint: what to do about it.
        """
        return Problem(message, hint, SECTION_OF[name], name, self.origin.line(name))

    def resolve_path(self, value: str, *, to_be_made: bool = False) -> Path:
        r"""The absolute path of a value of this configuration.

        A relative path is looked for in the current folder, then beside the configuration
        file; when it is in neither, it means the current folder. ``.\Scripts`` is understood
        on Linux too; a path with a drive letter stays as it is, for there is none. ``~`` and
        quotes mean what they mean in a shell.

        Args:
            value: of the option.
            to_be_made: it will be written, so that what exists already must not decide where:
                it means the current folder.

        Raises:
            RequestError: the value is a URL.
            ValueError: the value is empty, so the option is not set.
        """
        if not value:
            raise ValueError("an option that is not set has no path")
        value = plain_path(value)
        if is_url(value):
            raise RequestError(
                f"{value} is a URL; media and other files are not downloaded.",
                "Write the path without file://."
                if value.lower().startswith("file:")
                else "Download the file first, and give its path.",
            )
        path = Path(value)
        if os.sep == "/" and "\\" in value and not is_windows_path(value) and not path.exists():
            path = Path(PureWindowsPath(value).as_posix())
        here = Path.cwd() / path
        if path.is_absolute() or to_be_made or here.exists() or self.origin.path is None:
            return here
        beside = self.origin.path.parent / path
        return beside if beside.exists() else here


OPTIONS = declarations(WindowsImageConfig)
"""All options in the order of the file."""
SECTION_OF = {declared.name: declared.section for declared in OPTIONS}
SECTIONS = tuple(dict.fromkeys(SECTION_OF.values()))
