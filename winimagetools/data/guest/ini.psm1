# Reads and changes ini files the way the Windows profile functions do, without their cut at
# 1000 characters: the first section and the first key of a name win, letter case does not
# matter, ";" starts a comment line, one pair of quotes around a value is taken off.
# Hook scripts may import this module too.

function Get-IniFileValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [string]$Section = "DEFAULT",
        [string]$Default = "",
        [Parameter(Mandatory = $true)]
        [string]$Path,
        [switch]$AsBoolean
    )
    process {
        $ini = Read-IniFile $Path
        $value = $Default
        $found = Find-IniLine $ini.Lines $Section $Key
        if ($found.Line -ge 0) {
            $text = $ini.Lines[$found.Line]
            $value = Remove-Quotes ($text.Substring($text.IndexOf("=") + 1).Trim())
        }
        if ($AsBoolean) {
            return [System.Convert]::ToBoolean($value.Trim())
        }
        return $value
    }
}

function Set-IniFileValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [string]$Section = "DEFAULT",
        [Parameter(Mandatory = $true)]
        [AllowEmptyString()]
        [string]$Value,
        [Parameter(Mandatory = $true)]
        [string]$Path
    )
    process {
        $ini = Read-IniFile $Path
        $found = Find-IniLine $ini.Lines $Section $Key
        if ($found.Line -ge 0) {
            $ini.Lines[$found.Line] = "$Key=$Value"
        } elseif ($found.End -ge 0) {
            $ini.Lines.Insert($found.End, "$Key=$Value")
        } else {
            $ini.Lines.AddRange([string[]]("[$Section]", "$Key=$Value"))
        }
        Write-IniFile $ini
    }
}

function Remove-IniFileValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$Key,
        [string]$Section = "DEFAULT",
        [Parameter(Mandatory = $true)]
        [string]$Path
    )
    process {
        $ini = Read-IniFile $Path
        $found = Find-IniLine $ini.Lines $Section $Key
        if ($found.Line -ge 0) {
            $ini.Lines.RemoveAt($found.Line)
            Write-IniFile $ini
        }
    }
}

function Read-IniFile {
    param([string]$Path)
    if (-not (Test-Path -LiteralPath $Path)) {
        throw "The configuration file $Path does not exist."
    }
    # .NET does not know the location of PowerShell.
    $file = (Resolve-Path -LiteralPath $Path).ProviderPath
    $bytes = [System.IO.File]::ReadAllBytes($file)
    $encoding = Get-IniEncoding $bytes
    $mark = $encoding.GetPreamble().Length
    $text = $encoding.GetString($bytes, $mark, $bytes.Length - $mark)
    $end = "`r`n"
    if ($text.Contains("`n") -and -not $text.Contains("`r`n")) {
        $end = "`n"
    }
    $lines = New-Object System.Collections.Generic.List[string]
    $lines.AddRange([string[]]($text -split "`r?`n"))
    if ($lines[$lines.Count - 1] -eq "") {
        $lines.RemoveAt($lines.Count - 1)
    }
    return @{ File = $file; Encoding = $encoding; End = $end; Lines = $lines }
}

function Get-IniEncoding {
    # By its mark; without one UTF-8, or else the code page of this Windows.
    param([byte[]]$Bytes)
    $marked = @((New-Object System.Text.UTF8Encoding $true), [System.Text.Encoding]::Unicode)
    foreach ($encoding in $marked) {
        $mark = [System.BitConverter]::ToString($encoding.GetPreamble())
        if ([System.BitConverter]::ToString($Bytes).StartsWith($mark)) {
            return $encoding
        }
    }
    $strict = New-Object System.Text.UTF8Encoding $false, $true
    try {
        [void]$strict.GetString($Bytes)
        return $strict
    } catch [System.ArgumentException] {
        return [System.Text.Encoding]::Default
    }
}

function Write-IniFile {
    param([hashtable]$Ini)
    $text = ($Ini.Lines -join $Ini.End) + $Ini.End
    [System.IO.File]::WriteAllText($Ini.File, $text, $Ini.Encoding)
}

function Find-IniLine {
    # Line is where the key stands and End where its section ends; -1 for what is not there.
    param($Lines, [string]$Section, [string]$Key)
    $result = @{ Line = -1; End = -1 }
    $inside = $false
    for ($number = 0; $number -lt $Lines.Count; $number++) {
        $text = $Lines[$number].Trim()
        if ($text.StartsWith("[")) {
            if ($inside) {
                return $result
            }
            $inside = $text.Substring(1).Split("]")[0].Trim() -eq $Section.Trim()
        } elseif ($inside -and (Test-IniKey $text $Key)) {
            $result.Line = $number
            return $result
        }
        if ($inside -and $text -ne "") {
            $result.End = $number + 1
        }
    }
    return $result
}

function Test-IniKey {
    param([string]$Text, [string]$Key)
    $position = $Text.IndexOf("=")
    if ($position -le 0 -or $Text.StartsWith(";")) {
        return $false
    }
    return $Text.Substring(0, $position).Trim() -eq $Key.Trim()
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

Export-ModuleMember -Function @("Get-IniFileValue", "Set-IniFileValue", "Remove-IniFileValue")
