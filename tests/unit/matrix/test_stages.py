"""What has to be made of a matrix, why, and how it is handed to another process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from winimagetools.matrix.cells import Cell
from winimagetools.matrix.description import Limits
from winimagetools.matrix.outcome import (
    decision_records,
    decision_table,
    outcome_record,
    outcomes,
    summary,
)
from winimagetools.matrix.snakefile import engine_arguments, snakefile
from winimagetools.matrix.stages import (
    CellPlan,
    Decision,
    Needs,
    Result,
    StagePlan,
    decide,
    job_text,
    read_job,
    read_result,
    result_text,
    to_make,
)
from winimagetools.matrix.store import Record, StageName, StageStore, State
from winimagetools.model import GIB, MIB

OFFLINE = StageName("offline", "a" * 64)
VALUES = {"medium": "", "edition": "", "firmware": "BIOS", "target": "", "container": ""}


def stage(name: StageName, cell: str, parent: StageName | None = None, **parts: str) -> StagePlan:
    """A stage of a cell."""
    return StagePlan(name, cell, parts, parent, "/m/config.ini", ("vm.cpu_count=2",), "cloud")


def plan(cell: str, letter: str) -> CellPlan:
    """A cell that shares its offline disk with all others."""
    image = StageName("image", letter * 64)
    stages = (stage(OFFLINE, cell, disk="1"), stage(image, cell, OFFLINE, form=letter, disk="1"))
    return CellPlan(Cell(cell, VALUES, ()), stages)


PLANS = [plan("one", "1"), plan("two", "2")]


def decided(missing: set[str], memory: object = None) -> dict[str, list[Decision]]:
    """The decisions when the stages with these first letters are not there."""

    def state(name: StageName) -> State:
        return State.MISSING if name.digest[0] in missing else State.INTACT

    return decide(PLANS, state, memory or {})  # type: ignore[arg-type]


def words(decisions: dict[str, list[Decision]]) -> list[list[str]]:
    """What becomes of each stage."""
    return [[item.word for item in cell] for cell in decisions.values()]


def test_only_what_is_missing() -> None:
    """A stage is made when it is missing and something that is wanted needs it."""
    assert words(decided(set())) == [["reuse", "reuse"]] * 2
    assert words(decided({"2"})) == [["reuse", "reuse"], ["reuse", "make"]]
    assert words(decided({"a"})) == [["not needed", "reuse"]] * 2
    assert words(decided({"a", "2"})) == [["not needed", "reuse"], ["make", "make"]]


def test_each_stage_once_and_parents_first() -> None:
    """Cells that share a disk have it made once, for the first of them."""
    found = to_make(decided({"a", "1", "2"}))
    assert [(item.name.kind, item.cell) for item in found] == [
        ("offline", "one"),
        ("image", "one"),
        ("image", "two"),
    ]


def test_why() -> None:
    """New, gone, damaged, or what is different from the last run."""
    memory = {"one": {"offline": {"disk": "1"}, "image": {"form": "0", "size": "3"}}}
    found = decided({"a", "1", "2"}, memory)
    assert [item.why for item in found["one"]] == ["is gone", "has other inputs: disk, form, size"]
    assert [item.why for item in found["two"]] == ["is new", "is new"]
    damaged = decide(PLANS[:1], lambda _: State.DAMAGED, memory)
    assert [item.why for item in damaged["one"]] == ["is damaged", "is damaged"]
    many = {"one": {"image": dict.fromkeys("uvwxyz", "")}}
    assert decided({"1"}, many)["one"][1].why == "has other inputs: disk, form, u and 5 more"
    assert decision_table(found) == (
        "Cell  Offline disk  Image  Why\n"
        "one   make          make   offline disk is gone\n"
        "two   make          make   offline disk is new"
    )
    (first, _) = decision_records(PLANS, found)
    assert first["name"] == "one"
    assert first["stages"][1] == {
        "kind": "image",
        "sha256": "1" * 64,
        "decision": "make",
        "state": "missing",
        "why": "has other inputs: disk, form, size",
    }


def test_jobs_and_results_are_read_as_they_were_written() -> None:
    """By another process, perhaps on another machine."""
    image = PLANS[0].stages[1]
    places = {name: Path("/r", name) for name in ("cache", "folder", "results", "done", "failed")}
    job = read_job(job_text(image, **places))
    assert job.stage == image
    assert (job.cache, job.done) == (Path("/r/cache"), Path("/r/done"))
    assert read_job(job_text(PLANS[0].stages[0], **places)).stage.parent is None
    result = Result("n", "failed", 1.5, "It failed.", "Try.", "/e")
    assert read_result(result_text(result)) == result


def test_rules() -> None:
    """A rule for each stage, after its parent when that is made too; no more than there is."""
    stages = to_make(decided({"a", "1"}))
    needs = {stages[0].name: Needs(64 * GIB, 3 * MIB, 2), stages[1].name: Needs(1, 0, 0)}
    text = snakefile(stages, needs, Limits(1, 8 * GIB), ["python", "-m", "{odd} name"])
    offline, image = f"offline-{'a' * 64}", f"image-{'1' * 64}"
    assert text == (
        f'rule all:\n    input: ["done/{offline}", "done/{image}"]\n\n'
        "rule offline_aaaaaaaaaaaaaaaa:\n"
        f'    output: "done/{offline}"\n'
        "    priority: 5\n"
        "    resources: mem_mb=8192, disk_mb=3, machines=1\n"
        f"    shell: \"exec python -m '{{{{odd}}}} name' jobs/{offline}.json "
        f'--log-file logs/{offline}.log"\n'
        "\n"
        "rule image_1111111111111111:\n"
        f'    input: "done/{offline}"\n'
        f'    output: "done/{image}"\n'
        "    priority: 2\n"
        "    resources: mem_mb=1, disk_mb=1, machines=0\n"
        f"    shell: \"exec python -m '{{{{odd}}}} name' jobs/{image}.json "
        f'--log-file logs/{image}.log"\n'
    )
    alone = snakefile(to_make(decided({"1"})), needs, Limits(), ["x"])
    assert f'input: "done/{offline}"' not in alone


def test_rules_that_are_python() -> None:
    """Where stages are copies of a process, it is told the job and the log."""
    stages = to_make(decided({"1"}))
    image = f"image-{'1' * 64}"
    assert snakefile(stages, {stages[0].name: Needs(MIB)}, Limits()) == (
        "from winimagetools.workflows.matrix.engine import run_stage\n\n"
        f'rule all:\n    input: ["done/{image}"]\n\n'
        "rule image_1111111111111111:\n"
        f'    output: "done/{image}"\n'
        "    priority: 2\n"
        "    resources: mem_mb=1, disk_mb=1, machines=0\n"
        f'    run: run_stage("jobs/{image}.json", "logs/{image}.log")\n'
    )


def test_arguments_of_the_engine() -> None:
    """Resources of this machine here; elsewhere those of the cluster, and only our own."""
    limits = Limits(2, 8 * GIB, 16 * GIB, 4)
    here = engine_arguments(Path("/r"), limits, keep_going=True, executor="")
    assert " ".join(here) == (
        "--snakefile /r/Snakefile --directory /r --force-use-threads --cores 4 "
        "--resources machines=2 mem_mb=8192 disk_mb=16384 --keep-going --latency-wait 5 "
        "--scheduler greedy --nolock --quiet all"
    )
    there = engine_arguments(Path("/r"), limits, keep_going=False, executor="slurm", more=["--x=1"])
    assert " ".join(there) == (
        "--snakefile /r/Snakefile --directory /r --executor slurm --jobs 4 "
        "--resources machines=2 --latency-wait 60 --scheduler greedy --nolock --quiet all --x=1"
    )


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    """With the image of the first cell."""
    store = StageStore(tmp_path)
    name = PLANS[0].stages[1].name
    record = Record("/images/one.raw", 5 * MIB, seconds=3.0, finished=7.0, sha256="ab" * 32)
    with store.private(name) as folder:
        store.commit(name, folder, record)
    return store


def test_outcomes(store: StageStore) -> None:
    """Made, failed with what was kept, and not made because another one failed."""
    found = decided({"a", "1", "2"})
    results = {
        OFFLINE: Result(str(OFFLINE), "made", 2.0),
        PLANS[0].stages[1].name: Result("", "made", 4.0),
        PLANS[1].stages[1].name: Result("", "failed", 1.0, "It is full.", "Buy.", "/kept"),
    }
    one, two = outcomes(PLANS, found, results, store)
    assert (one.status, one.image, one.size, one.sha256) == (
        "made",
        "/images/one.raw",
        5 * MIB,
        "ab" * 32,
    )
    assert one.seconds == 6.0
    assert (two.status, two.message, two.hint, two.evidence, two.image) == (
        "failed",
        "It is full.",
        "Buy.",
        "/kept",
        "",
    )
    assert summary([one, two], 65) == [
        "2 images: 1 made, 1 failed, in 1 min 05 s.",
        "two: image failed: It is full. Buy.",
        "  kept in /kept",
    ]
    _, waiting = outcomes(PLANS, found, {OFFLINE: Result("", "made", 2.0)}, store)
    assert summary([waiting], 1)[1] == "two: not made, because another one failed."
    (reused, _) = outcomes(PLANS, decided({"a", "2"}), {}, store)
    assert (reused.status, reused.seconds, reused.finished) == ("reused", 3.0, 7.0)
    assert [stage.status for stage in reused.stages] == ["not needed", "reused"]
    assert json.dumps(outcome_record(reused))
