"""VMware: an OVA, whose OVF is written for the disk that is there.

The elements are those of OVF 1.0 (DMTF DSP0243) that vSphere asks for; the disk in an OVA is a
stream-optimized VMDK. Nobody has imported one here.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from winimagetools.model import DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_GUESTS = {
    "2012": "windows8Server64Guest",
    "2016": "windows9Server64Guest",
    "2019": "windows2019srv_64Guest",
    "2022": "windows2019srvNext_64Guest",
    "2025": "windows2022srvNext_64Guest",
    "10": "windows9_64Guest",
    "11": "windows11_64Guest",
}
_OVF = """\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vmw="http://www.vmware.com/schema/ovf"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:href={disk} ovf:id="file1"/>
  </References>
  <DiskSection>
    <Info>Virtual disks</Info>
    <Disk ovf:capacity="{size}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk1"
      ovf:fileRef="file1"
      ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name={network}><Description>Network</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id={name}>
    <Info>A virtual machine</Info>
    <Name>{title}</Name>
    <OperatingSystemSection ovf:id="1" vmw:osType="{guest}">
      <Info>The guest</Info>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
{items}      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="{firmware}"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def ovf_text(image: PublishedImage, disk: str, name: str, network: str) -> str:
    """The OVF of a machine with one disk.

    Args:
        image: the disk.
        disk: file name of its stream-optimized VMDK.
        name: of the machine.
        network: it is connected to.
    """
    return _OVF.format(
        disk=quoteattr(disk),
        size=image.disk_size,
        network=quoteattr(network),
        name=quoteattr(name),
        title=quoteattr(name)[1:-1],
        guest=_GUESTS.get(image.release, "windows8Server64Guest"),
        items="".join(f"      <Item>{item}</Item>\n" for item in _items(image, network)),
        firmware="efi" if image.uefi else "bios",
    )


def _items(image: PublishedImage, network: str) -> list[str]:
    """Elements in the order of their names, as the schema wants it."""
    return [
        _item(ElementName="2 processors", InstanceID="1", ResourceType="3", VirtualQuantity="2"),
        _item(
            AllocationUnits="byte * 2^20",
            ElementName="memory",
            InstanceID="2",
            ResourceType="4",
            VirtualQuantity=str(image.memory),
        ),
        _item(
            ElementName="SATA",
            InstanceID="3",
            ResourceSubType="vmware.sata.ahci",
            ResourceType="20",
        ),
        _item(
            AddressOnParent="0",
            ElementName="disk",
            HostResource="ovf:/disk/vmdisk1",
            InstanceID="4",
            Parent="3",
            ResourceType="17",
        ),
        _item(
            Connection=quoteattr(network)[1:-1],
            ElementName="network",
            InstanceID="5",
            ResourceSubType="E1000E" if image.uefi else "E1000",
            ResourceType="10",
        ),
    ]


def _item(**fields: str) -> str:
    return "".join(f"<rasd:{name}>{value}</rasd:{name}>" for name, value in fields.items())


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "an OVA", DiskFormat.VMDK)
    name = values["name"] or image.name
    folder, disk, ovf = image.path.parent, f"{name}-disk1.vmdk", f"{name}.ovf"
    convert = shell("qemu-img", "convert", "-f", "vmdk", "-O", "vmdk")
    stream = shell("-o", "subformat=streamOptimized", image.path, folder / disk)
    text = ovf_text(image, disk, name, values["network"])
    return [
        f"{convert} {stream}",
        f"cat > {shell(folder / ovf)} <<'END_OF_OVF'\n{text}END_OF_OVF",
        # The OVF comes first in the archive (DSP0243, chapter 5).
        shell(
            "tar", "--format=ustar", "-cf", folder / f"{name}.ova", "-C", folder, "--", ovf, disk
        ),
    ]


TARGET = Target(
    "vmware",
    "VMware",
    (
        Parameter("network", "network the machine is connected to", "VM Network"),
        Parameter("name", "name of the machine", ""),
    ),
    _commands,
)
