Describe 'Windows updates' {
    BeforeEach {
        . "$PSScriptRoot/Prelude.ps1"
        $search = "updates: search IsInstalled=0 and IsHidden=0 and Type='Software'"
        $restart = 'C:\Windows\System32\shutdown.exe /r /f /t 0'
    }
    AfterEach { Remove-StandInWindows }

    It 'says that nothing is left' {
        Install-WindowsUpdates
        Get-StandInCalls | Should -Be $search, 'report Updates: No update is left to install. (running)'
    }

    It 'downloads, installs and restarts' {
        Add-StandInUpdate 'A' -Eula
        Add-StandInUpdate 'B'
        Invoke-Guest { Install-WindowsUpdates }
        Get-StandInCalls | Should -Be @(
            $search, 'report Updates: Installing 2 updates. (running)', 'update A: accept the licence', 'update A: download', 'update B: download'
            'update A: install, result 2', 'update B: install, result 2', 'report Updates(2): One round is done. Restarting. (running)', $restart)
    }

    It 'restarts for a pending restart, three times at most' {
        foreach ($round in 1..3) {
            $world.RebootRequired = $true
            Clear-StandInCalls
            Invoke-Guest { Install-WindowsUpdates }
            Get-StandInCalls | Select-Object -Last 2 | Should -Be 'report Updates(reboot): Installed updates need it. Restarting. (running)', $restart
        }
        Install-WindowsUpdates
        Get-StandInCalls | Select-Object -Last 1 | Should -Be 'report Updates: No update is left to install. (running)'
    }

    It 'leaves an update out that failed three times' {
        Add-StandInUpdate 'Bad' -Codes 4
        foreach ($round in 1..3) { Invoke-Guest { Install-WindowsUpdates } }
        Get-StandInCalls 'report Updates(failed)*' | Should -HaveCount 3
        Get-StandInCalls 'report Updates(failed)*' | Select-Object -First 1 | Should -Be 'report Updates(failed): Bad: result 4. (running)'
        Clear-StandInCalls
        Install-WindowsUpdates
        Get-StandInCalls | Should -Be $search, 'report Updates(skipped): Bad failed 3 times. (running)', 'report Updates: No update is left to install. (running)'
    }

    It 'says which updates it skips because they may ask' {
        Add-StandInUpdate 'Asks' -AsksUser
        (Find-Updates (New-Object -ComObject Microsoft.Update.Session)).Count | Should -Be 0
        Get-StandInCalls | Should -Be $search, 'report Updates(skipped): Asks may ask questions, and nobody is there. (running)'
    }

    It 'takes a hundred updates a round' {
        1..120 | ForEach-Object { Add-StandInUpdate "U$_" }
        (Find-Updates (New-Object -ComObject Microsoft.Update.Session)).Count | Should -Be 100
    }

    It 'searches thirty times, ten seconds apart, before it gives up' {
        $world.SearchFails = 99
        { Install-WindowsUpdates } | Should -Throw '*0x80072EE2*'
        @(Get-StandInCalls $search).Count | Should -Be 30
        @(Get-StandInCalls 'sleep 10').Count | Should -Be 29
    }

    It 'installs what could be downloaded' {
        Add-StandInUpdate 'Gone' -NoDownload
        Add-StandInUpdate 'There'
        Invoke-Guest { Install-WindowsUpdates }
        Get-StandInCalls 'report Updates(failed)*' | Should -Be 'report Updates(failed): Gone could not be downloaded. (running)'
        Get-StandInCalls 'update *: install*' | Should -Be 'update There: install, result 2'
    }

    It 'installs nothing when nothing could be downloaded' {
        Add-StandInUpdate 'Gone' -NoDownload
        Invoke-Guest { Install-WindowsUpdates }
        Get-StandInCalls 'update *: install*' | Should -BeNullOrEmpty
        $world.Power | Should -Be 'restart'
    }

    It 'fails when three whole rounds fail' {
        Add-StandInUpdate 'Breaks' -Codes 6
        foreach ($round in 1, 2) {
            Invoke-Guest { Install-WindowsUpdates }
            $world.Power | Should -Be 'restart'
        }
        { Install-WindowsUpdates } | Should -Throw '*0x8024001E*'
        Get-StandInCalls 'report Updates: This round failed: *' | Should -HaveCount 3
    }

    It 'ends at some time when updates never do' {
        $world.EndlessUpdates = $true
        foreach ($round in 1..20) { Invoke-Guest { Install-WindowsUpdates } }
        Clear-StandInCalls
        Install-WindowsUpdates
        Get-StandInCalls | Select-Object -Last 1 | Should -Be 'report Updates(failed): After 20 rounds 1 updates are left. (running)'
    }
}
