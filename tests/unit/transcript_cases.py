"""The builds whose transcripts are golden files.

Not every combination: each workflow meets both firmwares, all platforms, every way to pack
and each of the larger options at least once, and every platform meets both firmwares.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.checks.subjects import signed_driver, storage
from tests.unit.dry_build import (
    SERVER_2008_R2_CORE,
    SERVER_2012_R2,
    SERVER_2022,
    SERVER_2025,
    Case,
)
from winimagetools.image.request import Workflow
from winimagetools.model import DiskFormat
from winimagetools.plan import InstalledDriver

Options = dict[str, str | bool | int]
EVERYTHING: Options = {
    "extra_features": "Hyper-V,TelnetClient",
    "extra_capabilities": "OpenSSH.Server~~~~0.0.1.0,App.Support~~~~0.0.1.0",
    "extra_packages": "first.msu,second.cab",
    "extra_packages_ignore_errors": True,
    "product_key": "default_kms_key",
    "custom_resources_path": "resources",
    "custom_scripts_path": "scripts",
    "zero_unused_volume_sectors": True,
    "virtio_iso_path": "virtio.iso",
    "virtio_base_path": "virtio",
    "drivers_path": "drivers",
    "install_qemu_ga": "True",
    "source": "iso",
    "install_updates": True,
    "purge_updates": True,
    "clean_updates_offline": True,
    "cloudbase_init_config_path": "cloudbase-init.conf",
    "cloudbase_init_unattended_config_path": "cloudbase-init-unattend.conf",
    "msi_path": "agent.msi",
}
KVM: Options = {"image_type": "KVM", "virtio_iso_path": "virtio.iso", "install_qemu_ga": "True"}
MAAS: Options = {"image_type": "MAAS", "install_maas_hooks": True}
VMWARE: Options = {"image_type": "VMware", "vmware_tools_path": "vmware-tools.exe"}
UEFI: Options = {"disk_layout": "UEFI"}
CLOUDBASE = r"Program Files\Cloudbase Solutions\Cloudbase-Init\Python\python.exe"
FINISHED: Mapping[str, bytes] = {CLOUDBASE: b"", r"curtin\finalize": b""}
VIRTIO = InstalledDriver("oem1.inf", "Red Hat, Inc.")
VENDOR = InstalledDriver("oem2.inf", "A vendor")


def _medium(image_path: str, *options: Options, image_name: str = SERVER_2012_R2) -> Options:
    joined: Options = {
        "wim_file_path": "install.wim",
        "image_name": image_name,
        "image_path": image_path,
    }
    for more in options:
        joined |= more
    return joined


def _cloud(image_path: str, *options: Options, image_name: str = SERVER_2012_R2) -> Case:
    return Case(Workflow.CLOUD, _medium(image_path, *options, image_name=image_name))


def _online(image_path: str, *options: Options, image_name: str = SERVER_2012_R2) -> Case:
    return Case(Workflow.ONLINE, _medium(image_path, *options, image_name=image_name))


def _golden(image_path: str, *options: Options, golden: str = "gold.vhdx") -> Case:
    joined: Options = {
        "gold_image_path": golden,
        "image_name": SERVER_2012_R2,
        "image_path": image_path,
    }
    for more in options:
        joined |= more
    return Case(Workflow.GOLDEN, joined)


def _test(image_path: str, *options: Options, installed: tuple[InstalledDriver, ...] = ()) -> Case:
    joined: Options = {"image_path": image_path}
    for more in options:
        joined |= more
    files = {**FINISHED, **storage(binary=signed_driver("0.1.189", "2k12R2"))}
    return Case(Workflow.TEST, joined, files=files, installed=installed)


CASES: Mapping[str, Case] = {
    "cloud-bios-hyperv": _cloud("win.vhdx"),
    "cloud-bios-everything": _cloud(
        "win.raw", {"virtual_disk_format": "RAW", "image_type": "KVM"}, EVERYTHING
    ),
    "cloud-bios-vhd-2008r2-core": _cloud(
        "win.vhd", {"virtual_disk_format": "VHD"}, image_name=SERVER_2008_R2_CORE
    ),
    "cloud-bios-vmware-zip": _cloud(
        "win.vmdk.zip",
        {"virtual_disk_format": "VMDK", "compression_format": "zip", "zip_password": "Sesame"},
        VMWARE,
    ),
    "cloud-uefi-hyperv-2025": _cloud(
        "win.vhdx", UEFI, {"virtual_disk_format": "VHDX"}, image_name=SERVER_2025
    ),
    "cloud-uefi-kvm-compressed": _cloud(
        "win.qcow2",
        UEFI,
        KVM,
        {"virtual_disk_format": "QCOW2", "compress_qcow2": True, "source": "auto"},
        image_name=SERVER_2022,
    ),
    "cloud-uefi-kvm-default-format": _cloud("win.vhdx", UEFI, KVM, {"virtual_disk_format": "VHDX"}),
    "cloud-uefi-maas-targz": _cloud(
        "win.raw.tar.gz",
        UEFI,
        MAAS,
        {"virtual_disk_format": "RAW", "compression_format": "tar.gz"},
        image_name=SERVER_2022,
    ),
    "cloud-uefi-kvm-on-linux": Case(
        Workflow.CLOUD,
        _medium("win.qcow2", UEFI, KVM, {"virtual_disk_format": "QCOW2"}),
        work_format=DiskFormat.RAW,
        offline=False,
    ),
    "cloud-bios-raw-on-linux": Case(
        Workflow.CLOUD,
        _medium("win.raw", {"virtual_disk_format": "RAW"}),
        work_format=DiskFormat.RAW,
        offline=False,
    ),
    "cloud-bios-everything-on-linux": Case(
        Workflow.CLOUD,
        _medium("win.raw", {"virtual_disk_format": "RAW", "image_type": "KVM"}, EVERYTHING),
        work_format=DiskFormat.RAW,
        offline=False,
    ),
    "cloud-bios-2008r2-core-on-linux": Case(
        Workflow.CLOUD,
        _medium(
            "win.qcow2",
            KVM,
            {"virtual_disk_format": "QCOW2", "compress_qcow2": True, "source": "auto"},
            image_name=SERVER_2008_R2_CORE,
        ),
        work_format=DiskFormat.RAW,
        offline=False,
    ),
    "online-bios-hyperv": _online("win.vhdx"),
    "online-bios-everything": _online("win.qcow2", KVM, EVERYTHING),
    "online-bios-maas-without-sysprep": _online(
        "win.raw.gz", MAAS, {"run_sysprep": False, "force": True, "compression_format": "gz"}
    ),
    "online-bios-gold": _online(
        "new-gold.vhdx",
        {"gold_image": True, "install_updates": True, "enable_custom_wallpaper": False},
    ),
    "online-uefi-hyperv-vhd": _online("win.vhd", UEFI, {"virtual_disk_format": "VHD"}),
    "online-uefi-kvm-default-format": _online(
        "win.qcow2",
        UEFI,
        KVM,
        {"virtual_disk_format": "VHDX", "compress_qcow2": True, "cpu_count": 4},
        {"ram_size": "4GB", "disk_size": "30GB", "disable_secure_boot": True},
    ),
    "online-uefi-maas-targz-updates": _online(
        "win.raw.tar.gz",
        UEFI,
        MAAS,
        {"compression_format": "tar.gz", "install_updates": True, "clean_updates_offline": True},
    ),
    "online-uefi-vmware-not-shrunk": _online(
        "win.vmdk", UEFI, VMWARE, {"shrink_image_to_minimum_size": False}
    ),
    "golden-bios-hyperv": _golden("win.vhdx", {"enable_custom_wallpaper": False}),
    "golden-bios-everything": _golden(
        "win.qcow2", KVM, EVERYTHING, {"wallpaper_solid_color": "0 0 0"}
    ),
    "golden-bios-vhd-vmware-zip": _golden(
        "win.vmdk.zip",
        VMWARE,
        {"compression_format": "zip", "zip_password": "Sesame"},
        golden="gold.vhd",
    ),
    "golden-uefi-hyperv-without-sysprep": _golden(
        "win.vhdx", UEFI, {"run_sysprep": False, "force": True, "disk_size": "60GB"}
    ),
    "golden-uefi-maas-targz": _golden(
        "win.raw.tar.gz", UEFI, MAAS, {"compression_format": "tar.gz"}
    ),
    "golden-uefi-kvm-not-shrunk": _golden(
        "win.qcow2", UEFI, KVM, {"shrink_image_to_minimum_size": False, "compress_qcow2": True}
    ),
    "test-hyperv": _test("finished.vhdx"),
    "test-hyperv-vhd-drivers": _test(
        "finished.vhd", {"drivers_path": "drivers"}, installed=(VENDOR,)
    ),
    "test-kvm-virtio": _test("finished.qcow2", KVM, installed=(VIRTIO,) * 10),
    "test-maas-targz": _test("finished.raw.tar.gz", UEFI, MAAS, {"compression_format": "tar.gz"}),
    "test-vmware-zip": _test(
        "finished.vmdk.zip", VMWARE, {"compression_format": "zip", "zip_password": "Sesame"}
    ),
}
