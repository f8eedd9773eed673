"""What a command line imports, read off the code: each command waits for its own needs only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from winimagetools.cli.commands import COMMANDS, Command

ROOT = Path(__file__).parents[3]
ALONE = {"cli", "errors", "interruption", "log", "masking"}
"""The rooms a command line is read with."""
LIBRARIES = {"defusedxml", "isal"}
"""Those that are so small that every command may import them before it begins."""


def _at_import(tree: ast.Module) -> Iterator[str]:
    """Modules that are imported when a module is, not when a function of it runs."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


@cache
def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _direct(module: str) -> frozenset[str]:
    """Modules that one of ours imports; those of others by their first name."""
    path = _file(module)
    assert path is not None
    found = set()
    for name in _at_import(ast.parse(path.read_text(encoding="utf-8"))):
        if not name.startswith("winimagetools"):
            found.add(name.partition(".")[0])
        elif _file(name) is not None:
            found.add(name)
            found.add(name.rpartition(".")[0] or name)
    return frozenset(found)


def reached(module: str) -> set[str]:
    """All modules that are imported with one of ours, itself included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            if name.startswith("winimagetools"):
                waiting += _direct(name)
    return seen


def _foreign(modules: set[str]) -> set[str]:
    return {
        name
        for name in modules
        if not name.startswith("winimagetools") and name not in sys.stdlib_module_names
    }


def _rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("winimagetools.")}


def _own(command: Command) -> set[str]:
    """What a command imports before it begins."""
    return reached(f"winimagetools.cli.{command.action.partition('.')[0]}")


def test_imports_are_seen() -> None:
    """What a function imports waits; what a class or a condition needs does not."""
    text = (
        "import a\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "class D:\n    import d\n    def f(self):\n        import e\n"
        "try:\n    from f import g\nexcept ImportError:\n    pass\n"
    )
    assert set(_at_import(ast.parse(text))) == {"a", "c", "d", "f", "f.g"}


def test_the_command_line_alone() -> None:
    """Help, the version and a mistyped word wait for no library and for nothing that builds."""
    modules = reached("winimagetools.cli.main")
    assert _foreign(modules) == set()
    assert _rooms(modules) == ALONE


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command.names))
def test_libraries(command: Command) -> None:
    """No command imports one for the network, media, archives or ciphers before it needs it."""
    allowed = {"completion": {"shtab"}}.get(command.names[0], LIBRARIES)
    assert _foreign(_own(command)) <= allowed


@pytest.mark.parametrize("names", [("ini", "get"), ("guide",), ("new-config",), ("completion",)])
def test_small_commands(names: tuple[str, ...]) -> None:
    """What only reads or writes a text imports nothing that makes images."""
    (command,) = (command for command in COMMANDS if command.names == names)
    heavy = {"host", "image", "workflows", "net", "output"}
    assert not _rooms(_own(command)) & heavy


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command.names))
def test_every_name_leads_somewhere(command: Command) -> None:
    """The table names functions; they are where it says, and documented."""
    action = command.find_action()
    assert action.__doc__
    assert f"{action.__module__}.{action.__name__}" == f"winimagetools.cli.{command.action}"
