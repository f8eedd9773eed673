"""All PowerShell of the project parses with the tree-sitter grammar; none of it is run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.powershell_syntax import errors
from winimagetools.data import data_path
from winimagetools.host.windows import scripts
from winimagetools.host.windows.powershell import whole_script

DATA = data_path("")
FILES = sorted(path for path in DATA.rglob("*") if path.suffix in (".ps1", ".psm1", ".psd1"))
BODIES = {
    name: body
    for name, body in vars(scripts).items()
    if name.isupper() and isinstance(body, str) and "\n" in body
}


def _name(path: Path) -> str:
    return path.relative_to(DATA).as_posix()


def test_everything_is_found() -> None:
    """The lists below hold the modules, the guest's scripts and those of the Windows host."""
    folders = {path.relative_to(DATA).parts[0] for path in FILES}
    assert folders == {"guest", "powershell"}
    assert len([path for path in FILES if _name(path).startswith("powershell/")]) == 6
    assert {"CREATE_VM", "PARTITION_UEFI", "VM_STATUS"} <= BODIES.keys()


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_has_no_error(path: Path) -> None:
    """The grammar finds nothing wrong; ASCII, because PowerShell 5 guesses at other bytes."""
    assert errors(path.read_text(encoding="ascii")) == []


@pytest.mark.parametrize("name", BODIES)
def test_a_script_of_the_host_has_no_error(name: str) -> None:
    """A script as it is sent, with what stands before and after its body, has no error."""
    assert errors(whole_script(BODIES[name])) == []


@pytest.mark.parametrize(
    "source", ["if ($a) { 'x", "function A { param([string]$b }", "$a = @('x',", "throw 'a' }"]
)
def test_errors_are_found(source: str) -> None:
    """The grammar does refuse broken scripts."""
    assert errors(source)
