from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from winimagetools.host.linux.qemu.firmware import Firmware
from winimagetools.host.linux.qemu.machine import Machine, arguments
from winimagetools.model import GIB
from winimagetools.plan import DiskBus, VmRequest

OVMF = Firmware(Path("/ovmf/code.fd"), Path("/ovmf/vars.fd"), False, False, False)
SECURE = Firmware(Path("/ovmf/secure.fd"), Path("/ovmf/keys.fd"), True, True, True)
REQUEST = VmRequest(
    name="Sysprep1",
    disk=Path("/images/win.raw"),
    memory=4 * GIB,
    cpu_count=2,
    switch="external",
    generation=1,
    logs=Path("/logs"),
)
BIOS = Machine(REQUEST, "raw", "kvm", None, Path("/run/m"))
UEFI = replace(BIOS, firmware=OVMF, accel="tcg", request=replace(REQUEST, generation=2))
PORTS = [
    *("-chardev", "file,id=com1,path=/logs/serial.log"),
    *("-chardev", "file,id=com2,path=/logs/reports.jsonl"),
    *("-chardev", "file,id=firmware,path=/logs/firmware.log"),
    *("-serial", "chardev:com1", "-serial", "chardev:com2"),
    *("-device", "isa-debugcon,iobase=0x402,chardev=firmware"),
    *("-chardev", "socket,id=qmp,path=/run/m/qmp,server=on,wait=off"),
    *("-mon", "chardev=qmp,mode=control"),
]
DISK = (
    "if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,"
    "file=/images/win.raw"
)


def test_bios() -> None:
    """A pc machine with SeaBIOS, an IDE disk, an e1000e card and QEMU's own network."""
    assert arguments(BIOS) == [
        *("-name", "Sysprep1", "-nodefaults", "-no-user-config", "-no-shutdown"),
        *("-machine", "pc", "-accel", "kvm"),
        *("-cpu", "host,hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_time"),
        *("-smp", "2", "-m", "4096M", "-rtc", "base=localtime"),
        *("-drive", DISK, "-device", "ide-hd,bus=ide.0,drive=disk0,bootindex=1"),
        *("-netdev", "user,id=net0", "-device", "e1000e,netdev=net0,romfile="),
        *PORTS,
        *("-vga", "std", "-display", "none"),
    ]


def test_uefi_with_secure_boot_and_tpm() -> None:
    """A q35 machine whose firmware guards its variables, and a TPM at the end."""
    machine = replace(UEFI, firmware=SECURE, request=replace(UEFI.request, tpm=True))
    assert arguments(machine) == [
        *("-name", "Sysprep1", "-nodefaults", "-no-user-config", "-no-shutdown"),
        *("-machine", "q35,smm=on", "-accel", "tcg", "-cpu", "max"),
        *("-smp", "2", "-m", "4096M", "-rtc", "base=localtime"),
        *("-global", "driver=cfi.pflash01,property=secure,value=on"),
        *("-drive", "if=pflash,format=raw,readonly=on,file=/ovmf/secure.fd"),
        *("-drive", "if=pflash,format=raw,file=/run/m/variables.fd"),
        *("-drive", DISK, "-device", "ide-hd,bus=ide.0,drive=disk0,bootindex=1"),
        *("-netdev", "user,id=net0", "-device", "e1000e,netdev=net0,romfile="),
        *PORTS,
        *("-vga", "std", "-display", "none"),
        *("-chardev", "socket,id=tpm,path=/run/m/tpm"),
        *("-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"),
    ]


def differing(machine: Machine, base: Machine = UEFI) -> tuple[list[str], list[str]]:
    """What a machine has less and more than another one."""
    these, those = arguments(machine), arguments(base)
    return [word for word in those if word not in these], [
        word for word in these if word not in those
    ]


def test_without_secure_boot() -> None:
    """The system management mode is off where the firmware does not want it."""
    less, more = differing(UEFI, replace(UEFI, firmware=SECURE))
    assert (less[0], more[0]) == ("q35,smm=on", "q35,smm=off")
    assert "-global" in less


def test_virtio() -> None:
    """Devices that the image has drivers for."""
    block = replace(UEFI.request, bus=DiskBus.VIRTIO_BLOCK, virtio_network=True)
    assert differing(replace(UEFI, request=block)) == (
        ["ide-hd,bus=ide.0,drive=disk0,bootindex=1", "e1000e,netdev=net0,romfile="],
        ["virtio-blk-pci,drive=disk0,bootindex=1", "virtio-net-pci,netdev=net0,romfile="],
    )
    scsi = replace(UEFI.request, bus=DiskBus.VIRTIO_SCSI)
    assert differing(replace(UEFI, request=scsi)) == (
        ["ide-hd,bus=ide.0,drive=disk0,bootindex=1"],
        ["virtio-scsi-pci,id=scsi0", "scsi-hd,bus=scsi0.0,drive=disk0,bootindex=1"],
    )


def test_network() -> None:
    """A bridge of the host, or nothing at all."""
    assert differing(replace(UEFI, bridge="br0")) == (
        ["user,id=net0"],
        ["bridge,id=net0,br=br0"],
    )
    without = replace(UEFI, request=replace(UEFI.request, switch="none"))
    assert differing(without)[1] == ["-nic"]
    assert "-netdev" not in arguments(without)


def test_vnc() -> None:
    """A screen for people, with a pointer that follows theirs."""
    less, more = differing(replace(UEFI, request=replace(UEFI.request, vnc="/tmp/screen")))
    assert less == ["none"]
    assert more == ["vnc=unix:/tmp/screen", "qemu-xhci", "usb-tablet"]


def test_commas() -> None:
    """A comma in a name or path does not end it."""
    request = replace(REQUEST, name="a,b", disk=Path("/i,j/win.qcow2"), logs=Path("/l,m"))
    words = arguments(Machine(request, "qcow2", "tcg", None, Path("/r,s")))
    assert words[1] == "a,,b"
    assert any(
        word.endswith(
            "format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=/i,,j/win.qcow2"
        )
        for word in words
    )
    assert "file,id=com2,path=/l,,m/reports.jsonl" in words
    assert "socket,id=qmp,path=/r,,s/qmp,server=on,wait=off" in words


def test_a_machine_nobody_listens_to() -> None:
    """What its guest says goes nowhere: it may say it for days, and would fill a file system."""
    less, more = differing(replace(UEFI, heard=False))
    assert less == [
        "file,id=com1,path=/logs/serial.log",
        "file,id=com2,path=/logs/reports.jsonl",
        "file,id=firmware,path=/logs/firmware.log",
    ]
    assert more == ["null,id=com1", "null,id=com2", "null,id=firmware"]


def test_a_machine_that_forgets() -> None:
    """QEMU writes elsewhere and is gone when the guest is off."""
    request = replace(UEFI.request, throw_away=True)
    less, more = differing(replace(UEFI, request=request, display="gtk"))
    assert less == ["-no-shutdown", DISK, "none"]
    assert more == [
        DISK.replace("format=raw,", "format=raw,snapshot=on,"),
        *("gtk", "qemu-xhci", "usb-tablet"),
    ]
