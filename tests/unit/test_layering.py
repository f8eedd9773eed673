"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "winimagetools"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 500

WORKING = {
    "_Findings": "collects problems",
    "_Line": "a line that is edited",
    "_Part": "a part of the dry run",
    "_Reader": "collects values and problems",
    "DriverIndex": "keeps what it read",
    "DryDisk": "a disk under construction",
    "LinuxDisk": "a disk under construction",
    "WindowsDisk": "a disk under construction",
}
"""The dataclasses that change while they are used; all others are records."""

TOP = {"cli": 4, "commands": 4, "builder": 3, "__main__": 5}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: a relative import"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _layer(module: str) -> int:
    """0 for the shared modules, 2 for image and host, then builder, then the command line."""
    parts = module.split(".")
    if len(parts) < 2:
        return 0
    if parts[1] in ("image", "host"):
        return 2
    return TOP.get(parts[1], 0)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_downwards(path: Path) -> None:
    """A module imports only from its own layer or those below."""
    module = _name(path)
    own = _layer(module)
    ours = {name for name in _imports(path) if name.startswith("winimagetools.")}
    if module == "winimagetools.builder":
        ours -= {"winimagetools.cli", "winimagetools.cli.main"}  # the body of __main__ only
    if module == "winimagetools.__init__":
        return  # the public API re-exports the builder
    assert {name for name in ours if _layer(name) > own} == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_image_and_host_keep_apart(path: Path) -> None:
    """``image`` knows only the contract of a host; hosts know nothing of images or each other."""
    module = _name(path)
    ours = {name for name in _imports(path) if name.startswith("winimagetools.")}
    if module.startswith("winimagetools.image."):
        hosts = {name for name in ours if name.startswith("winimagetools.host")}
        assert all(re.match(r"winimagetools\.host(\.base(\..*)?)?$", name) for name in hosts)
    if module.startswith("winimagetools.host."):
        assert not [name for name in ours if name.startswith("winimagetools.image")]
        assert not [name for name in ours if name.startswith("winimagetools.config")]
    for own, other in (("linux", "windows"), ("windows", "linux")):
        if module.startswith(f"winimagetools.host.{own}"):
            assert not [name for name in ours if name.startswith(f"winimagetools.host.{other}")]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_doors(path: Path) -> None:
    """Only ``run`` starts programs, only ``download`` uses the network, only ``host`` asks
    which system this is.
    """
    module = _name(path)
    imports = _imports(path)
    text = path.read_text(encoding="utf-8")
    if module != "winimagetools.run":
        assert "subprocess" not in imports
    if module != "winimagetools.download":
        assert not imports & {"requests", "urllib.request", "http.client", "socket"}
    if module != "winimagetools.host.__init__":
        assert "sys.platform" not in text
        assert "os.name" not in text
        assert "platform" not in imports


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_records_do_not_change(path: Path) -> None:
    """Every dataclass is frozen but the few that are no records."""
    thawed = {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(_is_thawed(decorator) for decorator in node.decorator_list)
    }
    assert thawed <= set(WORKING)


def _is_thawed(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator)
    return "dataclass" in text and "frozen=True" not in text


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("winimagetools", "tests", "fixtures")
        for path in (ROOT / folder).rglob("*.py")
    ],
    ids=_name,
)
def test_no_file_is_long(path: Path) -> None:
    """No file has more than 500 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
