# Reads config.ini the way the Windows profile functions do, without their cut at 1000
# characters: the first section and the first key of a name win, letter case does not matter,
# ";" starts a comment line, one pair of quotes around a value is taken off.
# Hook scripts may import this module too, and change values with it.

function Get-IniFileValue {
    param(
        [string]$Key,
        [string]$Section = "DEFAULT",
        [object]$Default = $null,
        [switch]$AsBoolean,
        [string]$Path
    )
    if (-not (Test-Path -LiteralPath $Path)) {
        throw "The configuration file $Path does not exist."
    }
    $value = Find-IniValue ([System.IO.File]::ReadAllLines($Path)) $Section $Key
    if ($null -eq $value) {
        return $Default
    }
    if ($AsBoolean) {
        return [System.Convert]::ToBoolean($value.Trim())
    }
    return $value
}

function Find-IniValue {
    param([string[]]$Lines, [string]$Section, [string]$Key)
    $state = "before"
    foreach ($line in $Lines) {
        $text = $line.Trim()
        if ($text -eq "" -or $text.StartsWith(";")) {
            continue
        }
        if ($text.StartsWith("[")) {
            if ($state -eq "inside") {
                return $null
            }
            $name = $text.Substring(1).Split("]")[0].Trim()
            if ($name -eq $Section.Trim()) {
                $state = "inside"
            }
            continue
        }
        $position = $text.IndexOf("=")
        if ($state -eq "inside" -and $position -gt 0) {
            if ($text.Substring(0, $position).Trim() -eq $Key.Trim()) {
                return Remove-Quotes ($text.Substring($position + 1).Trim())
            }
        }
    }
    return $null
}

function Remove-Quotes {
    param([string]$Text)
    if ($Text.Length -ge 2) {
        $first = $Text[0]
        if (($first -eq '"' -or $first -eq "'") -and $Text[$Text.Length - 1] -eq $first) {
            return $Text.Substring(1, $Text.Length - 2)
        }
    }
    return $Text
}

function Set-IniFileValue {
    param([string]$Key, [string]$Section = "DEFAULT", [string]$Value, [string]$Path)
    Write-IniValue $Path $Section $Key $Value
}

function Remove-IniFileValue {
    param([string]$Key, [string]$Section = "DEFAULT", [string]$Path)
    Write-IniValue $Path $Section $Key $null
}

$profileFunction = '
[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
public static extern bool WritePrivateProfileString(
    string section, string key, IntPtr value, string path);'

function Write-IniValue {
    # Windows itself leaves the rest of the file as it is. No value removes the key.
    param([string]$Path, [string]$Section, [string]$Key, [object]$Value)
    if (-not ("WinImageTools.Profile" -as [type])) {
        Add-Type -Namespace WinImageTools -Name Profile -MemberDefinition $profileFunction
    }
    $file = (Resolve-Path -LiteralPath $Path).ProviderPath
    $text = [System.IntPtr]::Zero
    if ($null -ne $Value) {
        $text = [System.Runtime.InteropServices.Marshal]::StringToHGlobalUni($Value)
    }
    try {
        if (-not [WinImageTools.Profile]::WritePrivateProfileString($Section, $Key, $text, $file)) {
            throw "$Key could not be written to $file."
        }
    } finally {
        [System.Runtime.InteropServices.Marshal]::FreeHGlobal($text)
    }
}

Export-ModuleMember -Function @("Get-IniFileValue", "Set-IniFileValue", "Remove-IniFileValue")
