"""Everything that speaks against a matrix, for all cells together, before the first slow step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from winimagetools import log
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import Problem, RequestError, raise_problems
from winimagetools.files.space import build_bytes
from winimagetools.files.target import target_problem
from winimagetools.image import preflight
from winimagetools.image.request import Workflow
from winimagetools.matrix.description import Description
from winimagetools.matrix.stages import (
    FINISHED,
    GOLDEN,
    IMAGE,
    OFFLINE,
    PUBLISHED,
    CellPlan,
    Decision,
    Needs,
)
from winimagetools.matrix.store import StageName
from winimagetools.model import GIB, MIB
from winimagetools.output.publish.choose import TARGETS, commands
from winimagetools.output.publish.target import PublishedImage
from winimagetools.plan import BuildPlan, Delivery
from winimagetools.settings.findings import Findings
from winimagetools.workflows.matrix.plan import FORM, GOLD, RAW, WORKFLOWS, MatrixPlan
from winimagetools.workflows.prepare import look_at_medium, prepare

_MEMORY = {
    OFFLINE: 1024 * MIB,
    FINISHED: 512 * MIB,
    GOLDEN: 512 * MIB,
    IMAGE: 256 * MIB,
    PUBLISHED: 128 * MIB,
}
"""What this program takes beside a virtual machine, rounded up from what was measured."""
_GROWTH = 12 * GIB
"""How much Windows adds to its disk at its first start, updates and page file included."""


def refuse(
    matrix: MatrixPlan,
    decisions: Mapping[str, Sequence[Decision]],
    host: Host,
    *,
    strict: bool,
    silent: bool = False,
) -> dict[StageName, Needs]:
    """Look at all that is to be made, as its builds would, and refuse what cannot be.

    Cells that share their offline disk share what is looked at.

    Args:
        matrix: all cells.
        decisions: what is to be made of them.
        host: the machine that would do it.
        strict: every warning is a problem.
        silent: say no warnings; somebody will ask again.

    Returns:
        What each stage that is to be made will use.

    Raises:
        ConfigurationError: with the problems of all cells, each said once.
        HostError: only this machine is at fault.
    """
    problems: dict[Problem, list[str]] = {}
    warnings: dict[Problem, list[str]] = {}
    needs: dict[StageName, Needs] = {}
    looked: dict[StageName, _Look] = {}
    for plan in matrix.cells:
        made = [decision.stage.name for decision in decisions[plan.cell.name] if decision.make]
        if not made:
            continue
        found = _look(matrix, plan, made, host, looked)
        for target, items in ((problems, found.problems), (warnings, found.warnings)):
            for item in items:
                target.setdefault(item, []).append(plan.cell.name)
        _add_needs(needs, matrix, plan, made, looked)
    if strict:
        problems, warnings = {**problems, **warnings}, {}
    count = len(matrix.cells)
    for warning in _with_cells({} if silent else warnings, count):
        log.warning(str(warning))
    raise_problems(_with_cells(problems, count), str(matrix.description.path))
    return needs


def _with_cells(found: Mapping[Problem, list[str]], count: int) -> list[Problem]:
    """Problems with the cells that have them, unless all have."""
    return [
        item if len(cells) == count else replace(item, message=f"{item.message} ({_shown(cells)})")
        for item, cells in found.items()
    ]


def _shown(cells: Sequence[str]) -> str:
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return f"in {', '.join(cells[:3])}{more}"


@dataclass(frozen=True)
class _Look:
    """What was found of an offline disk, and what was decided unless that was too much."""

    found: Findings
    build: BuildPlan | None


def _look(
    matrix: MatrixPlan,
    plan: CellPlan,
    made: Iterable[StageName],
    host: Host,
    looked: dict[StageName, _Look],
) -> Findings:
    """Look at one cell; at its disk only when no other cell with the same one came before."""
    offline, overrides = plan.stages[0].name, _overrides(plan)
    found = read_config(matrix.description.base, overrides=overrides)
    if {name.kind for name in made} & {OFFLINE, FINISHED, GOLDEN}:
        known = offline in looked
        if not known:
            looked[offline] = _look_at_disk(matrix.description, overrides, host)
        if known or matrix.description.workflow == "golden":
            _look_at_form(found, looked[offline].found, host)
        else:
            disk = looked[offline].found
            found = Findings(disk.config, False, [*disk.problems], [*disk.warnings])
        if matrix.description.workflow == "golden":
            _look_at_copy(found, host)
    else:
        preflight.read_request(found, Workflow.CONVERT, host)
    build = looked[offline].build if offline in looked else None
    _look_at_publication(plan, found, build, matrix.requests[plan.cell.name].delivery)
    return found


def _look_at_disk(description: Description, overrides: Sequence[str], host: Host) -> _Look:
    workflow = WORKFLOWS[description.workflow]
    if workflow is Workflow.GOLDEN:
        # Copies of a golden image have the same disk before them, whatever they become.
        workflow = Workflow.ONLINE
        path = description.images / "golden.vhdx"
        overrides = (*overrides, *RAW, *GOLD, f"image_path={path}")
    with ExitStack() as opened:
        prepared = prepare(workflow, host, description.base, overrides, False, opened)
        decided = look_at_medium(prepared, opened)
        return _Look(prepared.found, decided[2] if decided is not None else None)


def _look_at_form(found: Findings, disk: Findings, host: Host) -> None:
    """What is wrong with the form of an image, and what was found of the disk it shares."""
    preflight.read_request(found, Workflow.CONVERT, host)
    for own, others in ((found.problems, disk.problems), (found.warnings, disk.warnings)):
        own += [item for item in others if item.key not in FORM and item not in own]


def _overrides(plan: CellPlan) -> tuple[str, ...]:
    image = plan.stage(IMAGE)
    return image.overrides if image is not None else ()


def _look_at_copy(found: Findings, host: Host) -> None:
    """What speaks against finishing a copy of a golden image, which is not there yet."""
    copy = Findings(found.config)
    preflight.read_request(copy, Workflow.GOLDEN, host)
    for own, others in ((found.problems, copy.problems), (found.warnings, copy.warnings)):
        own += [item for item in others if item.key != "gold_image_path" and item not in own]


def _look_at_publication(
    plan: CellPlan, found: Findings, build: BuildPlan | None, delivery: Delivery
) -> None:
    """Whether the target takes such an image, and has all that it needs to know."""
    stage = plan.stage(PUBLISHED)
    if stage is None:
        return
    target = TARGETS.get(stage.publish)
    section = f"target.{plan.cell.values['target']}"
    if target is None:
        hint = f"Choose one of {', '.join(TARGETS)}."
        found.problems.append(
            Problem(f"There is no target {stage.publish!r}.", hint, section, "publish")
        )
    elif stage.run and target.run is None:
        able = " and ".join(name for name, place in TARGETS.items() if place.run is not None)
        hint = f"Leave run out, and run the commands that are written; {able} can be run."
        found.problems.append(
            Problem(f"Nothing brings images to {target.title} here.", hint, section, "run")
        )
    elif build is not None:
        try:
            commands(target, _image(build, delivery), stage.parameters)
        except RequestError as error:
            hint = error.hint or error.remedy
            found.problems.append(Problem(error.message, hint, section, "publish"))


def _image(build: BuildPlan, delivery: Delivery) -> PublishedImage:
    """What will be published, as far as it is known before it is made."""
    return PublishedImage(
        path=delivery.path,
        container=delivery.disk_format,
        wrapping=delivery.compression,
        fixed=delivery.fixed_vhd,
        disk_size=build.disk_size,
        layout=build.layout,
        version=build.windows.version,
        architecture=build.windows.architecture,
        server=build.windows.is_server,
        drivers=frozenset(
            package.name.casefold() for drivers in build.drivers for package in drivers.packages
        ),
    )


def _add_needs(
    needs: dict[StageName, Needs],
    matrix: MatrixPlan,
    plan: CellPlan,
    made: Iterable[StageName],
    looked: Mapping[StageName, _Look],
) -> None:
    request = matrix.requests[plan.cell.name]
    look = looked.get(plan.stages[0].name)
    edition = look.build.edition if look is not None and look.build is not None else None
    disk = build_bytes(edition.disk_bytes) if edition is not None else 0
    machine = request.machine
    for name in made:
        memory, machines = _MEMORY[name.kind], 0
        starts = name.kind in (FINISHED, GOLDEN)
        if starts and machine is not None:
            memory, machines = memory + machine.memory, 1
        growth = _GROWTH if starts else 0
        used = 0 if name.kind == PUBLISHED else disk + growth
        needs.setdefault(name, Needs(memory, used, machines))


def folder_problem(description: Description) -> Problem | None:
    """Why images cannot be put where they go; the folder is made when it is not there."""
    folder = description.images
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Problem(
            f"The folder {folder} cannot be made: {error.strerror}.",
            "Let images name another folder.",
            key="images",
        )
    return target_problem(folder / "image")
