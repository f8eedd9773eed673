Describe 'Running programs' {
    BeforeEach {
        . "$PSScriptRoot/Prelude.ps1"
        $defrag = "$env:SystemRoot\System32\defrag.exe"
    }
    AfterEach { Remove-StandInWindows }

    It 'waits and returns an accepted exit code' {
        Set-StandInProgram 'C:\Windows\System32\defrag.exe*' -Codes 3010
        Invoke-Program $defrag '/C /H' @(0, 3010) | Should -Be 3010
        Get-StandInCalls | Should -Be 'C:\Windows\System32\defrag.exe /C /H'
    }

    It 'names the program and the code when it fails' {
        Set-StandInProgram '*defrag.exe*' -Codes 5
        { Invoke-Program $defrag '/C' } | Should -Throw '*defrag.exe /C failed with exit code 5.'
    }

    It 'starts a program in the current folder of PowerShell' {
        Set-Location "$env:SystemDrive\Windows"
        Start-Program $defrag '/C' | Should -Be 0
        $world.WorkingDirectory | Should -Be 'C:\Windows'
    }

    It 'waits for another installation and tries again' {
        Set-StandInProgram '*defrag.exe*' -Codes 1618, 1618, 0
        Invoke-Program $defrag '/C' | Should -Be 0
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\defrag.exe /C', 'sleep 10', 'C:\Windows\System32\defrag.exe /C', 'sleep 10',
            'C:\Windows\System32\defrag.exe /C')
    }

    It 'gives up after ten minutes of another installation' {
        Set-StandInProgram '*defrag.exe*' -Codes 1618
        { Invoke-Program $defrag '/C' } | Should -Throw '*exit code 1618.'
        @(Get-StandInCalls '*defrag*').Count | Should -Be 60
        @(Get-StandInCalls 'sleep 10').Count | Should -Be 59
    }
}

Describe 'Trying again' {
    BeforeEach { . "$PSScriptRoot/Prelude.ps1" }
    AfterEach { Remove-StandInWindows }

    It 'returns what the block returns when it succeeds at last' {
        $script:tries = 0
        Invoke-Retry { if (++$script:tries -lt 3) { throw 'no' }; "after $script:tries" } | Should -Be 'after 3'
        Get-StandInCalls | Should -Be 'sleep 4', 'sleep 4'
    }

    It 'throws the last failure after the given number of tries' {
        $script:tries = 0
        { Invoke-Retry { $script:tries++; throw "no $script:tries" } 2 7 } | Should -Throw 'no 2'
        Get-StandInCalls | Should -Be 'sleep 7'
    }

    It 'counts across restarts' {
        Add-Count 'x' | Should -Be 1
        Add-Count 'x' | Should -Be 2
        Add-Count 'y' | Should -Be 1
    }
}

Describe 'Ending a run' {
    BeforeEach { . "$PSScriptRoot/Prelude.ps1" -HyperV }
    AfterEach { Remove-StandInWindows }

    It 'restarts and does not go on' {
        Invoke-Guest { Restart-Image 'Stage' 'It is time.' }
        Get-StandInCalls -NotRegistry | Should -Be 'report Stage: It is time. Restarting. (running)', 'C:\Windows\System32\shutdown.exe /r /f /t 0'
        $world.Power | Should -Be 'restart'
    }

    It 'gives the host time to hear the verdict, takes it away and powers off' {
        Invoke-Guest { Stop-Image 'StatusFinal' 'Ready.' 'done' }
        Get-StandInCalls | Should -Be @(
            'registry: set SOFTWARE\Microsoft\Virtual Machine\Auto\ImageGenerationLog-StatusFinal = Ready.'
            'report StatusFinal: Ready. (done)', 'sleep 30'
            'registry: remove SOFTWARE\Microsoft\Virtual Machine\Auto\ImageGenerationLog-StatusFinal'
            'C:\Windows\System32\shutdown.exe /s /f /t 0')
        $world.Power | Should -Be 'off'
    }
}

Describe 'What Windows this is' {
    AfterEach { Remove-StandInWindows }

    It 'knows <Release> as <Version>, client <Client>' -ForEach @(
        @{ Release = '2008R2'; Version = '6.1.7601'; Client = $false }
        @{ Release = '7'; Version = '6.1.7601'; Client = $true }
        @{ Release = '2012R2'; Version = '6.3.9600'; Client = $false }
        @{ Release = '11'; Version = '10.0.26100'; Client = $true }
        @{ Release = '2025'; Version = '10.0.26100'; Client = $false }
    ) {
        . "$PSScriptRoot/Prelude.ps1" -Release $Release
        Get-WindowsVersion | Should -Be ([version]$Version)
        Test-WindowsClient | Should -Be $Client
    }

    It 'compares versions as numbers' {
        . "$PSScriptRoot/Prelude.ps1" -Release '10'
        Test-WindowsVersion '6.2' | Should -BeTrue
        Test-WindowsVersion '10.0.20000' | Should -BeFalse
    }
}
