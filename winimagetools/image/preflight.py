"""Everything that can be refused is refused here, before the first slow step, all at once.

:func:`read_request` turns a configuration into a :class:`Request`; it raises one error with
every problem it found, each with section, key, line and what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import Problem, RequestError, raise_problems
from winimagetools.formats import iso
from winimagetools.guest import answer_file, cloudbase_init, qemu_agent, wallpaper
from winimagetools.image import delivery
from winimagetools.image.drivers import plan
from winimagetools.image.request import Request, Workflow, split_list
from winimagetools.model import (
    GIB,
    MIB,
    Architecture,
    DiskFormat,
    DiskLayout,
    ImageType,
    WimImage,
    WindowsVersion,
)
from winimagetools.paths import is_iso, is_windows_path
from winimagetools.plan import Requirements, VmRequest
from winimagetools.settings.options import WindowsImageConfig

T = TypeVar("T")

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


@dataclass
class _Findings:
    """Problems collected so far; every check goes on after one."""

    config: WindowsImageConfig
    problems: list[Problem] = field(default_factory=list)

    def add(self, key: str, message: str, hint: str = "") -> None:
        self.problems.append(self.config.problem(key, message, hint))

    def attempt(self, key: str, action: Callable[[], T], fallback: T) -> T:
        """The result of ``action``; a refusal becomes a problem of option ``key``, or of the
        option it names.
        """
        try:
            return action()
        except RequestError as error:
            self.add(error.option or key, error.message, error.hint)
        except OSError as error:
            self.add(key, f"{error.filename} cannot be used: {error.strerror}.")
        return fallback

    def path(self, key: str, *, folder: bool | None = False) -> Path | None:
        """The path of option ``key``: None when not set or when it does not exist."""
        text: str = getattr(self.config, key)
        return self.look(key, text, folder=folder) if text else None

    def paths(self, key: str, *, folder: bool | None = False) -> tuple[Path, ...]:
        """The paths of a comma separated option."""
        items = split_list(getattr(self.config, key))
        found = (self.look(key, item, folder=folder) for item in items)
        return tuple(path for path in found if path is not None)

    def look(self, key: str, text: str, *, folder: bool | None) -> Path | None:
        """The path an option means; anything that keeps it from being used is a problem."""
        missing: Path | None = None
        return self.attempt(key, lambda: self._existing(key, text, folder), missing)

    def _existing(self, key: str, text: str, folder: bool | None) -> Path | None:
        path = self.config.resolve_path(text)
        kind = {True: "folder", False: "file", None: "file or folder"}[folder]
        if not path.exists():
            self.add(key, f"The {kind} {text} does not exist.", _path_hint(text))
        elif folder is not None and path.is_dir() != folder:
            self.add(key, f"{text} is not a {kind}.")
        else:
            return path
        return None


def _path_hint(text: str) -> str:
    if is_windows_path(text) and not Path(text).drive:
        return "It is a Windows path; give the path the file has on this machine."
    return ""


def read_request(config: WindowsImageConfig, workflow: Workflow, host: Host) -> Request:
    """Check a configuration against a workflow and a host.

    Port of ``Validate-WindowsImageConfig``, and of the checks at the top of each workflow.

    Raises:
        ConfigurationError: with every problem found.
        HostError: when only this machine is at fault.
    """
    found = _Findings(config)
    request = _read(found, workflow, host)
    for check in _CHECKS[workflow]:
        check(found, request)
    found.problems += host.checks.check(requirements(request, host))
    if workflow in (Workflow.ONLINE, Workflow.GOLDEN):
        vm = vm_request(request, Path()) if config.run_sysprep else None
        found.problems += host.vm.check(vm, config.force)
    raise_problems(found.problems, str(config.origin.path or ""))
    return request


def _read(found: _Findings, workflow: Workflow, host: Host) -> Request:
    config = found.config
    image_type = found.attempt(
        "image_type", lambda: delivery.parse_image_type(config.image_type), ImageType.HYPER_V
    )
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
    virtio = found.path("virtio_base_path", folder=None)
    virtio_is_iso = virtio is not None and is_iso(virtio)
    wim = Path()
    if workflow in (Workflow.CLOUD, Workflow.ONLINE):
        wim = found.attempt(
            "wim_file_path",
            lambda: host.media.locate(config.wim_file_path, config.resolve_path),
            wim,
        )
    return Request(
        config=config,
        workflow=workflow,
        layout=_layout(found),
        image_type=image_type,
        output=delivery.plan_output(
            _image_path(found, workflow),
            disk_format,
            compression,
            compress_qcow2=config.compress_qcow2,
            password=config.zip_password,
        ),
        wim=wim,
        golden=(found.path("gold_image_path") if workflow is Workflow.GOLDEN else None) or Path(),
        virtio_iso=virtio if virtio_is_iso else found.path("virtio_iso_path"),
        virtio_folder=None if virtio_is_iso else virtio,
        drivers=found.path("drivers_path", folder=True),
        unattend=_unattend(found),
        custom_resources=found.paths("custom_resources_path", folder=True),
        custom_scripts=found.paths("custom_scripts_path", folder=True),
        packages=found.paths("extra_packages", folder=None),
        vmware_tools=found.path("vmware_tools_path"),
        wallpaper=found.path("wallpaper_path"),
        msi=found.path("msi_path"),
        cloudbase_init_config=found.path("cloudbase_init_config_path"),
        cloudbase_init_unattended_config=found.path("cloudbase_init_unattended_config_path"),
    )


def _image_path(found: _Findings, workflow: Workflow) -> Path:
    text = found.config.image_path
    if not text:
        found.add("image_path", "No image is named.", "Set it to the file to write.")
    made = workflow is not Workflow.TEST

    def resolve() -> Path:
        return found.config.resolve_path(text or "image", to_be_made=made)

    return found.attempt("image_path", resolve, Path("image"))


def _layout(found: _Findings) -> DiskLayout:
    text = found.config.disk_layout.strip().upper()
    if text in set(DiskLayout):
        return DiskLayout(text)
    found.add(
        "disk_layout",
        f"{found.config.disk_layout!r} is not a disk layout.",
        f"Choose one of {', '.join(DiskLayout)}.",
    )
    return DiskLayout.BIOS


def _unattend(found: _Findings) -> Path | None:
    """The user's template; the default name means the one of this project, unless it exists."""
    text = found.config.unattend_xml_path
    if text in ("", DEFAULT_TEMPLATE) and not found.config.resolve_path(text or ".").is_file():
        return None
    return found.path("unattend_xml_path")


