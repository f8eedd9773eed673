"""The drop-in modules, used as scripts of the PowerShell tools use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.wim_bytes import image_xml, wim_bytes
from winimagetools.cli.powershell_modules import write_powershell_modules
from winimagetools.errors import CommandError
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.ini import get_ini_file_value
from winimagetools.settings.options import OPTIONS

IMPORT = r"""
Join-Path -Path $v.modules -ChildPath "\WinImageBuilder.psm1" | Import-Module
Join-Path -Path $v.modules -ChildPath "\Config.psm1" | Import-Module
Join-Path -Path $v.modules -ChildPath "\UnattendResources\ini.psm1" | Import-Module
"""
NASTY = [
    "C:\\my images\\win.raw",
    'say "hi"',
    "it's",
    "$env:TEMP",
    "[x]",
    "größe 日本",
    "-5",
    "a;b",
]


@pytest.fixture
def modules(shell: PowerShell, tmp_path: Path) -> Path:
    """A folder with the modules."""
    folder = tmp_path / "my tools"
    write_powershell_modules(folder)
    return folder


def test_two_step_use(shell: PowerShell, modules: Path, tmp_path: Path) -> None:
    """List the editions, write a configuration, set values in it, read it."""
    wim = tmp_path / "install.wim"
    wim.write_bytes(
        wim_bytes(image_xml(1, "Core"), image_xml(2, "Desktop", version=(6, 3, 9600, 1)))
    )
    config = tmp_path / "my config.ini"
    answer = shell.invoke(
        IMPORT
        + r"""
$image = (Get-WimFileImagesInfo -WimFilePath $v.wim)[1]
New-WindowsImageConfig -ConfigFilePath $v.config
Set-IniFileValue -Path $v.config -Section "Default" -Key "image_name" -Value $image.ImageName
Set-IniFileValue -Path $v.config -Section "vm" -Key "ram_size" -Value (4GB)
"install_updates", "purge_updates" |
    Set-IniFileValue -Path $v.config -Section "updates" -Value "True"
$options = Get-WindowsImageConfig -ConfigFilePath $v.config
@{ name = $options.image_name; ram = $options.ram_size; updates = $options.install_updates
   count = $options.Count; major = $image.ImageVersion.Major; index = $image.ImageIndex
   architecture = $image.ImageArchitecture }
""",
        modules=modules,
        wim=wim,
        config=config,
    )
    assert answer == {
        "name": "Desktop",
        "ram": str(4 * 1024**3),
        "updates": True,
        "count": len(OPTIONS),
        "major": 6,
        "index": "2",
        "architecture": "AMD64",
    }
    assert get_ini_file_value(config, "purge_updates", "updates") == "True"


def test_a_single_edition_has_an_element_0(
    shell: PowerShell, modules: Path, tmp_path: Path
) -> None:
    """Scripts take the first edition by index, also when it is the only one."""
    wim = tmp_path / "install.wim"
    wim.write_bytes(wim_bytes(image_xml(1, "Only")))
    body = IMPORT + "[string](Get-WimFileImagesInfo -WimFilePath $v.wim)[0].ImageName"
    assert shell.invoke(body, modules=modules, wim=wim) == "Only"


@pytest.mark.parametrize("value", NASTY)
def test_values_arrive_unchanged(
    shell: PowerShell, modules: Path, tmp_path: Path, value: str
) -> None:
    """What is set is what is read, in PowerShell and in the file."""
    path = tmp_path / "a [b] 'c'.ini"
    path.write_bytes("\ufeff[x]\r\n".encode("utf-16-le"))
    body = IMPORT + (
        "Set-IniFileValue -Key k -Section x -Path $v.path -Value $v.value\n"
        "Get-IniFileValue -Key k -Section x -Path $v.path"
    )
    assert shell.invoke(body, modules=modules, path=path, value=value) == value
    assert get_ini_file_value(path, "k", "x") == value


def test_relative_paths_and_booleans(shell: PowerShell, modules: Path, tmp_path: Path) -> None:
    """A relative path starts at the current location of PowerShell."""
    (tmp_path / "x.ini").write_text("[DEFAULT]\na=TRUE\n")
    body = IMPORT + (
        "Set-Location -LiteralPath $v.folder\n"
        "@(Get-IniFileValue -Key a -Path x.ini -AsBoolean), "
        "(Get-IniFileValue -Key b -Path x.ini -Default 'none')"
    )
    assert shell.invoke(body, modules=modules, folder=tmp_path) == [True, "none"]


def test_errors_end_the_script_with_the_message(
    shell: PowerShell, modules: Path, tmp_path: Path
) -> None:
    """What Python refuses is thrown in PowerShell, and can be caught with its message."""
    body = IMPORT + (
        "try { New-WindowsCloudImage -ConfigFilePath $v.path } "
        "catch { [string]$_.Exception.Message }"
    )
    message = shell.invoke(body, modules=modules, path=tmp_path / "missing.ini")
    assert "The file does not exist." in message
    with pytest.raises(CommandError, match="The file does not exist"):
        shell.invoke(
            IMPORT + "Get-WindowsImageConfig $v.path",
            modules=modules,
            path=tmp_path / "missing.ini",
        )
