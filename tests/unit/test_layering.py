"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "winimagetools"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 500

WORKING = {
    "Findings": "collects problems",
    "_Line": "a line that is edited",
    "_Reader": "collects values and problems",
    "DriverIndex": "keeps what it read",
    "LinuxDisk": "a disk under construction",
    "WindowsDisk": "a disk under construction",
}
"""The dataclasses that change while they are used; all others are records."""

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"masking", "errors"}),
    frozenset({"model", "log", "paths", "interruption", "version", "data", "stamp"}),
    frozenset({"run", "retry"}),
    frozenset({"plan", "found", "facts", "files"}),
    frozenset({"formats", "net", "contract"}),
    frozenset({"ini"}),
    frozenset({"settings", "output"}),
    frozenset({"config"}),
    frozenset({"guest", "matrix"}),
    frozenset({"image", "host"}),
    frozenset({"checks"}),
    frozenset({"workflows"}),
    frozenset({"cli"}),
    frozenset({"builder"}),
    frozenset({"__init__", "__main__"}),
)
"""The rooms, lowest floor first. A module imports from its own room and from floors below."""
NETWORK = {
    "winimagetools.net.download": "fetches files",
    "winimagetools.net.glance": "sends images to OpenStack",
    "winimagetools.net.registry_http": "talks to it",
}
"""The modules that use the network."""
APART = ("host.linux", "host.windows")
"""Parts of one room that never see each other."""


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


def _room(module: str) -> str:
    """The first part of a module's name below the package."""
    return module.removeprefix("winimagetools.").split(".")[0]


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def _ours(path: Path) -> set[str]:
    """Modules of this project that a module imports; names in them are left out."""
    names = {_name(module).removesuffix(".__init__") for module in MODULES}
    return {name for name in _imports(path) if name in names and name != "winimagetools"}


def _wrong_imports(module: str, imported: set[str]) -> list[str]:
    """Imports that lead upwards, sideways, or across parts that keep apart."""
    room = _room(module)
    wrong = [
        name for name in imported if _room(name) != room and _floor(_room(name)) >= _floor(room)
    ]
    for own, other in (APART, APART[::-1]):
        if module.startswith(f"winimagetools.{own}."):
            wrong += [name for name in imported if name.startswith(f"winimagetools.{other}")]
    return sorted(wrong)


def test_every_room_has_a_floor() -> None:
    """Each room stands in the table once, and the table names no other."""
    rooms = [room for rooms in FLOORS for room in rooms]
    assert sorted(rooms) == sorted({_room(_name(path)) for path in MODULES})


def test_imports_go_downwards() -> None:
    """No module imports from its own floor or above, other than from its own room."""
    wrong = {_name(path): _wrong_imports(_name(path), _ours(path)) for path in MODULES}
    assert {module: names for module, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("winimagetools.log", "winimagetools.plan"),
        ("winimagetools.files.copy", "winimagetools.facts.architecture"),
        ("winimagetools.formats.iso", "winimagetools.contract"),
        ("winimagetools.host.linux.disks", "winimagetools.image.request"),
        ("winimagetools.image.request", "winimagetools.host"),
        ("winimagetools.host.linux.disks", "winimagetools.host.windows.disks"),
        ("winimagetools.host.windows.vm", "winimagetools.host.linux.vm"),
        ("winimagetools.cli.actions", "winimagetools.builder"),
    ],
)
def test_a_wrong_import_is_seen(module: str, imported: str) -> None:
    """Upwards, sideways, and between the two hosts."""
    assert _wrong_imports(module, {imported}) == [imported]


def _doors(module: str, imports: set[str], text: str) -> list[str]:
    """What a module does that only one door may."""
    wrong = []
    if module != "winimagetools.run" and "subprocess" in imports:
        wrong.append("starts programs")
    network = {"requests", "urllib.request", "http.client", "socket", "openstack"}
    if module not in NETWORK and imports & network:
        wrong.append("uses the network")
    asks = "sys.platform" in text or "os.name" in text or "platform" in imports
    if module != "winimagetools.host.__init__" and asks:
        wrong.append("asks which system this is")
    return wrong


def test_doors() -> None:
    """Only ``run`` starts programs, only a few of ``net`` use the network, only ``host`` asks
    which system this is.
    """
    wrong = {
        _name(path): _doors(_name(path), _imports(path), path.read_text(encoding="utf-8"))
        for path in MODULES
    }
    assert {module: what for module, what in wrong.items() if what} == {}


def test_records_do_not_change() -> None:
    """Every dataclass is frozen but the few that are no records."""
    thawed = {
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(_is_thawed(decorator) for decorator in node.decorator_list)
    }
    assert thawed == set(WORKING)


def _is_thawed(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator)
    return "dataclass" in text and "frozen=True" not in text


def test_no_file_is_long() -> None:
    """No file has more than 500 lines."""
    files = [
        path
        for folder in ("winimagetools", "tests", "fixtures")
        for path in (ROOT / folder).rglob("*.py")
    ]
    lengths = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
