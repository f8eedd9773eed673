"""Whatever is refused or fails, the user is told what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from winimagetools import errors
from winimagetools.errors import WinImageError
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig

PACKAGE = Path(__file__).parents[2] / "winimagetools"


def _kinds(kind: type[WinImageError]) -> Iterator[type[WinImageError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


@pytest.mark.parametrize("kind", list(_kinds(WinImageError)))
def test_every_kind_of_error_has_a_remedy(kind: type[WinImageError]) -> None:
    """One whole sentence or more, for the errors without a better one of their own."""
    assert re.fullmatch(r"[A-Za-z].*\.", kind.remedy)
    if issubclass(kind, errors.RequestError | errors.HostError | errors.DownloadError):
        assert kind.remedy != WinImageError.remedy


def _without_advice(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        least = 2 if called == "Problem" else 3 if called.endswith("found.add") else 0
        given = len(node.args) + sum(word.arg in ("hint", None) for word in node.keywords)
        if given < least and not any(isinstance(word, ast.Starred) for word in node.args):
            yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def test_every_problem_of_a_configuration_has_advice() -> None:
    """Each place that finds something wrong with a configuration says what to write instead."""
    assert [line for path in sorted(PACKAGE.rglob("*.py")) for line in _without_advice(path)] == []


def test_a_problem_without_advice_is_seen(tmp_path: Path) -> None:
    """The test above would find one of either kind."""
    file = tmp_path / "a.py"
    file.write_text("Problem('a')\nself.found.add('k', 'a')\nfound.add('k', 'a', 'b')\n")
    assert list(_without_advice(file)) == [
        "a.py:1: Problem('a')",
        "a.py:2: self.found.add('k', 'a')",
    ]


def test_a_refusal_of_an_option_has_advice() -> None:
    """Also where whoever refused it had none to give, and where the system did."""

    def refuse(error: Exception) -> None:
        raise error

    found = Findings(WindowsImageConfig())
    for error in (
        errors.MediaError("It is damaged."),
        errors.MediaError("It is damaged.", "Get another."),
        PermissionError(13, "Permission denied", "a.wim"),
    ):
        found.attempt("wim_file_path", partial(refuse, error), None)
    assert [problem.hint for problem in found.problems] == [
        errors.MediaError.remedy,
        "Get another.",
        "Check that it is there and that you may read it.",
    ]