def _check_build(found: _Findings, request: Request) -> None:
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
        log.warning(
            "vmware_tools_path is not set: the image may not be usable on VMware without "
            "VMware Tools."
        )
    if config.zip_password and "zip" not in request.output.compression:
        log.warning("zip_password is set but compression_format has no zip: it is not used.")
    if config.compress_qcow2 and request.output.disk_format is not DiskFormat.QCOW2:
        log.warning(f"compress_qcow2 is not used: what comes out is {request.output.describe()}.")


def _check_contents(found: _Findings, request: Request) -> None:
    """Files that only their first bytes, or all of them, show to be of the right kind."""
    wanted = found.config.enable_custom_wallpaper
    checks: tuple[tuple[str, Path | None, Callable[[Path], object]], ...] = (
        ("unattend_xml_path", request.unattend, answer_file.check_template),
        ("msi_path", request.msi, cloudbase_init.check_msi),
        ("wallpaper_path", request.wallpaper if wanted else None, wallpaper.read_picture),
    )
    for key, path, check in checks:
        if path is not None:
            found.attempt(key, partial(check, path), None)


def _check_names(found: _Findings) -> None:
    for key, what in (("extra_features", "feature"), ("extra_capabilities", "capability")):
        for name in split_list(getattr(found.config, key)):
            if not _NAME.fullmatch(name):
                found.add(
                    key,
                    f"{name} cannot be the name of a Windows {what}.",
                    "Names have letters, digits and . - _ ~ and are separated by commas.",
                )


def _check_target(found: _Findings, request: Request) -> None:
    text = found.config.image_path
    target = request.output.path
    if not text:
        return
    if is_windows_path(text) and not Path(text).drive:
        found.add("image_path", f"{text} cannot be written.", _path_hint(text))
    elif target.is_dir():
        found.add("image_path", f"{text} is a folder.", "Give the name of the image as well.")
    elif not target.parent.is_dir():
        found.add("image_path", f"The folder {target.parent} does not exist.", "Make it first.")
    last = request.output.compression[-1:] or (request.output.disk_format.extension,)
    if target.suffix and target.suffix[1:].casefold() not in {*last, "tgz", "img", "dd"}:
        log.warning(
            f"image_path ends in {target.suffix}, but what comes out is "
            f"{request.output.describe()}."
        )


def _check_product_key(found: _Findings) -> None:
    key = found.config.product_key
    if key and key != "default_kms_key" and not _PRODUCT_KEY.fullmatch(key):
        found.add(
            "product_key",
            "The product key is not of the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXX.",
            "Give such a key, default_kms_key, or nothing.",
        )


def _check_time_zone(found: _Findings) -> None:
    if "/" in found.config.time_zone:
        found.add(
            "time_zone",
            f"{found.config.time_zone} is not what Windows calls a time zone.",
            "Give the Windows name, such as W. Europe Standard Time; tzutil /l lists them.",
        )


def _check_drivers(found: _Findings, request: Request) -> None:
    if request.drivers is not None:
        message = plan.check_drivers_folder(iso.FolderTree(request.drivers))
        if message:
            found.add("drivers_path", message)
    if request.virtio_iso is not None and not is_iso(request.virtio_iso):
        found.add("virtio_iso_path", f"{request.virtio_iso} is not an .iso file.")
    if found.config.virtio_base_path and is_iso(found.config.virtio_base_path):
        log.warning("virtio_base_path names an ISO: it is used as virtio_iso_path.")


