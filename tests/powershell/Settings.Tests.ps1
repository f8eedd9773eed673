Describe 'Settings of the finished image' {
    BeforeAll { $policy = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' }
    AfterEach { Remove-StandInWindows }

    It 'makes a key that is missing, and only then' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Number 'HKLM:\SOFTWARE\New Key' 'a' 1
        Set-Number 'HKLM:\SOFTWARE\New Key' 'a' 2
        Get-StandInCalls | Should -Be 'registry: make SOFTWARE\New Key', 'registry: set SOFTWARE\New Key\a = 1', 'registry: set SOFTWARE\New Key\a = 2'
    }

    It 'offers to shut down without a logon' {
        . "$PSScriptRoot/Prelude.ps1"
        Enable-ShutdownWithoutLogon
        Get-StandInValue $policy 'shutdownwithoutlogon' | Should -Be 1
        Get-StandInValue 'SOFTWARE\Microsoft\Windows NT\CurrentVersion\Windows' 'ShutdownWarningDialogTimeout' | Should -Be 1
    }

    It 'turns the animation off where there is one: <Release>' -ForEach @(@{ Release = '7'; Value = $null }, @{ Release = '11'; Value = 0 }) {
        . "$PSScriptRoot/Prelude.ps1" -Release $Release
        Disable-FirstLogonAnimation
        Get-StandInValue $policy 'EnableFirstLogonAnimation' | Should -Be $Value
    }

    It 'answers ping over both protocols' {
        . "$PSScriptRoot/Prelude.ps1"
        Enable-Ping
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\netsh.exe advfirewall firewall add rule name="Answer IPv4 ping" dir=in action=allow protocol=icmpv4:8,any'
            'C:\Windows\System32\netsh.exe advfirewall firewall add rule name="Answer IPv6 ping" dir=in action=allow protocol=icmpv6:128,any'
            'report Ping: Ping is answered over IPv4 and IPv6. (running)')
        Set-StandInProgram '*netsh.exe*' -Codes 1
        { Enable-Ping } | Should -Throw '*exit code 1.'
    }

    It 'answers ping during the build and not after it, whatever the firewall says' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*netsh.exe*' -Codes 1
        Enable-BuildPing
        Disable-BuildPing
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\netsh.exe advfirewall firewall add rule "name=winimagetools ping" dir=in action=allow protocol=icmpv4:8,any'
            'report Ping: Ping is answered during the build (exit code 1). (running)'
            'C:\Windows\System32\netsh.exe advfirewall firewall delete rule name="winimagetools ping"')
    }

    It 'derives IPv6 addresses from MAC addresses' {
        . "$PSScriptRoot/Prelude.ps1"
        Enable-Eui64
        Get-StandInCalls '*netsh*' | Should -Be @(
            'C:\Windows\System32\netsh.exe interface ipv6 set global randomizeidentifiers=disabled'
            'C:\Windows\System32\netsh.exe interface ipv6 set privacy state=disabled')
    }

    It 'never sleeps nor turns the screen off, even where power settings are missing' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*powercfg.exe*' -Codes 1
        Enable-AlwaysActiveMode
        Get-StandInValue $policy 'InactivityTimeoutSecs' | Should -Be 0
        Get-StandInCalls '*powercfg*' | Should -Be @(
            'C:\Windows\System32\powercfg.exe /setactive 8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c'
            'C:\Windows\System32\powercfg.exe /change monitor-timeout-ac 0'
            'C:\Windows\System32\powercfg.exe /change monitor-timeout-dc 0'
            'C:\Windows\System32\powercfg.exe /change standby-timeout-ac 0'
            'C:\Windows\System32\powercfg.exe /change standby-timeout-dc 0'
            'C:\Windows\System32\powercfg.exe /hibernate off')
    }

    It 'sets the time zone and the time servers' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-ImageTimeZone 'W. Europe Standard Time'
        Set-TimeServers 'a.example b.example'
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\tzutil.exe /s "W. Europe Standard Time"', 'report Customization(1): The time zone is W. Europe Standard Time. (running)'
            'C:\Windows\System32\w32tm.exe /config /syncfromflags:manual /manualpeerlist:"a.example b.example"'
            'service W32Time: start type Automatic', 'report Customization(2): Time comes from a.example b.example. (running)')
        Set-StandInProgram '*tzutil.exe*' -Codes 1
        { Set-ImageTimeZone 'x' } | Should -Throw '*tzutil.exe /s "x" failed with exit code 1.'
    }
}

