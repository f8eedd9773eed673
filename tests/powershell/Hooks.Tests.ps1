Describe 'Hook scripts' {
    BeforeEach { . "$PSScriptRoot/Prelude.ps1" }
    AfterEach { Remove-StandInWindows }

    It 'runs none that is not there' {
        Invoke-Hook 'RunBeforeSysprep.ps1'
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'goes on after code <Code>' -ForEach @(@{ Code = 0 }, @{ Code = 2 }, @{ Code = 3010 }) {
        Set-Hook 'a.ps1' "exit $Code"
        Invoke-Guest { Invoke-Hook 'a.ps1' }
        Get-StandInCalls | Should -Be 'report CustomScripts(a.ps1): Running. (running)', "report CustomScripts(a.ps1): Done with exit code $Code. (running)", 'went on'
    }

    It 'does not take the code of an earlier program for its answer' {
        Set-Hook 'a.ps1' '$x = 1'
        $global:LASTEXITCODE = 1
        Invoke-Guest { Invoke-Hook 'a.ps1' }
        Get-StandInCalls | Select-Object -Last 1 | Should -Be 'went on'
    }

    It 'fails after code 1' {
        Set-Hook 'a.ps1' 'exit 1'
        { Invoke-Hook 'a.ps1' } | Should -Throw 'a.ps1 ended with exit code 1.'
    }

    It 'fails with what a script throws' {
        Set-Hook 'a.ps1' 'Get-Item /no/such/file'
        { Invoke-Hook 'a.ps1' } | Should -Throw '*no?such?file*'
    }

    It 'stops after code 1004, without restart' {
        Set-Hook 'a.ps1' 'exit 1004'
        Invoke-Guest { Invoke-Hook 'a.ps1' }
        Get-StandInCalls | Select-Object -Last 1 | Should -Be 'report CustomScripts(a.ps1): It asked to stop here. (running)'
        $world.Power | Should -Be ''
        $LASTEXITCODE | Should -Be 0
    }

    It 'restarts after code 1005' {
        Set-Hook 'a.ps1' 'exit 1005'
        Invoke-Guest { Invoke-Hook 'a.ps1' }
        Get-StandInCalls | Select-Object -Last 2 | Should -Be 'report CustomScripts(a.ps1): It asked for a restart. Restarting. (running)', 'C:\Windows\System32\shutdown.exe /r /f /t 0'
    }

    It 'powers off after code 1006 and says so' {
        Set-Hook 'a.ps1' 'exit 1006'
        Invoke-Guest { Invoke-Hook 'a.ps1' }
        Get-StandInCalls | Select-Object -Last 2 | Should -Be 'report StatusStopped: a.ps1 asked to power off. (stopped)', 'C:\Windows\System32\shutdown.exe /s /f /t 0'
    }
}

Describe 'What hook scripts of the PowerShell tools use' {
    AfterEach { Remove-StandInWindows }

    It 'finds the command <_>' -ForEach @(
        'Clean-UpdateResources', 'Clean-WindowsUpdates', 'Disable-FirstLogonAnimation', 'Disable-IPv6TemporaryAddress', 'Disable-Swap',
        'Enable-AdministratorAccount', 'Enable-AlwaysActiveMode', 'Enable-PingFirewallRules', 'Enable-ShutdownWithoutLogon', 'ExecRetry',
        'Get-AdministratorAccount', 'Get-IniFileValue', 'Install-QemuGuestAgent', 'Install-VMwareTools', 'Install-WindowsUpdates',
        'Is-WindowsClient', 'License-Windows', 'Optimize-SparseImage', 'Release-IP', 'Remove-IniFileValue', 'Run-CustomScript', 'Run-Defragment',
        'Set-CustomNtpServers', 'Set-CustomTimezone', 'Set-IniFileValue', 'Set-PersistDrivers', 'Set-UnattendEnableSwap', 'Write-HostLog', 'Write-Log'
    ) {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Hook 'a.ps1' "if ((Get-Command $_).ResolvedCommand -or (Get-Command $_).ScriptBlock) { Add-Call 'found' }"
        Invoke-Hook 'a.ps1'
        Get-StandInCalls 'found' | Should -HaveCount 1
    }

    It 'finds <Name> with <Value>' -ForEach @(
        @{ Name = 'resourcesDir'; Value = 'C:\UnattendResources' }
        @{ Name = 'configIniPath'; Value = 'C:\UnattendResources\config.ini' }
        @{ Name = 'customScriptsDir'; Value = 'C:\UnattendResources\CustomScripts' }
        @{ Name = 'logFile'; Value = 'C:\UnattendResources\image-generation-log.txt' }
        @{ Name = 'cloudbaseInitInstallDir'; Value = 'C:\Program Files\Cloudbase Solutions\Cloudbase-Init' }
        @{ Name = 'CloudbaseInitMsiPath'; Value = 'C:\UnattendResources\CloudbaseInit.msi' }
        @{ Name = 'CloudbaseInitMsiLog'; Value = 'C:\UnattendResources\CloudbaseInit.log' }
        @{ Name = 'CloudbaseInitConfigPath'; Value = 'C:\UnattendResources\cloudbase-init.conf' }
        @{ Name = 'CloudbaseInitUnattendedConfigPath'; Value = 'C:\UnattendResources\cloudbase-init-unattend.conf' }
        @{ Name = 'unattendedXmlPath'; Value = 'C:\Program Files\Cloudbase Solutions\Cloudbase-Init\conf\Unattend.xml' }
        @{ Name = 'goldImage'; Value = 'True' }, @{ Name = 'installUpdates'; Value = 'True' }, @{ Name = 'purgeUpdates'; Value = 'True' }
        @{ Name = 'cleanUpdatesOnline'; Value = 'False' }, @{ Name = 'persistDrivers'; Value = 'False' }, @{ Name = 'disableSwap'; Value = 'True' }
        @{ Name = 'enableAdministrator'; Value = 'True' }, @{ Name = 'enablePing'; Value = 'True' }, @{ Name = 'useIpv6EUI64'; Value = 'True' }
        @{ Name = 'enableAlwaysActiveMode'; Value = 'True' }, @{ Name = 'vmwareToolsPath'; Value = 'v.exe' }
        @{ Name = 'serialPortName'; Value = 'COM4' }, @{ Name = 'customTimezone'; Value = 'UTC' }, @{ Name = 'customNtpServers'; Value = 'n.example' }
    ) {
        . "$PSScriptRoot/Prelude.ps1" -Options @(
            '[DEFAULT]', 'gold_image=True', 'enable_administrator_account=True', 'enable_ping_requests=True', 'enable_ipv6_eui64=True'
            'enable_active_mode=True', 'vmware_tools_path=v.exe', '[updates]', 'install_updates=True', 'purge_updates=True', 'clean_updates_online=False'
            '[sysprep]', 'persist_drivers_install=False', 'disable_swap=True', '[cloudbase_init]', 'serial_logging_port=COM4'
            '[custom]', 'time_zone=UTC', 'ntp_servers=n.example')
        Set-Hook 'a.ps1' "Add-Call `"found `$$Name`""
        Invoke-Hook 'a.ps1'
        Get-StandInCalls 'found*' | Should -BeExactly "found $Value"
    }

    It 'takes their parameters by name' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Hook 'inner.ps1' 'Add-Call inner'
        Set-Hook 'a.ps1' '
            Run-CustomScript -ScriptFileName inner.ps1
            Set-CustomTimezone -CustomTimezone UTC
            Set-CustomNtpServers -CustomNtpServers n.example
            Clean-WindowsUpdates -PurgeUpdates $true
            ExecRetry -command { Add-Call block } -maxRetryCount 2 -retryInterval 1
            if (-not (Is-WindowsClient)) { Add-Call server }
            Get-IniFileValue -Path $configIniPath -Section custom -Key x -Default y | ForEach-Object { Add-Call $_ }'
        Invoke-Hook 'a.ps1'
        Get-StandInCalls | Where-Object { $_ -notlike 'report*' } | Should -Be @(
            'inner', 'C:\Windows\System32\tzutil.exe /s "UTC"'
            'C:\Windows\System32\w32tm.exe /config /syncfromflags:manual /manualpeerlist:"n.example"', 'service W32Time: start type Automatic'
            'C:\Windows\System32\Dism.exe /Online /Cleanup-Image /StartComponentCleanup /ResetBase', 'block', 'server', 'y')
    }

    It 'does not try again for an error that only is reported' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Hook 'a.ps1' 'ExecRetry { Add-Call try; Write-Error "harmless" 2>$null; Get-Item /no/such 2>$null; Add-Call "ended" }; Add-Call $ErrorActionPreference'
        Invoke-Hook 'a.ps1'
        Get-StandInCalls | Where-Object { $_ -notlike 'report*' } | Should -Be 'try', 'ended', 'Stop'
    }

    It 'tries again what is thrown' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Hook 'a.ps1' '$script:n = 0; ExecRetry { if (++$script:n -lt 3) { throw "no" }; Add-Call "third" } 5 2'
        Invoke-Hook 'a.ps1'
        Get-StandInCalls | Where-Object { $_ -notlike 'report*' } | Should -Be 'sleep 2', 'sleep 2', 'third'
    }

    It 'tells the host alone by Write-HostLog' {
        . "$PSScriptRoot/Prelude.ps1" -HyperV
        Write-HostLog 'Mine' 'half way'
        Write-HostLog 'Mine' ''
        Get-StandInCalls | Should -Be 'registry: set SOFTWARE\Microsoft\Virtual Machine\Auto\ImageGenerationLog-Mine = half way', 'report Mine: half way (running)'
        Test-Path "$root/UnattendResources/image-generation-log.txt" | Should -BeFalse
    }
}

