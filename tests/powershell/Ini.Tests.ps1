Describe 'ini.psm1 of the guest' {
    BeforeEach {
        . "$PSScriptRoot/Prelude.ps1"
        Import-Module "$resourcesDir\ini.psm1" -Force
        $ini = "$root/x.ini"
        function Set-Ini { param([string]$Text) [IO.File]::WriteAllText($ini, $Text) }
        function Get-Ini { [IO.File]::ReadAllText($ini) }
    }
    AfterEach { Remove-StandInWindows }

    It 'reads <Key> as <Value>' -ForEach @(
        @{ Key = 'plain'; Value = 'a b' }
        @{ Key = 'PLAIN'; Value = 'a b' }
        @{ Key = 'quoted'; Value = ' x ' }
        @{ Key = 'single'; Value = 'E:\' }
        @{ Key = 'unequal'; Value = '"x''' }
        @{ Key = 'comment'; Value = 'a ; b # c' }
        @{ Key = 'equals'; Value = 'a=b' }
        @{ Key = 'empty'; Value = '' }
        @{ Key = 'missing'; Value = '' }
        @{ Key = '#hash'; Value = '1' }
        @{ Key = 'accent'; Value = [string][char]0xe9 }
    ) {
        Set-Ini @"
before=never
[other]
plain=wrong
 [ DEFAULT ] rest
;plain=comment
  plain =  a b
plain=second
quoted=" x "
single='E:\'
unequal="x'
comment=a ; b # c
equals=a=b
empty=
#hash=1
novalue
accent=$([char]0xe9)
[default]
missing=in a second section
"@
        $value = Get-IniFileValue -Key $Key -Path $ini
        $value | Should -BeExactly $Value
        $value | Should -BeOfType [string]
    }

    It 'never finds what stands before the first section' {
        Set-Ini "before=x`n[DEFAULT]`n"
        Get-IniFileValue -Key before -Path $ini -Default 'none' | Should -Be 'none'
    }

    It 'turns <Text> into the boolean <Value>' -ForEach @(
        @{ Text = 'True'; Value = $true }, @{ Text = ' FALSE '; Value = $false }, @{ Text = '"true"'; Value = $true }
    ) {
        Set-Ini "[DEFAULT]`na=$Text"
        $result = Get-IniFileValue -Key a -Path $ini -AsBoolean
        $result | Should -Be $Value
        $result | Should -BeOfType [bool]
    }

    It 'turns the default <Default> into the boolean <Value>' -ForEach @(
        @{ Default = 'False'; Value = $false }, @{ Default = $false; Value = $false }, @{ Default = $true; Value = $true }
    ) {
        Set-Ini "[DEFAULT]`n"
        $result = Get-IniFileValue -Key a -Path $ini -Default $Default -AsBoolean
        $result | Should -Be $Value
        $result | Should -BeOfType [bool]
    }

    It 'refuses <Text> as a boolean' -ForEach @(@{ Text = 'yes' }, @{ Text = '1' }, @{ Text = '' }) {
        Set-Ini "[DEFAULT]`na=$Text"
        { Get-IniFileValue -Key a -Path $ini -AsBoolean -Default $true } | Should -Throw '*valid Boolean*'
    }

    It 'takes keys from the pipeline' {
        Set-Ini "[s]`na=1`nb=2"
        'a', 'b', 'c' | Get-IniFileValue -Path $ini -Section s -Default 'none' | Should -Be '1', '2', 'none'
    }

    It 'starts a relative path at the location of PowerShell' {
        Set-Ini "[DEFAULT]`na=1"
        Set-Location $root
        Get-IniFileValue -Key a -Path './x.ini' | Should -Be '1'
        Set-IniFileValue -Key a -Value 2 -Path 'x.ini'
        Get-Ini | Should -Be "[DEFAULT]`na=2`n"
    }

    It 'says that a file does not exist' {
        { Get-IniFileValue -Key a -Path "$root/no.ini" } | Should -Throw '*no.ini does not exist.'
        { Set-IniFileValue -Key a -Value 1 -Path "$root/no.ini" } | Should -Throw '*no.ini does not exist.'
    }

    It 'takes brackets in a path for letters' {
        [void](New-Item -ItemType Directory "$root/[x]")
        [IO.File]::WriteAllText("$root/[x]/a.ini", "[DEFAULT]`na=1")
        Get-IniFileValue -Key a -Path "$root/[x]/a.ini" | Should -Be '1'
    }

    It 'changes one line and leaves the others' {
        Set-Ini "; top`r`n[a]`r`nx=1`r`n; keep`r`nX=2`r`n`r`n[b]`r`nx=3`r`n"
        Set-IniFileValue -Key x -Section A -Value 'new' -Path $ini
        Get-Ini | Should -BeExactly "; top`r`n[a]`r`nx=new`r`n; keep`r`nX=2`r`n`r`n[b]`r`nx=3`r`n"
    }

    It 'adds a key at the end of its section, and a section at the end of the file' {
        Set-Ini "[a]`nx=1`n`n[b]`nx=3"
        Set-IniFileValue -Key y -Section a -Value 2 -Path $ini
        Set-IniFileValue -Key z -Section c -Value 4 -Path $ini
        Get-Ini | Should -BeExactly "[a]`nx=1`ny=2`n`n[b]`nx=3`n[c]`nz=4`n"
    }

    It 'removes a key, and nothing when there is none' {
        Set-Ini "[a]`nx=1`ny=2`n"
        Remove-IniFileValue -Key x -Section a -Path $ini
        Remove-IniFileValue -Key x -Section a -Path $ini
        Get-Ini | Should -BeExactly "[a]`ny=2`n"
    }

    It 'keeps the encoding: <Name>' -ForEach @(
        @{ Name = 'UTF-8'; Encoding = (New-Object Text.UTF8Encoding $false) }
        @{ Name = 'UTF-8 with a mark'; Encoding = (New-Object Text.UTF8Encoding $true) }
        @{ Name = 'UTF-16'; Encoding = [Text.Encoding]::Unicode }
    ) {
        $word = "gr$([char]0xfc)n $([char]0x65e5)"
        [IO.File]::WriteAllText($ini, "[a]`r`nold=$word`r`n", $Encoding)
        Set-IniFileValue -Key new -Section a -Value $word -Path $ini
        Get-IniFileValue -Key old -Section a -Path $ini | Should -BeExactly $word
        $wanted = $Encoding.GetPreamble() + $Encoding.GetBytes("[a]`r`nold=$word`r`nnew=$word`r`n")
        [BitConverter]::ToString([IO.File]::ReadAllBytes($ini)) | Should -Be ([BitConverter]::ToString($wanted))
    }

    It 'reads what is not UTF-8 in the code page of Windows' {
        [IO.File]::WriteAllBytes($ini, [byte[]](0x5b, 0x61, 0x5d, 0x0a, 0x78, 0x3d, 0xe9, 0x0a))
        Get-IniFileValue -Key x -Section a -Path $ini | Should -BeExactly ([Text.Encoding]::Default.GetString([byte[]]0xe9))
    }

    It 'keeps its helpers to itself' {
        (Get-Module ini).ExportedFunctions.Keys | Sort-Object | Should -Be 'Get-IniFileValue', 'Remove-IniFileValue', 'Set-IniFileValue'
    }
}

Describe 'Options of config.ini' {
    AfterEach { Remove-StandInWindows }

    It 'reads texts, empty when there is none' {
        . "$PSScriptRoot/Prelude.ps1" -Options '[custom]', 'time_zone="UTC+1"'
        Get-Option 'custom' 'time_zone' | Should -Be 'UTC+1'
        Get-Option 'custom' 'ntp_servers' | Should -BeExactly ''
    }

    It 'reads switches, and says which one it does not understand' {
        . "$PSScriptRoot/Prelude.ps1" -Options '[a]', 'on=true', 'off=False', 'odd=maybe'
        Test-Option 'a' 'on' | Should -BeTrue
        Test-Option 'a' 'off' $true | Should -BeFalse
        Test-Option 'a' 'none' | Should -BeFalse
        Test-Option 'a' 'none' $true | Should -BeTrue
        Get-StandInCalls | Should -BeNullOrEmpty
        Test-Option 'a' 'odd' $true | Should -BeTrue
        Get-StandInCalls | Should -Be 'report Configuration: [a] odd is neither True nor False; using True. (running)'
    }
}
