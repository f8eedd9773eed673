"""What a request cannot be: everything that is refused before the first slow step.

Each check goes on after a problem, so that all of them are said together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from winimagetools import log
from winimagetools.errors import MediaError
from winimagetools.facts.product_key import DEFAULT_KMS_KEY, is_product_key
from winimagetools.facts.releases import NEEDS_UEFI, UEFI_ON_X86
from winimagetools.files.collisions import Input, collisions
from winimagetools.files.source_folder import source_problems
from winimagetools.files.space import build_bytes, space_problem
from winimagetools.files.target import target_problem
from winimagetools.formats import iso
from winimagetools.formats.partition_table import size_problem
from winimagetools.guest import answer_file, cloudbase_init, qemu_agent, resources, wallpaper
from winimagetools.guest.installers import check_msi
from winimagetools.image.boot_manager import check_use
from winimagetools.image.drivers import plan as drivers
from winimagetools.image.edition_needs import check_values
from winimagetools.image.platform_needs import missing_hooks
from winimagetools.image.request import Request, Workflow, split_list
from winimagetools.image.wrapped import foreign_wrapping, layers_of
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
from winimagetools.settings.findings import Findings

MINIMUM_MEMORY = 512 * MIB
"""Less than any supported Windows starts with."""
NTFS_OVERHEAD = 1.08
"""File-system structures and cluster slack per byte of file data, measured on Windows trees."""
SPARE = GIB
"""Bytes Windows needs free to finish its first boot."""
LARGEST_VHD = 2040 * GIB
"""Microsoft's limit, see "Virtual Hard Disk Image Format Specification"."""
_NAME = re.compile(r"[A-Za-z0-9._~ +()-]+")
"""What names of Windows features and capabilities consist of."""


def path_hint(text: str) -> str:
    """What to do about a path that does not exist, such as one of Windows on Linux."""
    if is_windows_path(text) and not Path(text).drive:
        return "It is a Windows path; give the path the file has on this machine."
    return "Check the path and its letter case; a relative one is looked for in the current folder."


def refuse(found: Findings, request: Request) -> None:
    """Put everything that speaks against a request into the findings.

    What its workflow does not use is not looked at.
    """
    for check in _CHECKS[request.workflow]:
        check(found, request)


def _check_build(found: Findings, request: Request) -> None:
    """What every workflow that makes an image needs."""
    config = found.config
    _check_delivery(found, request)
    _check_product_key(found)
    check_values(found)
    _check_drivers(found, request)
    _check_contents(found, request)
    for key, check in (
        ("custom_resources_path", _check_copied_folders),
        ("custom_scripts_path", _check_hooks),
    ):
        found.attempt(key, partial(check, found, request), None)
    _check_names(found)
    if config.enable_custom_wallpaper:
        found.attempt(
            "wallpaper_path",
            lambda: wallpaper.check_wallpaper(config.wallpaper_path, config.wallpaper_solid_color),
            None,
        )
    found.attempt("source", lambda: _check_agent(found, request), None)
    check_use(found, request)
    without_hooks = missing_hooks(request.image_type, has_hooks=request.install_maas_hooks)
    if without_hooks:
        found.warn("install_maas_hooks", without_hooks)
    if request.image_type is ImageType.VMWARE and not config.vmware_tools_path:
        found.warn(
            "vmware_tools_path",
            "It is not set: the image may not be usable on VMware without VMware Tools.",
            "Give the setup64.exe of VMware Tools.",
        )


def _check_delivery(found: Findings, request: Request) -> None:
    """Where the image goes, and in which form."""
    config = found.config
    found.attempt("image_path", lambda: _check_target(found, request), None)
    zips = (*request.delivery.compression, *layers_of(request.golden))
    if config.zip_password and "zip" not in zips:
        found.warn(
            "zip_password",
            "It is not used: compression_format has no zip.",
            "Remove it, or add zip.",
        )
    if config.compress_qcow2 and request.delivery.disk_format is not DiskFormat.QCOW2:
        found.warn(
            "compress_qcow2",
            f"It is not used: {request.delivery.describe()} comes out.",
            "Set it to False.",
        )


def _check_agent(found: Findings, request: Request) -> None:
    """What no image can be made with, before its architecture is known."""
    wanted, paths = request.agent, request.drivers
    given = found.config.virtio_iso_path or found.config.virtio_base_path
    qemu_agent.decide(
        wanted.install,
        source=wanted.source,
        url=wanted.url,
        checksum=wanted.checksum,
        iso=qemu_agent.iso_state(given, paths.virtio_iso or paths.virtio_folder),
        architecture=Architecture.AMD64,
        iso_path=given,
    )


