Describe 'The first logon' {
    AfterEach { Remove-StandInWindows }

    It 'installs VMware Tools from the disc, once' {
        . "$PSScriptRoot/Prelude.ps1" -VMware
        [void](New-Item -Force "$root/cdrom/setup64.exe")
        Set-StandInProgram '*setup64.exe*' -Codes 3010
        Invoke-FirstLogon
        Invoke-FirstLogon
        Get-StandInCalls | Should -Be @(
            'report FirstLogon: This machine was made by VMware, Inc.. (running)'
            'C:\cdrom\setup64.exe /s /v "/qn REBOOT=R"'
            'report VMwareTools: VMware Tools were installed from C:\cdrom\setup64.exe. (running)')
    }

    It 'leaves tools alone that are installed' {
        . "$PSScriptRoot/Prelude.ps1" -VMware
        [void](New-Item -Force "$root/cdrom/setup64.exe")
        $world.Services['VMTools'] = 'Running'
        Invoke-FirstLogon
        Get-StandInCalls '*setup64*' | Should -BeNullOrEmpty
        Get-StandInCalls '*installed already*' | Should -HaveCount 1
    }

    It 'does nothing without a disc or on another hypervisor' {
        . "$PSScriptRoot/Prelude.ps1" -VMware
        Install-VMwareToolsFromDisc
        $world.Wmi['Win32_LogicalDisk'] = @()
        Install-VMwareToolsFromDisc
        [void](New-Item -Force "$root/cdrom/setup64.exe")
        $world.Wmi['Win32_ComputerSystem'][0].Manufacturer = 'QEMU'
        Install-VMwareToolsFromDisc
        Get-StandInCalls | Should -Not -BeLike '*setup64*'
    }

    It 'is not done when it failed, and lets the next one in' {
        . "$PSScriptRoot/Prelude.ps1" -VMware
        [void](New-Item -Force "$root/cdrom/setup64.exe")
        Set-StandInProgram '*setup64.exe*' -Codes 1603, 0
        { Invoke-FirstLogon } | Should -Throw '*exit code 1603.'
        Invoke-FirstLogon
        @(Get-StandInCalls '*setup64.exe /s*').Count | Should -Be 2
    }

    It 'waits while the other script is at it' {
        . "$PSScriptRoot/Prelude.ps1" -VMware
        $firstLogonMutex = "Global\$([guid]::NewGuid())"
        $other = [PowerShell]::Create()
        [void]$other.AddScript('$m = New-Object System.Threading.Mutex $false, $args[2]
            [void]$m.WaitOne(); Set-Content $args[0] x; [Threading.Thread]::Sleep(300); Set-Content $args[1] done; $m.ReleaseMutex()')
        [void]$other.AddArgument("$root/holding").AddArgument($firstLogonMark).AddArgument($firstLogonMutex)
        $running = $other.BeginInvoke()
        while (-not (Test-Path "$root/holding")) { [Threading.Thread]::Sleep(5) }
        Invoke-FirstLogon
        $other.EndInvoke($running)
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'begins again when the other script was ended in the middle' {
        . "$PSScriptRoot/Prelude.ps1"
        $code = 'using System.Threading; public static class Abandoned { public static void Hold(string name) {
            var t = new Thread(() => new Mutex(false, name).WaitOne()); t.Start(); t.Join(); } }'
        if (-not ('Abandoned' -as [type])) { Add-Type -TypeDefinition $code -IgnoreWarnings }
        $firstLogonMutex = "Global\$([guid]::NewGuid())"
        [Abandoned]::Hold($firstLogonMutex)
        Invoke-FirstLogon
        Test-Path $firstLogonMark | Should -BeTrue
        Get-StandInCalls '*made by QEMU*' | Should -HaveCount 1
    }
}

