"""Everything that is written into SYSTEM for a storage driver, compared in full."""

from __future__ import annotations

import datetime
import struct

import pytest

from fixtures.virtio import build_for
from fixtures.virtio_inf import DRIVERS, inf_text
from winimagetools.errors import MediaError
from winimagetools.formats.inf.driver import DriverInf, Model
from winimagetools.formats.inf.target import SERVER, Target
from winimagetools.image.drivers.boot_start import (
    DeviceId,
    boot_edits,
    boot_services,
    device_ids,
    package_version,
)
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import RegistryEdit, RegistryValue

W7 = Target(Architecture.X86, WindowsVersion(6, 1, 7601))
W8 = Target(Architecture.AMD64, WindowsVersion(6, 2))
W10 = Target(Architecture.AMD64, WindowsVersion(10, 0, 19045))
S2025 = Target(Architecture.AMD64, WindowsVersion(10, 0, 26100), SERVER)
Data = str | int | bytes | tuple[str, ...]
Plain = dict[str, dict[str, tuple[str, Data]]]
HARDWARE = ("REG_BINARY", b"\x01\xff\x00\x00")
COMPATIBLE = ("REG_BINARY", b"\x02\xff\x00\x00")


def driver(name: str, windows: str, architecture: str, release: str = "0.1.285") -> DriverInf:
    """A driver of the stand-in ISO."""
    text = inf_text(DRIVERS[name], build_for(release, name, windows, architecture))
    return DriverInf.read(text.encode(), f"{name}.inf")


def edits(inf: DriverInf, target: Target) -> tuple[RegistryEdit, ...]:
    """The edits for the only boot service of a driver."""
    (service,) = boot_services(inf, target)
    return boot_edits(inf, service, target)


def plain(found: tuple[RegistryEdit, ...]) -> Plain:
    """Edits as ``{key: {name: (kind, data)}}``; a key twice would be lost, so it is refused."""
    assert {edit.hive for edit in found} == {"SYSTEM"}
    keys = [edit.key for edit in found]
    assert len(keys) == len(set(keys))
    return {
        edit.key: {value.name: (value.kind, value.data) for value in edit.values} for edit in found
    }


def service_keys(name: str, bus_type: int) -> Plain:
    """What is below ``Services`` on every Windows."""
    return {
        rf"CurrentControlSet\Services\{name}": {
            "Type": ("REG_DWORD", 1),
            "Start": ("REG_DWORD", 0),
            "Group": ("REG_SZ", "SCSI miniport"),
            "ErrorControl": ("REG_DWORD", 1),
            "ImagePath": ("REG_EXPAND_SZ", rf"system32\drivers\{name}.sys"),
        },
        rf"CurrentControlSet\Services\{name}\Parameters\PnpInterface": {"5": ("REG_DWORD", 1)},
        rf"CurrentControlSet\Services\{name}\Parameters": {"BusType": ("REG_DWORD", bus_type)},
    }


@pytest.mark.parametrize(
    ("name", "bus_type", "ids"),
    [
        (
            "viostor",
            1,
            [
                "PCI#VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
                "PCI#VEN_1AF4&DEV_1001",
                "PCI#VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01",
                "PCI#VEN_1AF4&DEV_1042",
                "PCI#VEN_1AF4&DEV_1001&REV_00",
                "PCI#VEN_1AF4&DEV_1042&REV_01",
            ],
        ),
        (
            "vioscsi",
            10,
            [
                "PCI#VEN_1AF4&DEV_1004&SUBSYS_00081AF4&REV_00",
                "PCI#VEN_1AF4&DEV_1048&SUBSYS_11001AF4&REV_01",
                "PCI#VEN_1AF4&DEV_1004&REV_00",
                "PCI#VEN_1AF4&DEV_1004",
                "PCI#VEN_1AF4&DEV_1048&REV_01",
                "PCI#VEN_1AF4&DEV_1048",
            ],
        ),
    ],
)
def test_windows_7(name: str, bus_type: int, ids: list[str]) -> None:
    """Before Windows 8: the service and CriticalDeviceDatabase, also for the ids the INF lost."""
    device = {
        "Service": ("REG_SZ", name),
        "ClassGUID": ("REG_SZ", "{4D36E97B-E325-11CE-BFC1-08002BE10318}"),
    }
    database = r"CurrentControlSet\Control\CriticalDeviceDatabase"
    expected: Plain = service_keys(name, bus_type)
    expected |= {f"{database}\\{text}": dict(device) for text in ids}
    assert plain(edits(driver(name, "w7", "x86"), W7)) == expected


