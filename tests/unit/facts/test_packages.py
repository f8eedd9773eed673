"""In which package of which distribution a program is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import winimagetools
from winimagetools.facts.packages import PACKAGES, distribution, install_hint

PACKAGE = Path(winimagetools.__file__).parent


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["debian"], "debian"),
        (["ubuntu", "debian"], "ubuntu"),
        (["linuxmint", "ubuntu", "debian"], "ubuntu"),
        (["fedora"], "fedora"),
        (["almalinux", "rhel", "centos", "fedora"], "fedora"),
        (["opensuse-tumbleweed", "opensuse", "suse"], "opensuse"),
        (["sles", "suse"], "opensuse"),
        (["arch"], ""),
        ([""], ""),
    ],
)
def test_the_family_of_a_distribution(names: list[str], expected: str) -> None:
    """By its own name, else by the ones it says it is like."""
    assert distribution(names) == expected


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("debian", "Install it: apt install qemu-utils"),
        ("ubuntu", "Install it: apt install qemu-utils"),
        ("fedora", "Install it: dnf install qemu-img"),
        ("opensuse", "Install it: zypper install qemu-tools"),
        (
            "",
            "Install it: apt install qemu-utils (Debian, Ubuntu), dnf install qemu-img (Fedora), "
            "zypper install qemu-tools (openSUSE)",
        ),
    ],
)
def test_the_command_that_installs_it(system: str, expected: str) -> None:
    """That of the distribution; all of them where it is another one."""
    assert install_hint("qemu-utils", system) == expected


def test_a_package_nobody_has_listed() -> None:
    """It may have the same name elsewhere; where nothing is known, Debian's name helps a search."""
    assert install_hint("unheard-of", "fedora") == "Install it: dnf install unheard-of"
    assert install_hint("unheard-of", "") == "Install what Debian calls unheard-of."


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _packages(path: Path) -> Iterator[str]:
    """Packages that calls of ``Tool`` and ``ToolMissingError`` in a module name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = _constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("Tool", "ToolMissingError") and len(node.args) == 3:
            package = node.args[1]
            if isinstance(package, ast.Constant):
                yield str(package.value)
            elif isinstance(package, ast.Name) and package.id in known:
                yield known[package.id]


def test_every_package_of_a_linux_host_is_listed() -> None:
    """Whatever may be missing on Linux has its names on all distributions."""
    folders = [*(PACKAGE / "host" / "linux").rglob("*.py"), PACKAGE / "output" / "convert.py"]
    named = {package for path in folders for package in _packages(path)}
    assert {"libwim15", "qemu-utils", "grub-pc-bin"} <= named
    assert named - set(PACKAGES) == set()
