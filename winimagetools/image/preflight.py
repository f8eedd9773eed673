"""Reading a configuration as a request: words checked, paths found, everything typed.

:func:`read_request` looks only at what its workflow uses, and puts every problem it finds into
the :class:`~winimagetools.settings.findings.Findings`, each with section, key, line and what to
do about it. What a request as a whole cannot be is in :mod:`winimagetools.image.refusals`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from winimagetools.contract import Host
from winimagetools.data import UNATTEND_TEMPLATE
from winimagetools.errors import MediaError, RequestError
from winimagetools.files.kind import kind_of
from winimagetools.formats.images.probe import trusted_container
from winimagetools.guest import resources
from winimagetools.guest.config import guest_config_text
from winimagetools.image import delivery, refusals
from winimagetools.image.boot_manager import parse_authority
from winimagetools.image.drivers.virtio import virtio_sources
from winimagetools.image.request import (
    AgentOptions,
    CloudbaseInitOptions,
    DriverPaths,
    Request,
    ServicingOptions,
    WallpaperOptions,
    Workflow,
    split_list,
)
from winimagetools.image.wrapped import is_wrapped, name_inside
from winimagetools.model import ApplyEngine, DiskFormat, DiskLayout, ImageType
from winimagetools.output.become import takes_qemu_img
from winimagetools.paths import is_iso
from winimagetools.plan import AddPackage, Delivery, Requirements, VmRequest
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig

ACCELERATORS = ("auto", "kvm", "tcg")
_ACCELERATORS_SHOWN = "auto, kvm or tcg"


@dataclass(frozen=True)
class _Paths:
    """Finds the paths of options; one that cannot be used is a problem."""

    found: Findings

    def one(self, key: str, *, folder: bool | None = False) -> Path | None:
        """The path of option ``key``: None when not set or when it does not exist."""
        text: str = getattr(self.found.config, key)
        return self._look(key, text, folder) if text else None

    def several(self, key: str, *, folder: bool | None = False) -> tuple[Path, ...]:
        """The paths of a comma separated option."""
        items = split_list(getattr(self.found.config, key))
        paths = (self._look(key, item, folder) for item in items)
        return tuple(path for path in paths if path is not None)

    def _look(self, key: str, text: str, folder: bool | None) -> Path | None:
        missing: Path | None = None
        return self.found.attempt(key, lambda: self._existing(key, text, folder), missing)

    def _existing(self, key: str, text: str, folder: bool | None) -> Path | None:
        path = self.found.config.resolve_path(text)
        kind = {True: "folder", False: "file", None: "file or folder"}[folder]
        if not path.exists():
            self.found.add(key, f"The {kind} {text} does not exist.", refusals.path_hint(text))
        elif folder is not None and path.is_dir() != folder:
            self.found.add(key, f"{text} is not a {kind}.", f"Give the path of a {kind}.")
        elif (other := kind_of(path)) and not path.is_dir():
            self.found.add(key, f"{text} is {other}, not a {kind}.", f"Give the path of a {kind}.")
        else:
            return path
        return None


def read_request(found: Findings, workflow: Workflow, host: Host) -> Request:
    """Check a configuration against a workflow and a host.

    Port of ``Validate-WindowsImageConfig``, and of the checks at the top of each workflow.

    Args:
        found: the configuration; problems and warnings join those of reading it.
        workflow: what is wanted.
        host: the machine that would do it.

    Returns:
        The request; not to be followed before ``found`` is settled.
    """
    request = understand(found, workflow, host)
    refusals.refuse(found, request)
    found.problems += host.checks.check(requirements(request, host))
    if workflow in (Workflow.ONLINE, Workflow.GOLDEN):
        found.problems += host.vm.check(request.machine, found.config.force)
    return request


def understand(found: Findings, workflow: Workflow, host: Host) -> Request:
    """Read the words and paths of a configuration, and check nothing else.

    Arguments and result are those of :func:`read_request`.
    """
    config, layout = found.config, _layout(found)
    image_type = found.attempt(
        "image_type", lambda: delivery.parse_image_type(config.image_type), ImageType.HYPER_V
    )
    request = Request(
        workflow=workflow,
        layout=layout,
        image_type=image_type,
        delivery=_delivery(found, workflow, image_type),
        disk_size=config.disk_size,
        edition=config.image_name,
        drivers=_asked_drivers(config),
        install_maas_hooks=config.install_maas_hooks,
    )
    if workflow in (Workflow.TEST, Workflow.CONVERT):
        return request
    request = _with_contents(found, request)
    if workflow is Workflow.GOLDEN:
        golden = _Paths(found).one("gold_image_path")
        return replace(request, golden=golden or Path())
    return replace(
        request,
        wim=_wim(found, host),
        unattend=_unattend(found),
        servicing=_servicing(config, _Paths(found)),
    )


def _with_contents(found: Findings, request: Request) -> Request:
    """What goes into an image that is made, from a medium or from a golden image."""
    config, paths = found.config, _Paths(found)
    return replace(
        request,
        product_key=config.product_key,
        administrator_password=config.administrator_password,
        guest_config=_guest_config(config),
        drivers=_driver_paths(found),
        agent=AgentOptions(config.install_qemu_ga, config.source, config.url, config.checksum),
        cloudbase_init=CloudbaseInitOptions(
            config.beta_release,
            paths.one("msi_path"),
            paths.one("cloudbase_init_config_path"),
            paths.one("cloudbase_init_unattended_config_path"),
        ),
        wallpaper=WallpaperOptions(
            config.enable_custom_wallpaper,
            paths.one("wallpaper_path") if config.enable_custom_wallpaper else None,
            config.wallpaper_solid_color,
        ),
        custom_resources=paths.several("custom_resources_path", folder=True),
        custom_scripts=paths.several("custom_scripts_path", folder=True),
        vmware_tools=paths.one("vmware_tools_path"),
        hooks=found.attempt(
            "install_maas_hooks", partial(resources.find_curtin_hooks, _folder(config)), None
        ),
        zero_unused_sectors=config.zero_unused_volume_sectors,
        machine=_machine(found, request.layout) if config.run_sysprep else None,
        boot_authority=parse_authority(found),
        shrink=config.shrink_image_to_minimum_size,
    )


def _guest_config(config: WindowsImageConfig) -> str:
    """The text for the guest; empty for a time zone that is refused elsewhere."""
    with suppress(RequestError):
        return guest_config_text(config)
    return ""


def _wim(found: Findings, host: Host) -> Path:
    config = found.config

    def locate() -> Path:
        return host.media.locate(config.wim_file_path, config.resolve_path)

    return found.attempt("wim_file_path", locate, Path())


def _delivery(found: Findings, workflow: Workflow, image_type: ImageType) -> Delivery:
    config = found.config
    wanted = found.attempt(
        "virtual_disk_format",
        lambda: delivery.parse_disk_format(config.virtual_disk_format),
        DiskFormat.VHDX,
    )
    no_layers: tuple[str, ...] = ()
    compression = found.attempt(
        "compression_format",
        lambda: delivery.parse_compression(config.compression_format),
        no_layers,
    )
    disk_format = delivery.choose_disk_format(
        image_type,
        wanted,
        config.origin.is_explicit("virtual_disk_format"),
        by_type=workflow not in (Workflow.CLOUD, Workflow.CONVERT),
    )
    return delivery.plan_delivery(
        _image_path(found, workflow),
        disk_format,
        compression,
        compress_qcow2=config.compress_qcow2,
        password=config.zip_password,
        fixed_vhd=found.attempt(
            "vhd_subformat", lambda: delivery.parse_vhd_subformat(config.vhd_subformat), False
        ),
        apply_engine=found.attempt(
            "apply_engine",
            lambda: delivery.parse_apply_engine(config.apply_engine),
            ApplyEngine.AUTO,
        ),
    )


def _asked_drivers(config: WindowsImageConfig) -> DriverPaths:
    """Which drivers a finished image was asked for; their sources may be gone by now."""

    def path(text: str) -> Path | None:
        return config.resolve_path(text) if text else None

    return DriverPaths(
        path(config.virtio_iso_path), path(config.virtio_base_path), path(config.drivers_path)
    )


def _driver_paths(found: Findings) -> DriverPaths:
    """An ISO given as ``virtio_base_path`` is the virtio ISO; beside another ISO it counts too."""
    paths = _Paths(found)
    iso = paths.one("virtio_iso_path")
    base = paths.one("virtio_base_path", folder=None)
    if base is not None and is_iso(base):
        found.warn("virtio_base_path", "It names an ISO and is used as virtio_iso_path.")
        iso, base = (*virtio_sources(iso, base), None)[:2]
    return DriverPaths(iso, base, paths.one("drivers_path", folder=True))


def _servicing(config: WindowsImageConfig, paths: _Paths) -> ServicingOptions:
    ignore = config.extra_packages_ignore_errors
    packages = paths.several("extra_packages", folder=None)
    return ServicingOptions(
        features=split_list(config.extra_features),
        packages=tuple(AddPackage(path, ignore) for path in packages),
        capabilities=split_list(config.extra_capabilities),
        clean_updates=config.clean_updates_offline,
        purge_updates=config.purge_updates,
    )


def _machine(found: Findings, layout: DiskLayout) -> VmRequest:
    config = found.config
    accel = config.accel.strip().casefold()
    if accel not in ACCELERATORS:
        found.add("accel", f"{config.accel!r} is no accelerator.", f"Use {_ACCELERATORS_SHOWN}.")
        accel = ACCELERATORS[0]
    return VmRequest(
        name="",
        disk=Path(),
        memory=config.ram_size,
        cpu_count=config.cpu_count,
        switch=config.external_switch,
        generation=2 if layout is DiskLayout.UEFI else 1,
        disable_secure_boot=config.disable_secure_boot,
        gold=config.gold_image,
        discard_failed=config.discard_failed,
        accel=accel,
        silence=config.silent_minutes * 60,
        time_limit=config.vm_minutes * 60,
        vnc=str(config.resolve_path(config.vnc_socket)) if config.vnc_socket else "",
    )


def _folder(config: WindowsImageConfig) -> Path:
    """Where the user keeps what belongs to the configuration."""
    path = config.origin.path
    return path.absolute().parent if path is not None else Path.cwd()


def _image_path(found: Findings, workflow: Workflow) -> Path:
    text = found.config.image_path
    if not text:
        found.add("image_path", "No image is named.", "Set it to the file to write.")
    made = workflow is not Workflow.TEST

    def resolve() -> Path:
        return found.config.resolve_path(text or "image", to_be_made=made)

    return found.attempt("image_path", resolve, Path("image"))


def _layout(found: Findings) -> DiskLayout:
    text = found.config.disk_layout.strip().upper()
    if text in set(DiskLayout):
        return DiskLayout(text)
    found.add(
        "disk_layout",
        f"{found.config.disk_layout!r} is not a disk layout.",
        f"Choose one of {', '.join(DiskLayout)}.",
    )
    return DiskLayout.BIOS


def _unattend(found: Findings) -> Path | None:
    """The user's template; the default name means the one of this project, unless it exists."""
    text = found.config.unattend_xml_path
    if text in ("", UNATTEND_TEMPLATE) and not found.config.resolve_path(text or ".").is_file():
        return None
    return _Paths(found).one("unattend_xml_path")