@pytest.mark.parametrize(
    ("name", "bus_type", "old", "new"),
    [("viostor", 1, ("1001", "0002"), "1042"), ("vioscsi", 10, ("1004", "0008"), "1048")],
)
@pytest.mark.parametrize(("target", "windows"), [(W10, "w10"), (S2025, "2k25")])
def test_windows_10_and_2025(
    name: str, bus_type: int, old: tuple[str, str], new: str, target: Target, windows: str
) -> None:
    """From Windows 8 on: the service and a package of our own in DriverDatabase."""
    inf = f"winimagetools_{name}.inf"
    label = f"{inf}_amd64_0000000000000000"
    conf = f"{name}_conf"
    legacy, modern = f"PCI\\VEN_1AF4&DEV_{old[0]}", f"PCI\\VEN_1AF4&DEV_{new}"
    ids = {
        f"{legacy}&SUBSYS_{old[1]}1AF4&REV_00": HARDWARE,
        legacy: COMPATIBLE,
        f"{modern}&SUBSYS_11001AF4&REV_01": HARDWARE,
        modern: COMPATIBLE,
        f"{legacy}&REV_00": HARDWARE,
        f"{modern}&REV_01": HARDWARE,
    }
    version = bytes.fromhex(
        "00ff090000000000"  # third party
        "7be9364d25e3ce11bfc108002be10318"  # {4d36e97b-e325-11ce-bfc1-08002be10318}
        "00801b5cd31adc01"  # 2025-09-01
        "546f680065006400"  # 28500, 104, 101, 100
        "0000000000000000"
    )
    package = rf"DriverDatabase\DriverPackages\{label}"
    expected: Plain = service_keys(name, bus_type)
    parameters = rf"CurrentControlSet\Services\{name}\Parameters"
    expected[parameters]["DmaRemappingCompatible"] = ("REG_DWORD", 0)
    expected |= {
        rf"DriverDatabase\DriverInfFiles\{inf}": {
            "": ("REG_MULTI_SZ", (label,)),
            "Active": ("REG_SZ", label),
            "Configurations": ("REG_MULTI_SZ", (conf,)),
        },
        package: {"Version": ("REG_BINARY", version)},
        rf"{package}\Configurations\{conf}": {
            "ConfigFlags": ("REG_DWORD", 0),
            "Service": ("REG_SZ", name),
        },
    }
    expected |= {rf"DriverDatabase\DeviceIds\{text}": {inf: kind} for text, kind in ids.items()}
    descriptor = {"Configuration": ("REG_SZ", conf)}
    expected |= {rf"{package}\Descriptors\{text}": dict(descriptor) for text in ids}
    assert plain(edits(driver(name, windows, "amd64"), target)) == expected


