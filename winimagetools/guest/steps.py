"""Command scripts for the guest: quoting, and the two scripts made here.

Linux has no DISM, so features, capabilities, packages and driver packages are put into the
image and installed by Windows itself. Only pure functions: what goes in is data, what comes
out is the whole text of a ``.cmd`` file with Windows line ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
DRIVER_CODES = (0, 259, RESTART_NEEDED, 1641)
"""Exit codes of pnputil that are no failures: done, nothing to do, restart needed, begun."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:\\~+=-]+")
_PRELUDE = ("@echo off", "setlocal EnableExtensions DisableDelayedExpansion", 'set "HERE=%~dp0"')
_STAMP = '>>"%LOG%" echo %DATE% %TIME%'


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
        return GuestStep(command, (0, RESTART_NEEDED, ALREADY_INSTALLED), ignore_errors)
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
    busy right after the first logon. Steps done are marked by a file in ``done``, so the
    script may be called again after a restart. It returns 0 when all is done, 3010 when
    Windows has to restart, and then be called again, and the code of the step otherwise.
    """
    lines = [
        *_PRELUDE,
        'set "LOG=%SystemRoot%\\Panther\\winimagetools-servicing.log"',
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
    ":again",
    f"{_STAMP} step %STEP%: %COMMAND%",
    '%COMMAND% >>"%LOG%" 2>&1',
    'set "CODE=%ERRORLEVEL%"',
    f"{_STAMP} step %STEP%: exit code %CODE%",
    'for %%C in (%ACCEPT%) do if "%CODE%"=="%%C" goto done',
    'if "%IGNORE%"=="1" goto done',
    'if "%TRY%"=="3" exit /b 1',
    'set /a "TRY+=1"',
    "%SystemRoot%\\System32\\ping.exe -n 31 127.0.0.1 >nul",
    "goto again",
    ":done",
    f'if "%CODE%"=="{RESTART_NEEDED}" set "RESTART=1"',
    '>"%HERE%done\\%STEP%" echo %CODE%',
    "exit /b 0",
)


def driver_script(infs: Sequence[str], version: WindowsVersion | None) -> bytes:
    r"""``install.cmd``: adds and installs driver packages one INF at a time.

    It always returns 0: a driver that Windows does not take must not end the specialize
    pass. What happened is in ``Windows\Panther\winimagetools-drivers.log``.

    Args:
        infs: INF files below the folder of the script, with ``\``.
        version: the Windows in the image; None when not known, then the old command
            syntax is used, which newer versions still understand.
    """
    new = version is not None and PNPUTIL_ADD_DRIVER.is_in(version)
    pnputil = '"%SystemRoot%\\System32\\pnputil.exe"'
    command = f"{pnputil} /add-driver %INF% /install" if new else f"{pnputil} -i -a %INF%"
    lines = [
        *_PRELUDE,
        'set "LOG=%SystemRoot%\\Panther\\winimagetools-drivers.log"',
        'set "FAILED=0"',
        f'{_POWERSHELL} -File "%HERE%{TRUST_NAME}" >>"%LOG%" 2>&1',
    ]
    for inf in infs:
        lines += [f"set INF={quote(HERE + inf)}", "call :install"]
    lines += [
        f"{_STAMP} %FAILED% of {len(infs)} driver packages failed",
        "exit /b 0",
        "",
        ":install",
        f"{_STAMP} %INF%",
        f'{command} >>"%LOG%" 2>&1',
        'set "CODE=%ERRORLEVEL%"',
        f"{_STAMP} exit code %CODE%",
        f'for %%C in ({" ".join(map(str, DRIVER_CODES))}) do if "%CODE%"=="%%C" exit /b 0',
        'set /a "FAILED+=1"',
        "exit /b 0",
    ]
    return _crlf(lines)


_POWERSHELL = (
    '"%SystemRoot%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"'
    " -NoProfile -NonInteractive -ExecutionPolicy Bypass"
)
TRUST_NAME = "trust.ps1"


def trust_script() -> bytes:
    """``trust.ps1``: trusts the publishers of the staged catalogs that verify already.

    Without that pnputil asks whether to trust a publisher other than Microsoft, and in the
    specialize pass there is nobody to answer. A catalog whose own signature does not lead
    to a trusted root is left alone.
    """
    return _crlf(
        [
            "$here = Split-Path -Parent $MyInvocation.MyCommand.Path",
            "$kind = 'System.Security.Cryptography.X509Certificates.X509Store'",
            "$store = New-Object $kind 'TrustedPublisher', 'LocalMachine'",
            "$store.Open('ReadWrite')",
            "foreach ($catalog in Get-ChildItem $here -Recurse -Filter *.cat) {",
            "    $signature = Get-AuthenticodeSignature -FilePath $catalog.FullName",
            "    if ($signature.Status -eq 'Valid') {",
            "        $store.Add($signature.SignerCertificate)",
            "    }",
            "}",
            "$store.Close()",
        ]
    )


def _crlf(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