Describe 'Accounts' {
    AfterEach { Remove-StandInWindows }

    It 'enables the administrator at the first start, whatever its name' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        $world.Wmi['Win32_UserAccount'][0].Name = 'Administrateur'
        Get-AdministratorAccount | Should -Be 'Administrateur'
        Enable-AdministratorAccount
        Get-StandInCalls | Should -Be 'account WinNT://./Administrateur,user: password ''''', 'report Administrator: The account Administrateur will be enabled. (running)'
        Get-Content "$root/Windows/Setup/Scripts/SetupComplete.cmd" | Should -BeExactly @(
            'net.exe user "Administrateur" /active:yes'
            'powershell.exe -NoProfile -Command "$u = [adsi]''WinNT://./Administrateur,user''; $u.UserFlags.Value = $u.UserFlags.Value -band -bnot 65536; $u.SetInfo()"'
            'net.exe user "Administrateur" /logonpasswordchg:yes')
    }

    It 'keeps what SetupComplete.cmd has already' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        [void](New-Item -Force "$root/Windows/Setup/Scripts/SetupComplete.cmd" -Value "start cloudbase-init`r`n")
        Enable-AdministratorAccount
        @(Get-Content "$root/Windows/Setup/Scripts/SetupComplete.cmd").Count | Should -Be 4
    }

    It 'removes the account of the answer file with its profile' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInAccount 'Admin' 'S-1-5-21-1-2-3-1001' 'Local administrator' -WithProfile
        Remove-BuildAccount
        Get-StandInCalls | Should -Be @(
            'wmi Win32_UserProfile S-1-5-21-1-2-3-1001: Delete', 'account WinNT://.: delete user Admin'
            'report BuildAccount: The account Admin was removed. (running)')
    }

    It 'removes it when it has no profile' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInAccount 'Admin' 'S-1-5-21-1-2-3-1001' 'Local administrator'
        Remove-BuildAccount
        Get-StandInCalls 'account*' | Should -Be 'account WinNT://.: delete user Admin'
    }

    It 'leaves accounts of the user alone' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInAccount 'Admin' 'S-1-5-21-1-2-3-1001' 'Our own'
        Add-StandInAccount 'Operator' 'S-1-5-21-1-2-3-1002' 'Local administrator'
        Remove-BuildAccount
        Get-StandInCalls | Should -BeNullOrEmpty
    }
}

Describe 'The answer file of Cloudbase-Init' {
    BeforeEach {
        . "$PSScriptRoot/Prelude.ps1"
        Install-CloudbaseInitStandIn $env:ProgramFiles
        $answer = "$env:ProgramFiles\Cloudbase Solutions\Cloudbase-Init\conf\Unattend.xml"
        function Get-Answer { param([string]$XPath) Select-Xml -Path $answer -XPath $XPath -Namespace @{ u = 'urn:schemas-microsoft-com:unattend' } | ForEach-Object { $_.Node.InnerText } }
    }
    AfterEach { Remove-StandInWindows }

    It 'keeps devices: <Keep>' -ForEach @(@{ Keep = $true; Value = 'true' }, @{ Keep = $false; Value = 'false' }) {
        Set-PersistDrivers $answer $Keep
        Get-Answer '//u:settings[@pass="generalize"]//u:PersistAllDeviceInstalls' | Should -BeExactly $Value
        Get-StandInCalls | Should -Be "report Drivers: PersistAllDeviceInstalls is $Value. (running)"
    }

    It 'turns the page file on in its first command' {
        Enable-SwapAtFirstStart $answer
        Get-Answer '//u:RunSynchronousCommand/u:Order' | Should -Be '1', '2'
        Get-Answer '//u:RunSynchronousCommand[1]/u:Path' | Should -BeExactly ('reg.exe add "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management" ' +
            '/v PagingFiles /t REG_MULTI_SZ /d ?:\pagefile.sys /f')
        Get-Answer '//u:RunSynchronousCommand[2]/u:Path' | Should -Be 'cloudbase-init.exe'
    }

    It 'fails when there are no commands in the specialize pass' {
        [IO.File]::WriteAllText((Resolve-Path -LiteralPath $answer).ProviderPath, '<unattend xmlns="urn:schemas-microsoft-com:unattend"/>')
        { Enable-SwapAtFirstStart $answer } | Should -Throw '*has no commands in its specialize pass.'
    }

    It 'starts a relative path at the location of PowerShell' {
        Set-Location "$env:ProgramFiles\Cloudbase Solutions\Cloudbase-Init\conf"
        Edit-AnswerFile 'Unattend.xml' { param($document, $names) $document.SelectSingleNode('//u:Order', $names).InnerText = '7' }
        Get-Answer '//u:Order' | Should -Be '7'
    }
}

Describe 'Generalizing' {
    BeforeEach { . "$PSScriptRoot/Prelude.ps1" }
    AfterEach { Remove-StandInWindows }

    It 'turns the page file off' {
        Add-StandInPageFile
        Disable-Swap
        Get-StandInCalls | Should -Be @(
            'wmi Win32_ComputerSystem: AutomaticManagedPagefile = False', 'wmi Win32_PageFileSetting C:\pagefile.sys: Delete'
            'report Swap: The page file was turned off. (running)')
        Clear-StandInCalls
        $world.Wmi['Win32_PageFileSetting'] = @()
        Disable-Swap
        Get-StandInCalls | Should -Be 'report Swap: The page file was turned off. (running)'
    }

    It 'runs sysprep and looks at its result' {
        Invoke-Sysprep 'C:\a b\Unattend.xml'
        Get-StandInCalls | Should -Be @(
            'report Sysprep: Generalizing. (running)'
            'C:\Windows\System32\Sysprep\Sysprep.exe /generalize /oobe /quiet /quit /unattend:"C:\a b\Unattend.xml"'
            'report Sysprep: The image is generalized. (running)')
    }

    It 'fails when sysprep did nothing, with the end of its log' {
        Set-StandInProgram '*Sysprep.exe*' -Codes 1
        { Invoke-Sysprep 'x' } | Should -Throw 'Sysprep failed (exit code 1, IMAGE_STATE_COMPLETE): '
        [IO.File]::WriteAllLines("$root/Windows/System32/Sysprep/Panther/setuperr.log", [string[]](1..9 | ForEach-Object { "line $_" }))
        { Invoke-Sysprep 'x' } | Should -Throw 'Sysprep failed (exit code 1, IMAGE_STATE_COMPLETE): line 5 / line 6 / line 7 / line 8 / line 9'
    }

    It 'removes what was only staged' {
        [void](New-Item -Force "$root/UnattendResources/Servicing/packages/a.cab")
        [void](New-Item -Force "$root/Windows/Drivers/winimagetools/x/a.inf")
        [void](New-Item -Force "$root/Windows/Drivers/own/b.inf")
        Remove-StagingFolders
        Remove-StagingFolders
        Get-StandInDisk | Should -Not -BeLike '*a.cab'
        Get-StandInDisk | Should -Not -BeLike '*a.inf'
        Get-StandInDisk | Should -Contain 'C:\Windows\Drivers\own\b.inf'
    }

    It 'leaves no trace of the build' {
        Set-Location $resourcesDir
        Remove-Traces
        Get-StandInDisk | Should -Be 'C:\head.ps1'
        $winlogon = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
        Get-StandInValue $winlogon 'AutoAdminLogon' | Should -Be '0'
        Get-StandInValue $winlogon 'DefaultPassword' | Should -BeNullOrEmpty
        Get-StandInValue $winlogon 'AutoLogonCount' | Should -BeNullOrEmpty
        [StandIn.World]::Machine.Find('SOFTWARE\Microsoft\Windows\CurrentVersion\Run', $false).GetValueNames() | Should -Be 'SecurityHealth'
        Remove-Item "$root/head.ps1"
    }
}