def _check_contents(found: Findings, request: Request) -> None:
    """Files that only their first bytes, or all of them, show to be of the right kind."""
    init = request.cloudbase_init
    checks: tuple[tuple[str, Path | None, Callable[[Path], object]], ...] = (
        ("unattend_xml_path", request.unattend, answer_file.check_template),
        ("msi_path", init.msi, partial(check_msi, option="msi_path")),
        *(
            (key, path, partial(cloudbase_init.check_config, option=key))
            for key, path in (
                ("cloudbase_init_config_path", init.config),
                ("cloudbase_init_unattended_config_path", init.unattended_config),
            )
        ),
        ("wallpaper_path", request.wallpaper.picture, wallpaper.read_picture),
    )
    for key, path, check in checks:
        if path is not None:
            found.attempt(key, partial(check, path), None)


def _check_hooks(found: Findings, request: Request) -> None:
    for folder in request.custom_scripts:
        for name, meant in resources.misnamed_hooks(folder):
            found.warn(
                "custom_scripts_path",
                f"{folder / name} is never run: no hook has this name.",
                f"Call it {meant} if that was meant.",
            )


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
        found.add("image_path", f"{text} cannot be written.", path_hint(text))
    elif (problem := target_problem(target)) is not None:
        found.add("image_path", problem.message, problem.hint)
    for collision in collisions(target, inputs(found.config.origin.path, request)):
        found.add("image_path", collision.message, collision.hint)
    last = request.delivery.compression[-1:] or (request.delivery.disk_format.extension,)
    if target.suffix and target.suffix[1:].casefold() not in {*last, "tgz", "img", "dd"}:
        found.warn(
            "image_path",
            f"It ends in {target.suffix}, but what comes out is {request.delivery.describe()}.",
        )


def inputs(config: Path | None, request: Request) -> Iterator[Input]:
    """Everything a build reads, by the option that names it; the configuration by none."""
    if config is not None:
        yield Input("", config)
    init = request.cloudbase_init
    single = (
        ("wim_file_path", request.wim if request.wim.name else None),
        ("gold_image_path", request.golden if request.golden.name else None),
        ("virtio_iso_path", request.drivers.virtio_iso),
        ("virtio_base_path", request.drivers.virtio_folder),
        ("drivers_path", request.drivers.folder),
        ("unattend_xml_path", request.unattend),
        ("vmware_tools_path", request.vmware_tools),
        ("wallpaper_path", request.wallpaper.picture),
        ("msi_path", init.msi),
        ("cloudbase_init_config_path", init.config),
        ("cloudbase_init_unattended_config_path", init.unattended_config),
        ("install_maas_hooks", request.hooks if request.install_maas_hooks else None),
    )
    yield from (Input(option, path) for option, path in single if path is not None)
    several = (
        ("custom_resources_path", request.custom_resources),
        ("custom_scripts_path", request.custom_scripts),
        ("extra_packages", tuple(package.path for package in request.servicing.packages)),
    )
    yield from (Input(option, path) for option, paths in several for path in paths)


def _check_copied_folders(found: Findings, request: Request) -> None:
    """Names Windows cannot hold, twins and broken links in everything that is copied in."""
    copied = ("custom_resources_path", "custom_scripts_path", "extra_packages")
    hooks = ("install_maas_hooks",)
    for item in inputs(None, request):
        if item.option in (*copied, *hooks):
            for problem in source_problems(item.path):
                found.add(item.option, problem.message, problem.hint)


def _check_product_key(found: Findings) -> None:
    key = found.config.product_key
    if key and key != DEFAULT_KMS_KEY and not is_product_key(key):
        found.add(
            "product_key",
            "The product key is not of the form XXXXX-XXXXX-XXXXX-XXXXX-XXXXX.",
            "Give such a key, default_kms_key, or nothing.",
        )


def _check_drivers(found: Findings, request: Request) -> None:
    if request.drivers.folder is not None:
        try:
            tree = iso.FolderTree(request.drivers.folder)
        except MediaError:
            return  # what opens it for the build says so
        message = drivers.check_drivers_folder(tree)
        if message:
            found.add(
                "drivers_path",
                message,
                "Give the folder with the unpacked drivers, subfolders included.",
            )
    if request.drivers.virtio_iso is not None and not is_iso(request.drivers.virtio_iso):
        found.add(
            "virtio_iso_path",
            f"{request.drivers.virtio_iso} is not an .iso file.",
            "Give the virtio-win ISO; a folder belongs in virtio_base_path.",
        )


