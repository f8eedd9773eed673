"""Command scripts for the guest: quoting, and the two scripts made here.

Linux has no DISM, so features, capabilities, packages and driver packages are put into the
image and installed by Windows itself. Only pure functions: what goes in is data, what comes
out is the whole text of a ``.cmd`` file with Windows line ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.facts.releases import PNPUTIL_ADD_DRIVER
from winimagetools.model import WindowsVersion
from winimagetools.plan import GuestStep

HERE = "<here>"
"""Stands for the folder of the script in a command; no file name can contain it."""

RESTART_NEEDED = 3010
"""ERROR_SUCCESS_REBOOT_REQUIRED: dism and wusa return it, and so does Servicing.cmd."""
ALREADY_INSTALLED = 2359302
"""WU_S_ALREADY_INSTALLED (0x240006): what wusa returns for an update that is there."""
NOT_APPLICABLE = 0x80240017 - 0x1_0000_0000
"""WU_E_NOT_APPLICABLE: what wusa returns for an update that is not for this Windows, or is
replaced by one that is there. ``%ERRORLEVEL%`` shows it as a signed number."""
BUSY_CODES = (1618, 0x80240016 - 0x1_0000_0000)
"""Another installation is running, in the words of Windows Installer and of Windows Update."""
DRIVER_CODES = (0, 259, RESTART_NEEDED, 1641)
"""Exit codes of pnputil that are no failures: done, nothing to do, restart needed, begun."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:\\~+=-]+")
_PRELUDE = ("@echo off", "setlocal EnableExtensions DisableDelayedExpansion", 'set "HERE=%~dp0"')
_STAMP = '>>"%LOG%" echo %DATE% %TIME%'
_RESULT = '>>"%RESULTS%" echo'
_BUSY_TRIES = 20


def dism_step(*arguments: str, ignore_errors: bool = False, settled: bool = False) -> GuestStep:
    """A step that runs dism on the running Windows."""
    command = ("dism.exe", "/Online", "/NoRestart", "/Quiet", *arguments)
    return GuestStep(command, ignore_errors=ignore_errors, settled=settled)


def package_step(path: str, *, ignore_errors: bool) -> GuestStep:
    r"""A step that installs a package.

    dism takes ``.msu`` files for a running Windows only since Windows 11, wusa always.

    Args:
        path: of the package, below the folder of the script, with ``\``.
        ignore_errors: go on when it fails.
    """
    if path.casefold().endswith(".msu"):
        command = ("wusa.exe", f"{HERE}{path}", "/quiet", "/norestart")
        accept = (0, RESTART_NEEDED, ALREADY_INSTALLED, NOT_APPLICABLE)
        return GuestStep(command, accept, ignore_errors)
    return dism_step("/Add-Package", f"/PackagePath:{HERE}{path}", ignore_errors=ignore_errors)


def quote(argument: str) -> str:
    """An argument as it has to stand in a command script.

    Within double quotes ``& | ^ ( )`` are plain characters; ``%`` is doubled. The place of
    :data:`HERE` is taken by the script's own folder.

    Raises:
        RequestError: it holds a double quote, a control character or a letter outside of
            ASCII (scripts are read in the code page of the guest, which is not known).
    """
    if '"' in argument or not argument.isascii() or not argument.isprintable():
        raise RequestError(
            f"{argument!r} cannot be passed to a program in the guest.",
            "Use plain characters without double quotes.",
        )
    text = argument.replace("%", "%%").replace(HERE, "%HERE%")
    return text if _PLAIN.fullmatch(argument) else f'"{text}"'


def servicing_script(steps: Sequence[GuestStep]) -> bytes:
    r"""``Servicing.cmd``: does all steps that were not done yet, in order.

    Every step is tried three times, half a minute apart, because the servicing stack may be
    busy right after the first logon; while another installation is running (see
    :data:`BUSY_CODES`) up to twenty times more. Steps done are marked by a file in ``done``, so
    the script may be called again after a restart. Each step that ended adds a line to
    ``results.txt``: ``done`` or ``failed``, exit code, command. It returns 0 when all is done,
    3010 when Windows has to restart, and then be called again, and the code of the step
    otherwise.
    """
    lines = [
        *_PRELUDE,
        'set "LOG=%SystemRoot%\\Panther\\winimagetools-servicing.log"',
        'set "RESULTS=%HERE%results.txt"',
        'set "RESTART=0"',
        'if not exist "%HERE%done" mkdir "%HERE%done"',
    ]
    for number, step in enumerate(steps, 1):
        lines += _step_lines(number, step)
    lines += [f'if "%RESTART%"=="1" exit /b {RESTART_NEEDED}', "exit /b 0", *_RUN]
    return _crlf(lines)