Describe 'The licence' {
    AfterEach { Remove-StandInWindows }

    It 'installs a key' {
        . "$PSScriptRoot/Prelude.ps1"
        Add-StandInLicense 'ABCDE' 2
        Set-WindowsLicense 'AAAAA-BBBBB-CCCCC-DDDDD-ABCDE'
        Get-StandInCalls | Should -Be @(
            'wmi SoftwareLicensingService: InstallProductKey AAAAA-BBBBB-CCCCC-DDDDD-ABCDE'
            'wmi SoftwareLicensingService: RefreshLicenseStatus', 'report License: The product key was installed. (running)')
    }

    It 'leaves a licensed Windows with that key alone' {
        . "$PSScriptRoot/Prelude.ps1"
        Add-StandInLicense 'ABCDE' 1
        (Get-WindowsLicense).PartialProductKey | Should -Be 'ABCDE'
        Set-WindowsLicense 'AAAAA-BBBBB-CCCCC-DDDDD-ABCDE'
        Get-StandInCalls | Should -Be 'report License: Windows has this product key already. (running)'
    }

    It 'replaces the key of a licensed Windows' {
        . "$PSScriptRoot/Prelude.ps1"
        Add-StandInLicense 'ABCDE' 1
        Set-WindowsLicense 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE'
        Get-StandInCalls 'wmi*InstallProductKey*EEEEE' | Should -HaveCount 1
    }

    It 'fails when Windows refuses the key' {
        . "$PSScriptRoot/Prelude.ps1"
        $world.Wmi['SoftwareLicensingService'][0].Refuses = '0xC004F050'
        { Set-WindowsLicense 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE' } | Should -Throw '*0xC004F050*'
    }

    It 'resets the trial period of a KMS client' {
        . "$PSScriptRoot/Prelude.ps1"
        Add-StandInLicense 'ABCDE' 1 'Windows(R), VOLUME_KMSCLIENT channel'
        Set-WindowsLicense 'default_kms_key'
        Get-StandInCalls | Should -Be 'wmi SoftwareLicensingProduct: UninstallProductKey', 'report License: The KMS trial period was reset. (running)'
    }

    It 'resets nothing for another channel, no licence, or before Windows 8' {
        . "$PSScriptRoot/Prelude.ps1"
        Reset-KmsTrial $null
        Add-StandInLicense 'ABCDE' 1
        Reset-KmsTrial (Get-WindowsLicense)
        Remove-StandInWindows
        . "$PSScriptRoot/Prelude.ps1" -Release '7'
        Add-StandInLicense 'ABCDE' 1 'Windows(R), VOLUME_KMSCLIENT channel'
        Reset-KmsTrial (Get-WindowsLicense)
        Get-StandInCalls | Should -Be 'report License: This Windows needs no reset of the KMS trial period. (running)'
    }
}

Describe 'Features, packages and the disk' {
    AfterEach { Remove-StandInWindows }

    It 'adds nothing when the host had nothing to add' {
        . "$PSScriptRoot/Prelude.ps1"
        Invoke-Servicing
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'adds what the host has prepared and reports every failure' {
        . "$PSScriptRoot/Prelude.ps1"
        [void](New-Item -Force "$root/UnattendResources/Servicing/Servicing.cmd")
        Set-StandInProgram '*Servicing.cmd*' -Does {
            Set-Content "$root/UnattendResources/Servicing/results.txt" 'done 0 dism.exe /FeatureName:A', 'failed 5 wusa.exe "C:\x y.msu"'
        }
        Invoke-Servicing
        Get-StandInCalls | Should -Be @(
            'report Servicing: Adding features and packages. (running)'
            'C:\Windows\System32\cmd.exe /c "C:\UnattendResources\Servicing\Servicing.cmd"'
            'report Servicing(failed): 1 of 2 failed: failed 5 wusa.exe "C:\x y.msu" (running)'
            'report Servicing: Features and packages were added. (running)')
        Get-StandInDisk | Should -Not -BeLike '*results.txt'
    }

    It 'restarts when a feature needs it' {
        . "$PSScriptRoot/Prelude.ps1"
        [void](New-Item -Force "$root/UnattendResources/Servicing/Servicing.cmd")
        Set-StandInProgram '*Servicing.cmd*' -Codes 3010
        Invoke-Guest { Invoke-Servicing }
        Get-StandInCalls | Select-Object -Last 2 | Should -Be @(
            'report Servicing: Features or packages need it. Restarting. (running)', 'C:\Windows\System32\shutdown.exe /r /f /t 0')
    }

    It 'says which step failed before it gives up' {
        . "$PSScriptRoot/Prelude.ps1"
        [void](New-Item -Force "$root/UnattendResources/Servicing/Servicing.cmd")
        Set-StandInProgram '*Servicing.cmd*' -Codes 87 -Does {
            Set-Content "$root/UnattendResources/Servicing/results.txt" 'failed 87 dism.exe /FeatureName:A'
        }
        { Invoke-Servicing } | Should -Throw '*exit code 87.'
        Get-StandInCalls 'report Servicing(failed)*' | Should -Be 'report Servicing(failed): 1 of 1 failed: failed 87 dism.exe /FeatureName:A (running)'
    }

    It 'reports drivers that Windows did not take, once' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-Content "$root/Windows/Panther/winimagetools-drivers.txt" 'done 0 "C:\a.inf"', 'failed 5 "C:\b c.inf"', 'failed 2 "C:\d.inf"'
        Write-DriverResults
        Write-DriverResults
        Get-StandInCalls | Should -Be 'report Drivers(failed): 2 of 3 failed: failed 5 "C:\b c.inf"; failed 2 "C:\d.inf" (running)'
        Clear-StandInCalls
        Set-Content "$root/Windows/Panther/winimagetools-drivers.txt" 'done 0 "C:\a.inf"'
        Write-DriverResults
        Get-StandInCalls | Should -Be 'report Drivers(results): 0 of 1 failed. (running)'
    }

    It 'installs .NET 3.5 on <Release> with <Switches>' -ForEach @(
        @{ Release = '2008R2'; Switches = '/NoRestart' }, @{ Release = '2022'; Switches = '/NoRestart /All' }
    ) {
        . "$PSScriptRoot/Prelude.ps1" -Release $Release
        Set-StandInProgram '*Dism.exe*' -Codes 3010
        Install-NetFramework35
        Get-StandInCalls | Should -Be @(
            "C:\Windows\System32\Dism.exe /Online /Enable-Feature /FeatureName:NetFx3 $Switches"
            'report NetFramework35: .NET Framework 3.5 was installed. (running)')
    }

    It 'cleans the component store of <Release> (purge <Purge>) with <Switches>' -ForEach @(
        @{ Release = '2012'; Purge = $true; Switches = '/StartComponentCleanup' }
        @{ Release = '2012R2'; Purge = $true; Switches = '/StartComponentCleanup /ResetBase' }
        @{ Release = '2022'; Purge = $false; Switches = '/StartComponentCleanup' }
    ) {
        . "$PSScriptRoot/Prelude.ps1" -Release $Release
        Clear-ComponentStore $Purge
        Get-StandInCalls | Should -Be @(
            "C:\Windows\System32\Dism.exe /Online /Cleanup-Image $Switches", 'report Cleanup: The component store was cleaned. (running)')
    }

    It 'leaves the component store of Windows 7 alone' {
        . "$PSScriptRoot/Prelude.ps1" -Release '7'
        Clear-ComponentStore $true
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'restarts when the clean-up fails four times, three times at most' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*Dism.exe*' -Codes 2
        foreach ($try in 1..3) {
            Clear-StandInCalls
            Invoke-Guest { Clear-ComponentStore $false }
            @(Get-StandInCalls '*Dism.exe*').Count | Should -Be 4
            $world.Power | Should -Be 'restart'
        }
        { Clear-ComponentStore $false } | Should -Throw '*exit code 2.'
    }

    It 'defragments, and fails when that fails' {
        . "$PSScriptRoot/Prelude.ps1"
        Optimize-Disk
        Get-StandInCalls | Should -Be 'C:\Windows\System32\defrag.exe /C /H /V', 'report Defragment: The disk was defragmented. (running)'
        Set-StandInProgram '*defrag.exe*' -Codes 1
        { Optimize-Disk } | Should -Throw '*exit code 1.'
    }

    It 'overwrites free space from the root of the drive: code <Code>' -ForEach @(
        @{ Code = 0; Says = 'Unused clusters are zero.' }, @{ Code = 1; Says = 'Unused clusters could not be overwritten.' }
    ) {
        . "$PSScriptRoot/Prelude.ps1"
        [void](New-Item "$root/UnattendResources/zapfree.exe")
        Set-StandInProgram '*zapfree.exe*' -Codes $Code
        Clear-FreeSpace
        Get-StandInCalls | Should -Be @(
            'report ZapFree: Overwriting unused clusters with zeros. (running)'
            'C:\UnattendResources\zapfree.exe -z C:', "report ZapFree: $Says (running)")
        $world.WorkingDirectory.TrimEnd('\') | Should -Be 'C:'
    }

    It 'overwrites nothing without zapfree' {
        . "$PSScriptRoot/Prelude.ps1"
        Clear-FreeSpace
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'releases addresses and does not mind that there is none' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*ipconfig.exe*' -Codes 1 -Prints 'No adapter'
        Clear-Addresses
        Get-StandInCalls | Should -Be 'C:\Windows\System32\ipconfig.exe /release', 'report Ipconfig: Addresses were released (exit code 1). (running)'
    }
}

Describe 'Programs of others' {
    AfterEach { Remove-StandInWindows }

    It 'installs the QEMU guest agent, once' {
        . "$PSScriptRoot/Prelude.ps1"
        Install-QemuGuestAgent
        Install-QemuGuestAgent
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\msiexec.exe /i "C:\UnattendResources\qemu-ga.msi" /qn /norestart /l*v "C:\UnattendResources\qemu-ga.log"'
            'report QemuGa: The QEMU guest agent was installed. (running)'
            'report QemuGa: The QEMU guest agent is installed already. (running)')
    }

    It 'fails when the agent has no service in the end' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*qemu-ga.msi*' -NoEffect
        { Install-QemuGuestAgent } | Should -Throw 'The QEMU guest agent was installed but has no service QEMU-GA.'
    }

    It 'fails when an installation fails' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*msiexec.exe*' -Codes 1603
        { Install-QemuGuestAgent } | Should -Throw '*exit code 1603.'
        { Install-CloudbaseInit } | Should -Throw '*exit code 1603.'
        Set-StandInProgram '*VMware-tools.exe*' -Codes 1603
        { Install-VMwareTools } | Should -Throw '*exit code 1603.'
    }

    It 'installs VMware Tools and takes a wanted restart for success' {
        . "$PSScriptRoot/Prelude.ps1"
        Set-StandInProgram '*VMware-tools.exe*' -Codes 1641
        Install-VMwareTools
        Get-StandInCalls | Should -Be @(
            'C:\UnattendResources\VMware-tools.exe /s /v "/qn REBOOT=R /l*v C:\UnattendResources\vmware-tools.log"'
            'report VMwareTools: VMware Tools were installed. (running)')
    }

    It 'installs Cloudbase-Init and starts it by SetupComplete.cmd' {
        . "$PSScriptRoot/Prelude.ps1"
        Install-CloudbaseInit | Should -BeLike '*Cloudbase-Init'
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\msiexec.exe /i "C:\UnattendResources\CloudbaseInit.msi" /qn /norestart /l*v "C:\UnattendResources\CloudbaseInit.log"'
            'C:\Windows\System32\cmd.exe /c ""C:\Program Files\Cloudbase Solutions\Cloudbase-Init\bin\SetSetupComplete.cmd""'
            'report Cloudbase-InitSetupComplete: The service is started by SetupComplete.cmd. (running)'
            'report Cloudbase-Init: Cloudbase-Init was installed; its service runs as cloudbase-init. (running)')
    }

    It 'installs Cloudbase-Init with every option' {
        . "$PSScriptRoot/Prelude.ps1" -Options '[cloudbase_init]', 'cloudbase_init_use_local_system=True', 'serial_logging_port=COM2', 'cloudbase_init_delayed_start=True'
        [void](Install-CloudbaseInit)
        Get-StandInCalls '*msiexec*' | Should -BeLike '*CloudbaseInit.log" LOGGINGSERIALPORTNAME=COM2 RUN_SERVICE_AS_LOCAL_SYSTEM=1'
        Get-StandInCalls '*sc.exe*' | Should -Be 'C:\Windows\System32\sc.exe config cloudbase-init start= delayed-auto'
        Get-StandInCalls '*runs as LocalSystem.*' | Should -HaveCount 1
        Get-StandInCalls '*SetSetupComplete*' | Should -BeNullOrEmpty
    }

    It 'logs to the first serial port there is, if nobody names one' {
        . "$PSScriptRoot/Prelude.ps1"
        Get-LoggingPort | Should -BeNullOrEmpty
        $world.Wmi['Win32_SerialPort'] = @((New-StandInObject @{ DeviceID = 'COM1' }), (New-StandInObject @{ DeviceID = 'COM2' }))
        Get-LoggingPort | Should -Be 'COM1'
    }

    It 'finds the 32-bit program on 64-bit Windows' {
        . "$PSScriptRoot/Prelude.ps1"
        { Find-CloudbaseInit } | Should -Throw '*its folder is nowhere below Program Files.'
        [Environment]::SetEnvironmentVariable('ProgramFiles(x86)', "$root/Program Files (x86)")
        Install-CloudbaseInitStandIn "$root/Program Files (x86)"
        (ConvertTo-Shown (Find-CloudbaseInit)) | Should -BeLike 'C:\Program Files (x86)?Cloudbase Solutions?Cloudbase-Init'
    }

    It 'uses the configuration of the user where there is one' {
        . "$PSScriptRoot/Prelude.ps1"
        Install-CloudbaseInitStandIn $env:ProgramFiles
        $folder = Find-CloudbaseInit
        Set-Content "$resourcesDir\cloudbase-init.conf" 'own'
        Copy-CloudbaseInitConfig $folder
        Get-Content "$folder\conf\cloudbase-init.conf" | Should -Be 'own'
        Get-Content "$folder\conf\cloudbase-init-unattend.conf" | Should -Be '[DEFAULT]'
        Get-StandInCalls | Should -Be 'report CloudbaseInitConfig: cloudbase-init.conf of the user is used. (running)'
    }

    It 'fails when the start of the service cannot be set' {
        . "$PSScriptRoot/Prelude.ps1" -Options '[cloudbase_init]', 'cloudbase_init_delayed_start=True'
        Set-StandInProgram '*sc.exe*' -Codes 1060
        { Set-CloudbaseInitStart 'x' } | Should -Throw '*exit code 1060.'
    }
}
