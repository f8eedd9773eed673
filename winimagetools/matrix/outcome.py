"""What became of each cell of a matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from winimagetools import log
from winimagetools.matrix.stages import (
    IMAGE,
    PUBLISHED,
    TITLES,
    CellPlan,
    Decision,
    Result,
)
from winimagetools.matrix.store import StageName, StageStore


@dataclass(frozen=True)
class StageOutcome:
    """One stage of a cell.

    Args:
        kind: which.
        status: ``made``, ``reused``, ``failed``, ``not made`` or ``not needed``.
        why: why it was to be made.
        seconds: what it took, now or when it was made.
    """

    kind: str
    status: str
    why: str
    seconds: float


@dataclass(frozen=True)
class CellOutcome:
    """One cell.

    Args:
        name: of the cell.
        values: axis → value.
        status: ``made``, ``reused``, ``failed`` or ``not made``.
        stages: in their order.
        image: where the image is; empty when there is none.
        size: bytes of it.
        sha256: of it; empty when it was not computed.
        finished: when it was made, in seconds since 1970.
        published: where the commands are that publish it; empty when there are none.
        message: what failed.
        hint: what to do about it.
        evidence: folder with what was kept of the failure.
    """

    name: str
    values: Mapping[str, str]
    status: str
    stages: tuple[StageOutcome, ...]
    image: str = ""
    size: int = 0
    sha256: str = ""
    finished: float = 0.0
    published: str = ""
    message: str = ""
    hint: str = ""
    evidence: str = ""

    @property
    def seconds(self) -> float:
        """What all of its stages took."""
        return sum(stage.seconds for stage in self.stages)


def outcomes(
    plans: Iterable[CellPlan],
    decisions: Mapping[str, Sequence[Decision]],
    results: Mapping[StageName, Result],
    store: StageStore,
) -> list[CellOutcome]:
    """What became of each cell.

    Args:
        plans: the cells.
        decisions: what was to be made of them.
        results: how the making of stages ended; nothing for those that were not begun.
        store: knows the finished ones.
    """
    return [_outcome(plan, decisions[plan.cell.name], results, store) for plan in plans]


def _outcome(
    plan: CellPlan,
    decisions: Sequence[Decision],
    results: Mapping[StageName, Result],
    store: StageStore,
) -> CellOutcome:
    stages = tuple(_stage(decision, results, store) for decision in decisions)
    statuses = {stage.status for stage in stages}
    status = next((word for word in ("failed", "not made", "made") if word in statuses), "reused")
    failed = next(
        (
            results[decision.stage.name]
            for decision in decisions
            if decision.stage.name in results and results[decision.stage.name].status == "failed"
        ),
        Result("", "", 0.0),
    )
    outcome = CellOutcome(
        plan.cell.name,
        dict(plan.cell.values),
        status,
        stages,
        message=failed.message,
        hint=failed.hint,
        evidence=failed.evidence,
    )
    return _with_files(outcome, plan, store)


def _stage(
    decision: Decision, results: Mapping[StageName, Result], store: StageStore
) -> StageOutcome:
    name = decision.stage.name
    result = results.get(name)
    if decision.make:
        status = result.status if result is not None else "not made"
        return StageOutcome(name.kind, status, decision.why, result.seconds if result else 0.0)
    record = store.record(name)
    status = "reused" if decision.word == "reuse" else decision.word
    seconds = record.seconds if record is not None else 0.0
    return StageOutcome(name.kind, status, "", seconds)


def _with_files(outcome: CellOutcome, plan: CellPlan, store: StageStore) -> CellOutcome:
    done = {stage.kind for stage in outcome.stages if stage.status in ("made", "reused")}
    image, published = plan.stage(IMAGE), plan.stage(PUBLISHED)
    if image is not None and IMAGE in done and (record := store.record(image.name)) is not None:
        outcome = dataclasses.replace(
            outcome,
            image=record.file,
            size=record.size,
            sha256=record.sha256,
            finished=record.finished,
        )
    if published is not None and PUBLISHED in done:
        outcome = dataclasses.replace(outcome, published=published.target)
    return outcome


def outcome_record(outcome: CellOutcome) -> dict[str, Any]:
    """A cell for a program."""
    return {**dataclasses.asdict(outcome), "seconds": outcome.seconds}


def decision_table(decisions: Mapping[str, Sequence[Decision]]) -> str:
    """What becomes of each stage of each cell, and why, as a table for people."""
    kinds = [
        kind
        for kind in TITLES
        if any(item.stage.name.kind == kind for cell in decisions.values() for item in cell)
    ]
    head = ("Cell", *(TITLES[kind].capitalize() for kind in kinds), "Why")
    rows = [head]
    for name, cell in decisions.items():
        words = {item.stage.name.kind: item.word for item in cell}
        why = next((f"{TITLES[i.stage.name.kind]} {i.why}" for i in cell if i.make), "")
        rows.append((name, *(words.get(kind, "") for kind in kinds), why))
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def decision_records(
    plans: Iterable[CellPlan], decisions: Mapping[str, Sequence[Decision]]
) -> list[dict[str, Any]]:
    """The same for a program."""
    return [
        {
            "name": plan.cell.name,
            "values": dict(plan.cell.values),
            "stages": [
                {
                    "kind": item.stage.name.kind,
                    "sha256": item.stage.name.digest,
                    "decision": item.word,
                    "state": item.state.value,
                    "why": item.why,
                }
                for item in decisions[plan.cell.name]
            ],
        }
        for plan in plans
    ]


def summary(cells: Sequence[CellOutcome], seconds: float) -> list[str]:
    """What came out of a matrix, in lines: how many images, and which are missing and why."""
    counts = {
        word: sum(cell.status == word for cell in cells)
        for word in ("made", "reused", "failed", "not made")
    }
    shown = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines = [
        f"{len(cells)} image{'s' if len(cells) != 1 else ''}: {shown}, in {log.duration(seconds)}."
    ]
    for cell in cells:
        if cell.status == "failed":
            stage = next(TITLES[stage.kind] for stage in cell.stages if stage.status == "failed")
            lines.append(f"{cell.name}: {stage} failed: {cell.message} {cell.hint}".rstrip())
            if cell.evidence:
                lines.append(f"  kept in {cell.evidence}")
        elif cell.status == "not made":
            lines.append(f"{cell.name}: not made, because another one failed.")
    return lines
