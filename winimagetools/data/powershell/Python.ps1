# winimagetools: how the modules beside this file hand a call over to Python.
#
# No value is ever part of a command line: Windows PowerShell 5 takes embedded quotes away from
# the arguments of native programs. They travel in one environment variable of the new process.

$winImageToolsFolder = $PSScriptRoot

function Find-WinImageToolsPython {
    if ($env:WINIMAGETOOLS_PYTHON) {
        return @{ File = $env:WINIMAGETOOLS_PYTHON; Before = '' }
    }
    $record = Join-Path $winImageToolsFolder 'python.txt'
    if (Test-Path -LiteralPath $record) {
        $recorded = [System.IO.File]::ReadAllText($record).Trim()
        if ($recorded -and (Test-Path -LiteralPath $recorded)) {
            return @{ File = $recorded; Before = '' }
        }
    }
    foreach ($candidate in @{ Name = 'py'; Before = '-3 ' }, @{ Name = 'python'; Before = '' }) {
        $found = @(Get-Command -Name $candidate.Name -CommandType Application -ErrorAction SilentlyContinue)
        if ($found.Count -gt 0) {
            return @{ File = $found[0].Path; Before = $candidate.Before }
        }
    }
    throw 'Python was not found. Install it, or set the environment variable WINIMAGETOOLS_PYTHON to its path.'
}

function Get-WinImageToolsStart {
    param([string[]]$Words)
    $python = Find-WinImageToolsPython
    $utf8 = New-Object System.Text.UTF8Encoding $false
    $encoded = foreach ($word in $Words) { [Convert]::ToBase64String($utf8.GetBytes($word)) }
    $start = New-Object System.Diagnostics.ProcessStartInfo
    $start.FileName = $python.File
    # -P: nothing in the current folder (a json.py, say) takes the place of Python's own modules.
    $start.Arguments = $python.Before + '-P -m winimagetools.builder --arguments-from-env WINIMAGETOOLS_ARGUMENTS'
    # The working directory of this process is not the current location of PowerShell.
    $start.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
    $start.UseShellExecute = $false
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.StandardOutputEncoding = $utf8
    $start.StandardErrorEncoding = $utf8
    $start.EnvironmentVariables['PYTHONIOENCODING'] = 'utf-8'
    $start.EnvironmentVariables['WINIMAGETOOLS_ARGUMENTS'] = $encoded -join ','
    return $start
}

# Shows the log as it comes; returns the error message, or the last lines when there is none.
function Read-WinImageToolsLog {
    param([System.IO.StreamReader]$Reader)
    $message = $null
    $recent = @()
    while ($true) {
        $line = $Reader.ReadLine()
        if ($null -eq $line) { break }
        if ($null -ne $message) {
            $message = $message + "`n" + $line
        } elseif ($line.StartsWith('error: ')) {
            $message = $line.Substring(7)
        } elseif ($line -match '^\d\d:\d\d:\d\d warning: (.*)$') {
            Write-Warning $Matches[1]
        } else {
            Write-Host $line
            $recent = @(@($recent + $line) | Select-Object -Last 10)
        }
    }
    if ($null -ne $message) { return $message }
    return $recent -join "`n"
}

# Runs a function of winimagetools and returns what it printed; a failure is thrown.
function Invoke-WinImageTools {
    param([string[]]$Words)
    $process = [System.Diagnostics.Process]::Start((Get-WinImageToolsStart $Words))
    try {
        $output = $process.StandardOutput.ReadToEndAsync()
        $message = Read-WinImageToolsLog $process.StandardError
        $process.WaitForExit()
        if ($process.ExitCode -ne 0) {
            if (-not $message) { $message = 'winimagetools failed with exit code ' + $process.ExitCode + '.' }
            throw $message
        }
        return $output.Result -replace '\r?\n\z', ''
    } finally {
        $process.Dispose()
    }
}
