"""``matrix``, its stages, and ``cache``: many images from one file."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from winimagetools import log
from winimagetools.cli.output import write
from winimagetools.errors import BuildError, RequestError
from winimagetools.matrix import keeping
from winimagetools.matrix.outcome import (
    decision_records,
    decision_table,
    outcome_record,
    summary,
    table,
)
from winimagetools.matrix.stages import TITLES
from winimagetools.matrix.store import StageStore, State
from winimagetools.net.cache import default_cache
from winimagetools.run import Program
from winimagetools.settings.declaration import parse_size
from winimagetools.workflows.matrix.run import (
    STAGES,
    Engine,
    MatrixReport,
    decide_matrix,
    make_matrix,
)
from winimagetools.workflows.matrix.stage import run_job

_UNITS = {"h": 3600.0, "d": 24 * 3600.0, "w": 7 * 24 * 3600.0}


def matrix(arguments: argparse.Namespace, ahead: Program | None = None) -> int:
    """Exit code 1 when an image could not be made; ``ahead`` will run Snakemake."""
    if arguments.list:
        return _list(arguments)
    engine = Engine(
        keep_going=arguments.keep_going,
        executor=arguments.executor,
        options=tuple(arguments.engine_option),
        ahead=ahead,
    )
    report = make_matrix(arguments.file, arguments.only, strict=arguments.strict, engine=engine)
    lines = _summary(report)
    log.result("\n".join(lines))
    if arguments.json:
        write(json.dumps(_record(report), indent=2))
    elif not vars(arguments).get("quiet"):
        write("\n".join(lines))
    return BuildError.exit_code if report.failed else 0


def _list(arguments: argparse.Namespace) -> int:
    decided = decide_matrix(arguments.file, arguments.only)
    if arguments.json:
        write(json.dumps(decision_records(decided.matrix.cells, decided.decisions), indent=2))
    else:
        names = [plan.cell.name for plan in decided.matrix.cells]
        write(decision_table({name: decided.decisions[name] for name in names}))
    return 0


def _summary(report: MatrixReport) -> list[str]:
    lines = [*summary(report.cells, report.seconds), f"Overview: {report.overview}"]
    return [*lines, f"Logs: {report.logs}"] if report.logs is not None else lines


def _record(report: MatrixReport) -> dict[str, object]:
    return {
        "cells": [outcome_record(cell) for cell in report.cells],
        "stages": {
            status: sum(stage.status == status for stage in report.stages)
            for status in ("made", "reused", "failed")
        },
        "seconds": report.seconds,
        "overview": str(report.overview),
        "logs": str(report.logs) if report.logs is not None else None,
    }


def stage(arguments: argparse.Namespace) -> int:
    """Make one stage."""
    result = run_job(Path(arguments.job))
    log.info(f"{result.name} {result.status} in {log.duration(result.seconds)}")
    return 0


def list_cache(arguments: argparse.Namespace) -> int:
    """``cache ls``."""
    store = _store(arguments)
    stages = keeping.list_stages(store)
    rows = [("Stage", "Made for", "Size", "Used")]
    rows += [
        (
            f"{kept.name.kind}-{kept.name.digest[:12]}",
            TITLES.get(kept.name.kind, kept.name.kind),
            log.size(kept.size),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.used)),
        )
        for kept in stages
    ]
    write(table(rows))
    write(f"{log.size(sum(kept.size for kept in stages))} in {store.root}")
    return 0


def prune_cache(arguments: argparse.Namespace) -> int:
    """``cache prune``."""
    size = parse_size(arguments.size) if arguments.size else None
    age = _parse_age(arguments.age) if arguments.age else None
    store = _store(arguments)
    removed = keeping.prune(store, age=age, size=size)
    for kept in removed:
        write(str(kept.name))
    log.info(f"{len(removed)} removed, {log.size(sum(kept.size for kept in removed))}.")
    return 0


def verify_cache(arguments: argparse.Namespace) -> int:
    """``cache verify``: exit code 1 when a stage is not what it was."""
    wrong = 0
    for kept, state in keeping.verify(_store(arguments)):
        if state is not State.INTACT:
            wrong += 1
            write(f"{kept.name}: {state}")
    write(f"{wrong} damaged or missing; the next run makes them again." if wrong else "All intact.")
    return 1 if wrong else 0


def _store(arguments: argparse.Namespace) -> StageStore:
    return StageStore(Path(arguments.cache) if arguments.cache else default_cache() / STAGES)


def _parse_age(text: str) -> float:
    number, unit = text[:-1], text[-1:].casefold()
    if unit not in _UNITS or not number.isdecimal():
        raise RequestError(f"{text!r} is not a time.", "Write hours, days or weeks: 12h, 30d, 8w.")
    return int(number) * _UNITS[unit]
