"""What is told of an image that was made, gathered from what was asked, decided and done."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.errors import DownloadError, MediaError
from winimagetools.facts.boot_authority import BootManager
from winimagetools.facts.releases import wants_tpm
from winimagetools.files.collisions import Input
from winimagetools.files.digests import DigestMemory
from winimagetools.files.fingerprint import Fingerprints
from winimagetools.formats.images.probe import open_image
from winimagetools.formats.partition_table import TYPE_EFI, TYPE_MSR
from winimagetools.formats.partitions import Entry, Table, read_table
from winimagetools.host.carry_out import describe_source
from winimagetools.image import preflight
from winimagetools.image.boot_manager import describe_boot_manager
from winimagetools.image.describe import describe_guest
from winimagetools.image.platform_needs import machine_devices
from winimagetools.image.refusals import inputs
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.net.cache import default_cache
from winimagetools.output.report.facts import (
    Agent,
    ImageFacts,
    InputFile,
    MachineFacts,
    Part,
    Report,
    SetOption,
    UsedDriver,
    WindowsFacts,
    as_record,
)
from winimagetools.output.report.folder import check_place, write
from winimagetools.output.report.pictures import facts_of, take_pictures
from winimagetools.output.report.provenance import load_key
from winimagetools.output.unpack import beginning
from winimagetools.plan import (
    AddCapabilities,
    AddPackage,
    BuildPlan,
    Delivery,
    DiskFile,
    Download,
    EnableFeatures,
    FileAddition,
)
from winimagetools.settings.options import OPTIONS, WindowsImageConfig
from winimagetools.version import __version__
from winimagetools.workflows import reproducible
from winimagetools.workflows.prepare import Prepared

_MAY_HOLD_SECRETS = ("", "unattend_xml_path")
"""Inputs whose hash would help to guess a password: the rest of what they hold is known."""
_TABLE_SIZE = 64 << 10
"""Bytes; a GPT ends before, with sectors of 512 bytes and with those of 4096."""
_NAMES = {TYPE_EFI: "EFI system partition", TYPE_MSR: "Microsoft reserved partition"}


@dataclass(frozen=True)
class Made:
    """A disk that is complete, and how it came about.

    Args:
        image: the file, which does not have its name yet.
        plan: what was decided.
        boot_manager: that of the disk; None for BIOS, and where it cannot be looked at.
        logs: what the run in a virtual machine left; None when there was none.
    """

    image: DiskFile
    plan: BuildPlan
    boot_manager: BootManager | None = None
    logs: Path | None = None


class Recorder:
    """Writes the report of one build.

    Args:
        wanted: whether there is to be one.
        key: a private key in PEM that signs its provenance.

    Raises:
        HostError: there is a key, and what signs is not installed.
        RequestError: the key cannot be used.
    """

    def __init__(self, wanted: bool, key: Path | str | None = None) -> None:
        self._wanted = wanted
        self._signer = load_key(Path(key)) if wanted and key is not None else None
        self._started = now()
        self._sources: list[Input] = []
        self._fingerprints = Fingerprints(())
        log.take_warnings()

    @contextmanager
    def watching(self, prepared: Prepared) -> Iterator[None]:
        """Take the fingerprints of what is read, while it is read.

        Raises:
            RequestError: something else has the name of the report.
        """
        if not self._wanted:
            yield
            return
        check_place(prepared.request.delivery.path)
        self._sources = list(fingerprinted(prepared))
        paths = [source.path for source in self._sources]
        with Fingerprints(paths, _memory()) as self._fingerprints:
            yield

    def write(self, prepared: Prepared, made: Made, size: int, sha256: str) -> Path | None:
        """Write the report beside an image that is still in the private folder of its build.

        Args:
            prepared: what was asked.
            made: the image.
            size: bytes of the file.
            sha256: of the file; may be empty.

        Returns:
            The folder; None when none is wanted.
        """
        if not self._wanted:
            return None
        folder = made.image.path.parent / "report"
        pictures = take_pictures(made.logs) if made.logs is not None else {}
        parts = tuple(find_parts(made.plan.delivery, made.plan.disk_size, made.image.path))
        image = _image(made.plan, size, sha256, parts)
        report = self._report(prepared, made.plan, made.boot_manager, image)
        write(folder, replace(report, pictures=facts_of(pictures)), self._signer, pictures)
        return folder

    def so_far(
        self, prepared: Prepared, plan: BuildPlan, manager: BootManager | None
    ) -> dict[str, Any] | None:
        """What is known of an image that is not finished, as in its report.

        Args:
            prepared: what was asked.
            plan: what was decided.
            manager: that of the disk.

        Returns:
            The record, with no secret in it; None when no report is wanted.

        Raises:
            OSError: an input cannot be read any more.
        """
        if not self._wanted:
            return None
        return as_record(self._report(prepared, plan, manager, _image(plan, 0, "", ())))

    def _report(
        self, prepared: Prepared, plan: BuildPlan, manager: BootManager | None, image: ImageFacts
    ) -> Report:
        return Report(
            workflow=prepared.request.workflow.value,
            started=self._started.isoformat(timespec="seconds"),
            finished=now().isoformat(timespec="seconds"),
            tools=_tools(prepared),
            image=image,
            windows=_windows(plan, manager),
            inputs=tuple(self._inputs()),
            drivers=tuple(_drivers(plan)),
            agents=tuple(_agents(plan)),
            updates=tuple(step.path.name for step in plan.offline if isinstance(step, AddPackage)),
            features=_named(plan, EnableFeatures),
            capabilities=_named(plan, AddCapabilities),
            left_to_guest=tuple(describe_guest(plan)),
            options=tuple(_options(prepared.found.config)),
            untold=tuple(_untold(prepared.found.config)),
            source_date_epoch=plan.stamp.time,
            seed=plan.stamp.seed.hex(),
            reproducible=reproducible.told(prepared.request.workflow, prepared.host),
            steps=log.steps_so_far(),
            checks=tuple(checks_of(image.sha256)),
            warnings=log.take_warnings(),
            machine=machine_of(plan, manager),
        )

    def _inputs(self) -> Iterator[InputFile]:
        for source, found in zip(self._sources, self._fingerprints.results(), strict=True):
            yield InputFile(source.option, source.path.name, found.size, found.sha256)


def _tools(prepared: Prepared) -> tuple[tuple[str, str], ...]:
    """What the image was made with."""
    own = (("winimagetools", __version__), ("Python", sys.version.split()[0]))
    host = prepared.host
    return (*own, *host.checks.versions(preflight.requirements(prepared.request, host)))


def _memory() -> DigestMemory | None:
    """Where the sums of media are remembered; None for an account without a home folder."""
    try:
        return DigestMemory(default_cache() / "digests")
    except DownloadError:
        return None


def fingerprinted(prepared: Prepared) -> Iterator[Input]:
    """Everything a build reads whose hash may be told."""
    for item in inputs(prepared.found.config.origin.path, prepared.request):
        if item.option not in _MAY_HOLD_SECRETS and item.path.exists():
            yield item


def _named(plan: BuildPlan, kind: type[EnableFeatures] | type[AddCapabilities]) -> tuple[str, ...]:
    return tuple(name for step in plan.offline if isinstance(step, kind) for name in step.names)


def now() -> datetime.datetime:
    """This moment, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def _image(plan: BuildPlan, size: int, sha256: str, parts: tuple[Part, ...]) -> ImageFacts:
    return ImageFacts(
        file=plan.delivery.path.name,
        format=plan.delivery.describe(),
        size=size,
        sha256=sha256,
        disk_size=plan.disk_size,
        layout=plan.layout.value,
        partitions=parts,
    )


