# Dot-sourced before a case: a Windows, and in it all functions of the guest as Logon.ps1 has them.

param([string]$Release = '2022', [string[]]$Options = @(), [switch]$HyperV, [switch]$VMware)

Import-Module "$PSScriptRoot/StandIn.psm1" -Global
$ErrorActionPreference = 'Stop'
$root = New-StandInWindows -Release $Release -Options $Options -HyperV:$HyperV -VMware:$VMware
$world = Get-StandInWorld
$head = '$ErrorActionPreference = "Stop"', '$resourcesDir = "$ENV:SystemDrive\UnattendResources"',
'$configIniPath = "$resourcesDir\config.ini"', '$customScriptsDir = "$resourcesDir\CustomScripts"'
$parts = 'Report', 'Programs', 'Options', 'FirstLogon', 'Hooks', 'Licensing', 'Servicing', 'Updates', 'Agents', 'Accounts',
'Settings', 'Obstacles', 'Sysprep', 'HookNames' | ForEach-Object { '. "$resourcesDir\lib\' + $_ + '.ps1"' }
[IO.File]::WriteAllLines("$root/head.ps1", [string[]]($head + $parts))
. "$root/head.ps1"

function Invoke-Guest {
    # Runs a block as a script of its own, so that "exit" ends it and nothing else.
    param([scriptblock]$Block)
    [IO.File]::WriteAllText("$root/try.ps1", ". `"$root/head.ps1`"`n$Block`nAdd-Call 'went on'")
    & "$root/try.ps1"
}

function Set-Hook {
    param([string]$Name, [string]$Text)
    [IO.File]::WriteAllText("$root/UnattendResources/CustomScripts/$Name", $Text)
}