def _step_lines(number: int, step: GuestStep) -> list[str]:
    program, *arguments = step.command
    command = [f'"%SystemRoot%\\System32\\{program}"', *(quote(item) for item in arguments)]
    return [
        "",
        f'set "STEP={number}"',
        f'set "ACCEPT={" ".join(str(code) for code in step.accept)}"',
        f'set "IGNORE={int(step.ignore_errors)}"',
        f'set "SETTLED={int(step.settled)}"',
        f"set COMMAND={' '.join(command)}",
        "call :run",
        "if errorlevel 1 goto stop",
    ]


_RUN = (
    "",
    ":stop",
    "exit /b %CODE%",
    "",
    ":run",
    'if exist "%HERE%done\\%STEP%" exit /b 0',
    f'set "CODE={RESTART_NEEDED}"',
    'if "%SETTLED%%RESTART%"=="11" exit /b 1',
    'set "TRY=1"',
    'set "WAITS=0"',
    ":again",
    f"{_STAMP} step %STEP%: %COMMAND%",
    '%COMMAND% >>"%LOG%" 2>&1',
    'set "CODE=%ERRORLEVEL%"',
    f"{_STAMP} step %STEP%: exit code %CODE%",
    'for %%C in (%ACCEPT%) do if "%CODE%"=="%%C" goto done',
    f'for %%C in ({" ".join(map(str, BUSY_CODES))}) do if "%CODE%"=="%%C" goto busy',
    'if "%IGNORE%"=="1" goto failed',
    'if "%TRY%"=="3" goto failed',
    'set /a "TRY+=1"',
    ":wait",
    "%SystemRoot%\\System32\\ping.exe -n 31 127.0.0.1 >nul",
    "goto again",
    ":busy",
    'set /a "WAITS+=1"',
    f'if not "%WAITS%"=="{_BUSY_TRIES}" goto wait',
    ":failed",
    f"{_RESULT} failed %CODE% %COMMAND%",
    'if not "%IGNORE%"=="1" exit /b 1',
    "goto mark",
    ":done",
    f"{_RESULT} done %CODE% %COMMAND%",
    ":mark",
    f'if "%CODE%"=="{RESTART_NEEDED}" set "RESTART=1"',
    '>"%HERE%done\\%STEP%" echo %CODE%',
    "exit /b 0",
)


def driver_script(infs: Sequence[str], version: WindowsVersion | None) -> bytes:
    r"""``install.cmd``: adds and installs driver packages one INF at a time.

    It always returns 0: a driver that Windows does not take must not end the specialize
    pass. What happened is in ``Windows\Panther\winimagetools-drivers.log``, and in
    ``winimagetools-drivers.txt`` a line for each package, which ``Logon.ps1`` reports to the
    build: ``done`` or ``failed``, exit code, INF file. Publishers are trusted in between only.

    Args:
        infs: INF files below the folder of the script, with ``\``.
        version: the Windows in the image; None when not known, then the old command
            syntax is used, which newer versions still understand.
    """
    new = version is not None and PNPUTIL_ADD_DRIVER.is_in(version)
    pnputil = '"%SystemRoot%\\System32\\pnputil.exe"'
    command = f"{pnputil} /add-driver %INF% /install" if new else f"{pnputil} -i -a %INF%"
    trust = f'{_POWERSHELL} -File "%HERE%{TRUST_NAME}"'
    log = '>>"%LOG%" 2>&1'
    lines = [
        *_PRELUDE,
        'set "LOG=%SystemRoot%\\Panther\\winimagetools-drivers.log"',
        'set "RESULTS=%SystemRoot%\\Panther\\winimagetools-drivers.txt"',
        f"{trust} {log}",
    ]
    for inf in infs:
        lines += [f"set INF={quote(HERE + inf)}", "call :install"]
    lines += [
        f"{trust} -Remove {log}",
        "exit /b 0",
        "",
        ":install",
        f"{_STAMP} %INF%",
        f"{command} {log}",
        'set "CODE=%ERRORLEVEL%"',
        f"{_STAMP} exit code %CODE%",
        'set "WORD=failed"',
        f'for %%C in ({" ".join(map(str, DRIVER_CODES))}) do if "%CODE%"=="%%C" set "WORD=done"',
        f"{_RESULT} %WORD% %CODE% %INF%",
        "exit /b 0",
    ]
    return _crlf(lines)


_POWERSHELL = (
    '"%SystemRoot%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"'
    " -NoProfile -NonInteractive -ExecutionPolicy Bypass"
)
TRUST_NAME = "trust.ps1"


def trust_script() -> bytes:
    """``trust.ps1``, which lies beside ``install.cmd``: trusts publishers, or no longer."""
    return _crlf(data_path("guest/lib/Trust.ps1").read_text(encoding="ascii").splitlines())


def _crlf(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
