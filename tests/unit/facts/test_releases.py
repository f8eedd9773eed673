"""Releases of Windows and what they can do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from winimagetools.facts import releases
from winimagetools.facts.releases import RELEASES, Ability, menu_name, release_of
from winimagetools.model import WindowsVersion

PACKAGE = Path(releases.__file__).parents[1]


@pytest.mark.parametrize(
    ("version", "server", "name"),
    [
        ("6.0.6002", True, "Windows Server 2008"),
        ("6.1.7601", False, "Windows 7"),
        ("6.3.9600", True, "Windows Server 2012 R2"),
        ("10.0.14393", True, "Windows Server 2016"),
        ("10.0.17134", True, "Windows Server 1709 and 1803"),
        ("10.0.17763", True, "Windows Server 2019"),
        ("10.0.17763", False, "Windows 10"),
        ("10.0.20348", True, "Windows Server 2022"),
        ("10.0.25398", True, "Windows Server 2022"),
        ("10.0.26100", True, "Windows Server 2025"),
        ("10.0.26100", False, "Windows 11"),
        ("10.0.99999", False, "Windows 11"),
    ],
)
def test_release_of_a_version(version: str, server: bool, name: str) -> None:
    """The newest release whose first build is reached, of the same kind."""
    release = release_of(WindowsVersion.parse(version), server=server)
    assert release is not None
    assert release.name == name


def test_before_vista() -> None:
    """What cannot be made from a WIM is no release."""
    assert release_of(WindowsVersion(5, 2, 3790), server=True) is None
    assert menu_name(WindowsVersion(5, 2, 3790), server=True) == "Windows Server"
    assert menu_name(WindowsVersion(5, 1, 2600), server=False) == "Windows"


@pytest.mark.parametrize("server", [False, True])
def test_rows_stand_in_order(server: bool) -> None:
    """The oldest first, each build once."""
    builds = [row.first_build for row in RELEASES if row.server == server]
    assert builds == sorted(set(builds))


@pytest.mark.parametrize(
    ("version", "is_server", "name"),
    [
        ("6.0.6003", False, "Windows Vista"),
        ("6.1.7601", False, "Windows 7"),
        ("6.2.9200", False, "Windows 8"),
        ("6.3.9600", False, "Windows 8.1"),
        ("10.0.19045", False, "Windows 10"),
        ("10.0.22000", False, "Windows 11"),
        ("10.0.26100", False, "Windows 11"),
        ("6.0.6003", True, "Windows Server 2008"),
        ("6.1.7601", True, "Windows Server 2008 R2"),
        ("6.2.9200", True, "Windows Server 2012"),
        ("6.3.9600", True, "Windows Server 2012 R2"),
        ("10.0.14393", True, "Windows Server 2016"),
        ("10.0.17763", True, "Windows Server"),
        ("10.0.26100", True, "Windows Server"),
    ],
)
def test_product_names(version: str, is_server: bool, name: str) -> None:
    """The menu shows the product, not the edition."""
    assert menu_name(WindowsVersion.parse(version), server=is_server) == name


@pytest.mark.parametrize(
    ("ability", "last_without", "first_with"),
    [
        (releases.DRIVER_DATABASE, "6.1.7601", "6.2.9200"),
        (releases.UEFI_ON_X86, "6.1.7601", "6.2.9200"),
        (releases.BOOT_FILES_BY_FIRMWARE, "6.1.7601", "6.2.9200"),
        (releases.BCD_OF_WINDOWS_8, "6.1.7601", "6.2.9200"),
        (releases.GRAPHICAL_MENU_ON_SERVERS, "6.3.9600", "10.0.10240"),
        (releases.FIRST_START_SCREENS, "6.1.7601", "6.2.9200"),
        (releases.POWERSHELL_IN_SERVER_CORE, "6.1.7601", "6.2.9200"),
        (releases.SHA256_SIGNATURES, "6.1.7601", "6.2.9200"),
        (releases.COMPONENT_CLEAN_UP, "6.1.7601", "6.2.9200"),
        (releases.RESET_BASE, "6.2.9200", "6.3.9600"),
        (releases.SIGNED_BY_MICROSOFT, "6.3.9600", "10.0.10240"),
        (releases.ONLY_SIGNED_BY_MICROSOFT, "10.0.10586", "10.0.14393"),
        (releases.INF_BUILD_NUMBERS, "10.0.10586", "10.0.14393"),
        (releases.PNPUTIL_ADD_DRIVER, "10.0.10586", "10.0.14393"),
        (releases.NETWORK_PAGE, "10.0.19045", "10.0.22000"),
        (releases.DEVICE_ENCRYPTION, "10.0.25398", "10.0.26100"),
    ],
)
def test_abilities(ability: Ability, last_without: str, first_with: str) -> None:
    """Each begins between the two releases that are named."""
    assert not ability.is_in(WindowsVersion.parse(last_without))
    assert ability.is_in(WindowsVersion.parse(first_with))


def compares_versions(text: str) -> list[str]:
    """Expressions that name a version of Windows by its numbers."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "WindowsVersion"
            and any(isinstance(argument, ast.Constant) for argument in node.args)
        )
        or (
            isinstance(node, ast.Compare)
            and re.search(r"\bbuild\b.*[<>=] *\d{4}", ast.unparse(node))
        )
    ]


def test_versions_are_compared_here_only() -> None:
    """No other module names a version of Windows by its numbers."""
    assert compares_versions("x.version < WindowsVersion(6, 2)") == ["WindowsVersion(6, 2)"]
    assert compares_versions("version.build >= 22000") == ["version.build >= 22000"]
    found = {
        path.name: wrong
        for path in PACKAGE.rglob("*.py")
        if path != Path(releases.__file__)
        and (wrong := compares_versions(path.read_text(encoding="utf-8")))
    }
    assert found == {}
