"""``doctor``: this machine, or a configuration and all it names, as text or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.checks.doctor import Diagnosis, describe, diagnose
from winimagetools.cli.arguments import settings_options
from winimagetools.cli.output import write
from winimagetools.errors import HostError, Problem, RequestError
from winimagetools.found import Ability
from winimagetools.host import select_host
from winimagetools.workflows.examine import WORKFLOWS, Examination, examine


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """A configuration, which may be left out."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="look at this configuration and all it names, instead of at the machine",
    )
    settings_options(parser)
    parser.add_argument(
        "--for",
        dest="workflow",
        choices=tuple(WORKFLOWS),
        help="what the configuration is for (cloud; golden when it names only a golden image)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def doctor(arguments: argparse.Namespace) -> int:
    """Exit code 2 when the configuration cannot be built, 3 when this machine lacks something."""
    if arguments.config is None:
        return _machine(arguments)
    return _configuration(arguments)


def _machine(arguments: argparse.Namespace) -> int:
    found = diagnose(select_host(), Path.cwd())
    if arguments.json:
        write(json.dumps(_diagnosis_record(found), indent=2))
    else:
        write("\n".join(describe(found)))
    return 0 if found.complete else HostError.exit_code


def _configuration(arguments: argparse.Namespace) -> int:
    seen = examine(
        arguments.config,
        WORKFLOWS.get(arguments.workflow or ""),
        overrides=arguments.overrides,
        strict=arguments.strict,
    )
    problems = seen.found.refused()
    if arguments.json:
        write(json.dumps(_examination_record(arguments.config, seen), indent=2))
    else:
        write("\n".join(_describe(arguments.config, seen)))
    if not problems:
        return 0
    only_host = all(problem.host for problem in problems)
    return HostError.exit_code if only_host else RequestError.exit_code


def _describe(name: str, seen: Examination) -> Iterator[str]:
    problems, warnings = seen.found.refused(), seen.found.allowed()
    yield from seen.notes
    yield from (f"error: {problem}" for problem in problems)
    yield from (f"warning: {warning}" for warning in warnings)
    if problems:
        yield f"{name} cannot be built: {_count(problems, 'error')}, {_count(warnings, 'warning')}."
    else:
        yield f"{name} can be built: {_count(warnings, 'warning')}."


def _count(items: Sequence[Problem], word: str) -> str:
    return f"{len(items) or 'no'} {word}{'s' if len(items) != 1 else ''}"


def _examination_record(name: str, seen: Examination) -> dict[str, object]:
    problems = seen.found.refused()
    return {
        "configuration": name,
        "ready": not problems,
        "notes": [log.mask(note) for note in seen.notes],
        "problems": [_problem_record(problem) for problem in problems],
        "warnings": [_problem_record(problem) for problem in seen.found.allowed()],
    }


def _diagnosis_record(found: Diagnosis) -> dict[str, object]:
    return {
        "host": found.host,
        "system": found.machine.system,
        "ready": found.complete,
        "processors": found.machine.processors,
        "memory": found.machine.memory,
        "bridges": list(found.machine.bridges),
        "folder": str(found.folder),
        "free": found.free,
        "abilities": [_ability_record(ability) for ability in found.abilities],
    }


def _ability_record(ability: Ability) -> dict[str, object]:
    return {
        "name": ability.name,
        "available": not ability.lacking,
        "how": ability.how,
        "missing": [_problem_record(problem) for problem in ability.lacking],
    }


def _problem_record(problem: Problem) -> dict[str, object]:
    return {
        "message": log.mask(problem.message),
        "hint": log.mask(problem.hint),
        "section": problem.section,
        "key": problem.key,
        "line": problem.line,
        "host": problem.host,
    }