Describe 'Trusting publishers for the installation' {
    BeforeEach {
        . "$PSScriptRoot/Prelude.ps1"
        $folder = "$root/Windows/Drivers/winimagetools"
        [void](New-Item -ItemType Directory -Force "$folder/net/deep")
        Copy-Item "$resourcesDir\lib\Trust.ps1" "$folder/trust.ps1"
        foreach ($name in 'good', 'twice', 'known', 'bad') {
            [void](New-Item "$folder/net/deep/$name.cat")
            $print = $name -replace 'twice', 'good'
            $status = if ($name -eq 'bad') { 'NotTrusted' } else { 'Valid' }
            $world.Catalogs["$name.cat"] = New-StandInObject @{ Status = $status; SignerCertificate = (New-StandInObject @{ Thumbprint = $print }) }
        }
        $world.Certificates = @(New-StandInObject @{ Thumbprint = 'known' })
    }
    AfterEach { Remove-StandInWindows }

    It 'trusts who is valid and not trusted yet, once' {
        & "$folder/trust.ps1"
        Get-StandInCalls | Should -Be 'certificates TrustedPublisher LocalMachine: add good'
    }

    It 'takes exactly that away again' {
        & "$folder/trust.ps1"
        Clear-StandInCalls
        & "$folder/trust.ps1" -Remove
        & "$folder/trust.ps1" -Remove
        Get-StandInCalls | Should -Be 'certificates TrustedPublisher LocalMachine: remove good'
        $world.Certificates[0].Thumbprint | Should -Be 'known'
    }
}
