"""Everything that can be refused is refused here, before the first slow step.

:func:`read_request` turns a configuration into a :class:`Request` and puts every problem it
finds into the :class:`~winimagetools.settings.findings.Findings`, each with section, key, line
and what to do about it; :func:`check_fits` does so for the edition that was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.facts.releases import UEFI_ON_X86
from winimagetools.formats import iso
from winimagetools.guest import answer_file, cloudbase_init, qemu_agent, resources, wallpaper
from winimagetools.guest.config import guest_config_text
from winimagetools.image import delivery
from winimagetools.image.drivers import plan as drivers
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
from winimagetools.model import (
    GIB,
    MIB,
    Architecture,
    DiskFormat,
    DiskLayout,
    ImageType,
    WimImage,
)
from winimagetools.paths import is_iso, is_windows_path
from winimagetools.plan import AddPackage, Delivery, Requirements, VmRequest
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig

MINIMUM_MEMORY = 512 * MIB
"""Less than any supported Windows starts with."""
NTFS_OVERHEAD = 1.08
"""File-system structures and cluster slack per byte of file data, measured on Windows trees."""
SPARE = GIB
"""Bytes Windows needs free to finish its first boot."""
LARGEST_VHD = 2040 * GIB
"""Microsoft's limit, see "Virtual Hard Disk Image Format Specification"."""
DEFAULT_TEMPLATE = "UnattendTemplate.xml"
_NAME = re.compile(r"[A-Za-z0-9._~ +()-]+")
"""What names of Windows features and capabilities consist of."""
_PRODUCT_KEY = re.compile(r"\S{5}-\S{5}-\S{5}-\S{5}-\S{5}")


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
            self.found.add(key, f"The {kind} {text} does not exist.", _path_hint(text))
        elif folder is not None and path.is_dir() != folder:
            self.found.add(key, f"{text} is not a {kind}.")
        else:
            return path
        return None


def _path_hint(text: str) -> str:
    if is_windows_path(text) and not Path(text).drive:
        return "It is a Windows path; give the path the file has on this machine."
    return ""


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
    request = _read(found, workflow, host)
    for check in _CHECKS[workflow]:
        check(found, request)
    found.problems += host.checks.check(requirements(request, host))
    if workflow in (Workflow.ONLINE, Workflow.GOLDEN):
        found.problems += host.vm.check(request.machine, found.config.force)
    return request


def _read(found: Findings, workflow: Workflow, host: Host) -> Request:
    config, paths, layout = found.config, _Paths(found), _layout(found)
    image_type = found.attempt(
        "image_type", lambda: delivery.parse_image_type(config.image_type), ImageType.HYPER_V
    )
    return Request(
        workflow=workflow,
        layout=layout,
        image_type=image_type,
        delivery=_delivery(found, workflow, image_type),
        disk_size=config.disk_size,
        edition=config.image_name,
        wim=_wim(found, workflow, host),
        golden=(paths.one("gold_image_path") if workflow is Workflow.GOLDEN else None) or Path(),
        unattend=_unattend(found),
        product_key=config.product_key,
        administrator_password=config.administrator_password,
        guest_config=guest_config_text(config),
        drivers=_driver_paths(paths),
        agent=AgentOptions(config.install_qemu_ga, config.source, config.url, config.checksum),
        cloudbase_init=CloudbaseInitOptions(
            config.beta_release,
            paths.one("msi_path"),
            paths.one("cloudbase_init_config_path"),
            paths.one("cloudbase_init_unattended_config_path"),
        ),
        wallpaper=WallpaperOptions(
            config.enable_custom_wallpaper,
            paths.one("wallpaper_path"),
            config.wallpaper_solid_color,
        ),
        servicing=_servicing(config, paths),
        custom_resources=paths.several("custom_resources_path", folder=True),
        custom_scripts=paths.several("custom_scripts_path", folder=True),
        vmware_tools=paths.one("vmware_tools_path"),
        install_maas_hooks=config.install_maas_hooks,
        hooks=resources.find_curtin_hooks(_folder(config)),
        zero_unused_sectors=config.zero_unused_volume_sectors,
        machine=_machine(config, layout) if config.run_sysprep else None,
        shrink=config.shrink_image_to_minimum_size,
    )


def _wim(found: Findings, workflow: Workflow, host: Host) -> Path:
    if workflow not in (Workflow.CLOUD, Workflow.ONLINE):
        return Path()
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
        by_type=workflow is not Workflow.CLOUD,
    )
    return delivery.plan_delivery(
        _image_path(found, workflow),
        disk_format,
        compression,
        compress_qcow2=config.compress_qcow2,
        password=config.zip_password,
    )


