"""What comes before every build: read, open, decide, and refuse all that can be refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from winimagetools.config import read_config
from winimagetools.contract import Host, InstallMedia, ReadOnlyTree
from winimagetools.errors import MediaError
from winimagetools.facts.key_check import PKEYCONFIG
from winimagetools.facts.product_key import DEFAULT_KMS_KEY
from winimagetools.files.identity import Watch
from winimagetools.formats.wim.editions import select_image
from winimagetools.formats.wim.registry import from_registry
from winimagetools.image import preflight, refusals
from winimagetools.image.boot_manager import look_at_boot_manager
from winimagetools.image.decide import choose_drivers, decide
from winimagetools.image.delivery import with_checksum
from winimagetools.image.request import Request, Workflow
from winimagetools.image.stamping import read_epoch
from winimagetools.image.wrapped import layers_of
from winimagetools.model import WimImage
from winimagetools.plan import BuildPlan, ImageInfo, Sources, SourceTree
from winimagetools.settings.findings import Findings

_T = TypeVar("_T")


@dataclass(frozen=True)
class Prepared:
    """A request that was read and looked at, with everything it reads from opened.

    Args:
        host: the machine that will do it.
        request: what is wanted.
        found: what speaks against it so far.
        sources: opened once, for the whole build.
        watch: notices inputs that change while they are used; the medium watches itself.
        epoch: the time the image is to be from; None for that of its medium.
    """

    host: Host
    request: Request
    found: Findings
    sources: Sources
    watch: Watch
    epoch: int | None = None

    def asking(self, checksum: bool | None) -> Prepared:
        """The same with the decision about the SHA-256; None for the usual."""
        delivery = with_checksum(self.request.delivery, checksum)
        return replace(self, request=replace(self.request, delivery=delivery))

    def plan_for(self, windows: ImageInfo, tree: ReadOnlyTree) -> BuildPlan:
        """The plan for a golden image, whose Windows shows only once its disk is open.

        Raises:
            ConfigurationError: with every problem found.
        """
        plan = decide(self.request, windows, self.sources, self.found, self.host, tree=tree)
        self.found.settle()
        return plan


def prepare(
    workflow: Workflow,
    host: Host,
    config_file_path: Path | str,
    overrides: Sequence[str],
    strict: bool,
    opened: ExitStack,
) -> Prepared:
    """Read a configuration, check it and open what it names besides the medium.

    Args:
        workflow: what is wanted.
        host: the machine that will do it.
        config_file_path: the configuration.
        overrides: ``section.key=value`` texts that win over the file.
        strict: every warning is a problem.
        opened: closes what was opened.

    Raises:
        ConfigurationError: the configuration cannot be read at all.
    """
    found = read_config(config_file_path, overrides=overrides, strict=strict)
    request = preflight.read_request(found, workflow, host)
    sources = _open_sources(host, request, found, opened)
    watch = opened.enter_context(Watch(()))
    if not found.problems:
        _watch_inputs(watch, request, found)
    return Prepared(host, request, found, sources, watch, read_epoch(os.environ, found))


def _watch_inputs(watch: Watch, request: Request, found: Findings) -> None:
    for item in refusals.inputs(None, request):
        if item.path != request.wim:
            found.attempt(item.option, partial(watch.add, item.path), None)


def plan_from_medium(
    prepared: Prepared, opened: ExitStack
) -> tuple[InstallMedia, WimImage, BuildPlan]:
    """Open the medium, choose the edition and decide everything else.

    Raises:
        ConfigurationError: with every problem found, those of reading the file included.
        HostError: when only this machine is at fault.
    """
    decided = look_at_medium(prepared, opened)
    prepared.found.settle()
    if decided is None:
        wim = prepared.request.wim
        raise MediaError(f"{wim} holds nothing to install.", "Use another medium.")
    return decided


def look_at_medium(
    prepared: Prepared, opened: ExitStack
) -> tuple[InstallMedia, WimImage, BuildPlan] | None:
    """Open the medium, choose the edition and decide everything else, as far as that goes.

    Args:
        prepared: all that speaks against it is put into its findings, which are not settled.
        opened: closes what was opened.

    Returns:
        None when there is no edition to decide for. What was decided is not to be followed
        before the findings are settled.
    """
    request, found = prepared.request, prepared.found
    medium = _open_medium(prepared, opened)
    edition = _choose(medium, request, found) if medium is not None else None
    if medium is None or edition is None:
        _look_at_drivers(prepared, medium)
        return None
    _check_sizes(prepared, medium, edition)
    plan = decide(
        request,
        ImageInfo.of(edition),
        prepared.sources,
        found,
        prepared.host,
        edition=edition,
        pkeyconfig=_pkeyconfig(medium, edition, request),
        epoch=prepared.epoch,
    )
    read = partial(medium.read_file, edition)
    return medium, edition, look_at_boot_manager(request, found, plan, read, prepared.host.vm)


def look_at_golden(prepared: Prepared) -> None:
    """Find what is wrong with a golden image before it is copied, as far as a host can tell.

    One that is wrapped is looked at when it is unwrapped.

    Args:
        prepared: what speaks against the image is put into its findings.
    """
    request, nothing = prepared.request, None
    if request.golden.is_file() and not layers_of(request.golden):
        size, host = request.whole_disk_size, prepared.host
        looking = partial(host.disks.refuse_unusable, request.golden, size)
        prepared.found.attempt("gold_image_path", looking, nothing)


def _open_medium(prepared: Prepared, opened: ExitStack) -> InstallMedia | None:
    host, request, found = prepared.host, prepared.request, prepared.found
    nothing: InstallMedia | None = None
    if request.wim == Path():
        return nothing
    opening = partial(_enter, opened, host.media.open_install, request.wim)
    return found.attempt("wim_file_path", opening, nothing)


def _check_sizes(prepared: Prepared, medium: InstallMedia, edition: WimImage) -> None:
    """Whether the edition fits on its disk, and the build beside its image."""
    host, request, found = prepared.host, prepared.request, prepared.found
    refusals.check_fits(found, request, edition)
    converted = (
        request.delivery.disk_format is not host.work_format
        and not host.files.stays_in_place(host.work_format, request.delivery)
    )
    refusals.check_space(found, request, edition, medium.copied_bytes(), converted)


def _choose(medium: InstallMedia, request: Request, found: Findings) -> WimImage | None:
    nothing: WimImage | None = None
    if not request.edition.strip():
        return nothing  # preflight has said so
    return found.attempt(
        "image_name",
        lambda: select_image(
            medium.images,
            request.edition,
            request.wim,
            medium.others,
            look_inside=lambda image: from_registry(image, partial(medium.read_file, image)),
        ),
        nothing,
    )


def _pkeyconfig(medium: InstallMedia, edition: WimImage, request: Request) -> bytes:
    """What tells the channel of a product key, when there is a key to look up."""
    if request.product_key in ("", DEFAULT_KMS_KEY):
        return b""
    try:
        return medium.read_file(edition, PKEYCONFIG)
    except FileNotFoundError:
        return b""


def _look_at_drivers(prepared: Prepared, medium: InstallMedia | None) -> None:
    """Find what is wrong with the drivers although no edition was chosen.

    The editions of a medium mostly are of one version and architecture: what fits one of
    them fits all.
    """
    windows = {ImageInfo.of(image) for image in medium.images} if medium is not None else set()
    if len({(item.version, item.architecture) for item in windows}) == 1:
        first = next(iter(windows))
        choose_drivers(prepared.request, first, prepared.sources, prepared.found)


def _open_sources(host: Host, request: Request, found: Findings, opened: ExitStack) -> Sources:
    def open_source(key: str, path: Path | None) -> SourceTree | None:
        nothing: SourceTree | None = None
        if path is None:
            return nothing
        return found.attempt(key, partial(_enter, opened, host.media.open_source, path), nothing)

    paths = request.drivers
    return Sources(
        drivers=open_source("drivers_path", paths.folder),
        virtio_iso=open_source("virtio_iso_path", paths.virtio_iso),
        virtio_folder=open_source("virtio_base_path", paths.virtio_folder),
    )


def _enter(
    opened: ExitStack, opening: Callable[[Path], AbstractContextManager[_T]], path: Path
) -> _T:
    return opened.enter_context(opening(path))
