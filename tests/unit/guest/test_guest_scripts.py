"""The scripts that run inside Windows: readable by PowerShell, and in step with the options."""

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
def test_powershell_can_read_it(path: Path) -> None:
    """The grammar finds no error and nothing missing."""
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
def test_nothing_waits_for_a_person(path: Path) -> None:
    """Nobody sits in front of the machine."""
    assert not re.search(r"ReadKey|Read-Host|\bpause\b", path.read_text(encoding="ascii"), re.I)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_failure_is_reported_and_powers_off(name: str) -> None:
    """Each entry point ends in the one handler, which marks, reports and shuts down."""
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


def test_the_stages_are_in_the_order_of_the_powershell_tools() -> None:
    """From licence to power-off."""
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


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("1", "throw"),
        ("1004", "exit 0"),
        ("1005", "Restart-Image"),
        ("1006", 'Stop-Image "StatusStopped"'),
    ],
)
def test_exit_codes_of_hook_scripts(code: str, action: str) -> None:
    """Each code leads to its action."""
    branch = re.search(rf"^        {code} \{{(.*?)\}}$", text("lib/Hooks.ps1"), re.M | re.S)
    assert branch is not None
    assert action in branch[1]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_everything_called_is_loaded(name: str) -> None:
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
    """What is defined is called somewhere, ini.psm1 by the users' hooks aside."""
    everything = "\n".join(path.read_text(encoding="ascii") for path in SCRIPTS)
    for path in SCRIPTS:
        for name in functions(path.read_text(encoding="ascii")):
            assert len(re.findall(rf"(?<![\w-]){name}(?![\w-])", everything)) > 1, name


def body(name: str, function: str) -> str:
    """The text of one function."""
    match = re.search(rf"^function {function} \{{.*?^\}}$", text(name), re.M | re.S)
    assert match is not None
    return match[0]


def test_the_host_knows_the_verdicts() -> None:
    """What ends a run has the same name on both sides."""
    wanted = [PREFIX + stage for stage in (STAGE_DONE, STAGE_STOPPED, STAGE_FAILED)]
    line = re.search(r"^\$verdicts = (.*)$", text("lib/Report.ps1"), re.M)
    assert line is not None
    assert re.findall(r'"(.+?)"', line[1]) == wanted


@pytest.mark.parametrize(
    ("name", "function"),
    [("lib/Programs.ps1", "Stop-Image"), ("lib/Report.ps1", "Stop-WithFailure")],
)
def test_the_host_gets_time_to_hear_the_verdict(name: str, function: str) -> None:
    """Between the last report and the power-off there is a wait, and then the reports go."""
    source = body(name, function)
    assert 0 < source.index("Write-Log") < source.index("Complete-Reports") < source.index("/s /f")
    complete = body("lib/Report.ps1", "Complete-Reports")
    assert complete.index("Start-Sleep") < complete.index("Clear-Reports")


def test_a_failure_holds_up_what_would_come_next() -> None:
    """Logon.ps1 must not start, and forget the failure, while the power goes off."""
    source = body("lib/Report.ps1", "Stop-WithFailure")
    assert source.index("shutdown.exe") < source.index("Start-Sleep") < source.index("exit 1")


def test_a_run_forgets_the_reports_of_earlier_ones() -> None:
    """They are in the registry, which a golden image brings along."""
    logon = text("Logon.ps1")
    assert logon.index("Clear-Reports") < logon.index('Write-Log "StatusInitial"')


def test_reports_fit_into_the_data_exchange() -> None:
    """2048 bytes of UTF-16 with a zero at the end."""
    longest = re.search(r"^\$longestReport = (\d+)$", text("lib/Report.ps1"), re.M)
    assert longest is not None
    assert (int(longest[1]) + 1) * 2 <= 2048


def test_zapfree_runs_in_the_root() -> None:
    """It resolves "C:" to the current folder of the drive and refuses another one."""
    source = body("lib/Servicing.ps1", "Clear-FreeSpace")
    assert source.index('Set-Location "$ENV:SystemDrive\\"') < source.index(
        "Invoke-Program $zapfree"
    )


def test_reset_base_only_where_it_exists() -> None:
    """From Windows 8.1 and Server 2012 R2 on, as the host does it offline."""
    source = body("lib/Servicing.ps1", "Clear-ComponentStore")
    assert re.search(r'if \(\$Purge -and \(Test-WindowsVersion "6\.3"\)\)', source)


def test_hooks_find_the_functions_of_the_old_module() -> None:
    """Scripts that import ini.psm1 can read, set and remove values, by the same parameters."""
    found = parameters(text("ini.psm1"))
    names = {name: [item.name for item in found[name]] for name in found}
    assert names["Get-IniFileValue"] == ["Key", "Section", "Default", "AsBoolean", "Path"]
    assert names["Set-IniFileValue"] == ["Key", "Section", "Value", "Path"]
    assert names["Remove-IniFileValue"] == ["Key", "Section", "Path"]
    for name in ("Get-IniFileValue", "Set-IniFileValue", "Remove-IniFileValue"):
        assert re.search(rf"^Export-ModuleMember .*\b{name}\b", text("ini.psm1"), re.M)