def requirements(request: Request, host: Host) -> Requirements:
    """What ``host`` must have for ``request``."""
    return Requirements(
        layout=request.layout,
        formats=tuple(_converted(request, host)),
        existing_disk=request.workflow in (Workflow.GOLDEN, Workflow.TEST),
        vm=request.workflow in (Workflow.ONLINE, Workflow.GOLDEN),
        form_only=request.workflow is Workflow.CONVERT,
    )


def _converted(request: Request, host: Host) -> Iterator[DiskFormat]:
    """The containers qemu-img makes: for the work on a disk that is taken, and at the end."""
    delivery, made_as = request.delivery, host.work_format
    if request.workflow is Workflow.TEST:
        if not host.disks.opens(delivery.disk_format):
            yield made_as
        return
    if request.workflow is Workflow.GOLDEN:
        container = _golden_container(request.golden)
        if container is None or not host.disks.changes(container):
            yield made_as
        else:
            made_as = container
    if takes_qemu_img(made_as, delivery):
        yield delivery.disk_format


def _golden_container(golden: Path) -> DiskFormat | None:
    """What a golden image is; None where that shows only when it is unwrapped or looked at."""
    if is_wrapped(golden):
        raw = f".{DiskFormat.RAW.extension}"
        return DiskFormat.RAW if name_inside(golden).casefold().endswith(raw) else None
    with suppress(MediaError):
        return trusted_container(golden)
    return None
