"""Starting an image on a disk that forgets what is written, with the machine it is made for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.checks.drivers import storage_drivers
from winimagetools.checks.result import Result, bad, good
from winimagetools.checks.subject import Subject
from winimagetools.contract import Host
from winimagetools.errors import BuildError, MediaError, RequestError, raise_problems
from winimagetools.facts.releases import wants_tpm
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.formats.images.probe import trusted_container
from winimagetools.host import select_host
from winimagetools.image.boot_manager import read_boot_manager
from winimagetools.image.wrapped import refuse_wrapped
from winimagetools.model import GIB, Architecture, DiskLayout
from winimagetools.output.report.folder import read_record
from winimagetools.plan import DiskBus, VmRequest
from winimagetools.workflows.opened import opened_image

MEMORY = 4 * GIB
PROCESSORS = 2
_NETWORK_DRIVER = r"Windows\System32\drivers\netkvm.sys"
_WATCH = "See what it shows with winimagetools boot {}."
_BUSES = {"viostor": DiskBus.VIRTIO_BLOCK, "vioscsi": DiskBus.VIRTIO_SCSI}


def plan_start(
    image: Path | str, asked: VmRequest | None = None, host: Host | None = None
) -> VmRequest:
    """The machine that starts an image: that of its report, else what its disk asks for.

    Args:
        image: a disk image of any container.
        asked: memory, processors, network, accelerator and screen; what is not the image's to
            say. None for the usual.
        host: the machine to work on; this one by default.

    Raises:
        RequestError: it is wrapped, missing, or for another processor.
        MediaError: it holds no Windows that can be looked at, or names other files.
    """
    path = Path(image).absolute()
    _refuse(path)
    usual = asked or VmRequest("", path, MEMORY, PROCESSORS, "", 2, accel="auto", screen="auto")
    asked = replace(usual, name=path.name, disk=path, throw_away=True)
    trusted_container(path)
    record = read_record(path)
    if record is not None and _is_of(record, path):
        return _of_report(asked, record)
    with opened_image(host or select_host(), path) as subject:
        return _of_disk(asked, subject)


def start_image(request: VmRequest, host: Host | None = None) -> None:
    """Start an image and wait until its machine is off.

    Args:
        request: what :func:`plan_start` said; Secure Boot and TPM may have been turned off.
        host: the machine to work on; this one by default.

    Raises:
        HostError: this machine cannot start it.
        BuildError: QEMU refused it.
    """
    host = host or select_host()
    _check_machine(host, request)
    host.vm.start(request)


def prove_start(host: Host, subject: Subject, accel: str) -> Result:
    """Whether an open image starts: its boot manager is started and goes on to read Windows.

    The machine has no TPM and no network, which no boot manager asks for.

    Args:
        host: the machine to work on.
        subject: the image; not one byte of it changes.
        accel: ``auto``, ``kvm`` or ``tcg``.

    Raises:
        HostError: this machine cannot start another one.
        RequestError: the image is for another processor.
    """
    path = subject.disk.absolute()
    asked = VmRequest(path.name, path, GIB, 1, "none", 2, accel=accel, throw_away=True)
    request = replace(_machine_of(asked, subject), tpm=False)
    _check_machine(host, request)
    with log.step("Start the image"):
        try:
            return good("boot", host.vm.prove_start(request))
        except BuildError as error:
            return bad("boot", error.message, error.hint or _WATCH.format(subject.path))


def _machine_of(asked: VmRequest, subject: Subject) -> VmRequest:
    record = read_record(subject.path)
    if record is not None and _is_of(record, subject.path):
        return _of_report(asked, record)
    return _of_disk(asked, subject)


def _check_machine(host: Host, request: VmRequest) -> None:
    problems = list(host.vm.check(request, False))
    problems += host.vm.check_tpm() if request.tpm else []
    if request.certificate and not request.disable_secure_boot:
        problems += host.vm.check_trust(request.certificate)
    raise_problems(problems)


def _refuse(path: Path) -> None:
    refuse_other_than_file(path)
    if not path.is_file():
        raise RequestError(f"The image {path} does not exist.", "Give the path of a disk image.")
    refuse_wrapped(path)


def _is_of(record: dict[str, Any], image: Path) -> bool:
    """Whether a report tells the machine of an image, and the image is the one it is about."""
    about = record.get("image")
    same = isinstance(about, dict) and about.get("size") == image.stat().st_size
    return same and bool(record.get("machine"))


def _of_report(asked: VmRequest, record: dict[str, Any]) -> VmRequest:
    try:
        facts = record["machine"]
        architecture = Architecture(record["windows"]["architecture"])
        told = replace(
            asked,
            generation=facts["generation"],
            disable_secure_boot=asked.disable_secure_boot or not facts["secure_boot"],
            tpm=facts["tpm"],
            bus=DiskBus(facts["disk"]),
            virtio_network=facts["virtio_network"],
            certificate=record["windows"]["boot_certificate"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(
            f"The report beside {asked.disk} is damaged.", "Move it away to do without it."
        ) from error
    _check_processor(architecture)
    return told


def _of_disk(asked: VmRequest, subject: Subject) -> VmRequest:
    windows, facts = subject.windows, subject.facts
    if windows is None or facts is None:
        raise MediaError(f"{asked.disk} holds no Windows that can be looked at.")
    _check_processor(windows.architecture)
    uefi = facts.layout is DiskLayout.UEFI
    manager = read_boot_manager(facts.boot_manager) if facts.boot_manager else None
    signed = manager is not None and manager.authority is not None
    return replace(
        asked,
        generation=2 if uefi else 1,
        disable_secure_boot=asked.disable_secure_boot or not signed,
        tpm=uefi and wants_tpm(windows.version, server=windows.is_server),
        bus=_bus(subject),
        virtio_network=subject.tree.exists(_NETWORK_DRIVER),
        certificate=str(manager.authority) if manager and manager.authority else "",
    )


def _bus(subject: Subject) -> DiskBus:
    """The fastest way to attach a disk whose driver Windows loads at boot."""
    for driver in storage_drivers(subject):
        if driver.registered and driver.start == 0:
            return _BUSES[driver.name]
    return DiskBus.SATA


def _check_processor(architecture: Architecture) -> None:
    if architecture not in (Architecture.AMD64, Architecture.X86):
        raise RequestError(
            f"The image is for {architecture}; this command starts machines with x86-64 only.",
            "Start it on a machine of its own kind.",
        )
