"""The drop-in modules under a real PowerShell, down to an image on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import needs
from tests.integration.linux.build import MSI
from winimagetools.cli.powershell_modules import write_powershell_modules
from winimagetools.run import Tool, run

BUILD = r"""
$ErrorActionPreference = 'Stop'
git -C $env:MODULES submodule update --init
if ($LASTEXITCODE) { throw 'git' }
Join-Path -Path $env:MODULES -ChildPath '\WinImageBuilder.psm1' | Import-Module
Join-Path -Path $env:MODULES -ChildPath '\UnattendResources\ini.psm1' | Import-Module
Set-Location -LiteralPath $env:HERE
$image = (Get-WimFileImagesInfo -WimFilePath $env:WIM)[0]
New-WindowsImageConfig -ConfigFilePath './config.ini'
Set-IniFileValue -Path './config.ini' -Section 'Default' -Key 'wim_file_path' -Value $env:WIM
Set-IniFileValue -Path './config.ini' -Section 'Default' -Key 'image_name' -Value $image.ImageName
Set-IniFileValue -Path './config.ini' -Section 'Default' -Key 'image_path' -Value (Join-Path $env:HERE 'win.raw')
Set-IniFileValue -Path './config.ini' -Section 'Default' -Key 'virtual_disk_format' -Value 'RAW'
Set-IniFileValue -Path './config.ini' -Section 'Default' -Key 'disk_layout' -Value 'UEFI'
Set-IniFileValue -Path './config.ini' -Section 'vm' -Key 'disk_size' -Value (2GB)
Set-IniFileValue -Path './config.ini' -Section 'cloudbase_init' -Key 'msi_path' -Value (Join-Path $env:HERE 'c.msi')
'./config.ini' | New-WindowsCloudImage
"""  # noqa: E501


def test_a_script_makes_an_image(tmp_path: Path, install_wim: Path) -> None:
    """From the list of editions to a disk, in a folder with an accent, a quote and a space."""
    pwsh = Tool(needs.powershell(), "PowerShell 7", "run the modules")
    here = tmp_path / "Bilder für 'uns'"
    here.mkdir()
    (here / "c.msi").write_bytes(MSI)
    modules = tmp_path / "my tools"
    write_powershell_modules(modules, sys.executable)
    environment = {
        "MODULES": str(modules),
        "HERE": str(here),
        "WIM": str(install_wim),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    run(pwsh, ["-NoProfile", "-NonInteractive", "-Command", BUILD], env=environment)
    made = ["win.raw", "win.raw.report"]
    assert sorted(item.name for item in here.iterdir()) == ["c.msi", "config.ini", *made]
    with (here / "win.raw").open("rb") as disk:
        disk.seek(512)
        assert disk.read(8) == b"EFI PART"
    assert (here / "win.raw").stat().st_size == 2 << 30
