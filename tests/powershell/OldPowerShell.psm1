# What PowerShell 7 runs and older ones do not, as rules over the syntax tree.
#
# Since when something exists is taken from "What's New in PowerShell" of each version and from
# "Differences between Windows PowerShell 5.1 and PowerShell 7.x" (Microsoft Learn).

# Every command a shipped script may call, and the Windows PowerShell that brought it.
$commands = @{
    '2.0' = 'Add-Content', 'Add-Member', 'Add-Type', 'Copy-Item', 'Export-ModuleMember', 'ForEach-Object', 'Get-AuthenticodeSignature',
    'Get-ChildItem', 'Get-Command', 'Get-Content', 'Get-Date', 'Get-Item', 'Get-ItemProperty', 'Get-Location', 'Get-Service', 'Get-WmiObject',
    'Import-Module', 'Join-Path', 'New-Item', 'New-ItemProperty', 'New-Object', 'Out-Host', 'Out-Null', 'Remove-Item', 'Remove-ItemProperty',
    'Resolve-Path', 'Select-Object', 'Set-Alias', 'Set-Content', 'Set-ItemProperty', 'Set-Location', 'Set-Service', 'Set-StrictMode',
    'Sort-Object', 'Split-Path', 'Start-Process', 'Start-Sleep', 'Stop-Service', 'Test-Path', 'Where-Object', 'Write-Host', 'Write-Warning'
    '3.0' = 'ConvertFrom-Json', 'ConvertTo-Json', 'Get-CimAssociatedInstance', 'Get-CimInstance', 'Invoke-CimMethod', 'Invoke-WebRequest', 'Test-NetConnection'
    '4.0' = 'Get-FileHash'
    '5.0' = 'Compress-Archive', 'Expand-Archive', 'New-TemporaryFile'
    '5.1' = 'Get-LocalUser', 'New-LocalUser', 'Remove-LocalUser'
}
# Parameters that came later than their command.
$parameters = @{
    'Get-ChildItem -File' = '3.0'; 'Get-ChildItem -Directory' = '3.0'; 'Get-ChildItem -Depth' = '5.0'; 'Get-Content -Raw' = '3.0'
    'Add-Member -NotePropertyMembers' = '3.0'; 'Add-Member -NotePropertyName' = '3.0'; 'New-Item -Target' = '5.0'
    'ForEach-Object -Parallel' = '7.0'; 'ForEach-Object -MemberName' = '3.0'; 'Where-Object -Property' = '3.0'; 'Set-Content -NoNewline' = '5.0'
    'Select-Object -SkipLast' = '5.0'; 'Get-Content -AsByteStream' = '6.0'; 'ConvertFrom-Json -AsHashtable' = '6.0'
}
# Cmdlets of Windows' own modules, which come with Windows and not with PowerShell.
$windowsModules = 'Get-AppxPackage', 'Get-AppxProvisionedPackage', 'Remove-AppxPackage', 'Format-Volume', 'Get-Disk', 'Get-DiskImage', 'Get-Partition', 'Get-PartitionSupportedSize', 'Get-VHD', 'Get-VM',
'Get-VMIntegrationService', 'Get-VMSwitch', 'Get-Volume', 'Get-WindowsOptionalFeature', 'Initialize-Disk', 'Mount-VHD', 'Dismount-VHD',
'New-Partition', 'New-VM', 'Optimize-VHD', 'Optimize-Volume', 'Remove-VM', 'Resize-Partition', 'Resize-VHD', 'Set-Disk', 'Set-VHD', 'Set-VM',
'Set-VMFirmware', 'Set-VMMemory', 'Set-VMProcessor', 'Start-VM', 'Stop-VM'
$operators = @{ In = '3.0'; Notin = '3.0'; Shl = '3.0'; Shr = '3.0' }
$types = @{ ordered = '3.0'; pscustomobject = '3.0' }
$variables = @{ PSItem = '3.0'; PSCommandPath = '3.0'; PSScriptRoot = '3.0' }

function Find-NewPowerShell {
    <#
    .SYNOPSIS
     What a text of PowerShell needs that a version has not, one line each: "line 3: reason".
    .PARAMETER Target
     The oldest Windows PowerShell it runs on.
    .PARAMETER Functions
     Functions of other files that it calls.
    .PARAMETER Module
     It is a module, where $PSScriptRoot has been since 2.0.
    #>
    param([string]$Text, [version]$Target, [string[]]$Functions = @(), [switch]$Module)
    $tokens = $null
    $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($Text, [ref]$tokens, [ref]$errors)
    $errors | ForEach-Object { "line $($_.Extent.StartLineNumber): $($_.Message)" }
    $own = @($Functions) + @(Find-Node $tree 'FunctionDefinitionAst' | ForEach-Object { $_.Name })
    $aliases = @(Find-Node $tree 'CommandAst' | Where-Object { $_.GetCommandName() -eq 'Set-Alias' } | ForEach-Object { $_.CommandElements[2].Value })
    foreach ($rule in $rules.Keys) {
        foreach ($node in @(Find-Node $tree $rule)) {
            foreach ($finding in @(& $rules[$rule] $node $Target ($own + $aliases) $Module)) {
                if ($finding) { "line $($node.Extent.StartLineNumber): $finding" }
            }
        }
    }
}

function Find-Node {
    param($Tree, [string]$Type)
    return $Tree.FindAll({ param($node) $node.GetType().Name -eq $Type }, $true)
}

function Get-Since {
    param([string]$Name)
    foreach ($version in $commands.Keys) { if ($commands[$version] -contains $Name) { return $version } }
}

