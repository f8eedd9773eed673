"""The stages as rules of Snakemake, which runs them in order, in parallel, here or elsewhere.

Snakemake decides nothing about what is up to date: there is a rule only for a stage that has to
be made, in a folder of its own for each run, so nothing has to be unlocked or forgotten after a
run that was killed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from winimagetools.matrix.description import Limits
from winimagetools.matrix.stages import TITLES, Needs, StagePlan
from winimagetools.matrix.store import StageName
from winimagetools.model import MIB

JOBS, DONE, RESULTS, LOGS = "jobs", "done", "results", "logs"
"""Folders of a run."""
RUNNER = "winimagetools.workflows.matrix.engine"
"""The module that runs Snakemake on this machine."""
_PRIORITIES = {kind: len(TITLES) - number for number, kind in enumerate(TITLES)}
"""What others wait for comes first."""


def snakefile(
    stages: Sequence[StagePlan],
    needs: Mapping[StageName, Needs],
    limits: Limits,
    command: Sequence[str] = (),
) -> str:
    """The rules for the stages of a run.

    Args:
        stages: those to make.
        needs: what each uses; more than there is in all becomes what there is.
        limits: what there is in all.
        command: words that, followed by a job and a log, make a stage; none where
            :mod:`winimagetools.workflows.matrix.engine` runs Snakemake.
    """
    made = {stage.name for stage in stages}
    rules = [_rule(stage, made, _capped(needs[stage.name], limits), command) for stage in stages]
    everything = json.dumps([done(stage.name) for stage in stages])
    head = "" if command else f"from {RUNNER} import run_stage\n\n"
    return f"{head}rule all:\n    input: {everything}\n\n" + "\n".join(rules)


def done(name: StageName) -> str:
    """The file that says that a stage is done, in the folder of a run."""
    return f"{DONE}/{name}"


def _rule(stage: StagePlan, made: set[StageName], needs: Needs, command: Sequence[str]) -> str:
    name = stage.name
    inputs = [done(stage.parent)] if stage.parent in made and stage.parent is not None else []
    return "\n".join(
        (
            f"rule {name.kind}_{name.digest[:16]}:",
            *(f"    input: {json.dumps(path)}" for path in inputs),
            f"    output: {json.dumps(done(name))}",
            f"    priority: {_PRIORITIES[name.kind]}",
            f"    resources: mem_mb={_mib(needs.memory)}, disk_mb={_mib(needs.disk)}, "
            f"machines={needs.machines}",
            f"    {_action(name, command)}",
            "",
        )
    )


def _action(name: StageName, command: Sequence[str]) -> str:
    job, log_file = f"{JOBS}/{name}.json", f"{LOGS}/{name}.log"
    if not command:
        return f"run: run_stage({json.dumps(job)}, {json.dumps(log_file)})"
    # Nothing between Snakemake and the stage: a stage ends with it. Braces are Snakemake's own.
    line = f"exec {shlex.join([*command, job, '--log-file', log_file])}"
    return f"shell: {json.dumps(line.replace('{', '{{').replace('}', '}}'))}"


def _capped(needs: Needs, limits: Limits) -> Needs:
    return Needs(
        min(needs.memory, limits.memory) if limits.memory else needs.memory,
        min(needs.disk, limits.disk) if limits.disk else needs.disk,
        min(needs.machines, limits.machines),
    )


def _mib(size: int) -> int:
    return max(-(-size // MIB), 1)


def engine_arguments(
    folder: Path,
    limits: Limits,
    *,
    keep_going: bool,
    executor: str,
    more: Sequence[str] = (),
) -> list[str]:
    """The arguments of Snakemake.

    Args:
        folder: of the run.
        limits: what all stages may use together.
        keep_going: go on with other cells when one has failed.
        executor: the name of an executor plugin; empty for this machine.
        more: further arguments of Snakemake.
    """
    resources = [f"machines={limits.machines}"]
    if not executor:
        # Elsewhere the scheduler of the cluster knows what there is.
        resources += [f"mem_mb={_mib(limits.memory)}"] if limits.memory else []
        resources += [f"disk_mb={_mib(limits.disk)}"] if limits.disk else []
    return [
        *("--snakefile", str(folder / "Snakefile"), "--directory", str(folder)),
        # Rules that are Python run in Snakemake itself.
        *(("--executor", executor, "--jobs") if executor else ("--force-use-threads", "--cores")),
        str(max(limits.jobs, 1)),
        *("--resources", *resources),
        *(("--keep-going",) if keep_going else ()),
        # On a network file system a file may show a while after it was made.
        *("--latency-wait", "60" if executor else "5"),
        # The other scheduler solves an equation for each job that ends.
        *("--scheduler", "greedy"),
        *("--nolock", "--quiet", "all"),
        *more,
    ]