def find_parts(delivery: Delivery, disk_size: int, image: Path) -> Iterator[Part]:
    """What the finished disk really has; nothing where it cannot be read.

    Args:
        delivery: what the image is.
        disk_size: bytes of the disk in it.
        image: the file.
    """
    try:
        wrapped = bool(delivery.compression)
        table = _wrapped_table(delivery, disk_size, image) if wrapped else _table(image)
    except MediaError:
        return
    for entry in table.entries:
        yield Part(_partition_name(entry), entry.start, entry.size)


def _table(image: Path) -> Table:
    with open_image(image) as disk:
        return read_table(disk.read, disk.size, disk.sector)


def _wrapped_table(delivery: Delivery, disk_size: int, image: Path) -> Table:
    """The table at the beginning of a raw disk that is in an archive; there is no other there."""
    raw = delivery.disk_format is DiskFormat.RAW
    start = beginning(image, delivery.compression, _TABLE_SIZE) if raw else b""

    def read(offset: int, size: int) -> bytes:
        return start[offset : offset + size].ljust(size, b"\0")

    return read_table(read, disk_size)


def _partition_name(entry: Entry) -> str:
    return _NAMES.get(entry.type) or entry.name or f"partition {entry.number}"


def _windows(plan: BuildPlan, manager: BootManager | None) -> WindowsFacts:
    windows, edition = plan.windows, plan.edition
    return WindowsFacts(
        name=edition.name if edition else "",
        version=str(windows.version),
        architecture=windows.architecture.value,
        installation_type=windows.installation_type,
        edition=edition.edition_id if edition else "",
        language=edition.default_language if edition else "",
        boot_authority=describe_boot_manager(manager),
        boot_certificate=manager.authority.value if manager and manager.authority else "",
        boot_security_version=manager.security_version if manager else "",
    )


