"""Every function of the PowerShell tools is ported exactly once, or said not to be and why."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "winimagetools"
BUILDER = """
Write-Log Execute-Retry Is-Administrator Get-WimInteropObject Get-WimFileImagesInfo
Create-ImageVirtualDisk Apply-Image Reset-BCDSearchOrder Create-BCDBootConfig Transform-Xml
Generate-UnattendXml Detach-VirtualDisk Check-DismVersionForImage Convert-VirtualDisk
Copy-CustomResources Copy-UnattendResources Validate-WindowsImageConfig Download-CloudbaseInit
Copy-QemuGuestAgentFromISO Download-QemuGuestAgent Download-ZapFree Generate-ConfigFile
Add-DriversToImage Add-PackageToImage Enable-FeaturesInImage Add-CapabilitiesToImage
Check-EnablePowerShellInImage Is-IsoFile Is-ServerInstallationType Get-VirtIODrivers
Add-VirtIODrivers Add-VirtIODriversFromISO Set-DotNetCWD Get-PathWithoutExtension
Compress-Image Decompress-File Start-Executable Get-7zipPath Get-PigzPath Resize-VHDImage
Check-Prerequisites Wait-ForVMShutdown Run-Sysprep Convert-KvpData Get-KVPData
Get-ImageInformation Set-WindowsWallpaper Reset-WindowsWallpaper Get-TotalLogicalProcessors
Map-KMSProductKey Clean-WindowsUpdates New-WindowsOnlineImage New-WindowsCloudImage
New-WindowsFromGoldenImage Test-OfflineWindowsImage
"""
CONFIG = """
Get-AvailableConfigOptions Get-WindowsImageConfig Set-IniComment New-WindowsImageConfig
"""
INI = "Get-IniFileValue Set-IniFileValue Remove-IniFileValue"
NAMES = (*BUILDER.split(), *CONFIG.split(), *INI.split())

CLAIM = re.compile(r"Port of\s+``([\w-]+)``")
ROW = re.compile(r"^ {8}([A-Z]\w*-\w+) +(\S.*)$", re.MULTILINE)
NOT_PORTED = "not ported: "


def read_sources() -> dict[str, str]:
    """Text of every module of the package by its name below ``winimagetools``."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def claims_in(source: str) -> tuple[str, ...]:
    """The functions the docstrings of one module claim."""
    texts = (
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    return tuple(name for text in texts for name in CLAIM.findall(text))


def problems(sources: Mapping[str, str]) -> list[str]:
    """What is wrong with the claims and the table, as sentences."""
    claims: dict[str, list[str]] = {}
    for module, source in sources.items():
        for name in claims_in(source):
            claims.setdefault(name, []).append(module)
    table = dict(ROW.findall(ast.get_docstring(ast.parse(sources["builder"]), clean=False) or ""))
    found = [f"{name} is no function of the tools." for name in {*claims, *table} - {*NAMES}]
    for name in NAMES:
        entry, modules = table.get(name, ""), claims.get(name, [])
        if not entry:
            found.append(f"{name} is not in the table.")
        elif entry.startswith(NOT_PORTED):
            if len(entry.removeprefix(NOT_PORTED).split()) < 3:
                found.append(f"{name} is not ported without a reason.")
            found += [f"{name} is not ported and claimed by {module}." for module in modules]
        elif modules != [entry]:
            found.append(f"{name} is in {entry} by the table, and claimed by {modules}.")
    return found


def test_the_list_is_complete() -> None:
    """There are 55 functions in WinImageBuilder.psm1, 4 in Config.psm1 and 3 in ini.psm1."""
    assert [len(names.split()) for names in (BUILDER, CONFIG, INI)] == [55, 4, 3]
    assert len(set(NAMES)) == 62


def test_every_function_is_accounted_for() -> None:
    """Each one is claimed once, by the module the table names, or has a reason not to be."""
    assert problems(read_sources()) == []


def test_the_table_has_their_order() -> None:
    """The table lists the functions in the order of their files, so that both can be compared."""
    docstring = ast.get_docstring(ast.parse(read_sources()["builder"]), clean=False) or ""
    assert [name for name, _ in ROW.findall(docstring)] == list(NAMES)


def ported() -> list[tuple[str, str]]:
    """Functions that are claimed and the module each is in."""
    return [(name, module) for module, text in read_sources().items() for name in claims_in(text)]


@pytest.mark.parametrize(("name", "module"), ported())
def test_a_removed_claim_is_noticed(name: str, module: str) -> None:
    """Without the words "Port of" somebody would have to explain where the function is."""
    sources = read_sources()
    doctored = re.sub(rf"Port of(\s+``{name}``)", r"Like\1", sources[module])
    assert doctored != sources[module]
    assert problems({**sources, module: doctored}) == [
        f"{name} is in {module} by the table, and claimed by []."
    ]


def test_other_mistakes_are_noticed() -> None:
    """A second claim, a claim of what is not ported, a missing reason and an unknown name."""
    sources = read_sources()
    more = '"""Port of ``Write-Log``. Port of ``Get-PigzPath``. Port of ``Get-Nothing``."""\n'
    assert problems({**sources, "zebra": more}) == [
        "Get-Nothing is no function of the tools.",
        "Write-Log is in log by the table, and claimed by ['log', 'zebra'].",
        "Get-PigzPath is not ported and claimed by zebra.",
    ]
    builder = re.sub(r"(Get-PigzPath +not ported: ).*", r"\1gone", sources["builder"])
    builder = re.sub(r" +Is-IsoFile .*\n", "", builder)
    assert problems({**sources, "builder": builder}) == [
        "Is-IsoFile is not in the table.",
        "Get-PigzPath is not ported without a reason.",
    ]


def test_the_table_itself_is_no_claim() -> None:
    """Names in the table of ``builder`` do not count as ports."""
    assert claims_in(read_sources()["builder"]) == ()
