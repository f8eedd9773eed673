"""The commands of the README and of the guides are commands there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from winimagetools.cli import guides
from winimagetools.cli.commands import COMMANDS
from winimagetools.cli.parser import build_parser
from winimagetools.cli.translate import translate
from winimagetools.data import data_path
from winimagetools.settings.options import SECTION_OF

README = Path(__file__).parents[2] / "README.md"
PAGES = {"README": README} | {path.stem: path for path in data_path("guides").glob("*.md")}
_BLOCK = re.compile(r"```(?:sh|powershell)\n(.*?)```", re.DOTALL)
_CALL = re.compile(r"(?:python -m winimagetools.builder|winimagetools) (.*)")


def commands(page: str) -> Iterator[list[str]]:
    """The words of every call of winimagetools in the blocks of a page."""
    for block in _BLOCK.findall(PAGES[page].read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            match = _CALL.match(line.strip())
            if match:
                yield shlex.split(match[1].split(" | ")[0], comments=True)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_commands_exist(page: str) -> None:
    """Each can be parsed, and sets an option that exists, in its section."""
    found = list(commands(page))
    for words in found:
        arguments = build_parser().parse_args(translate(words))
        if words[:2] == ["ini", "set"]:
            assert SECTION_OF[arguments.key] == arguments.section, words
    assert found or page in ("differences", "hacking", "proof", "proxmox")


def test_every_command_is_in_the_readme() -> None:
    """And every guide is named there."""
    text = README.read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"`{' '.join(command.names)}`" in text
    for name in guides.names():
        assert f"`winimagetools guide {name}`" in text
