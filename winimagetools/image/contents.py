"""What is put onto the Windows volume, in the reference's order."""

from __future__ import annotations

from pathlib import Path

from winimagetools.contract import Host, WindowsTree
from winimagetools.facts.product_key import map_kms_product_key
from winimagetools.guest import (
    answer_file,
    cloudbase_init,
    ntfszapfree,
    qemu_agent,
    resources,
    wallpaper,
)
from winimagetools.guest.config import guest_config_text
from winimagetools.guest.layout import UNATTEND
from winimagetools.image.request import Request, Workflow
from winimagetools.model import Architecture, WimImage

DEFAULT_KMS_KEY = "default_kms_key"


def put_answer_file(tree: WindowsTree, request: Request, image: WimImage) -> None:
    r"""Write ``\Unattend.xml`` for an edition, from the user's template or the one of this project.

    Raises:
        RequestError: the user's template is not an answer file.
    """
    template = answer_file.default_template()
    name = ""
    if request.unattend is not None:
        template, name = request.unattend.read_bytes(), str(request.unattend)
    answers = answer_file.generate_unattend_xml(
        template,
        image,
        product_key=product_key(request, image),
        administrator_password=request.config.administrator_password,
        name=name or answer_file.TEMPLATE_NAME,
    )
    tree.write_bytes(UNATTEND, answers)


def product_key(request: Request, image: WimImage) -> str:
    """The product key for an edition; empty for none."""
    key = request.config.product_key
    if key == DEFAULT_KMS_KEY:
        return map_kms_product_key(image) or ""
    return key


def put_resources(
    host: Host, tree: WindowsTree, request: Request, architecture: Architecture
) -> None:
    r"""Everything in ``\UnattendResources``, and what goes beside it."""
    config = request.config
    resources.copy_unattend_resources(
        tree,
        install_maas_hooks=config.install_maas_hooks,
        curtin_source=resources.find_curtin_hooks(_folder(request)),
        vmware_tools=request.vmware_tools,
    )
    resources.copy_custom_resources(tree, request.custom_resources, request.custom_scripts)
    resources.write_guest_config(tree, guest_config_text(config))
    put_wallpaper(tree, request)
    if config.zero_unused_volume_sectors:
        ntfszapfree.download_zapfree(tree, host.fetcher, architecture)
    put_guest_agent(host, tree, request, architecture)
    cloudbase_init.download_cloudbase_init(
        tree,
        host.fetcher,
        architecture,
        beta=config.beta_release,
        msi_path=request.msi,
        config_path=request.cloudbase_init_config,
        unattended_config_path=request.cloudbase_init_unattended_config,
    )


def _folder(request: Request) -> Path:
    """Where the user keeps what belongs to the configuration."""
    path = request.config.origin.path
    return path.absolute().parent if path is not None else Path.cwd()


def put_wallpaper(tree: WindowsTree, request: Request) -> None:
    """Set the wallpaper; one that a golden image brings along is taken away again."""
    config = request.config
    if config.enable_custom_wallpaper:
        wallpaper.set_windows_wallpaper(tree, request.wallpaper, config.wallpaper_solid_color)
    elif request.workflow is Workflow.GOLDEN:
        wallpaper.reset_windows_wallpaper(tree)


def put_guest_agent(
    host: Host, tree: WindowsTree, request: Request, architecture: Architecture
) -> None:
    """Get the QEMU guest agent from where the configuration says."""
    config = request.config
    decision = qemu_agent.decide(
        config.install_qemu_ga,
        source=config.source,
        url=config.url,
        checksum=config.checksum,
        iso=qemu_agent.iso_state(request.virtio_iso),
        architecture=architecture,
        iso_path=str(request.virtio_iso or config.virtio_iso_path),
    )
    iso = request.virtio_iso or Path()
    qemu_agent.acquire(decision, tree, host.fetcher, lambda: host.media.read_source(iso))
