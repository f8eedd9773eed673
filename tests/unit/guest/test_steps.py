import pytest

from winimagetools.errors import RequestError
from winimagetools.guest.steps import (
    HERE,
    dism_step,
    driver_script,
    package_step,
    quote,
    servicing_script,
    trust_script,
)
from winimagetools.model import WindowsVersion
from winimagetools.plan import GuestStep


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("/FeatureName:NetFx3", "/FeatureName:NetFx3"),
        (
            "/CapabilityName:Rsat.Dns.Tools~~~~0.0.1.0",
            "/CapabilityName:Rsat.Dns.Tools~~~~0.0.1.0",
        ),
        ("/FeatureName:Two Words", '"/FeatureName:Two Words"'),
        ("100%", '"100%%"'),
        ("%PATH%", '"%%PATH%%"'),
        ("a&b|c^(d)", '"a&b|c^(d)"'),
        (f"{HERE}x y\\z%1.cab", '"%HERE%x y\\z%%1.cab"'),
        ("", '""'),
        ("!x!", '"!x!"'),
    ],
)
def test_arguments_are_quoted_for_command_scripts(argument: str, text: str) -> None:
    """Percent signs are doubled, everything but plain characters stands in double quotes."""
    assert quote(argument) == text


@pytest.mark.parametrize("argument", ['a"b', "a\nb", "a\x00", "größe", "tab\t"])
def test_arguments_that_cannot_be_quoted_are_refused(argument: str) -> None:
    """A double quote ends quoting, and letters outside ASCII depend on the guest."""
    with pytest.raises(RequestError, match="cannot be passed to a program in the guest"):
        quote(argument)


def test_packages_are_installed_by_kind() -> None:
    """.msu goes to wusa, everything else to dism."""
    assert package_step(r"packages\a\kb1.MSU", ignore_errors=True) == GuestStep(
        ("wusa.exe", r"<here>packages\a\kb1.MSU", "/quiet", "/norestart"),
        (0, 3010, 2359302, -2145124329),
        ignore_errors=True,
    )
    assert package_step(r"packages\a\x.cab", ignore_errors=False) == GuestStep(
        (
            "dism.exe",
            "/Online",
            "/NoRestart",
            "/Quiet",
            "/Add-Package",
            r"/PackagePath:<here>packages\a\x.cab",
        )
    )


STEPS = [
    dism_step("/Enable-Feature", "/FeatureName:NetFx3", "/FeatureName:Odd Name"),
    package_step(r"packages\50% off\kb1.msu", ignore_errors=True),
    dism_step("/Cleanup-Image", "/StartComponentCleanup", settled=True),
]

SCRIPT = r"""@echo off
setlocal EnableExtensions DisableDelayedExpansion
set "HERE=%~dp0"
set "LOG=%SystemRoot%\Panther\winimagetools-servicing.log"
set "RESULTS=%HERE%results.txt"
set "RESTART=0"
if not exist "%HERE%done" mkdir "%HERE%done"

set "STEP=1"
set "ACCEPT=0 3010"
set "IGNORE=0"
set "SETTLED=0"
set COMMAND="%SystemRoot%\System32\dism.exe" /Online /NoRestart /Quiet /Enable-Feature """ + (
    r"""/FeatureName:NetFx3 "/FeatureName:Odd Name"
call :run
if errorlevel 1 goto stop

set "STEP=2"
set "ACCEPT=0 3010 2359302 -2145124329"
set "IGNORE=1"
set "SETTLED=0"
set COMMAND="%SystemRoot%\System32\wusa.exe" "%HERE%packages\50%% off\kb1.msu" /quiet /norestart
call :run
if errorlevel 1 goto stop

set "STEP=3"
set "ACCEPT=0 3010"
set "IGNORE=0"
set "SETTLED=1"
set COMMAND="%SystemRoot%\System32\dism.exe" /Online /NoRestart /Quiet """
    r"""/Cleanup-Image /StartComponentCleanup
call :run
if errorlevel 1 goto stop
if "%RESTART%"=="1" exit /b 3010
exit /b 0

:stop
exit /b %CODE%

:run
if exist "%HERE%done\%STEP%" exit /b 0
set "CODE=3010"
if "%SETTLED%%RESTART%"=="11" exit /b 1
set "TRY=1"
set "WAITS=0"
:again
>>"%LOG%" echo %DATE% %TIME% step %STEP%: %COMMAND%
%COMMAND% >>"%LOG%" 2>&1
set "CODE=%ERRORLEVEL%"
>>"%LOG%" echo %DATE% %TIME% step %STEP%: exit code %CODE%
for %%C in (%ACCEPT%) do if "%CODE%"=="%%C" goto done
for %%C in (1618 -2145124330) do if "%CODE%"=="%%C" goto busy
if "%IGNORE%"=="1" goto failed
if "%TRY%"=="3" goto failed
set /a "TRY+=1"
:wait
%SystemRoot%\System32\ping.exe -n 31 127.0.0.1 >nul
goto again
:busy
set /a "WAITS+=1"
if not "%WAITS%"=="20" goto wait
:failed
>>"%RESULTS%" echo failed %CODE% %COMMAND%
if not "%IGNORE%"=="1" exit /b 1
goto mark
:done
>>"%RESULTS%" echo done %CODE% %COMMAND%
:mark
if "%CODE%"=="3010" set "RESTART=1"
>"%HERE%done\%STEP%" echo %CODE%
exit /b 0
"""
)


