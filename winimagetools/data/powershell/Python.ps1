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

# The path as the file system knows it: Python knows neither ~ nor the drives of PowerShell.
function Resolve-WinImageToolsPath {
    param([string]$Path)
    try {
        return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
    } catch {
        # An address, say; Python has the right words for it.
        return $Path
    }
}

# The words of a command line with every path resolved: a name is followed by its value, words
# that begin with two hyphens and -AsBoolean stand alone.
function Resolve-WinImageToolsWords {
    param([string[]]$Words)
    $Words[0]
    for ($index = 1; $index -lt $Words.Count; $index++) {
        $name = $Words[$index]
        $name
        if (-not $name.StartsWith('--') -and $name -ne '-AsBoolean') {
            $index++
            if ($name -like '*Path') {
                Resolve-WinImageToolsPath $Words[$index]
            } else {
                $Words[$index]
            }
        }
    }
}

function Get-WinImageToolsStart {
    param([string[]]$Words)
    $python = Find-WinImageToolsPython
    $utf8 = New-Object System.Text.UTF8Encoding $false
    $resolved = @(Resolve-WinImageToolsWords $Words)
    $encoded = foreach ($word in $resolved) { [Convert]::ToBase64String($utf8.GetBytes($word)) }
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
        # In pieces, because PowerShell can be stopped only between them.
        $reading = $Reader.ReadLineAsync()
        while (-not $reading.Wait(100)) { }
        $line = $reading.Result
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

# Ends Python and all it has started. Where there are signals it may clean up first, and has half
# a minute for that.
function Stop-WinImageTools {
    param([System.Diagnostics.Process]$Process)
    if ([System.IO.Path]::DirectorySeparatorChar -eq '\') {
        $arguments = '/PID ' + $Process.Id + ' /T /F'
        [System.Diagnostics.Process]::Start($env:SystemRoot + '\System32\taskkill.exe', $arguments).WaitForExit()
    } else {
        [System.Diagnostics.Process]::Start('/bin/kill', '-TERM ' + $Process.Id).WaitForExit()
        if (-not $Process.WaitForExit(30000)) { $Process.Kill($true) }
    }
    $Process.WaitForExit()
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
        # The pipeline was stopped: by Ctrl-C, Stop-Job, the end of a remote session.
        if (-not $process.HasExited) { Stop-WinImageTools $process }
        $process.Dispose()
    }
}
