"""A whole matrix, from its file to its images and what is told of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import BuildError, HostError, raise_problems
from winimagetools.files.small import read_json
from winimagetools.files.space import free_bytes
from winimagetools.host import select_host
from winimagetools.ini import write_atomically
from winimagetools.matrix.cells import Cell, choose
from winimagetools.matrix.claims import is_left, sign
from winimagetools.matrix.description import Description, Limits, read_description
from winimagetools.matrix.digests import PathDigests
from winimagetools.matrix.outcome import CellOutcome, outcomes
from winimagetools.matrix.overview import overview_html
from winimagetools.matrix.snakefile import (
    DONE,
    JOBS,
    LOGS,
    RESULTS,
    done,
    engine_arguments,
    snakefile,
)
from winimagetools.matrix.stages import (
    TITLES,
    Decision,
    Memory,
    Needs,
    Result,
    StagePlan,
    decide,
    job_text,
    read_result,
    to_make,
)
from winimagetools.matrix.store import StageName, StageStore, State
from winimagetools.net.cache import default_cache
from winimagetools.output.report.provenance import load_key
from winimagetools.run import Program, Tail, Tool, spawn, tied
from winimagetools.workflows.matrix.ahead import started_engine
from winimagetools.workflows.matrix.engine import ENGINE, can_fork, request
from winimagetools.workflows.matrix.plan import MatrixPlan, Sealed, plan_matrix, read_cells
from winimagetools.workflows.matrix.refuse import folder_problem, refuse

STAGES = "stages"
_PAUSE = 0.1
_ENDING = 60.0
"""Seconds in which stages that are asked to end take everything away they began."""


@dataclass(frozen=True)
class Decided:
    """A matrix and what is to be made of it.

    Args:
        matrix: the cells that were chosen.
        everything: all cells.
        decisions: for each of them.
    """

    matrix: MatrixPlan
    everything: MatrixPlan
    store: StageStore
    decisions: dict[str, list[Decision]]

    @property
    def stages(self) -> list[StagePlan]:
        """The stages to make, each once."""
        return to_make(
            {plan.cell.name: self.decisions[plan.cell.name] for plan in self.matrix.cells}
        )


@dataclass(frozen=True)
class MatrixReport:
    """What came out of a matrix.

    Args:
        cells: in their order.
        stages: how each stage that was to be made ended.
        seconds: it took so long.
        overview: the page.
        logs: folder with the logs of the stages; None when nothing failed.
    """

    cells: tuple[CellOutcome, ...]
    stages: tuple[Result, ...]
    seconds: float
    overview: Path
    logs: Path | None = None

    @property
    def failed(self) -> bool:
        """Whether an image is not there."""
        return any(cell.status in ("failed", "not made") for cell in self.cells)


@dataclass(frozen=True)
class Engine:
    """How the stages are run.

    Args:
        keep_going: go on with other cells when one has failed.
        executor: the name of an executor plugin of Snakemake; empty for this machine.
        options: further arguments of Snakemake.
        stage: the module and the words that, followed by a job and a log, make a stage.
        ahead: the process of :func:`winimagetools.workflows.matrix.ahead.engine_ahead`, to be
            used where stages are copies of a process; None starts one.
    """

    keep_going: bool = False
    executor: str = ""
    options: tuple[str, ...] = ()
    stage: tuple[str, ...] = ("winimagetools", "--quiet", "matrix-stage")
    ahead: Program | None = None

    @property
    def forks(self) -> bool:
        """Whether stages are copies of one process; otherwise Python is started for each."""
        return not self.executor and can_fork()


def cache_of(description: Description) -> Path:
    """The folder of the stages."""
    return description.cache or default_cache() / STAGES


def decide_matrix(
    path: Path | str,
    choices: Sequence[str] = (),
    *,
    host: Host | None = None,
    before_reading: Callable[[Description, list[Cell], StageStore], None] | None = None,
) -> Decided:
    """Read a matrix file and decide what has to be made; nothing is made or refused.

    Args:
        path: the file.
        choices: which cells, as :func:`winimagetools.matrix.cells.parse_choice` reads them.
        host: the machine that would do it; this one by default.
        before_reading: called before media are read whole, with the cells that were chosen.

    Raises:
        ConfigurationError: the file or its base configuration cannot be used.
        RequestError: a medium cannot be read, or nothing is chosen.
        HostError: the cache cannot be used.
    """
    host = host or select_host()
    description = read_description(Path(path))
    store = StageStore(cache_of(description))
    cells = read_cells(description, host)
    wanted = choose(cells, choices)
    if before_reading is not None:
        before_reading(description, wanted, store)
    everything = plan_matrix(description, cells, store, host)
    chosen = {cell.name for cell in wanted}
    plans = tuple(plan for plan in everything.cells if plan.cell.name in chosen)
    decisions = decide(everything.cells, store.state, _read_memory(store, description))
    return Decided(replace(everything, cells=plans), everything, store, decisions)


def make_matrix(
    path: Path | str,
    choices: Sequence[str] = (),
    *,
    strict: bool = False,
    engine: Engine | None = None,
    host: Host | None = None,
) -> MatrixReport:
    """Make all images of a matrix that are not there yet.

    Args:
        path: the file.
        choices: as :func:`decide_matrix` takes them.
        strict: refuse what otherwise only is warned about.
        engine: how the stages are run.
        host: the machine to plan on; this one by default.

    Raises:
        ConfigurationError: nothing was started; all problems of all cells in one message.
        HostError: this machine lacks something.
        BuildError: Snakemake could not be run. That a stage failed is in the report.
    """
    began, host, engine = time.monotonic(), host or select_host(), engine or Engine()
    decided = decide_matrix(
        path, choices, host=host, before_reading=partial(_refuse_early, host=host, strict=strict)
    )
    description, stages = decided.matrix.description, decided.stages
    results: dict[StageName, Result] = {}
    logs: Path | None = None
    if stages:
        _refuse_folder_and_key(description)
        needs = refuse(decided.matrix, decided.decisions, host, strict=strict)
        _check_engine()
        log.info(f"To make: {_count(stages)}.")
        limits = _limits(description.limits, decided.store, host)
        with _run_folder(decided.store) as folder:
            _write_run(folder, decided, needs, limits, engine)
            results = _run(folder, stages, limits, engine)
            if any(result.status == "failed" for result in results.values()):
                logs = _keep_logs(decided.store, folder)
    everything = outcomes(decided.everything.cells, decided.decisions, results, decided.store)
    chosen = {plan.cell.name for plan in decided.matrix.cells}
    cells = [cell for cell in everything if cell.name in chosen]
    _write_memory(decided)
    seconds = time.monotonic() - began
    overview = _write_overview(description, everything, seconds)
    return MatrixReport(tuple(cells), tuple(results.values()), seconds, overview, logs)


def _refuse_early(
    description: Description, cells: list[Cell], store: StageStore, *, host: Host, strict: bool
) -> None:
    """Refuse all that can be before gigabytes are read to tell what is in them.

    Nobody knows yet what is there already, so every cell is looked at; but a medium that was not
    read before has no stages yet, and a configuration that is wrong in words can have none.
    """
    plans = plan_matrix(description, cells, Sealed(store.key, PathDigests()), host)
    media = {request.wim for request in plans.requests.values() if request.wim.name}
    wrong = any(found.problems for found in plans.found.values())
    if wrong or not all(store.digests.knows(medium) for medium in media):
        _refuse_folder_and_key(description)
        everything = decide(plans.cells, lambda _: State.MISSING, {})
        refuse(plans, everything, host, strict=strict, silent=True)


def _count(stages: Sequence[StagePlan]) -> str:
    kinds = [stage.name.kind for stage in stages]
    return ", ".join(
        f"{kinds.count(kind)} {title}{'s' if kinds.count(kind) != 1 else ''}"
        for kind, title in TITLES.items()
        if kind in kinds
    )


def _refuse_folder_and_key(description: Description) -> None:
    problem = folder_problem(description)
    raise_problems([problem] if problem is not None else [], str(description.path))
    if description.sign_key is not None:
        load_key(description.sign_key)


def _check_engine() -> None:
    if importlib.util.find_spec(ENGINE) is None:
        raise HostError(
            "Snakemake is not installed; it runs the stages of a matrix.",
            "Install it: pip install 'winimagetools[matrix]'",
        )


def _limits(wanted: Limits, store: StageStore, host: Host) -> Limits:
    machine = host.checks.machine()
    return replace(
        wanted,
        memory=wanted.memory or machine.memory,
        disk=wanted.disk or free_bytes(store.root),
        jobs=wanted.jobs or machine.processors,
    )


@contextmanager
def _run_folder(store: StageStore) -> Iterator[Path]:
    """A folder for one run; jobs may hold secrets, so those of runs that were killed go."""
    runs = store.root / "runs"
    for left in runs.glob("*"):
        if is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    sign(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_run(
    folder: Path,
    decided: Decided,
    needs: Mapping[StageName, Needs],
    limits: Limits,
    engine: Engine,
) -> None:
    for name in (JOBS, DONE, RESULTS, LOGS):
        (folder / name).mkdir()
    for stage in decided.stages:
        text = job_text(
            stage,
            cache=decided.store.root,
            folder=Path.cwd(),
            results=folder / RESULTS,
            done=folder / done(stage.name),
            failed=decided.store.root / "failed",
        )
        (folder / JOBS / f"{stage.name}.json").write_text(text, encoding="utf-8")
    text = snakefile(decided.stages, needs, limits, _stage_command(engine))
    (folder / "Snakefile").write_text(text, encoding="utf-8")


def _stage_command(engine: Engine) -> list[str]:
    """What Snakemake calls for a stage; nothing where stages are copies of a process."""
    if engine.forks:
        return []
    command = [sys.executable, "-m", *engine.stage]
    return command if engine.executor else tied(command)


@contextmanager
def _started(folder: Path, arguments: Sequence[str], engine: Engine) -> Iterator[Program]:
    """Snakemake at work, which ends when this process does."""
    if not engine.forks:
        first, *more = tied([sys.executable, "-m", ENGINE], "KILL")
        with spawn(Tool(first, "python3", "run Snakemake"), [*more, *arguments]) as program:
            yield program
        return
    waiting = nullcontext(engine.ahead) if engine.ahead is not None else started_engine()
    with waiting as program:
        if program.input is not None:
            with suppress(BrokenPipeError), program.input as asked:  # its exit code tells more
                asked.write(request(engine.stage, folder, arguments).encode())
        yield program


def _run(
    folder: Path, stages: Sequence[StagePlan], limits: Limits, engine: Engine
) -> dict[StageName, Result]:
    """Let Snakemake make the stages, and say how each ended when it does."""
    results: dict[StageName, Result] = {}
    arguments = engine_arguments(
        folder,
        limits,
        keep_going=engine.keep_going,
        executor=engine.executor,
        more=engine.options,
    )
    with _started(folder, arguments, engine) as program:
        output, error = Tail(program.output), Tail(program.error)
        with _ended_in_order(program, here=not engine.executor):
            while not _ended_within(program, _PAUSE):
                _take_results(folder, stages, results)
        code, said = program.wait(), f"{output.text()}{error.text()}"
    said = log.mask(said.strip())
    (folder / LOGS / "engine.log").write_text(f"{said}\n", encoding="utf-8")
    _take_results(folder, stages, results)
    _add_lost(folder, stages, results)
    if code and all(result.status != "failed" for result in results.values()):
        raise BuildError(
            f"Snakemake ended with exit code {code}. It said:\n{said}",
            "Look at the options it was given.",
        )
    return results


def _ended_within(program: Program, seconds: float) -> bool:
    try:
        program.wait(seconds)
    except TimeoutError:
        return False
    return True


@contextmanager
def _ended_in_order(program: Program, *, here: bool) -> Iterator[None]:
    """On an interruption let the stages take away what they began, before all is ended.

    Stages of this machine are asked to end themselves; those of a cluster are cancelled by
    Snakemake, which does that when it is interrupted.
    """
    try:
        yield
    except BaseException:
        if here:
            program.terminate_group()
        else:
            program.interrupt()
        deadline = time.monotonic() + _ENDING
        while program.running() and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        raise


def _take_results(
    folder: Path, stages: Sequence[StagePlan], results: dict[StageName, Result]
) -> None:
    for stage in stages:
        path = folder / RESULTS / f"{stage.name}.json"
        if stage.name not in results and path.exists():
            result = read_result(path.read_text(encoding="utf-8"))
            results[stage.name] = result
            what = f"[{len(results)}/{len(stages)}] {stage.cell}: {TITLES[stage.name.kind]}"
            if result.status == "failed":
                log.warning(f"{what} failed: {result.message}")
            else:
                log.info(f"{what} {result.status} in {log.duration(result.seconds)}")


def _add_lost(folder: Path, stages: Sequence[StagePlan], results: dict[StageName, Result]) -> None:
    """Stages that began and ended without a word: killed, or their machine went away."""
    for stage in stages:
        path = folder / LOGS / f"{stage.name}.log"
        if stage.name not in results and path.exists():
            message = f"The {TITLES[stage.name.kind]} ended without a result."
            hint = "It was killed, or its machine went away. Run the matrix again."
            results[stage.name] = Result(str(stage.name), "failed", 0.0, message, hint)


def _keep_logs(store: StageStore, folder: Path) -> Path:
    kept = store.root / "failed" / f"logs-{folder.name}"
    kept.parent.mkdir(exist_ok=True, mode=0o700)
    (folder / LOGS).rename(kept)
    return kept


def _memory_file(store: StageStore, description: Description) -> Path:
    name = hashlib.sha256(os.fsencode(description.path)).hexdigest()[:32]
    return store.root / "matrices" / f"{name}.json"


def _read_memory(store: StageStore, description: Description) -> Memory:
    """What went into the stages of the last run: it tells why one is made, and nothing else."""
    try:
        memory: Memory = read_json(_memory_file(store, description))
        valid = all(
            isinstance(parts, dict) for kinds in memory.values() for parts in kinds.values()
        )
        return memory if valid else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _write_memory(decided: Decided) -> None:
    description = decided.matrix.description
    memory = {
        plan.cell.name: {stage.name.kind: dict(stage.parts) for stage in plan.stages}
        for plan in decided.matrix.cells
    }
    path = _memory_file(decided.store, description)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    merged = {**_read_memory(decided.store, description), **memory}
    write_atomically(path, json.dumps(merged, sort_keys=True).encode())


def _write_overview(description: Description, cells: Sequence[CellOutcome], seconds: float) -> Path:
    path = description.images / f"{description.path.stem}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, overview_html(description, cells, seconds).encode())
    return path