def test_date_of_version_value() -> None:
    """The date in the Version value is midnight of that day as FILETIME."""
    data = package_version(driver("viostor", "w10", "amd64"))
    (filetime,) = struct.unpack_from("<Q", data, 24)
    began = datetime.datetime(1601, 1, 1) + datetime.timedelta(microseconds=filetime // 10)
    assert (len(data), began) == (48, datetime.datetime(2025, 9, 1))


def test_real_example_of_version_value() -> None:
    """A package found in a real hive (pvscsi, 2019-08-02, 1.3.15.0) comes out as it is there."""
    inf = DriverInf.read(
        b"[Version]\nSignature=x\nClass=SCSIAdapter\nDriverVer=08/02/2019,1.3.15.0\n"
        b"ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\n",
        "pvscsi.inf",
    )
    assert package_version(inf)[32:40] == bytes.fromhex("00000f0003000100")
    assert package_version(inf)[24:32] == (132091776000000000).to_bytes(8, "little")


def test_version_value_without_date() -> None:
    """No date, or one before 1601, is zero."""
    for line in (b"", b"DriverVer=01/01/1500,1.0\n"):
        inf = DriverInf.read(b"[Version]\nSignature=x\nClass=HDC\n" + line, "x.inf")
        assert package_version(inf)[24:32] == bytes(8)


def test_version_decides_the_database() -> None:
    """6.2 has a DriverDatabase, 6.1 has not."""
    keys = [edit.key for edit in edits(driver("viostor", "w8", "amd64"), W8)]
    assert any(key.startswith("DriverDatabase\\DeviceIds") for key in keys)
    assert not any("CriticalDeviceDatabase" in key for key in keys)


def test_label_of_arm64() -> None:
    """The label of an ARM64 package says arm64."""
    target = Target(Architecture.ARM64, WindowsVersion(10, 0, 22631))
    keys = [edit.key for edit in edits(driver("viostor", "w11", "ARM64"), target)]
    assert r"DriverDatabase\DriverPackages\winimagetools_viostor.inf_arm64_0000000000000000" in keys


@pytest.mark.parametrize("name", sorted(set(DRIVERS) - {"viostor", "vioscsi"}))
def test_other_drivers_are_not_boot_critical(name: str) -> None:
    """Of the virtio drivers only the two for disks are."""
    assert boot_services(driver(name, "2k8", "amd64"), S2025) == ()


@pytest.mark.parametrize(
    ("class_lines", "start", "expected"),
    [
        ("Class=hdc", 0, ["disk"]),
        ("ClassGUID={4D36E96A-E325-11CE-BFC1-08002BE10318}", 0, ["disk"]),
        ("Class=SCSIAdapter", 3, []),
        ("Class=System", 0, []),
        ("ClassGUID=nonsense", 0, []),
    ],
)
def test_boot_critical(class_lines: str, start: int, expected: list[str]) -> None:
    """Boot-critical is a storage class, by name or GUID, with a boot-start service."""
    inf = DriverInf.read(
        f"[Version]\nSignature=x\n{class_lines}\n[Manufacturer]\nm=M,NTamd64\n"
        "[M.NTamd64]\nd=I,ID\n[I]\n[I.Services]\nAddService=disk,2,S\n[S]\n"
        f"StartType={start}\nServiceBinary=%12%\\disk.sys\n".encode(),
        "x.inf",
    )
    assert [item.name for item in boot_services(inf, W10)] == expected


def test_device_ids_of_other_buses() -> None:
    """Ids that are not PCI, or have no revision, are taken as they are, each once."""
    models = [
        Model("", "I", "ACPI\\X", ("*PNP0A00", "acpi\\x")),
        Model("", "I", "PCI\\VEN_8086&DEV_2822&CC_0104", ()),
        Model("", "I", "", ()),
    ]
    assert device_ids(models) == (
        DeviceId("ACPI\\X", compatible=False),
        DeviceId("*PNP0A00", compatible=True),
        DeviceId("PCI\\VEN_8086&DEV_2822&CC_0104", compatible=False),
        DeviceId("PCI\\VEN_8086&DEV_2822", compatible=True),
    )


TWO_SERVICES = r"""
[Version]
Signature="$Windows NT$"
Class=SCSIAdapter
ClassGUID={4D36E97B-E325-11CE-BFC1-08002BE10318}
[Manufacturer]
m=M,NTamd64
[M.NTamd64]
disk=D,PCI\VEN_1234&DEV_0001
none=N,PCI\VEN_1234&DEV_0002
[D.NTamd64]
CopyFiles=@port.sys,@filt.sys
[D.NTamd64.Services]
AddService=port,0x2,Port
AddService=filt,0x0,Filter
[N.NTamd64]
[N.NTamd64.Services]
AddService=,0x2
[Port]
ServiceType=01
StartType=00
ErrorControl=1
ServiceBinary=%12%\port.sys
[Filter]
ServiceType=2
StartType=0
ErrorControl=1
ServiceBinary=%12%\filt.sys
"""


@pytest.mark.parametrize("target", [W10, Target(Architecture.AMD64, WindowsVersion(6, 1, 7601))])
def test_two_services_in_one_inf(target: Target) -> None:
    """Only the driver of a device has ids; a filter is a service, a null device is nothing."""
    inf = DriverInf.read(TWO_SERVICES.encode(), "vmd.inf")
    port, filt = boot_services(inf, target)
    keys = [edit.key for edit in boot_edits(inf, port, target)]
    assert not [key for key in keys if "DEV_0002" in key]
    assert len([key for key in keys if key.endswith("VEN_1234&DEV_0001")]) == (
        2 if target is W10 else 1
    )
    assert plain(boot_edits(inf, filt, target)) == {
        r"CurrentControlSet\Services\filt": {
            "Type": ("REG_DWORD", 2),
            "Start": ("REG_DWORD", 0),
            "ErrorControl": ("REG_DWORD", 1),
            "ImagePath": ("REG_EXPAND_SZ", r"system32\drivers\filt.sys"),
        }
    }


def test_key_only_and_no_group() -> None:
    """A key without values is made; a driver without group gets none."""
    inf = DriverInf.read(
        b"[Version]\nSignature=x\nClass=HDC\n[Manufacturer]\nm=M\n[M]\nd=I,ID\n[I]\n"
        b"[I.Services]\nAddService=d,2,S\n[S]\nStartType=0\nServiceBinary=%12%\\d.sys\n"
        b"AddReg=R\n[R]\nHKR,Empty,,0x10\nHKR,,Own,0x10001,1\n",
        "x.inf",
    )
    found = edits(inf, W7)
    assert RegistryEdit("SYSTEM", r"CurrentControlSet\Services\d\Empty") in found
    own = RegistryValue("Own", "REG_DWORD", 1)
    assert RegistryEdit("SYSTEM", r"CurrentControlSet\Services\d", (own,)) in found
    assert all(value.name != "Group" for edit in found for value in edit.values)


def test_class_without_guid() -> None:
    """A class known by name does without a GUID; an unknown one cannot be written."""
    inf = DriverInf.read(b"[Version]\nSignature=x\nClass=HDC\n", "x.inf")
    assert package_version(inf)[8:24].hex() == "6ae9364d25e3ce11bfc108002be10318"
    other = DriverInf.read(b"[Version]\nSignature=x\nClass=Other\n", "x.inf")
    with pytest.raises(MediaError, match="no class GUID"):
        package_version(other)
