# Runs Pester on test files, or only lists their cases, and writes one line of JSON for each.

param([string[]]$Path, [string]$Out, [switch]$List, [switch]$StopAtFailure)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Import-Module Pester -MinimumVersion 5.3

function Get-ShownName {
    # The name of a case with the values of its data, as Pester writes it when it runs.
    param($Test)
    $name = $Test.Path -join ': '
    $data = $Test.Data
    if ($data -is [System.Collections.IDictionary]) {
        foreach ($key in $data.Keys) { $name = $name.Replace("<$key>", [string]$data[$key]) }
    }
    return $name.Replace('<_>', [string]$data)
}

$configuration = New-PesterConfiguration
$configuration.Run.Path = $Path
$configuration.Run.PassThru = $true
$configuration.Run.SkipRun = [bool]$List
$configuration.Output.Verbosity = 'None'
if ($StopAtFailure) { $configuration.Run.SkipRemainingOnFailure = 'Run' }
$result = Invoke-Pester -Configuration $configuration
$lines = @(foreach ($container in $result.Containers) {
        $broken = @($container.ErrorRecord | ForEach-Object { [string]$_ }) -join "`n"
        if ($broken) { @{ file = [string]$container.Item; name = ''; result = 'Failed'; message = $broken } | ConvertTo-Json -Compress }
    }
    foreach ($test in $result.Tests) {
        @{
            file = [string]$test.ScriptBlock.File; name = (Get-ShownName $test); result = [string]$test.Result
            message = @($test.ErrorRecord | ForEach-Object { "$_`n$($_.ScriptStackTrace)" }) -join "`n"
        } | ConvertTo-Json -Compress
    }
    # A block that cannot be prepared fails all its cases, and says so only there.
    foreach ($block in $result.FailedBlocks) {
        @{ file = [string]$block.ScriptBlock.File; name = ''; result = 'Failed'; message = @($block.ErrorRecord | ForEach-Object { [string]$_ }) -join "`n" } | ConvertTo-Json -Compress
    })
[System.IO.File]::WriteAllLines($Out, [string[]]$lines)