def _check_media(found: _Findings, request: Request) -> None:
    if not found.config.image_name.strip():
        found.add("image_name", "No edition is named.", "List them with: winimagetools wim-info")
    if request.layout is DiskLayout.BIOS and found.config.disk_size > 2048 * GIB:
        found.add("disk_size", "A BIOS disk cannot be larger than 2 TiB.", "Use UEFI.")
    if request.output.disk_format is DiskFormat.VHD and found.config.disk_size > LARGEST_VHD:
        found.add("disk_size", "A VHD cannot be larger than 2040 GiB.", "Use VHDX.")


def _check_golden_output(found: _Findings, request: Request) -> None:
    """A golden image must stay one that New-WindowsFromGoldenImage can attach.

    The reference's ``!$x -in @(...)`` never was true; this is the check it means.
    """
    if not found.config.gold_image:
        return
    if request.image_type is not ImageType.HYPER_V:
        found.add("image_type", "A golden image has to be of type HYPER-V.")
    if request.output.disk_format not in (DiskFormat.VHD, DiskFormat.VHDX):
        found.add("virtual_disk_format", "A golden image has to be a VHD or VHDX.")
    if request.output.path.suffix.casefold() not in (".vhd", ".vhdx"):
        found.add("image_path", "The name of a golden image has to end in .vhd or .vhdx.")


def _check_golden(found: _Findings, request: Request) -> None:
    if not found.config.gold_image_path:
        found.add("gold_image_path", "No golden image is given.", "Set it to a VHD or VHDX.")
    elif request.golden.name and request.golden.suffix.casefold() not in (".vhd", ".vhdx"):
        found.add("gold_image_path", f"{request.golden} is not a .vhd or .vhdx file.")


def _check_online(found: _Findings, _: Request) -> None:
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


def _check_tested_image(found: _Findings, request: Request) -> None:
    text = found.config.image_path
    if text and not request.output.path.is_file():
        found.add("image_path", f"The image {text} does not exist.", _path_hint(text))


_CHECKS: dict[Workflow, tuple[Callable[[_Findings, Request], None], ...]] = {
    Workflow.CLOUD: (_check_build, _check_media),
    Workflow.ONLINE: (_check_golden_output, _check_online, _check_build, _check_media),
    Workflow.GOLDEN: (_check_online, _check_build, _check_golden),
    Workflow.TEST: (_check_tested_image,),
}


def check_fits(request: Request, image: WimImage) -> None:
    """Refuse a disk that the image cannot fit on or start from.

    Raises:
        ConfigurationError: naming the size or the layout that would do.
    """
    if image.architecture is Architecture.ARM64 and request.layout is DiskLayout.BIOS:
        _refuse(request, "disk_layout", f"{image.name} is for arm64 and has no BIOS.", "Use UEFI.")
    old_x86 = image.architecture is Architecture.X86 and image.version < WindowsVersion(6, 2)
    if old_x86 and request.layout is DiskLayout.UEFI:
        _refuse(request, "disk_layout", f"{image.name} for x86 has no UEFI.", "Use BIOS.")
    overhead = 330 * MIB if request.layout is DiskLayout.UEFI else 2 * MIB
    needed = int(image.disk_bytes * NTFS_OVERHEAD) + overhead
    if request.config.disk_size >= needed:
        if request.config.disk_size < needed + SPARE:
            log.warning(
                f"{log.size(request.config.disk_size)} leaves Windows little room: "
                f"{image.name} alone takes about {log.size(needed)}."
            )
        return
    gigabytes = -(-(needed + SPARE) // GIB)
    _refuse(
        request,
        "disk_size",
        f"{log.size(request.config.disk_size)} is too small for {image.name}, "
        f"which takes about {log.size(needed)}.",
        f"Use at least {gigabytes}GB.",
    )


def _refuse(request: Request, key: str, message: str, hint: str) -> None:
    problem = request.config.problem(key, message, hint)
    raise_problems([problem], str(request.config.origin.path or ""))


def requirements(request: Request, host: Host) -> Requirements:
    """What ``host`` must have for ``request``."""
    wanted: Sequence[DiskFormat] = (request.output.disk_format,)
    return Requirements(
        layout=request.layout,
        formats=tuple(item for item in wanted if item is not host.disks.work_format),
        existing_disk=request.workflow in (Workflow.GOLDEN, Workflow.TEST),
        vm=request.workflow in (Workflow.ONLINE, Workflow.GOLDEN),
    )


def vm_request(request: Request, disk: Path, name: str = "") -> VmRequest:
    """The virtual machine the online stage runs in."""
    config = request.config
    return VmRequest(
        name=name,
        disk=disk,
        memory=config.ram_size,
        cpu_count=config.cpu_count,
        switch=config.external_switch,
        generation=2 if request.layout is DiskLayout.UEFI else 1,
        disable_secure_boot=config.disable_secure_boot,
    )
