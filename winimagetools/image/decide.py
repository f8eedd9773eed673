"""What is built, decided once: a request, a Windows and opened sources become a plan.

Nothing is changed here and nothing is downloaded. What speaks against the plan goes into the
findings, so that it is said together with everything else; the plan is not to be followed
before they are settled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from winimagetools.contract import Host, ReadOnlyTree
from winimagetools.facts.releases import wants_tpm
from winimagetools.image import contents, servicing
from winimagetools.image.boot_manager import takes_ex
from winimagetools.image.drivers import plan as drivers
from winimagetools.image.drivers import virtio
from winimagetools.image.platform_needs import (
    machine_devices,
    missing_network_driver,
    missing_storage_driver,
)
from winimagetools.image.request import Request, Workflow
from winimagetools.image.stamping import decide_stamp
from winimagetools.model import DiskLayout, WimImage
from winimagetools.plan import (
    BuildPlan,
    DriverPlan,
    ImageInfo,
    Sources,
    SourceTree,
    VmRequest,
)
from winimagetools.settings.findings import Findings


def decide(
    request: Request,
    windows: ImageInfo,
    sources: Sources,
    found: Findings,
    host: Host,
    *,
    edition: WimImage | None = None,
    tree: ReadOnlyTree | None = None,
    pkeyconfig: bytes = b"",
    epoch: int | None = None,
) -> BuildPlan:
    """Decide everything that goes into an image and is done to it.

    Args:
        request: what is wanted.
        windows: the Windows it is done to.
        sources: opened; each is listed once, and each INF on it is read once.
        found: problems and warnings are put here.
        host: what it can do decides what is left to the guest.
        edition: of the medium; None for a golden image.
        tree: the Windows volume of a golden image; None for one that is made anew.
        pkeyconfig: the edition's list of product keys, when it was read.
        epoch: the time everything is to be from, in seconds since 1970; None for that of the
            medium.
    """
    chosen = choose_drivers(request, windows, sources, found)
    staged = host.offline is None
    service = servicing.plan_servicing(request, windows, chosen, found, staged=staged)
    answers, sentences = contents.answer_file(request, edition, service, found, pkeyconfig)
    finished = request.workflow is not Workflow.CLOUD
    return BuildPlan(
        windows=windows,
        edition=edition,
        golden=request.golden if request.workflow is Workflow.GOLDEN else None,
        layout=request.layout,
        disk_size=request.disk_size,
        work_format=host.work_format,
        answers=sentences,
        files=(
            *answers,
            *contents.plan_resources(request, windows.architecture, sources, found, tree),
            *service.files,
        ),
        drivers=chosen,
        offline=service.offline,
        guest=service.guest,
        machine=_machine(request, windows, chosen, found, host) if finished else None,
        shrink=request.shrink and finished,
        optimize=finished,
        delivery=request.delivery,
        stamp=decide_stamp(request, edition, found.config, epoch),
        boot_ex=request.layout is DiskLayout.UEFI
        and takes_ex(request.boot_authority, windows.version),
    )


def _machine(
    request: Request,
    windows: ImageInfo,
    chosen: tuple[DriverPlan, ...],
    found: Findings,
    host: Host,
) -> VmRequest | None:
    """The virtual machine with the devices that this Windows wants and has drivers for.

    A golden image has its drivers already, and nobody knows which: it gets the devices that
    every Windows knows.
    """
    if request.machine is None:
        return None
    golden = request.workflow is Workflow.GOLDEN
    bus, virtio_network = machine_devices(() if golden else chosen)
    tpm = request.layout is DiskLayout.UEFI and wants_tpm(windows.version, server=windows.is_server)
    if tpm:
        found.problems += host.vm.check_tpm()
    return replace(request.machine, bus=bus, virtio_network=virtio_network, tpm=tpm)


def choose_drivers(
    request: Request, windows: ImageInfo, sources: Sources, found: Findings
) -> tuple[DriverPlan, ...]:
    """The drivers from each source, in the order they are added.

    Other drivers come before the virtio drivers in ``New-WindowsCloudImage`` and after them,
    without ``virtio_base_path``, in ``New-WindowsFromGoldenImage``.
    """
    other = ("drivers_path", sources.drivers, drivers.plan_drivers)
    iso = ("virtio_iso_path", sources.virtio_iso, virtio.plan_virtio_drivers)
    folder = ("virtio_base_path", sources.virtio_folder, virtio.plan_virtio_drivers)
    golden = request.workflow is Workflow.GOLDEN
    plans = [
        _plan(key, source, plan, windows, found, request.layout is DiskLayout.UEFI)
        for key, source, plan in ((iso, other) if golden else (other, iso, folder))
        if source is not None
    ]
    chosen = tuple(plan for plan in plans if plan is not None)
    if not golden and None not in plans:
        _say_what_lacks(request, windows, chosen, found)
    return chosen


def _say_what_lacks(
    request: Request, windows: ImageInfo, chosen: tuple[DriverPlan, ...], found: Findings
) -> None:
    for sentence in (
        missing_storage_driver(request.image_type, chosen),
        missing_network_driver(windows, request.image_type, chosen),
    ):
        if sentence:
            found.warn("virtio_iso_path", sentence)


def _plan(
    key: str,
    source: SourceTree,
    plan: Callable[[SourceTree, ImageInfo], DriverPlan],
    windows: ImageInfo,
    found: Findings,
    uefi: bool,
) -> DriverPlan | None:
    nothing: DriverPlan | None = None
    chosen = found.attempt(key, lambda: plan(source, windows), nothing)
    if chosen is not None:
        for sentence in (*chosen.warnings, *(chosen.uefi_warnings if uefi else ())):
            found.warn(key, sentence)
    return chosen
