# winimagetools: the configuration file of an image, through Python.

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
. (Join-Path $PSScriptRoot 'Python.ps1')

function Get-WindowsImageConfig {
    <#
    .SYNOPSIS
     Reads a configuration file into a hashtable with every option. Switches are booleans,
     everything else is text; passwords are in it as they stand in the file.
    #>
    param(
        [Parameter(Mandatory = $true)]
        [string]$ConfigFilePath
    )
    $answer = ConvertFrom-Json (Invoke-WinImageTools @('Get-WindowsImageConfig', '-ConfigFilePath', $ConfigFilePath, '--json'))
    $options = @{}
    foreach ($option in $answer.PSObject.Properties) {
        if ($option.Value -is [bool]) {
            $options[$option.Name] = $option.Value
        } else {
            $options[$option.Name] = [string]$option.Value
        }
    }
    return $options
}

function New-WindowsImageConfig {
    <#
    .SYNOPSIS
     Writes a configuration file with every option, what it does and its default.
    #>
    param(
        [Parameter(Mandatory = $true)]
        [string]$ConfigFilePath
    )
    Invoke-WinImageTools @('New-WindowsImageConfig', '-ConfigFilePath', $ConfigFilePath) | Out-Null
}

Export-ModuleMember -Function @('Get-WindowsImageConfig', 'New-WindowsImageConfig')