def _check_media(found: Findings, request: Request) -> None:
    if not found.config.image_name.strip():
        found.add("image_name", "No edition is named.", "List them with: winimagetools wim-info")
    problem = size_problem(request.disk_size, request.layout)
    if problem is not None:
        found.add("disk_size", problem.message, problem.hint)
    if request.delivery.disk_format is DiskFormat.VHD and found.config.disk_size > LARGEST_VHD:
        found.add("disk_size", "A VHD cannot be larger than 2040 GiB.", "Use VHDX.")


def _check_golden_output(found: Findings, request: Request) -> None:
    """A golden image must stay one that New-WindowsFromGoldenImage can attach.

    The PowerShell tools' ``!$x -in @(...)`` never was true; this is the check it means.
    """
    if not found.config.gold_image:
        return
    if request.image_type is not ImageType.HYPER_V:
        found.add("image_type", "A golden image has to be of type HYPER-V.", "Set it to HYPER-V.")
    if request.delivery.disk_format not in (DiskFormat.VHD, DiskFormat.VHDX):
        found.add(
            "virtual_disk_format", "A golden image has to be a VHD or VHDX.", "Set it to VHDX."
        )
    if request.delivery.path.suffix.casefold() not in (".vhd", ".vhdx"):
        found.add(
            "image_path",
            "The name of a golden image has to end in .vhd or .vhdx.",
            "Give it another ending.",
        )


_DISKS = (*(each.extension for each in DiskFormat), "img", "dd")


def _may_be_disk(path: Path) -> bool:
    return path.suffix.casefold()[1:] in _DISKS or bool(layers_of(path))


def _check_golden(found: Findings, request: Request) -> None:
    if not found.config.gold_image_path:
        found.add("gold_image_path", "No golden image is given.", "Set it to a disk image.")
    elif foreign := foreign_wrapping(request.golden):
        found.add("gold_image_path", *foreign)
    elif request.golden.name and not _may_be_disk(request.golden):
        found.add(
            "gold_image_path",
            f"{request.golden} is not a disk image: it ends in none of .{', .'.join(_DISKS)}, and "
            "in no wrapping.",
            "Give the golden image that online-image made with gold_image = True.",
        )


def _check_online(found: Findings, _request: Request) -> None:
    config = found.config
    if not config.run_sysprep and not config.force:
        found.add(
            "run_sysprep",
            "Without sysprep the image is not usable in a cloud.",
            "Set force = True if you want it all the same.",
        )
    if config.cpu_count < 1:
        found.add(
            "cpu_count", f"{config.cpu_count} processors are not enough.", "Give it 1 or more."
        )
    if config.ram_size < MINIMUM_MEMORY:
        found.add(
            "ram_size",
            f"{log.size(config.ram_size)} of memory is not enough for Windows.",
            "Give it 2GB or more.",
        )


def _check_tested_image(found: Findings, request: Request) -> None:
    text = found.config.image_path
    if text and not request.delivery.path.is_file():
        found.add("image_path", f"The image {text} does not exist.", path_hint(text))


_CHECKS: dict[Workflow, tuple[Callable[[Findings, Request], None], ...]] = {
    Workflow.CLOUD: (_check_build, _check_media),
    Workflow.ONLINE: (_check_golden_output, _check_online, _check_build, _check_media),
    Workflow.GOLDEN: (_check_online, _check_build, _check_golden),
    Workflow.TEST: (_check_tested_image,),
    Workflow.CONVERT: (_check_delivery,),
}


def check_space(
    found: Findings, request: Request, image: WimImage, copied: int, converted: bool
) -> None:
    """Find a folder that is too full for a build.

    Args:
        found: the problem is put here; it is one of this machine.
        request: where the image goes.
        image: the edition.
        copied: bytes of the WIM that are copied out of its ISO.
        converted: a second disk lies beside the first for some time.
    """
    folder = request.delivery.path.parent
    if folder.is_dir():
        needed = build_bytes(image.disk_bytes, copied=copied, converted=converted)
        problem = space_problem(folder, needed)
        found.problems += [problem] if problem is not None else []


def check_fits(found: Findings, request: Request, image: WimImage) -> None:
    """Find a disk that the image cannot fit on or start from."""
    if image.architecture is Architecture.ARM64 and request.layout is DiskLayout.BIOS:
        found.add("disk_layout", f"{image.name} is for arm64 and has no BIOS.", "Use UEFI.")
    elif (
        request.layout is DiskLayout.BIOS
        and not image.is_server
        and NEEDS_UEFI.is_in(image.version)
    ):
        found.warn(
            "disk_layout",
            f"Microsoft supports {image.name} with UEFI only, not with BIOS.",
            "Set disk_layout = UEFI.",
        )
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
