# winimagetools: values in ini files, through Python.

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
. (Join-Path (Split-Path -Parent $PSScriptRoot) 'Python.ps1')

function Get-IniFileValue {
    <#
    .SYNOPSIS
     Reads a value of an ini file.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [Parameter()]
        [string]$Section = 'DEFAULT',
        [Parameter()]
        [string]$Default = $null,
        [Parameter(Mandatory = $true)]
        [string]$Path,
        [Parameter()]
        [switch]$AsBoolean
    )
    process {
        $words = @('Get-IniFileValue', '-Key', $Key, '-Section', $Section, '-Path', $Path, '-Default', $Default)
        if ($AsBoolean) {
            return [System.Convert]::ToBoolean((Invoke-WinImageTools ($words + '-AsBoolean')))
        }
        return Invoke-WinImageTools $words
    }
}

function Set-IniFileValue {
    <#
    .SYNOPSIS
     Sets a value in an ini file and leaves everything else in it as it is.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [Parameter()]
        [string]$Section = 'DEFAULT',
        [Parameter(Mandatory = $true)]
        [string]$Value,
        [Parameter(Mandatory = $true)]
        [string]$Path
    )
    process {
        Invoke-WinImageTools @('Set-IniFileValue', '-Key', $Key, '-Section', $Section, '-Value', $Value, '-Path', $Path) | Out-Null
    }
}

function Remove-IniFileValue {
    <#
    .SYNOPSIS
     Takes a value out of an ini file and leaves everything else in it as it is.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [Parameter()]
        [string]$Section = 'DEFAULT',
        [Parameter(Mandatory = $true)]
        [string]$Path
    )
    process {
        Invoke-WinImageTools @('Remove-IniFileValue', '-Key', $Key, '-Section', $Section, '-Path', $Path) | Out-Null
    }
}

Export-ModuleMember -Function @('Get-IniFileValue', 'Set-IniFileValue', 'Remove-IniFileValue')
