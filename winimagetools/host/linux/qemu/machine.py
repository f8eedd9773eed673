"""The command line of the virtual machine: a pure function of what was decided.

q35 with OVMF for UEFI, pc with SeaBIOS for BIOS. What the guest says on its two serial ports
and what SeaBIOS says go into files, so that nothing of it is lost when the machine is ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from winimagetools.host.linux.qemu.firmware import Firmware
from winimagetools.model import MIB
from winimagetools.plan import DiskBus, VmRequest
from winimagetools.run import Tool

QEMU = Tool("qemu-system-x86_64", "qemu-system-x86", "start Windows in a virtual machine")
SERIAL, REPORTS, FIRMWARE_LOG = "serial.log", "reports.jsonl", "firmware.log"
"""What the guest says on COM1 and on COM2, and what SeaBIOS says; in the folder of logs."""
QMP_SOCKET, TPM_SOCKET, VARIABLES = "qmp", "tpm", "variables.fd"
"""In the private folder of the machine, whose path is short: a socket's has 107 bytes at most
(unix(7))."""
NO_NETWORK = "none"
USUAL_SWITCH = "external"
"""The default of ``external_switch``, which only Hyper-V knows a switch for."""
PROCESSORS = {"kvm": "host,hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_time", "tcg": "max"}
"""By accelerator. Windows 11 24H2 does not start without SSE4.2, which QEMU's default processor
lacks; the rest lets it run faster under KVM (QEMU, "Hyper-V Enlightenments")."""


@dataclass(frozen=True)
class Machine:
    """A request with everything that was found for it on this host.

    Args:
        request: what is wanted.
        disk_format: container of the disk, as QEMU calls it.
        accel: ``kvm`` or ``tcg``.
        firmware: None for BIOS.
        runtime: private folder of this machine, for sockets and variables.
        bridge: of the host, for the network; empty for one of QEMU's own.
        display: where people see the screen, as QEMU calls it; empty for nowhere.
        scratch: folder for what the machine writes where it is thrown away; None otherwise.
        heard: whether anybody reads what the guest says on its ports; else it is kept nowhere.
    """

    request: VmRequest
    disk_format: str
    accel: str
    firmware: Firmware | None
    runtime: Path
    bridge: str = ""
    display: str = ""
    scratch: Path | None = None
    heard: bool = True


def arguments(machine: Machine) -> list[str]:
    """The arguments of QEMU."""
    request = machine.request
    return [
        *("-name", _value(request.name), "-nodefaults", "-no-user-config"),
        # One that is followed is to say how it ended before it is gone.
        *([] if request.throw_away else ["-no-shutdown"]),
        *_computer(machine),
        *("-smp", str(request.cpu_count), "-m", f"{request.memory // MIB}M"),
        # Windows takes the clock of the machine for local time.
        *("-rtc", "base=localtime"),
        *_firmware(machine),
        *_disk(machine),
        *_network(machine),
        *_ports(request.logs if machine.heard else None),
        *_monitor(machine.runtime),
        *_display(machine.display or _vnc(request.vnc)),
        *_tpm(machine),
    ]


def _computer(machine: Machine) -> list[str]:
    board = "q35" if machine.firmware else "pc"
    if machine.firmware:
        board += f",smm={'on' if machine.firmware.smm else 'off'}"
    processor = PROCESSORS[machine.accel]
    return ["-machine", board, "-accel", machine.accel, "-cpu", processor]


def _firmware(machine: Machine) -> list[str]:
    firmware = machine.firmware
    if firmware is None:
        return []
    variables = machine.runtime / VARIABLES
    guard = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if firmware.smm else []
    return [
        *guard,
        *("-drive", f"if=pflash,format=raw,readonly=on,file={_value(firmware.code)}"),
        *("-drive", f"if=pflash,format=raw,file={_value(variables)}"),
    ]


def _disk(machine: Machine) -> list[str]:
    request = machine.request
    # Nobody needs the disk of a build whose host went down: nothing waits for the platter.
    # Zeros that the guest writes become holes.
    # QEMU writes to a file without a name instead, in TMPDIR (qemu(1), -snapshot).
    forgets = "snapshot=on," if request.throw_away else ""
    drive = (
        f"if=none,id=disk0,format={machine.disk_format},{forgets}cache=unsafe,discard=unmap,"
        f"detect-zeroes=unmap,file={_value(request.disk)}"
    )
    devices = {
        DiskBus.SATA: ["ide-hd,bus=ide.0,drive=disk0,bootindex=1"],
        DiskBus.VIRTIO_BLOCK: ["virtio-blk-pci,drive=disk0,bootindex=1"],
        DiskBus.VIRTIO_SCSI: [
            "virtio-scsi-pci,id=scsi0",
            "scsi-hd,bus=scsi0.0,drive=disk0,bootindex=1",
        ],
    }[request.bus]
    return ["-drive", drive, *(word for device in devices for word in ("-device", device))]


def _network(machine: Machine) -> list[str]:
    request = machine.request
    if request.switch == NO_NETWORK:
        return ["-nic", "none"]
    bridge = f"bridge,id=net0,br={_value(machine.bridge)}" if machine.bridge else "user,id=net0"
    device = "virtio-net-pci" if request.virtio_network else "e1000e"
    # No boot program of its own: a disk that does not start is to fail at once.
    return ["-netdev", bridge, "-device", f"{device},netdev=net0,romfile="]


def _ports(logs: Path | None) -> list[str]:
    ports = []
    for name, file in (("com1", SERIAL), ("com2", REPORTS), ("firmware", FIRMWARE_LOG)):
        kept = f"file,id={name},path={_value(logs / file)}" if logs is not None else ""
        ports += ["-chardev", kept or f"null,id={name}"]
    ports += ["-serial", "chardev:com1", "-serial", "chardev:com2"]
    return [*ports, "-device", "isa-debugcon,iobase=0x402,chardev=firmware"]


def _monitor(runtime: Path) -> list[str]:
    socket = f"socket,id=qmp,path={_value(runtime / QMP_SOCKET)},server=on,wait=off"
    return ["-chardev", socket, "-mon", "chardev=qmp,mode=control"]


def _vnc(socket: str) -> str:
    return f"vnc=unix:{_value(socket)}" if socket else ""


def _display(display: str) -> list[str]:
    if not display:
        return ["-vga", "std", "-display", "none"]
    # A pointer that is where that of the viewer is.
    tablet = ["-device", "qemu-xhci", "-device", "usb-tablet"]
    return ["-vga", "std", "-display", display, *tablet]


def _tpm(machine: Machine) -> list[str]:
    if not machine.request.tpm:
        return []
    return [
        *("-chardev", f"socket,id=tpm,path={_value(machine.runtime / TPM_SOCKET)}"),
        *("-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"),
    ]


def _value(value: str | Path) -> str:
    """A value in a list of options, where a comma is doubled (qemu(1), "Standard options")."""
    return str(value).replace(",", ",,")
