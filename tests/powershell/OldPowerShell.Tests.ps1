# The guest's scripts run on the PowerShell 2.0 of Windows 7, modules and scripts of the Windows
# host on 4.0 and later.

BeforeDiscovery {
    $data = [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../../winimagetools/data'))
    # What is found all the same, and why that is right.
    $exceptions = @{
        'guest/lib/Servicing.ps1' = @{
            'Get-Content without' = 'command scripts write ASCII'
        }
        'guest/lib/Updates.ps1' = @{
            'foreach over $result.Updates' = 'a collection of COM is never $null'; 'foreach over $Updates' = 'it comes from Find-Updates, a collection of COM'
            'Get-Content without' = 'it is written in ASCII'
        }
        'guest/lib/Programs.ps1' = @{ 'Get-Content without' = 'it is written in ASCII' }
        'guest/lib/Trust.ps1' = @{ 'Get-Content without' = 'it is written in ASCII' }
        'guest/lib/Report.ps1' = @{ 'foreach over $names' = 'it comes from @( )'; '-Encoding UTF8 writes a mark' = 'people read these files' }
        'guest/lib/Sysprep.ps1' = @{
            'foreach over $document.SelectNodes' = 'never $null'; 'foreach over $list.SelectNodes' = 'never $null'; 'foreach over $fields' = 'two of them'
            'Get-Content without' = 'sysprep writes its log with a mark, or in ASCII'
        }
        'guest/ini.psm1' = @{ 'foreach over $marked' = 'two of them' }
    }
    $files = foreach ($file in Get-ChildItem $data -Recurse -Include *.ps1, *.psm1, *.psd1) {
        $name = $file.FullName.Substring($data.Length + 1) -replace '\\', '/'
        $excused = @{}
        if ($exceptions[$name]) { $excused = $exceptions[$name] }
        $target = '4.0'
        if ($name -like 'guest/*') { $target = '2.0' }
        @{ Name = $name; Path = $file.FullName; Target = $target; Excused = $excused }
    }
    $planted = @(
        @{ Text = 'Get-CimInstance X'; Says = 'Get-CimInstance came with 3.0' }
        @{ Text = 'Get-Nothing'; Says = 'Get-Nothing is not in the table of commands' }
        @{ Text = '$a = Get-Content x -Raw -Encoding Ascii'; Says = 'Get-Content -Raw came with 3.0' }
        @{ Text = 'Start-Process x -Wait'; Says = 'Start-Process -Wait waits for descendants too' }
        @{ Text = 'Set-Content -Path x -Value y'; Says = 'Set-Content without -Encoding writes another one before 6' }
        @{ Text = 'Get-Content x'; Says = 'Get-Content without -Encoding reads another one before 6' }
        @{ Text = 'Set-Content x y -Encoding UTF8'; Says = 'Set-Content -Encoding UTF8 writes a mark before 6' }
        @{ Text = 'Get-Service | Where-Object Name -eq x'; Says = 'Where-Object without a block came with 3.0' }
        @{ Text = '& $program "a `"b`""'; Says = 'an argument of a program with a quote in it' }
        @{ Text = '$a -notin $b'; Says = 'the operator Inotin came with 3.0' }
        @{ Text = '$a -in $b'; Says = 'the operator Iin came with 3.0' }
        @{ Text = '1 -shl 2'; Says = 'the operator Shl came with 3.0' }
        @{ Text = '[ordered]@{ a = 1 }'; Says = '`[ordered`] came with 3.0' }
        @{ Text = '[pscustomobject]@{ a = 1 }'; Says = '`[pscustomobject`] came with 3.0' }
        @{ Text = '$PSScriptRoot'; Says = '$PSScriptRoot came with 3.0' }
        @{ Text = '$PSItem'; Says = '$PSItem came with 3.0' }
        @{ Text = '[version]::new(1, 2)'; Says = '::new() came with 5.0' }
        @{ Text = '@(1).Where({ $_ })'; Says = '.Where() came with 4.0' }
        @{ Text = 'foreach ($x in $y) { }'; Says = 'foreach over $y runs once for $null before 3.0' }
        @{ Text = '(Get-Service).Count'; Says = 'a single object has no Count before 3.0' }
        @{ Text = 'param([Parameter(Mandatory)]$a)'; Says = '`[Parameter(Mandatory)`] without a value came with 3.0' }
        @{ Text = '& $program 2>&1'; Says = 'a redirected error stream ends a script under Stop before 7.2' }
        @{ Text = '& $program 2> x'; Says = 'a redirected error stream ends a script under Stop before 7.2' }
        @{ Text = '$a ? 1 : 2'; Says = '?: came with 7.0' }
        @{ Text = '& $a && & $b'; Says = '&& and || came with 7.0' }
        @{ Text = '$a ?? 1'; Says = 'the operator ?? came with 7.0' }
        @{ Text = 'class A { }'; Says = 'class and enum came with 5.0' }
        @{ Text = 'using namespace System'; Says = 'using came with 5.0' }
        @{ Text = 'ForEach-Object -Parallel { }'; Says = 'ForEach-Object -Parallel came with 7.0' }
        @{ Text = "if (`$a) { 'x"; Says = '*missing the terminator*' }
    )
}

BeforeAll {
    Import-Module "$PSScriptRoot/OldPowerShell.psm1" -Force
    $data = [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../../winimagetools/data'))
    function Get-Functions {
        param([string]$Folder)
        $text = Get-ChildItem $Folder -Recurse -Include *.ps1, *.psm1 | Get-Content
        @($text | Select-String '^function ([\w-]+)' | ForEach-Object { $_.Matches[0].Groups[1].Value })
    }
    $functions = @{ '2.0' = Get-Functions "$data/guest"; '4.0' = Get-Functions "$data/powershell" }
}

Describe 'Old PowerShell' {
    It 'can run <Name>' -ForEach $files {
        $text = [IO.File]::ReadAllText($Path)
        $found = @(Find-NewPowerShell -Text $text -Target $Target -Functions $functions[$Target] -Module:($Path -like '*.psm1'))
        $unexcused = @($found | Where-Object { $line = $_; -not @($Excused.Keys | Where-Object { $line.Contains($_) }).Count })
        $unexcused | Should -BeNullOrEmpty
        foreach ($reason in $Excused.Keys) { @($found | Where-Object { $_.Contains($reason) }).Count | Should -BeGreaterThan 0 -Because "$reason is excused" }
    }

    It 'is known not to take <Text>' -ForEach $planted {
        @(Find-NewPowerShell -Text $Text -Target '2.0') | Select-Object -First 1 | Should -BeLike "line 1: $Says"
    }

    It 'is known to lose Get-WmiObject' {
        Find-NewPowerShell -Text 'Get-WmiObject X' -Target '4.0' | Should -Be 'line 1: Get-WmiObject went with 6.0'
    }

    It 'takes what 4.0 has' {
        Find-NewPowerShell -Text '$a -in $b; [ordered]@{}; ConvertFrom-Json x; @(1).Where({ $_ }); foreach ($x in $y) { }' -Target '4.0' | Should -BeNullOrEmpty
    }
}