def test_servicing_script_in_full() -> None:
    """Steps in order, retried, marked when done, 3010 handed on; Windows line ends."""
    assert servicing_script(STEPS) == SCRIPT.replace("\n", "\r\n").encode("ascii")


def test_servicing_script_without_steps_succeeds() -> None:
    """Nothing to do is exit code 0."""
    script = servicing_script([])
    assert b"call :run" not in script
    assert b'mkdir "%HERE%done"\r\nif "%RESTART%"=="1" exit /b 3010\r\nexit /b 0\r\n' in script


DRIVERS = r"""@echo off
setlocal EnableExtensions DisableDelayedExpansion
set "HERE=%~dp0"
set "LOG=%SystemRoot%\Panther\winimagetools-drivers.log"
set "RESULTS=%SystemRoot%\Panther\winimagetools-drivers.txt"
"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive """ + (
    r"""-ExecutionPolicy Bypass -File "%HERE%trust.ps1" >>"%LOG%" 2>&1
set INF="%HERE%viostor\viostor.inf"
call :install
set INF="%HERE%net 50%%\netkvm.inf"
call :install
"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive """
    r"""-ExecutionPolicy Bypass -File "%HERE%trust.ps1" -Remove >>"%LOG%" 2>&1
exit /b 0

:install
>>"%LOG%" echo %DATE% %TIME% %INF%
COMMAND >>"%LOG%" 2>&1
set "CODE=%ERRORLEVEL%"
>>"%LOG%" echo %DATE% %TIME% exit code %CODE%
set "WORD=failed"
for %%C in (0 259 3010 1641) do if "%CODE%"=="%%C" set "WORD=done"
>>"%RESULTS%" echo %WORD% %CODE% %INF%
exit /b 0
"""
)
PNPUTIL = r'"%SystemRoot%\System32\pnputil.exe"'


@pytest.mark.parametrize(
    ("version", "command"),
    [
        (WindowsVersion(10, 0, 14393), f"{PNPUTIL} /add-driver %INF% /install"),
        (WindowsVersion(10, 0, 26100), f"{PNPUTIL} /add-driver %INF% /install"),
        (WindowsVersion(10, 0, 14392), f"{PNPUTIL} -i -a %INF%"),
        (WindowsVersion(6, 1, 7601), f"{PNPUTIL} -i -a %INF%"),
        (None, f"{PNPUTIL} -i -a %INF%"),
    ],
)
def test_driver_script_in_full(version: WindowsVersion | None, command: str) -> None:
    """One INF at a time, in the syntax the Windows version knows, and 0 at the end."""
    expected = DRIVERS.replace("COMMAND", command).replace("\n", "\r\n").encode("ascii")
    assert driver_script([r"viostor\viostor.inf", r"net 50%\netkvm.inf"], version) == expected


def test_the_script_that_trusts_has_windows_line_ends() -> None:
    """What it does is tested where PowerShell runs it, in tests/powershell."""
    script = trust_script()
    assert script.endswith(b"}\r\n")
    assert script.count(b"\n") == script.count(b"\r\n") > 20