def machine_of(plan: BuildPlan, manager: BootManager | None) -> MachineFacts:
    """The machine an image starts in.

    A golden image has its drivers already, and nobody knows which: it gets the devices that every
    Windows knows.
    """
    uefi = plan.layout is DiskLayout.UEFI
    bus, network = machine_devices(() if plan.golden else plan.drivers)
    return MachineFacts(
        generation=2 if uefi else 1,
        secure_boot=uefi and manager is not None and manager.authority is not None,
        tpm=uefi and wants_tpm(plan.windows.version, server=plan.windows.is_server),
        disk=bus.value,
        virtio_network=network,
    )


def _drivers(plan: BuildPlan) -> Iterator[UsedDriver]:
    for drivers in plan.drivers:
        for package in drivers.packages:
            yield UsedDriver(
                package.name,
                package.version,
                package.inf,
                Path(drivers.source.name).name,
                package.boot_critical,
            )


def _agents(plan: BuildPlan) -> Iterator[Agent]:
    for change in plan.files:
        if isinstance(change, FileAddition) and change.title:
            digests = [item.sha256 for item in change.sources if isinstance(item, Download)]
            origins = tuple(describe_source(source) for source in change.sources)
            yield Agent(change.title, origins, digests[0].lower() if digests else "")


def _options(config: WindowsImageConfig) -> Iterator[SetOption]:
    for option in OPTIONS:
        if not option.secret:
            value = getattr(config, option.name)
            explicit = config.origin.is_explicit(option.name)
            yield SetOption(option.section, option.name, value, explicit)


def _untold(config: WindowsImageConfig) -> Iterator[str]:
    """What the image depends on and no report tells: secrets, and keys that are no options.

    Not those with their default, which a generated file sets all: it is what is taken when nobody
    says another.
    """
    usual = WindowsImageConfig()
    for option in OPTIONS:
        if option.secret and getattr(config, option.name) != getattr(usual, option.name):
            yield f"{option.section}.{option.name}"
    yield from (f"{section}.{key}" for section, key, _ in config.origin.own)


def checks_of(sha256: str) -> Iterator[str]:
    """What would have ended the build, and did not.

    Args:
        sha256: of the image; empty when it was not computed.
    """
    yield "Nothing spoke against the configuration, the medium and the drivers before the build."
    yield "No input changed while it was read."
    if sha256:
        yield "The SHA-256 of the image was computed."
