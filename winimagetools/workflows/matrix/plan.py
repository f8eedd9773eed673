"""What a matrix consists of: its cells, and for each stage everything that goes into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import RequestError
from winimagetools.image import preflight
from winimagetools.image.refusals import inputs
from winimagetools.image.request import Request, Workflow
from winimagetools.matrix.cells import Cell, make_cells
from winimagetools.matrix.description import Description
from winimagetools.matrix.digests import Digests, digest_of, sealed
from winimagetools.matrix.stages import (
    FINISHED,
    GOLDEN,
    IMAGE,
    OFFLINE,
    PUBLISHED,
    TITLES,
    CellPlan,
    StagePlan,
)
from winimagetools.matrix.store import StageName, StageStore
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import OPTIONS, WindowsImageConfig
from winimagetools.version import __version__

WORKFLOWS = {
    "cloud": Workflow.CLOUD,
    "online": Workflow.ONLINE,
    "golden": Workflow.GOLDEN,
}
RAW = (
    "virtual_disk_format=RAW",
    "vhd_subformat=dynamic",
    "compress_qcow2=False",
    "compression_format=",
    "zip_password=",
)
"""The form of the disks that cells share, whatever becomes of them."""
FORM = frozenset({"image_path", *(text.partition("=")[0] for text in RAW)})
"""The options about the form of an image."""
GOLD = ("gold_image=True", "image_type=HYPER-V", "virtual_disk_format=VHDX")
"""What makes a golden image of a configuration, wherever its copies will run."""
_PUBLICATIONS = {True: ".published.txt", False: ".publish.sh"}
"""How the file ends that tells what an image is called where it went, or how it gets there."""
_MAY_HOLD_SECRETS = ("unattend_xml_path",)


@dataclass(frozen=True)
class MatrixPlan:
    """A matrix with the plans of its cells.

    Args:
        found: for each cell what was found of its configuration so far.
        requests: what each cell asks for.
    """

    description: Description
    cells: tuple[CellPlan, ...]
    found: dict[str, Findings]
    requests: dict[str, Request]


def read_cells(description: Description, host: Host) -> list[Cell]:
    """The cells of a matrix, whose media are looked into.

    Raises:
        ConfigurationError: the base configuration cannot be read.
        RequestError: a medium cannot be read, or the axes fit nothing.
    """
    base = read_config(description.base)
    if base.config.gold_image and description.workflow != "golden":
        raise RequestError(
            f"{description.base} asks for a golden image, of which there is one for many images.",
            f'Set gold_image = False there, or workflow = "golden" in {description.path}.',
        )

    def editions_of(path: Path) -> list[str]:
        with host.media.open_install(path) as medium:
            return [image.name for image in medium.images]

    medium = Path(base.config.wim_file_path)
    if "edition" in description.axes and not description.media:
        medium = host.media.locate(base.config.wim_file_path, base.config.resolve_path)
    return make_cells(description, editions_of, medium)


@dataclass(frozen=True)
class Sealed:
    """What stands for inputs in the names of stages.

    Args:
        key: seals secrets.
        digests: of files.
    """

    key: bytes
    digests: Digests


def plan_matrix(
    description: Description, cells: list[Cell], store: Sealed | StageStore, host: Host
) -> MatrixPlan:
    """Plan every cell.

    Args:
        description: what the file says.
        cells: those that are wanted.
        store: knows what inputs hold, and has the key for secrets.
        host: the machine that would do it.
    """
    found: dict[str, Findings] = {}
    requests: dict[str, Request] = {}
    plans: list[CellPlan] = []
    for cell in cells:
        findings, request = understand(description, cell, host)
        found[cell.name], requests[cell.name] = findings, request
        plans.append(_plan_cell(description, cell, findings, request, store, host))
    return MatrixPlan(description, tuple(plans), found, requests)


def understand(description: Description, cell: Cell, host: Host) -> tuple[Findings, Request]:
    """Read the configuration of a cell, whose image is called like the cell."""
    workflow = WORKFLOWS[description.workflow]
    path = description.images / cell.name
    found = read_config(description.base, overrides=(*cell.overrides, f"image_path={path}"))
    form = preflight.understand(found, Workflow.CONVERT, host).delivery
    ending = ".".join((form.disk_format.extension, *form.compression))
    overrides = (*cell.overrides, f"image_path={path}.{ending}")
    found = read_config(description.base, overrides=overrides)
    return found, preflight.understand(found, workflow, host)


def _plan_cell(
    description: Description,
    cell: Cell,
    found: Findings,
    request: Request,
    store: Sealed | StageStore,
    host: Host,
) -> CellPlan:
    def stage(kind: str, parts: dict[str, str], *more: str, workflow: str = "cloud") -> StagePlan:
        return StagePlan(
            name=StageName(kind, digest_of(parts)),
            cell=cell.name,
            parts=parts,
            parent=stages[-1].name if stages else None,
            config=str(description.base),
            overrides=(*cell.overrides, *RAW, *more),
            workflow=workflow,
        )

    stages: list[StagePlan] = []
    if description.workflow == "golden":
        gold = read_config(description.base, overrides=(*cell.overrides, *RAW, *GOLD[:2]))
        asked = preflight.understand(gold, Workflow.CLOUD, host)
        stages.append(stage(OFFLINE, offline_parts(gold, asked, store), *GOLD[:2]))
        parts = _of_parent(stages[-1].name)
        stages.append(stage(FINISHED, parts, *GOLD, workflow="online"))
        parts = {**offline_parts(found, request, store), **_of_parent(stages[-1].name)}
        stages.append(stage(GOLDEN, parts, workflow="golden"))
    else:
        stages.append(stage(OFFLINE, offline_parts(found, request, store)))
    if description.workflow == "online":
        stages.append(stage(FINISHED, _of_parent(stages[-1].name), workflow="online"))
    stages.append(_image(description, cell, found, request, store, stages[-1]))
    if cell.target is not None and cell.target.publish:
        stages.append(_publication(description, cell, stages[-1]))
    return CellPlan(cell, tuple(stages))


def _of_parent(parent: StageName) -> dict[str, str]:
    return {"winimagetools": __version__, f"its {TITLES[parent.kind]}": parent.digest}


def offline_parts(found: Findings, request: Request, store: Sealed | StageStore) -> dict[str, str]:
    """Everything that goes into an offline disk: options, files, and who makes it.

    All options but those about the form of the image, for the scripts in the guest get a copy.
    Secrets are sealed, and so are the answer file and keys of the user's own, which may be some.
    """
    parts = {"winimagetools": __version__, **dict(_options(found.config, store.key))}
    for section, key, text in found.config.origin.own:
        parts[f"[{section}] {key}"] = sealed(store.key, text)
    for number, item in enumerate(inputs(None, request)):
        digest = found.attempt(item.option, partial(store.digests.of, item.path), "")
        secret = item.option in _MAY_HOLD_SECRETS
        name = f"content of {item.option}"
        name = f"{name} {number}" if name in parts else name
        parts[name] = sealed(store.key, digest) if secret else digest
    return parts


def _options(config: WindowsImageConfig, key: bytes) -> Iterator[tuple[str, str]]:
    for option in OPTIONS:
        if option.name not in FORM:
            text = str(getattr(config, option.name))
            name = f"{option.section}.{option.name}"
            yield name, sealed(key, text) if option.secret and text else text


def _image(
    description: Description,
    cell: Cell,
    found: Findings,
    request: Request,
    store: Sealed | StageStore,
    parent: StagePlan,
) -> StagePlan:
    delivery, key = request.delivery, description.sign_key
    parts = image_parts(found, request, parent.name, key, store)
    return StagePlan(
        name=StageName(IMAGE, digest_of(parts)),
        cell=cell.name,
        parts=parts,
        parent=parent.name,
        config=str(description.base),
        overrides=(*cell.overrides, f"image_path={delivery.path}"),
        workflow=description.workflow,
        target=str(delivery.path),
        sign_key=str(key or ""),
    )


def image_parts(
    found: Findings,
    request: Request,
    parent: StageName,
    sign_key: Path | None,
    store: Sealed | StageStore,
) -> dict[str, str]:
    """Everything that goes into an image: its disk, its form, its place, and who signs."""
    delivery = request.delivery
    parts = {
        **_of_parent(parent),
        "path": str(delivery.path),
        "format": delivery.describe(),
        "zip_password": sealed(store.key, delivery.password) if delivery.password else "",
    }
    if sign_key is not None:
        digest = found.attempt("image_path", partial(store.digests.of, sign_key), "")
        parts["sign_key"] = sealed(store.key, digest)
    return parts


def check_inputs(stage: StagePlan, store: StageStore, host: Host) -> None:
    """Compare what goes into a stage with what it was when the matrix was planned.

    Raises:
        RequestError: it changed, so the stage would have the wrong name.
    """
    kind = stage.name.kind
    if kind not in (OFFLINE, GOLDEN, IMAGE):
        return  # made of another stage alone
    found = read_config(stage.config, overrides=stage.overrides)
    request = preflight.understand(found, WORKFLOWS[stage.workflow], host)
    if kind == IMAGE and stage.parent is not None:
        key = Path(stage.sign_key) if stage.sign_key else None
        now = image_parts(found, request, stage.parent, key, store)
    else:
        parent = _of_parent(stage.parent) if stage.parent is not None else {}
        now = {**offline_parts(found, request, store), **parent}
    changed = [
        name for name in sorted({*now, *stage.parts}) if now.get(name) != stage.parts.get(name)
    ]
    if changed:
        raise RequestError(
            f"{', '.join(changed)} changed since the matrix was planned.",
            "Run it again when nobody changes what it is made of.",
        )


def _publication(description: Description, cell: Cell, parent: StagePlan) -> StagePlan:
    target = cell.target
    if target is None:
        raise ValueError("a cell without a target is not published")
    texts = tuple(_filled_in(text, cell, description) for text in target.parameters)
    parts = {
        **_of_parent(parent.name),
        "publish": target.publish,
        "with": "\n".join(texts),
        "run": str(target.run),
    }
    return StagePlan(
        name=StageName(PUBLISHED, digest_of(parts)),
        cell=cell.name,
        parts=parts,
        parent=parent.name,
        config=str(description.base),
        overrides=parent.overrides,
        workflow=description.workflow,
        target=str(description.images / f"{cell.name}{_PUBLICATIONS[target.run]}"),
        run=target.run,
        publish=target.publish,
        parameters=texts,
    )


def _filled_in(text: str, cell: Cell, description: Description) -> str:
    """A parameter with ``{edition}`` and so on as they stand in names of images."""
    words = {"name": cell.name, **{axis: cell.values[axis] for axis in cell.values}}
    try:
        return text.format_map(words)
    except (KeyError, ValueError, IndexError) as error:
        raise RequestError(
            f"{description.path}: {text!r} cannot be filled in.",
            f"In braces there can be {', '.join(words)}.",
        ) from error
