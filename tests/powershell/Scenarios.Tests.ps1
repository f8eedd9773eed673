BeforeDiscovery { . "$PSScriptRoot/Scenarios.ps1" }

BeforeAll {
    . "$PSScriptRoot/Scenarios.ps1"
    Import-Module "$PSScriptRoot/StandIn.psm1" -Global

    function Invoke-Scenario {
        # Runs it to its end; returns what happened and what is left.
        param([hashtable]$Scenario)
        $release = '2022'
        if ($Scenario.Release) { $release = $Scenario.Release }
        $root = New-StandInWindows -Release $release -Options $Scenario.Options -HyperV:([bool]$Scenario.HyperV) -VMware:([bool]$Scenario.VMware)
        try {
            $world = Get-StandInWorld
            if ($Scenario.Hooks) {
                foreach ($name in $Scenario.Hooks.Keys) { [IO.File]::WriteAllText("$root/UnattendResources/CustomScripts/$name", $Scenario.Hooks[$name]) }
            }
            if ($Scenario.Prepare) { . $Scenario.Prepare }
            $script = 'Logon.ps1'
            if ($Scenario.Script) { $script = $Scenario.Script }
            $power = Start-StandInLogon -Name $script
            if ($Scenario.LogsOnAgain) { $power = Start-StandInLogon -Name $script }
            $verdict = @($world.Reports | Where-Object { $_.result -ne 'running' })
            return @{
                Power = $power; Starts = $world.Starts; Verdict = [string]$verdict.result; Thrown = $world.Failure
                Marked = Test-Path "$root/UnattendResources/image-generation-failed.txt" -PathType Leaf
                Text = @(Get-StandInCalls) + '--- left on the disk' + (Get-StandInDisk)
            }
        } finally {
            Remove-StandInWindows
        }
    }

    function Assert-Text {
        # Compares with a file, or writes it anew.
        param([string[]]$Lines, [string]$Name)
        $path = Join-Path $PSScriptRoot "scenarios/$Name.txt"
        if ($env:WINIMAGETOOLS_REWRITE) { [IO.File]::WriteAllText($path, ($Lines -join "`n") + "`n") }
        $Lines | Should -BeExactly ([IO.File]::ReadAllText($path) -replace "`r" -split "`n" | Select-Object -SkipLast 1)
    }
}

Describe 'A whole run' {
    It '<Name>' -ForEach $scenarios {
        $outcome = Invoke-Scenario $_
        $outcome.Thrown | Should -BeNullOrEmpty
        $ends = 'done'
        if ($_.ContainsKey('Ends')) { $ends = $_.Ends }
        $outcome.Verdict | Should -Be $ends
        $starts = 1
        if ($_.Starts) { $starts = $_.Starts }
        $outcome.Starts | Should -Be $starts
        if ($ends -or -not $_.Script) { $outcome.Power | Should -Be 'off' }
        $outcome.Marked | Should -Be ($ends -eq 'failed' -and -not $_.NoMark)
        Assert-Text $outcome.Text $Name
    }
}

Describe 'Every option changes something' {
    BeforeDiscovery {
        $guest = Join-Path $PSScriptRoot '../../winimagetools/data/guest'
        $read = Get-ChildItem $guest -Recurse -Include *.ps1 | Get-Content | Select-String '(?:Get|Test)-Option "(\w+)" "(\w+)"' -AllMatches
        $keys = @($read.Matches | ForEach-Object { "$($_.Groups[1].Value).$($_.Groups[2].Value)" } | Sort-Object -Unique)
        $values = @{
            'DEFAULT.product_key' = 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE'; 'DEFAULT.vmware_tools_path' = 'tools.exe'; 'custom.time_zone' = 'UTC'
            'custom.ntp_servers' = 'n.example'; 'cloudbase_init.serial_logging_port' = 'COM4'
            'updates.clean_updates_online' = 'False'; 'sysprep.persist_drivers_install' = 'False'
        }
        $options = foreach ($key in $keys) {
            $section, $name = $key.Split('.')
            $value = 'True'
            if ($values[$key]) { $value = $values[$key] }
            @{ Key = $key; Value = $value; Lines = "[$section]", "$name=$value" }
        }
    }

    BeforeAll {
        $prepare = { Add-StandInUpdate 'U' ; Add-StandInPageFile }
        $before = (Invoke-Scenario @{ Release = '11'; Prepare = $prepare }).Text
    }

    It '<Key>=<Value>' -ForEach $options {
        $after = (Invoke-Scenario @{ Release = '11'; Prepare = $prepare; Options = $Lines }).Text
        $changes = @(Compare-Object $before $after | ForEach-Object { $_.SideIndicator.Replace('=>', '+').Replace('<=', '-') + " $($_.InputObject)" })
        $changes.Count | Should -BeGreaterThan 0
        Assert-Text $changes "option-$Key"
    }
}
