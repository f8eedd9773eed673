"""The text of the scripts that run inside Windows: it parses, and is in step with the options.

What they do is tested where PowerShell runs them, in tests/powershell.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.powershell_syntax import errors
from tests.unit.powershell_syntax import functions as parameters
from winimagetools.data import data_path
from winimagetools.guest.reports import PREFIX, STAGE_DONE, STAGE_FAILED, STAGE_STOPPED
from winimagetools.settings.options import OPTIONS

GUEST = data_path("guest")
SCRIPTS = sorted(path for path in GUEST.rglob("*") if path.is_file())
ENTRY_POINTS = ("FirstLogon", "Logon", "Specialize")
READS = re.compile(r'(?:Get|Test)-Option "(\w+)" "(\w+)"( \$true)?')


def text(name: str) -> str:
    """One of the scripts."""
    return (GUEST / name).read_text(encoding="ascii")


def functions(source: str) -> set[str]:
    """Names of the functions a script defines."""
    return set(re.findall(r"^function ([\w-]+) \{", source, re.MULTILINE))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_grammar_finds_no_error(path: Path) -> None:
    """Each script parses; whether it works is tested where PowerShell runs."""
    assert errors(path.read_text(encoding="ascii")) == []


def test_the_grammar_does_find_errors() -> None:
    """The check above can fail."""
    assert errors("if ($a) { 'x") != []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_plain_and_short(path: Path) -> None:
    """ASCII only (PowerShell 5 reads other bytes in the guest's code page), under 300 lines."""
    assert path.suffix in (".ps1", ".psm1")
    content = path.read_bytes()
    assert content.isascii()
    assert b"\t" not in content
    assert len(content.splitlines()) < 300


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_names_a_command_that_waits_for_a_key(path: Path) -> None:
    """Nobody sits in front of the machine."""
    assert not re.search(r"ReadKey|Read-Host|\bpause\b", path.read_text(encoding="ascii"), re.I)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_entry_points_end_with_the_one_failure_handler(name: str) -> None:
    """Its text has the mark, the report, the shutdown and the exit in this order."""
    assert text(f"{name}.ps1").rstrip().endswith("} catch {\n    Stop-WithFailure $_\n}")
    report = text("lib/Report.ps1")
    handler = report[report.index("function Stop-WithFailure") :]
    steps = ("Set-Content -Path $failureMark", '"ERROR" $text "failed"', "shutdown.exe", "exit 1")
    positions = [handler.index(step) for step in steps]
    assert positions == sorted(positions)


def test_the_options_of_the_guest_are_exactly_those_it_reads() -> None:
    """Nothing is put into the guest's config.ini in vain, nothing is read that is not there."""
    read = {
        (section, key)
        for path in SCRIPTS
        for section, key, _ in READS.findall(path.read_text(encoding="ascii"))
    }
    assert read == {(option.section, option.name) for option in OPTIONS if option.guest}


def test_defaults_in_the_guest_are_those_of_the_options() -> None:
    """An option missing from config.ini means the same on both sides."""
    defaults = {
        (option.section, option.name): option.default
        for option in OPTIONS
        if isinstance(option.default, bool)
    }
    for path in SCRIPTS:
        for section, key, true in READS.findall(path.read_text(encoding="ascii")):
            if (section, key) in defaults:
                assert bool(true) == defaults[section, key], key


def test_the_text_of_logon_names_the_stages_in_order() -> None:
    """From licence to power-off, as in the PowerShell tools."""
    stages = (
        "Set-WindowsLicense $productKey",
        "Install-QemuGuestAgent",
        "Install-NetFramework35",
        "Invoke-Servicing",
        'Invoke-Hook "RunBeforeWindowsUpdates.ps1"',
        "Install-WindowsUpdates",
        "Clear-ComponentStore",
        'Invoke-Hook "RunAfterWindowsUpdates.ps1"',
        "The golden image is ready.",
        "Install-VMwareTools",
        'Invoke-Hook "RunBeforeCloudbaseInitInstall.ps1"',
        "Install-CloudbaseInit",
        'Invoke-Hook "RunAfterCloudbaseInitInstall.ps1"',
        "Optimize-Disk",
        "Clear-Addresses",
        "Enable-ShutdownWithoutLogon",
        "Disable-FirstLogonAnimation",
        "Enable-Ping",
        "Enable-Eui64",
        "Enable-AdministratorAccount",
        "Enable-AlwaysActiveMode",
        "Set-ImageTimeZone",
        "Set-TimeServers",
        "Set-PersistDrivers",
        "Disable-Swap",
        "Enable-SwapAtFirstStart",
        'Invoke-Hook "RunBeforeSysprep.ps1"',
        "Clear-FreeSpace",
        "Invoke-Sysprep",
        'Invoke-Hook "RunAfterSysprep.ps1"',
        "Remove-Traces",
        'Stop-Image "StatusFinal" "The image is ready." "done"',
    )
    logon = text("Logon.ps1")
    positions = [logon.index(stage) for stage in stages]
    assert positions == sorted(positions)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_everything_an_entry_point_names_is_loaded(name: str) -> None:
    """Each of our functions an entry point reaches is defined in a part it loads."""
    source = text(f"{name}.ps1")
    parts = re.findall(r'^\s*\. "\$resourcesDir\\(lib\\\w+\.ps1)"$', source, re.MULTILINE)
    loaded = {"ini.psm1", *(part.replace("\\", "/") for part in parts)}
    ours = {
        function for path in SCRIPTS for function in functions(path.read_text(encoding="ascii"))
    }
    available = {function for part in loaded for function in functions(text(part))}
    called = {word for word in ours if re.search(rf"(?<![\w-]){word}(?![\w-])", source)}
    assert called - available == set()


def test_no_function_is_defined_twice() -> None:
    """All parts share one scope."""
    names = [name for path in SCRIPTS for name in functions(path.read_text(encoding="ascii"))]
    assert len(names) == len(set(names))


def test_no_function_is_left_unused() -> None:
    """What is defined is called somewhere; what only hook scripts call has a file of its own."""
    everything = "\n".join(path.read_text(encoding="ascii") for path in SCRIPTS)
    for path in set(SCRIPTS) - {GUEST / "lib/HookNames.ps1"}:
        for name in functions(path.read_text(encoding="ascii")):
            assert len(re.findall(rf"(?<![\w-]){name}(?![\w-])", everything)) > 1, name


def test_the_host_knows_the_verdicts() -> None:
    """What ends a run has the same name on both sides."""
    wanted = [PREFIX + stage for stage in (STAGE_DONE, STAGE_STOPPED, STAGE_FAILED)]
    line = re.search(r"^\$verdicts = (.*)$", text("lib/Report.ps1"), re.M)
    assert line is not None
    assert re.findall(r'"(.+?)"', line[1]) == wanted


def test_reports_fit_into_the_data_exchange() -> None:
    """2048 bytes of UTF-16 with a zero at the end."""
    longest = re.search(r"^\$longestReport = (\d+)$", text("lib/Report.ps1"), re.M)
    assert longest is not None
    assert (int(longest[1]) + 1) * 2 <= 2048


def test_the_ini_module_declares_the_functions_of_the_old_one() -> None:
    """Functions to read, set and remove values, with the same parameters, are exported."""
    found = parameters(text("ini.psm1"))
    names = {name: [item.name for item in found[name]] for name in found}
    assert names["Get-IniFileValue"] == ["Key", "Section", "Default", "Path", "AsBoolean"]
    assert names["Set-IniFileValue"] == ["Key", "Section", "Value", "Path"]
    assert names["Remove-IniFileValue"] == ["Key", "Section", "Path"]
    for name in ("Get-IniFileValue", "Set-IniFileValue", "Remove-IniFileValue"):
        assert re.search(rf"^Export-ModuleMember .*\b{name}\b", text("ini.psm1"), re.M)
