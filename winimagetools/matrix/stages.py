"""The stages of a cell, what goes into each, and what has to be made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winimagetools.files.small import parse_json
from winimagetools.matrix.cells import Cell
from winimagetools.matrix.store import StageName, State

OFFLINE, FINISHED, GOLDEN, IMAGE, PUBLISHED = (
    "offline",
    "finished",
    "golden",
    "image",
    "published",
)
TITLES = {
    OFFLINE: "offline disk",
    FINISHED: "first start",
    GOLDEN: "golden copy",
    IMAGE: "image",
    PUBLISHED: "publication",
}
"""The kinds of stages in their order, as people call them."""
_SHOWN_CHANGES = 3


@dataclass(frozen=True)
class Needs:
    """What a stage uses while it is made.

    Args:
        memory: bytes.
        disk: bytes of its folder.
        machines: virtual machines.
    """

    memory: int = 0
    disk: int = 0
    machines: int = 0


@dataclass(frozen=True)
class StagePlan:
    """A stage, with all that is needed to make it.

    Args:
        name: what it is and the SHA-256 of what goes in.
        cell: the first cell that wants it.
        parts: what goes in, by name; secrets are sealed.
        parent: the stage it is made from.
        config: the base configuration.
        overrides: ``section.key=value`` texts over it; there may be secrets in them.
        workflow: of the matrix.
        target: where its file is delivered; empty when it stays in the cache.
        publish: a target of ``publish``, with its parameters.
        run: publish; otherwise write the commands down that do.
        sign_key: signs the provenance in the report.
    """

    name: StageName
    cell: str
    parts: Mapping[str, str]
    parent: StageName | None
    config: str
    overrides: tuple[str, ...]
    workflow: str
    target: str = ""
    publish: str = ""
    parameters: tuple[str, ...] = ()
    run: bool = False
    sign_key: str = ""


@dataclass(frozen=True)
class CellPlan:
    """A cell and its stages in their order."""

    cell: Cell
    stages: tuple[StagePlan, ...]

    def stage(self, kind: str) -> StagePlan | None:
        """The stage of a kind; None when the cell has none."""
        return next((stage for stage in self.stages if stage.name.kind == kind), None)


@dataclass(frozen=True)
class Decision:
    """What becomes of one stage of a cell.

    Args:
        make: it has to be made; otherwise it is reused, or not needed.
        state: what there is of it.
        why: why it is made; empty when it is not.
    """

    stage: StagePlan
    make: bool
    state: State
    why: str = ""

    @property
    def word(self) -> str:
        """``make``, ``reuse`` or ``not needed``."""
        if self.make:
            return "make"
        return "reuse" if self.state is State.INTACT else "not needed"


Memory = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Cell → kind of stage → the parts it had in the last run."""


def decide(
    plans: Iterable[CellPlan], state_of: Callable[[StageName], State], memory: Memory
) -> dict[str, list[Decision]]:
    """What has to be made for each cell, and why; a stage nobody asks for is not.

    Args:
        plans: the cells.
        state_of: what there is of a stage; asked once for each.
        memory: what went into the stages of the last run.
    """
    known: dict[StageName, State] = {}

    def state(name: StageName) -> State:
        if name not in known:
            known[name] = state_of(name)
        return known[name]

    return {plan.cell.name: _decide_cell(plan, state, memory) for plan in plans}


def _decide_cell(
    plan: CellPlan, state: Callable[[StageName], State], memory: Memory
) -> list[Decision]:
    decisions: list[Decision] = []
    wanted = {IMAGE, PUBLISHED}
    for stage in reversed(plan.stages):
        found = state(stage.name)
        make = found is not State.INTACT and stage.name.kind in wanted
        if make and stage.parent is not None:
            wanted.add(stage.parent.kind)
        before = memory.get(plan.cell.name, {}).get(stage.name.kind)
        why = _why(stage, found, before) if make else ""
        decisions.insert(0, Decision(stage, make, found, why))
    return decisions


def _why(stage: StagePlan, found: State, before: Mapping[str, str] | None) -> str:
    if found is State.DAMAGED:
        return "is damaged"
    if before is None:
        return "is new"
    names = sorted(set(stage.parts) | set(before))
    changed = [name for name in names if stage.parts.get(name) != before.get(name)]
    if not changed:
        return "is gone"
    shown = changed[:_SHOWN_CHANGES]
    more = len(changed) - len(shown)
    return f"has other inputs: {', '.join(shown)}" + (f" and {more} more" if more else "")


def to_make(decisions: Mapping[str, Sequence[Decision]]) -> list[StagePlan]:
    """The stages to make, each once, parents first."""
    found: dict[StageName, StagePlan] = {}
    for decision in (decision for cell in decisions.values() for decision in cell):
        if decision.make:
            found.setdefault(decision.stage.name, decision.stage)
    return sorted(found.values(), key=lambda stage: list(TITLES).index(stage.name.kind))


def job_text(
    stage: StagePlan, *, cache: Path, folder: Path, results: Path, done: Path, failed: Path
) -> str:
    """A stage as a job, to be read by :func:`read_job` in another process.

    Args:
        stage: the stage.
        cache: folder of the stages.
        folder: relative paths mean this one.
        results: folder for the result.
        done: file to make when the stage is there.
        failed: folder for what is kept of a failure.
    """
    record = {
        **dataclasses.asdict(stage),
        "name": str(stage.name),
        "parent": str(stage.parent or ""),
    }
    places = {"cache": cache, "folder": folder, "results": results, "done": done, "failed": failed}
    texts = {key: str(path) for key, path in places.items()}
    return json.dumps({"stage": record, **texts}, indent=2) + "\n"


@dataclass(frozen=True)
class Job:
    """A stage that another process has planned; see :func:`job_text`."""

    stage: StagePlan
    cache: Path
    folder: Path
    results: Path
    done: Path
    failed: Path


def read_job(text: str) -> Job:
    """The job of a text. Raises ValueError, KeyError or TypeError."""
    record = parse_json(text)
    fields: dict[str, Any] = record["stage"]
    stage = StagePlan(
        **{
            **fields,
            "name": StageName.parse(fields["name"]),
            "parent": StageName.parse(fields["parent"]) if fields["parent"] else None,
            "overrides": tuple(fields["overrides"]),
            "parameters": tuple(fields["parameters"]),
        }
    )
    paths = {key: Path(record[key]) for key in ("cache", "folder", "results", "done", "failed")}
    return Job(stage, **paths)


@dataclass(frozen=True)
class Result:
    """How the making of a stage ended.

    Args:
        name: of the stage.
        status: ``made``, ``reused`` (somebody else has made it) or ``failed``.
        seconds: it took so long.
        message: what failed, as a whole sentence.
        hint: what to do about it.
        evidence: folder with what was kept of a failure; empty when there is none.
    """

    name: str
    status: str
    seconds: float
    message: str = ""
    hint: str = ""
    evidence: str = ""


def result_text(result: Result) -> str:
    """A result as JSON."""
    return json.dumps(dataclasses.asdict(result), indent=2) + "\n"


def read_result(text: str) -> Result:
    """The result of a text. Raises ValueError or TypeError."""
    return Result(**parse_json(text))
