"""What is put onto the Windows volume, in the order of the PowerShell tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from winimagetools.contract import ReadOnlyTree
from winimagetools.facts.product_key import DEFAULT_KMS_KEY, map_kms_product_key, no_kms_key
from winimagetools.files.whole import read_whole
from winimagetools.guest import (
    answer_file as answers,
)
from winimagetools.guest import (
    cloudbase_init,
    layout,
    ntfszapfree,
    qemu_agent,
    resources,
    wallpaper,
)
from winimagetools.image.edition_needs import check_edition
from winimagetools.image.request import Request, Workflow
from winimagetools.image.servicing import ServicingPlan
from winimagetools.model import Architecture, WimImage
from winimagetools.plan import Content, FileAddition, FileChange, Sources
from winimagetools.settings.findings import Findings


def answer_file(
    request: Request,
    edition: WimImage | None,
    service: ServicingPlan,
    found: Findings,
    pkeyconfig: bytes,
) -> tuple[tuple[FileAddition, ...], tuple[str, ...]]:
    r"""``\Unattend.xml`` for an edition, and what it does, a sentence each.

    A golden image has been set up already and gets none.
    """
    if edition is None:
        return (), ()
    key, nothing = product_key(request, edition, found), b""
    data = found.attempt(
        "unattend_xml_path", lambda: _answers(request, edition, service, key), nothing
    )
    waits = request.workflow is Workflow.ONLINE
    check_edition(found, edition, key, request.unattend, waits=waits, pkeyconfig=pkeyconfig)
    addition = FileAddition(layout.UNATTEND, (Content(data),))
    return (addition,), tuple(_sentences(request, edition, service, key))


def _answers(request: Request, edition: WimImage, service: ServicingPlan, key: str) -> bytes:
    template, name = answers.default_template(), answers.TEMPLATE_NAME
    if request.unattend is not None:
        template, name = read_whole(request.unattend), str(request.unattend)
    data = answers.generate_unattend_xml(
        template,
        edition,
        product_key=key,
        administrator_password=request.administrator_password,
        name=name,
    )
    if service.turns_powershell_on:
        data = answers.turn_on_powershell(data)
    if service.installs_drivers:
        data = answers.add_driver_command(data, layout.INSTALL_COMMAND, "Install drivers")
    return data


def _sentences(
    request: Request, edition: WimImage, service: ServicingPlan, key: str
) -> Iterator[str]:
    yield f"made from {request.unattend or 'the template of this project'} for {edition.name}"
    if key:
        public = request.product_key == DEFAULT_KMS_KEY
        yield f"sets {'the public KMS client key' if public else 'the product key given'}"
    yield "sets the Administrator password until the image is generalized"
    if service.turns_powershell_on:
        yield f"turns PowerShell on at the first logon: {layout.SERVICING_COMMAND}"
    if service.installs_drivers:
        yield f"installs the staged drivers: {layout.INSTALL_COMMAND}"


def product_key(request: Request, edition: WimImage, found: Findings) -> str:
    """The product key for an edition; empty for none. What speaks against it is found."""
    if request.product_key == DEFAULT_KMS_KEY:
        key = map_kms_product_key(edition)
        if key is None:
            found.warn("product_key", *no_kms_key(edition))
        return key or ""
    return request.product_key


def plan_resources(
    request: Request,
    architecture: Architecture,
    sources: Sources,
    found: Findings,
    tree: ReadOnlyTree | None,
) -> tuple[FileChange, ...]:
    r"""Everything in ``\UnattendResources``, and what goes beside it."""
    files: list[FileChange] = [
        *resources.unattend_resources(
            install_maas_hooks=request.install_maas_hooks,
            curtin_source=request.hooks,
            vmware_tools=request.vmware_tools,
        ),
        *resources.custom_resources(request.custom_resources, request.custom_scripts),
        resources.guest_config(request.guest_config),
    ]
    parts: tuple[tuple[str, Callable[[], tuple[FileChange, ...]]], ...] = (
        ("wallpaper_path", lambda: _wallpaper(request, tree)),
        ("zero_unused_volume_sectors", lambda: _zapfree(request, architecture)),
        ("install_qemu_ga", lambda: _guest_agent(request, architecture, sources, found)),
        ("msi_path", lambda: _cloudbase_init(request, architecture)),
    )
    for key, part in parts:
        files += found.attempt(key, part, ())
    return tuple(files)


def _wallpaper(request: Request, tree: ReadOnlyTree | None) -> tuple[FileChange, ...]:
    """Set the wallpaper; one that a golden image brings along is taken away again."""
    wanted = request.wallpaper
    if wanted.enabled:
        return wallpaper.windows_wallpaper(wanted.picture, wanted.solid_color, tree)
    if request.workflow is Workflow.GOLDEN and tree is not None:
        return wallpaper.without_wallpaper(tree)
    return ()


def _zapfree(request: Request, architecture: Architecture) -> tuple[FileChange, ...]:
    return (ntfszapfree.zapfree_program(architecture),) if request.zero_unused_sectors else ()


def _guest_agent(
    request: Request, architecture: Architecture, sources: Sources, found: Findings
) -> tuple[FileChange, ...]:
    """The QEMU guest agent from where the configuration says."""
    wanted = request.agent
    isos = [source for source in (sources.virtio_iso, sources.virtio_folder) if source is not None]
    decision = qemu_agent.decide(
        wanted.install,
        source=wanted.source,
        url=wanted.url,
        checksum=wanted.checksum,
        iso=qemu_agent.IsoState.PRESENT if isos else qemu_agent.IsoState.NOT_GIVEN,
        architecture=architecture,
    )
    if not decision.attempts:
        return ()
    addition, passed = qemu_agent.installer(decision, isos, found.config.resolve_path)
    for sentence in passed:
        found.warn("source", sentence)
    return (addition,)


def _cloudbase_init(request: Request, architecture: Architecture) -> tuple[FileChange, ...]:
    wanted = request.cloudbase_init
    return cloudbase_init.cloudbase_init_files(
        architecture,
        beta=wanted.beta,
        msi_path=wanted.msi,
        config_path=wanted.config,
        unattended_config_path=wanted.unattended_config,
    )
