"""Reading PowerShell with the tree-sitter grammar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_powershell.language()))


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function.

    Args:
        name: without the dollar sign.
        kind: its type in lower case, such as ``string``.
        mandatory, pipeline: what its attribute says.
        default: text of the default; empty for none.
    """

    name: str
    kind: str
    mandatory: bool = False
    pipeline: bool = False
    default: str = ""


def nodes(node: Node) -> Iterator[Node]:
    """A syntax node and everything below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def parse(source: str) -> list[Node]:
    """All syntax nodes of a script."""
    return list(nodes(_PARSER.parse(source.encode()).root_node))


def errors(source: str) -> list[tuple[int, str]]:
    """Line and text of everything the grammar does not understand."""
    return [
        (node.start_point.row + 1, _text(node))
        for node in parse(source)
        if node.is_error or node.is_missing
    ]


def functions(source: str) -> dict[str, tuple[Parameter, ...]]:
    """The functions of a script and their parameters."""
    found = {}
    for node in parse(source):
        if node.type == "function_statement":
            name = next(_text(item) for item in nodes(node) if item.type == "function_name")
            found[name] = tuple(
                _parameter(item) for item in nodes(node) if item.type == "script_parameter"
            )
    return found


def strings(source: str, after: str) -> list[str]:
    """The quoted texts in what follows the first ``after`` in a script."""
    return [
        _text(node).strip("'")
        for node in parse(source[source.index(after) :])
        if node.type == "verbatim_string_characters"
    ]


def arrays(source: str) -> list[list[str]]:
    """Quoted texts and variables of every ``@( ... )``, in order; texts keep no quotes."""
    wanted = ("verbatim_string_characters", "variable")
    return [
        [_text(item).strip("'") for item in nodes(node) if item.type in wanted]
        for node in parse(source)
        if node.type == "array_expression"
    ]


def _parameter(node: Node) -> Parameter:
    attributes = [
        _text(item).strip("[]") for item in node.children if item.type == "attribute_list"
    ]
    words = " ".join(attributes).casefold().replace(" ", "")
    kinds = [
        _text(item).strip("[]").casefold() for item in nodes(node) if item.type == "type_literal"
    ]
    variable = next(_text(item) for item in node.children if item.type == "variable")
    default = next(
        (_text(item) for item in node.children if item.type == "script_parameter_default"), ""
    )
    return Parameter(
        variable.removeprefix("$"),
        kinds[-1] if kinds else "object",
        "mandatory=$true" in words,
        "valuefrompipeline=$true" in words,
        default.removeprefix("=").strip(),
    )


def _text(node: Node) -> str:
    return (node.text or b"").decode()
