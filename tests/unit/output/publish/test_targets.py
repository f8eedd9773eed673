"""The commands for each target: complete, from what is in the image, or refused with advice."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shlex
from pathlib import Path

import pytest
from defusedxml import ElementTree

from winimagetools.errors import RequestError
from winimagetools.model import GIB, MIB, Architecture, DiskFormat, DiskLayout, WindowsVersion
from winimagetools.output.publish.choose import TARGETS, commands
from winimagetools.output.publish.target import PublishedImage

SERVER = PublishedImage(
    path=Path("/images/my server.qcow2"),
    container=DiskFormat.QCOW2,
    wrapping=(),
    fixed=False,
    disk_size=40 * GIB,
    layout=DiskLayout.UEFI,
    version=WindowsVersion(10, 0, 20348),
    architecture=Architecture.AMD64,
    server=True,
    drivers=frozenset({"viostor", "netkvm"}),
    agent=True,
)
BARE = dataclasses.replace(SERVER, drivers=frozenset(), agent=False)
CLIENT = dataclasses.replace(SERVER, version=WindowsVersion(10, 0, 22631), server=False)
BIOS = dataclasses.replace(BARE, layout=DiskLayout.BIOS)
GIVEN = {
    "containerdisk": ["image=registry.example/windows:2022"],
    "azure": ["resource_group=rg", "storage_account=acct"],
    "proxmox": ["vmid=9000"],
    "hyperv": ["switch=external"],
    "aws": ["bucket=b", "region=eu-central-1"],
    "gcp": ["bucket=b"],
}


def image(
    container: DiskFormat, base: PublishedImage = SERVER, **changes: object
) -> PublishedImage:
    """An image in a container, with the extension of it."""
    path = base.path.with_suffix(f".{container.extension}")
    return dataclasses.replace(base, container=container, path=path, **changes)  # type: ignore[arg-type]


def run(target: str, published: PublishedImage, *given: str) -> list[str]:
    """The lines for a target, with what it cannot do without."""
    return commands(TARGETS[target], published, [*GIVEN.get(target, []), *given])


def options(line: str, name: str) -> list[str]:
    """The values of an option of a command line."""
    words = shlex.split(line)
    return [after for word, after in itertools.pairwise(words) if word == name]


def properties(published: PublishedImage, *given: str) -> dict[str, str]:
    """The properties of a Glance image."""
    (line,) = run("glance", published, *given)
    return dict(item.split("=", 1) for item in options(line, "--property"))


def test_glance() -> None:
    """The properties follow from firmware, drivers, agent and version."""
    (line,) = run("glance", SERVER)
    assert shlex.split(line)[:5] == ["openstack", "image", "create", "--file", str(SERVER.path)]
    assert options(line, "--disk-format") == ["qcow2"]
    assert options(line, "--min-disk") == ["40"]
    assert options(line, "--min-ram") == ["2048"]
    assert shlex.split(line)[-1] == "my server"
    assert properties(SERVER) == {
        "os_type": "windows",
        "os_distro": "windows",
        "os_version": "10.0",
        "architecture": "x86_64",
        "hypervisor_type": "qemu",
        "hw_firmware_type": "uefi",
        "hw_machine_type": "q35",
        "hw_cdrom_bus": "sata",
        "hw_disk_bus": "virtio",
        "hw_vif_model": "virtio",
        "hw_qemu_guest_agent": "yes",
        "os_require_quiesce": "yes",
    }


def test_glance_by_what_is_inside() -> None:
    """Without drivers, with those for SCSI, with BIOS, Windows 11, and for other hypervisors."""
    bare = properties(BARE)
    assert (bare["hw_disk_bus"], bare["hw_vif_model"]) == ("sata", "e1000")
    assert "hw_qemu_guest_agent" not in bare
    scsi = properties(dataclasses.replace(BARE, drivers=frozenset({"vioscsi"})))
    assert (scsi["hw_disk_bus"], scsi["hw_scsi_model"]) == ("scsi", "virtio-scsi")
    bios = properties(BIOS)
    assert (bios["hw_firmware_type"], bios["hw_disk_bus"]) == ("bios", "ide")
    assert "hw_machine_type" not in bios
    client = properties(CLIENT)
    assert (client["os_secure_boot"], client["hw_tpm_version"]) == ("required", "2.0")
    assert "hw_tpm_version" not in properties(SERVER)
    hyperv = properties(image(DiskFormat.VHDX))
    assert (hyperv["hypervisor_type"], hyperv["hw_machine_type"]) == ("hyperv", "hyperv-gen2")
    assert "hw_disk_bus" not in hyperv
    assert properties(SERVER, "secure_boot=optional")["os_secure_boot"] == "optional"


def test_containerdisk() -> None:
    """One layer of the right owner and mode, and the preference for this Windows."""
    build, push = run("containerdisk", SERVER)
    assert "'COPY --chown=107:107 --chmod=0440" in build
    assert '["my server.qcow2", "/disk/my server.qcow2"]' in build
    label = "instancetype.kubevirt.io/default-preference=windows.2k22.virtio"
    assert options(build, "--label") == [label]
    assert shlex.split(build)[-1] == "/images"
    assert push == "podman push registry.example/windows:2022"
    assert options(run("containerdisk", CLIENT)[0], "--label")[0].endswith("=windows.11.virtio")


def test_azure() -> None:
    """A page blob and an image of the generation the firmware asks for."""
    vhd = image(DiskFormat.VHD, fixed=True)
    container, copy, create = run("azure", vhd)
    assert "az storage container create --account-name acct --name vhds" in container
    url = "https://acct.blob.core.windows.net/vhds/my%20server.vhd"
    assert shlex.split(copy) == ["azcopy", "copy", str(vhd.path), url, "--blob-type", "PageBlob"]
    assert options(create, "--hyper-v-generation") == ["V2"]
    assert options(create, "--source") == [url]
    bios = image(DiskFormat.VHD, BIOS, fixed=True)
    assert options(run("azure", bios)[-1], "--hyper-v-generation") == ["V1"]


@pytest.mark.parametrize(
    ("wrapping", "file_type"),
    [((), "ddraw"), (("gz",), "ddgz"), (("tar", "gz"), "ddtgz"), (("tar",), "ddtar")],
)
def test_maas(wrapping: tuple[str, ...], file_type: str) -> None:
    """The type tells curtin how to unpack it; the name begins with windows/."""
    (line,) = run("maas", image(DiskFormat.RAW, wrapping=wrapping))
    words = shlex.split(line)
    assert words[:4] == ["maas", "admin", "boot-resources", "create"]
    assert f"filetype={file_type}" in words
    assert "name=windows/win2022" in words
    assert "title=Windows Server 2022" in words
    assert "architecture=amd64/generic" in words
    assert "content@=/images/my server.raw" in words


def test_proxmox() -> None:
    """Firmware, TPM, bus and agent; the disk is imported where it lies."""
    create, template = run("proxmox", CLIENT)
    assert options(create, "--bios") == ["ovmf"]
    assert options(create, "--tpmstate0") == ["local-lvm:1,version=v2.0"]
    assert options(create, "--ostype") == ["win11"]
    disk = "local-lvm:0,import-from=/images/my server.qcow2,discard=on"
    assert options(create, "--virtio0") == [disk]
    assert options(create, "--boot") == ["order=virtio0"]
    assert template == "qm template 9000"
    bios = run("proxmox", BIOS)[0]
    assert not options(bios, "--bios")
    assert options(bios, "--net0") == ["e1000,bridge=vmbr0"]


def test_libvirt() -> None:
    """A comma in a path does not end the part."""
    odd = dataclasses.replace(CLIENT, path=Path("/a,b/w.qcow2"))
    (line,) = run("libvirt", odd)
    assert options(line, "--disk") == ["path=/a,,b/w.qcow2,format=qcow2,bus=virtio"]
    assert options(line, "--boot") == ["uefi"]
    assert options(line, "--osinfo") == ["name=win11,require=off"]
    assert not options(run("libvirt", BIOS)[0], "--boot")


def test_hyperv() -> None:
    """Values are literals of PowerShell; Windows 11 gets a TPM."""
    odd = dataclasses.replace(image(DiskFormat.VHDX, CLIENT), path=Path("/images/it's.vhdx"))
    lines = run("hyperv", odd, "path=C:\\it's.vhdx")
    assert lines[0] == (
        "New-VM -Name 'it''s' -Generation 2 -MemoryStartupBytes 4294967296 "
        "-VHDPath 'C:\\it''s.vhdx' -SwitchName 'external'"
    )
    assert "Enable-VMTPM -VMName 'it''s'" in lines
    assert "-Generation 1 " in run("hyperv", image(DiskFormat.VHD, BIOS))[0]


def test_aws() -> None:
    """What one command answers is given to the next."""
    copy, importing, waiting, asking, register = run("aws", image(DiskFormat.RAW))
    assert shlex.split(copy)[-1] == "s3://b/my server.raw"
    disk = json.loads(importing.partition("--disk-container '")[2].partition("'")[0])
    assert disk == {"Format": "RAW", "UserBucket": {"S3Bucket": "b", "S3Key": "my server.raw"}}
    assert importing.startswith('task="$(') and '"$task"' in waiting and '"$task"' in asking
    assert options(register, "--boot-mode") == ["uefi"]
    assert options(register, "--tpm-support") == ["v2.0"]
    assert '"$snapshot"' in register
    assert options(run("aws", image(DiskFormat.RAW, BIOS))[-1], "--boot-mode") == ["legacy-bios"]


def test_gcp() -> None:
    """disk.raw in an old GNU tar, by way of a bucket."""
    pack, copy, create = run("gcp", image(DiskFormat.RAW))
    assert "--format=oldgnu" in pack and "--transform=s/.*/disk.raw/" in pack
    assert shlex.split(copy)[-1] == "gs://b/my server.tar.gz"
    assert "--guest-os-features=WINDOWS,UEFI_COMPATIBLE" in shlex.split(create)


def test_vmware() -> None:
    """The OVF tells the size of the disk and the firmware, and is first in the archive."""
    convert, write, pack = run("vmware", image(DiskFormat.VMDK), 'name=a <b> & "c"')
    assert "subformat=streamOptimized" in shlex.split(convert)
    text = write.partition("<<'END_OF_OVF'\n")[2].removesuffix("END_OF_OVF")
    root = ElementTree.fromstring(text)
    space = {"o": "http://schemas.dmtf.org/ovf/envelope/1"}
    disk = root.find(".//o:Disk", space)
    assert disk is not None
    assert disk.get(f"{{{space['o']}}}capacity") == str(40 * GIB)
    assert root.findtext(".//o:Name", namespaces=space) == 'a <b> & "c"'
    assert 'vmw:key="firmware" vmw:value="efi"' in text
    assert 'vmw:osType="windows2019srvNext_64Guest"' in text
    assert [word for word in shlex.split(pack) if word.endswith((".ovf", ".vmdk"))] == [
        'a <b> & "c".ovf',
        'a <b> & "c"-disk1.vmdk',
    ]


@pytest.mark.parametrize(
    ("target", "published", "given", "advice"),
    [
        ("maas", SERVER, [], "virtual_disk_format = RAW and compression_format = gz"),
        ("maas", image(DiskFormat.RAW, wrapping=("zip",)), [], "compression_format = gz"),
        ("azure", image(DiskFormat.VHD), [], "vhd_subformat = fixed"),
        ("azure", SERVER, [], "virtual_disk_format = VHD"),
        ("azure", image(DiskFormat.VHD, fixed=True, disk_size=MIB + 512), [], "whole MB"),
        ("aws", image(DiskFormat.RAW), ["boot_mode=uefi-preferred"], "Leave boot_mode out"),
        ("aws", SERVER, [], "virtual_disk_format = RAW"),
        ("gcp", image(DiskFormat.RAW, disk_size=GIB + MIB), [], "whole GB"),
        ("hyperv", image(DiskFormat.VHD), [], "virtual_disk_format = VHDX"),
        ("containerdisk", image(DiskFormat.VMDK), [], "virtual_disk_format = QCOW2"),
        ("glance", image(DiskFormat.RAW, wrapping=("gz",)), [], "Unwrap it"),
        ("glance", BIOS, ["secure_boot=required"], "disk_layout = UEFI"),
        ("glance", SERVER, ["secure_boot=yes"], "required, optional, disabled"),
        ("vmware", SERVER, [], "virtual_disk_format = VMDK"),
        ("glance", SERVER, ["nmae=x"], "name: name of the image"),
    ],
)
def test_what_is_refused(
    target: str, published: PublishedImage, given: list[str], advice: str
) -> None:
    """With the option that makes it right."""
    with pytest.raises(RequestError) as refused:
        run(target, published, *given)
    assert advice in refused.value.hint


@pytest.mark.parametrize("quote", "'\u2018\u2019\u201a\u201b")
def test_typographic_quotes(quote: str) -> None:
    """PowerShell takes them for quotes: a name with one does not end the literal."""
    odd = dataclasses.replace(image(DiskFormat.VHDX), path=Path(f"/i/a{quote}; calc; #.vhdx"))
    line = run("hyperv", odd)[0]
    assert line.startswith(f"New-VM -Name 'a{quote}{quote}; calc; #' -Generation 2 ")
    assert f"-VHDPath '/i/a{quote}{quote}; calc; #.vhdx' " in line


@pytest.mark.parametrize(
    ("name", "called"), [("-x.raw", "x"), ("--help", "help"), (".win.raw", "win"), (".", "image")]
)
def test_names_that_could_be_options(name: str, called: str) -> None:
    """An image is not called like an option, nor not at all."""
    odd = dataclasses.replace(image(DiskFormat.RAW), path=Path("/i") / "x" / name)
    odd = odd if name != "." else dataclasses.replace(odd, path=Path("/i/..."))
    assert shlex.split(run("glance", odd)[0])[-1] == called


@pytest.mark.parametrize("name", ['a"b', "a'b", "a$b", "a*b", "a?b", "a[b]", "a\\b", "a\nb"])
def test_what_a_containerfile_cannot_name(name: str) -> None:
    """Is refused with another way: it would copy something else, or nothing."""
    odd = dataclasses.replace(SERVER, path=Path("/i") / f"{name}.qcow2")
    with pytest.raises(RequestError, match="A Containerfile cannot copy a file called") as caught:
        run("containerdisk", odd)
    assert "--run" in caught.value.hint


def test_a_comma_ends_an_option_of_qm() -> None:
    """And cannot be escaped."""
    with pytest.raises(RequestError, match=r"qm cannot import /a,b/w.qcow2"):
        run("proxmox", dataclasses.replace(CLIENT, path=Path("/a,b/w.qcow2")))


def test_what_tar_could_take_for_an_option() -> None:
    """A name the user gives comes after the options."""
    pack = shlex.split(run("vmware", image(DiskFormat.VMDK), "name=--checkpoint-action=exec=x")[-1])
    assert pack[-3:] == [
        "--",
        "--checkpoint-action=exec=x.ovf",
        "--checkpoint-action=exec=x-disk1.vmdk",
    ]


def test_what_is_missing_is_named() -> None:
    """All of it at once."""
    with pytest.raises(RequestError, match="azure needs resource_group and storage_account"):
        commands(TARGETS["azure"], image(DiskFormat.VHD, fixed=True), [])


def test_all_targets() -> None:
    """Those of the README, in its order."""
    expected = "glance containerdisk maas proxmox libvirt hyperv vmware azure aws gcp"
    assert " ".join(TARGETS) == expected