$rules = @{
    CommandAst = {
        param($node, $target, $known)
        $name = $node.GetCommandName()
        $words = @($node.CommandElements)
        if (-not $name) {
            # A program: Windows PowerShell takes embedded quotes away from its arguments.
            foreach ($word in $words | Select-Object -Skip 1) {
                if ($word.Value -and $word.Value.Contains('"')) { 'an argument of a program with a quote in it' }
            }
        } elseif ($known -notcontains $name -and $windowsModules -notcontains $name -and $name -notmatch '\.(exe|com)$') {
            $since = Get-Since $name
            if (-not $since) { "$name is not in the table of commands" } elseif ([version]$since -gt $target) { "$name came with $since" }
        }
        foreach ($word in $words) {
            if ($word.GetType().Name -ne 'CommandParameterAst') { continue }
            $since = $parameters["$name -$($word.ParameterName)"]
            if ($since -and [version]$since -gt $target) { "$name -$($word.ParameterName) came with $since" }
            if ($name -eq 'Start-Process' -and $word.ParameterName -eq 'Wait') { 'Start-Process -Wait waits for descendants too' }
        }
        $given = @($words | Where-Object { $_.GetType().Name -eq 'CommandParameterAst' } | ForEach-Object { $_.ParameterName })
        if ('Add-Content', 'Set-Content', 'Out-File' -contains $name -and $given -notcontains 'Encoding') { "$name without -Encoding writes another one before 6" }
        if ('Where-Object', 'ForEach-Object' -contains $name -and $words.Count -gt 1 -and $words[1].GetType().Name -eq 'StringConstantExpressionAst' -and $target -lt [version]'3.0') {
            "$name without a block came with 3.0"
        }
        if ('Add-Content', 'Set-Content', 'Out-File' -contains $name -and $node.Extent.Text -match '-Encoding UTF8') { "$name -Encoding UTF8 writes a mark before 6" }
        if ($name -eq 'Get-Content' -and $given -notcontains 'Encoding') { 'Get-Content without -Encoding reads another one before 6' }
        # What runs on 4.0 runs on 7 too; the guest has its own Windows PowerShell.
        if ($name -eq 'Get-WmiObject' -and $target -ge [version]'4.0') { 'Get-WmiObject went with 6.0' }
    }
    BinaryExpressionAst = {
        param($node, $target)
        $since = $operators[($node.Operator.ToString() -replace '^[IC](?=(In|Notin)$)')]
        if ($since -and [version]$since -gt $target) { "the operator $($node.Operator) came with $since" }
        if ($node.Operator -eq 'QuestionQuestion') { 'the operator ?? came with 7.0' }
    }
    TypeConstraintAst = { param($node, $target) Test-Type $node $target }
    ConvertExpressionAst = { param($node, $target) Test-Type $node.Type $target }
    VariableExpressionAst = {
        param($node, $target, $known, $module)
        $since = $variables[$node.VariablePath.UserPath]
        if ($since -and [version]$since -gt $target -and -not ($module -and $node.VariablePath.UserPath -eq 'PSScriptRoot')) { "`$$($node.VariablePath.UserPath) came with $since" }
        if ($node.VariablePath.UserPath -like 'using:*' -and [version]'3.0' -gt $target) { '$using: came with 3.0' }
    }
    InvokeMemberExpressionAst = {
        param($node, $target)
        $name = [string]$node.Member
        if ($node.Static -and $name -eq 'new' -and $target -lt [version]'5.0') { '::new() came with 5.0' }
        if ('Where', 'ForEach' -contains $name -and $target -lt [version]'4.0') { ".$name() came with 4.0" }
    }
    ForEachStatementAst = {
        param($node, $target)
        $over = $node.Condition.Extent.Text
        # 2.0 runs once for $null; an array, a list of texts and what .NET always returns are none.
        $safe = $over -match '^@\(' -or $over -match '^"' -or $over -match '\.ToCharArray\(\)$' -or $over -match '^\$ENV:\w+, '
        if ($target -lt [version]'3.0' -and -not $safe) { "foreach over $over runs once for `$null before 3.0" }
    }
    MemberExpressionAst = {
        param($node, $target)
        # A single object has no Count before 3.0; an array and what is known to be a collection have.
        if ($target -lt [version]'3.0' -and [string]$node.Member -eq 'Count' -and $node.Expression.Extent.Text -match '^\(') { 'a single object has no Count before 3.0' }
    }
    AttributeAst = {
        param($node, $target)
        foreach ($argument in $node.NamedArguments) {
            if ($argument.ExpressionOmitted -and $target -lt [version]'3.0') { "[$($node.TypeName)($($argument.ArgumentName))] without a value came with 3.0" }
        }
    }
    MergingRedirectionAst = { param($node) if ($node.FromStream -ne 'Output') { 'a redirected error stream ends a script under Stop before 7.2' } }
    FileRedirectionAst = { param($node) if ($node.FromStream -ne 'Output') { 'a redirected error stream ends a script under Stop before 7.2' } }
    TernaryExpressionAst = { '?: came with 7.0' }
    PipelineChainAst = { '&& and || came with 7.0' }
    TypeDefinitionAst = { param($node, $target) if ($target -lt [version]'5.0') { 'class and enum came with 5.0' } }
    UsingStatementAst = { param($node, $target) if ($target -lt [version]'5.0') { 'using came with 5.0' } }
    ConfigurationDefinitionAst = { param($node, $target) if ($target -lt [version]'4.0') { 'configuration came with 4.0' } }
}

function Test-Type {
    param($Node, [version]$Target)
    $since = $types[$Node.TypeName.Name]
    if ($since -and [version]$since -gt $Target) { "[$($Node.TypeName.Name)] came with $since" }
}

Export-ModuleMember -Function Find-NewPowerShell