def _driver_paths(paths: _Paths) -> DriverPaths:
    virtio = paths.one("virtio_base_path", folder=None)
    virtio_is_iso = virtio is not None and is_iso(virtio)
    return DriverPaths(
        virtio_iso=virtio if virtio_is_iso else paths.one("virtio_iso_path"),
        virtio_folder=None if virtio_is_iso else virtio,
        folder=paths.one("drivers_path", folder=True),
    )


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


def _machine(config: WindowsImageConfig, layout: DiskLayout) -> VmRequest:
    return VmRequest(
        name="",
        disk=Path(),
        memory=config.ram_size,
        cpu_count=config.cpu_count,
        switch=config.external_switch,
        generation=2 if layout is DiskLayout.UEFI else 1,
        disable_secure_boot=config.disable_secure_boot,
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
    if text in ("", DEFAULT_TEMPLATE) and not found.config.resolve_path(text or ".").is_file():
        return None
    return _Paths(found).one("unattend_xml_path")


def _check_build(found: Findings, request: Request) -> None:
    """What every workflow that makes an image needs."""
    config = found.config
    found.attempt("image_path", lambda: _check_target(found, request), None)
    _check_product_key(found)
    _check_time_zone(found)
    _check_drivers(found, request)
    _check_contents(found, request)
    _check_names(found)
    if config.enable_custom_wallpaper:
        found.attempt(
            "wallpaper_path",
            lambda: wallpaper.check_wallpaper(config.wallpaper_path, config.wallpaper_solid_color),
            None,
        )
    iso_path = config.resolve_path(config.virtio_iso_path) if config.virtio_iso_path else None
    found.attempt(
        "source",
        lambda: qemu_agent.check(
            config.install_qemu_ga, config.source, config.url, config.checksum, iso_path
        ),
        None,
    )
    if request.image_type is ImageType.VMWARE and not config.vmware_tools_path:
        found.warn(
            "vmware_tools_path",
            "It is not set: the image may not be usable on VMware without VMware Tools.",
        )
    if config.zip_password and "zip" not in request.delivery.compression:
        found.warn("zip_password", "It is not used: compression_format has no zip.")
    if config.compress_qcow2 and request.delivery.disk_format is not DiskFormat.QCOW2:
        found.warn("compress_qcow2", f"It is not used: {request.delivery.describe()} comes out.")


def _check_contents(found: Findings, request: Request) -> None:
    """Files that only their first bytes, or all of them, show to be of the right kind."""
    wanted = found.config.enable_custom_wallpaper
    checks: tuple[tuple[str, Path | None, Callable[[Path], object]], ...] = (
        ("unattend_xml_path", request.unattend, answer_file.check_template),
        ("msi_path", request.cloudbase_init.msi, cloudbase_init.check_msi),
        ("wallpaper_path", request.wallpaper.picture if wanted else None, wallpaper.read_picture),
    )
    for key, path, check in checks:
        if path is not None:
            found.attempt(key, partial(check, path), None)


def _check_names(found: Findings) -> None:
    for key, what in (("extra_features", "feature"), ("extra_capabilities", "capability")):
        for name in split_list(getattr(found.config, key)):
            if not _NAME.fullmatch(name):
                found.add(
                    key,
                    f"{name} cannot be the name of a Windows {what}.",
                    "Names have letters, digits and . - _ ~ and are separated by commas.",
                )


def _check_target(found: Findings, request: Request) -> None:
    text = found.config.image_path
    target = request.delivery.path
    if not text:
        return
    if is_windows_path(text) and not Path(text).drive:
        found.add("image_path", f"{text} cannot be written.", _path_hint(text))
    elif target.is_dir():
        found.add("image_path", f"{text} is a folder.", "Give the name of the image as well.")
    elif not target.parent.is_dir():
        found.add("image_path", f"The folder {target.parent} does not exist.", "Make it first.")
    last = request.delivery.compression[-1:] or (request.delivery.disk_format.extension,)
    if target.suffix and target.suffix[1:].casefold() not in {*last, "tgz", "img", "dd"}:
        found.warn(
            "image_path",
            f"It ends in {target.suffix}, but what comes out is {request.delivery.describe()}.",
        )


def _check_product_key(found: Findings) -> None:
    key = found.config.product_key
    if key and key != "default_kms_key" and not _PRODUCT_KEY.fullmatch(key):
        found.add(
            "product_key",
            "The product key is not of the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXX.",
            "Give such a key, default_kms_key, or nothing.",
        )


def _check_time_zone(found: Findings) -> None:
    if "/" in found.config.time_zone:
        found.add(
            "time_zone",
            f"{found.config.time_zone} is not what Windows calls a time zone.",
            "Give the Windows name, such as W. Europe Standard Time; tzutil /l lists them.",
        )


def _check_drivers(found: Findings, request: Request) -> None:
    if request.drivers.folder is not None:
        message = drivers.check_drivers_folder(iso.FolderTree(request.drivers.folder))
        if message:
            found.add("drivers_path", message)
    if request.drivers.virtio_iso is not None and not is_iso(request.drivers.virtio_iso):
        found.add("virtio_iso_path", f"{request.drivers.virtio_iso} is not an .iso file.")
    if found.config.virtio_base_path and is_iso(found.config.virtio_base_path):
        found.warn("virtio_base_path", "It names an ISO and is used as virtio_iso_path.")


def _check_media(found: Findings, request: Request) -> None:
    if not found.config.image_name.strip():
        found.add("image_name", "No edition is named.", "List them with: winimagetools wim-info")
    if request.layout is DiskLayout.BIOS and found.config.disk_size > 2048 * GIB:
        found.add("disk_size", "A BIOS disk cannot be larger than 2 TiB.", "Use UEFI.")
    if request.delivery.disk_format is DiskFormat.VHD and found.config.disk_size > LARGEST_VHD:
        found.add("disk_size", "A VHD cannot be larger than 2040 GiB.", "Use VHDX.")


def _check_golden_output(found: Findings, request: Request) -> None:
    """A golden image must stay one that New-WindowsFromGoldenImage can attach.

    The reference's ``!$x -in @(...)`` never was true; this is the check it means.
    """
    if not found.config.gold_image:
        return
    if request.image_type is not ImageType.HYPER_V:
        found.add("image_type", "A golden image has to be of type HYPER-V.")
    if request.delivery.disk_format not in (DiskFormat.VHD, DiskFormat.VHDX):
        found.add("virtual_disk_format", "A golden image has to be a VHD or VHDX.")
    if request.delivery.path.suffix.casefold() not in (".vhd", ".vhdx"):
        found.add("image_path", "The name of a golden image has to end in .vhd or .vhdx.")


def _check_golden(found: Findings, request: Request) -> None:
    if not found.config.gold_image_path:
        found.add("gold_image_path", "No golden image is given.", "Set it to a VHD or VHDX.")
    elif request.golden.name and request.golden.suffix.casefold() not in (".vhd", ".vhdx"):
        found.add("gold_image_path", f"{request.golden} is not a .vhd or .vhdx file.")


def _check_online(found: Findings, _request: Request) -> None:
    config = found.config
    if not config.run_sysprep and not config.force:
        found.add(
            "run_sysprep",
            "Without sysprep the image is not usable in a cloud.",
            "Set force = True if you want it all the same.",
        )
    if config.cpu_count < 1:
        found.add("cpu_count", f"{config.cpu_count} processors are not enough.")
    if config.ram_size < MINIMUM_MEMORY:
        found.add("ram_size", f"{log.size(config.ram_size)} of memory is not enough for Windows.")


def _check_tested_image(found: Findings, request: Request) -> None:
    text = found.config.image_path
    if text and not request.delivery.path.is_file():
        found.add("image_path", f"The image {text} does not exist.", _path_hint(text))


_CHECKS: dict[Workflow, tuple[Callable[[Findings, Request], None], ...]] = {
    Workflow.CLOUD: (_check_build, _check_media),
    Workflow.ONLINE: (_check_golden_output, _check_online, _check_build, _check_media),
    Workflow.GOLDEN: (_check_online, _check_build, _check_golden),
    Workflow.TEST: (_check_tested_image,),
}


def check_fits(found: Findings, request: Request, image: WimImage) -> None:
    """Find a disk that the image cannot fit on or start from."""
    if image.architecture is Architecture.ARM64 and request.layout is DiskLayout.BIOS:
        found.add("disk_layout", f"{image.name} is for arm64 and has no BIOS.", "Use UEFI.")
    old_x86 = image.architecture is Architecture.X86 and not UEFI_ON_X86.is_in(image.version)
    if old_x86 and request.layout is DiskLayout.UEFI:
        found.add("disk_layout", f"{image.name} for x86 has no UEFI.", "Use BIOS.")
    overhead = 330 * MIB if request.layout is DiskLayout.UEFI else 2 * MIB
    needed = int(image.disk_bytes * NTFS_OVERHEAD) + overhead
    if request.disk_size < needed:
        found.add(
            "disk_size",
            f"{log.size(request.disk_size)} is too small for {image.name}, "
            f"which takes about {log.size(needed)}.",
            f"Use at least {-(-(needed + SPARE) // GIB)}GB.",
        )
    elif request.disk_size < needed + SPARE:
        found.warn(
            "disk_size",
            f"{log.size(request.disk_size)} leaves Windows little room: "
            f"{image.name} alone takes about {log.size(needed)}.",
        )


def requirements(request: Request, host: Host) -> Requirements:
    """What ``host`` must have for ``request``."""
    wanted = request.delivery.disk_format
    return Requirements(
        layout=request.layout,
        formats=(wanted,) if wanted is not host.work_format else (),
        existing_disk=request.workflow in (Workflow.GOLDEN, Workflow.TEST),
        vm=request.workflow in (Workflow.ONLINE, Workflow.GOLDEN),
    )
