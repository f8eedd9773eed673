# Whether the tests notice when a function does nothing. Run by hand:
#
#   pwsh -NoProfile -NonInteractive -File tests/powershell/mutate.ps1 [-Like 'guest/lib/*'] [-Out table.tsv]
#
# For each function of the shipped PowerShell its body is taken out of a copy, and the Pester files
# that concern it are run, then, if they pass, all. A line for each: file, function, who noticed.

param([string]$Like = '*', [string]$Out = '')

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Import-Module Pester -MinimumVersion 5.3

$data = [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../../winimagetools/data'))
$copy = Join-Path ([IO.Path]::GetTempPath()) ('mutants-' + [guid]::NewGuid().ToString('N').Substring(0, 8))
$first = @{
    Report = 'Report'; Programs = 'Programs'; Options = 'Ini'; ini = 'Ini'; FirstLogon = 'Stages'; Licensing = 'Stages'; Servicing = 'Stages'
    Agents = 'Stages'; Accounts = 'Settings'; Settings = 'Settings'; Sysprep = 'Settings'; Updates = 'Updates'; Hooks = 'Hooks'; HookNames = 'Hooks'; Trust = 'Hooks'
}
$guest = 'Programs', 'Report', 'Ini', 'Stages', 'Settings', 'Updates', 'Hooks', 'Scenarios'

function Get-FirstFailure {
    # The first case that fails, or nothing.
    param([string[]]$Names)
    $configuration = New-PesterConfiguration
    $configuration.Run.Path = @($Names | ForEach-Object { Join-Path $PSScriptRoot "$_.Tests.ps1" })
    $configuration.Run.PassThru = $true
    $configuration.Run.SkipRemainingOnFailure = 'Run'
    $configuration.Output.Verbosity = 'None'
    $result = Invoke-Pester -Configuration $configuration 6>$null
    if ($result.Failed.Count) { return ($result.Failed[0].Path -join ': ') }
    if ($result.FailedContainers.Count -or $result.FailedBlocks.Count) { return 'the file as a whole' }
}

function Get-Mutant {
    # The text of a file without what a function does; its parameters stay.
    param([string]$Text, $Function)
    $start = $Function.Body.Extent.StartOffset + 1
    if ($Function.Body.ParamBlock) { $start = $Function.Body.ParamBlock.Extent.EndOffset }
    return $Text.Substring(0, $start) + "`n" + $Text.Substring($Function.Body.Extent.EndOffset - 1)
}

$rows = @()
Copy-Item -LiteralPath $data -Destination $copy -Recurse
try {
    $env:WINIMAGETOOLS_DATA = $copy
    foreach ($path in Get-ChildItem -LiteralPath $data -Recurse -Include *.ps1, *.psm1 | Sort-Object FullName) {
        $name = $path.FullName.Substring($data.Length + 1) -replace '\\', '/'
        if ($name -notlike $Like) { continue }
        $text = [IO.File]::ReadAllText($path.FullName)
        $tree = [System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$null)
        foreach ($function in $tree.FindAll({ param($node) $node.GetType().Name -eq 'FunctionDefinitionAst' }, $true)) {
            [IO.File]::WriteAllText((Join-Path $copy $name), (Get-Mutant $text $function))
            $noticed = if ($name -like 'powershell/*') { Get-FirstFailure 'DropIn' } else { Get-FirstFailure $first[$path.BaseName] }
            if (-not $noticed -and $name -notlike 'powershell/*') { $noticed = Get-FirstFailure $guest }
            $rows += "$name`t$($function.Name)`t$(if ($noticed) { $noticed } else { 'NOBODY' })"
            Write-Output $rows[-1]
            if ($Out) { [IO.File]::WriteAllLines($Out, $rows) }
        }
        [IO.File]::WriteAllText((Join-Path $copy $name), $text)
    }
} finally {
    $env:WINIMAGETOOLS_DATA = $null
    [IO.Directory]::Delete($copy, $true)
}
$missed = @($rows | Where-Object { $_ -like '*NOBODY' }).Count
Write-Output "$($rows.Count) functions, $missed not noticed"
exit $missed
