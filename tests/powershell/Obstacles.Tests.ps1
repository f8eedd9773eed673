Describe 'Applications of one user' {
    AfterEach { Remove-StandInWindows }

    It 'are removed before sysprep finds them, and no others' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInPackage 'OneDriveSync'
        Add-StandInPackage 'Terminal' -Provisioned
        Add-StandInPackage 'VCLibs' -More @{ IsFramework = $true }
        Add-StandInPackage 'Shell' -More @{ SignatureKind = 'System' }
        Add-StandInPackage 'Store' -More @{ NonRemovable = $true }
        Add-StandInPackage 'Old' -State 'Staged'
        Add-StandInPackage 'GameAssist'
        Remove-UserPackages
        Get-StandInCalls | Should -Be @(
            'application OneDriveSync_1.0_x64__x: remove for all'
            'report Packages: OneDriveSync was removed, which was there for one user only. (running)'
            'application GameAssist_1.0_x64__x: remove for all'
            'report Packages: GameAssist was removed, which was there for one user only. (running)')
        $world.Packages.Name | Should -Be 'Terminal', 'VCLibs', 'Shell', 'Store', 'Old'
    }

    It 'are removed for the only user where Windows cannot do more' {
        . "$PSScriptRoot/Prelude.ps1" -Release '2016'
        Add-StandInPackage 'Tool'
        Remove-UserPackages
        @(Get-StandInCalls)[0] | Should -Be 'application Tool_1.0_x64__x: remove for the user'
    }

    It 'that cannot be removed are told, and sysprep has the last word' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInPackage 'Stays' -More @{ Stays = $true }
        Add-StandInPackage 'Goes'
        Remove-UserPackages
        Get-StandInCalls 'report*' | Should -Be @(
            'report Packages(failed): Stays could not be removed: Deployment failed with HRESULT: 0x80073CFA (running)'
            'report Packages: Goes was removed, which was there for one user only. (running)')
    }

    It 'are left alone where Windows has none or does not tell' {
        . "$PSScriptRoot/Prelude.ps1" -Release '2025'
        Add-StandInPackage 'Tool'
        Remove-UserPackages
        Get-StandInCalls | Should -BeNullOrEmpty
        Remove-StandInWindows
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        $world.ApplicationsFail = $true
        Remove-UserPackages
        Get-StandInCalls | Should -Be 'report Packages(failed): Windows does not tell its applications: Class not registered (running)'
    }
}

Describe 'An encrypted disk' {
    AfterEach { Remove-StandInWindows }

    It 'is decrypted and waited for, and not encrypted anew' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInEncryption 100
        Disable-Encryption
        Get-StandInCalls | Should -Be @(
            'registry: make SYSTEM\CurrentControlSet\Control\BitLocker'
            'registry: set SYSTEM\CurrentControlSet\Control\BitLocker\PreventDeviceEncryption = 1'
            'wmi Win32_EncryptableVolume: Decrypt'
            'report Encryption: The disk is being decrypted, 60 percent are left. (running)', 'sleep 10'
            'report Encryption: The disk is being decrypted, 20 percent are left. (running)', 'sleep 10'
            'report Encryption: The disk was decrypted. (running)')
    }

    It 'that Windows does not decrypt fails the image' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInEncryption 100 -Refuses 7
        { Disable-Encryption } | Should -Throw 'The disk is encrypted, and Windows does not decrypt it (7).'
        Add-StandInEncryption 100 -StopsWith 5
        { Disable-Encryption } | Should -Throw 'The disk is encrypted, and its decryption has stopped (status 5).'
    }

    It 'may be called encrypted for a while after decryption was asked for' -ForEach @(
        @{ Status = 1 }, @{ Status = 2 }, @{ Status = 4 }, @{ Status = 5 }) {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInEncryption 80 -Status $Status -Late 6
        Disable-Encryption
        @(Get-StandInCalls 'sleep*') | Should -Be (@('sleep 10') * 7)
        Get-StandInCalls 'report*' | Should -Be @(
            'report Encryption: The disk is being decrypted, 40 percent are left. (running)'
            'report Encryption: The disk was decrypted. (running)')
    }

    It 'that stays encrypted fails the image after a minute' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInEncryption 80 -Late 7
        { Disable-Encryption } | Should -Throw 'The disk is encrypted, and Windows has not begun to decrypt it within 60 seconds (status 1).'
        @(Get-StandInCalls 'sleep*') | Should -Be (@('sleep 10') * 6)
    }

    It 'whose decryption stops once it has begun is not waited for' {
        . "$PSScriptRoot/Prelude.ps1" -Release '11'
        Add-StandInEncryption 100 -StopsWith 1 -Late 1
        { Disable-Encryption } | Should -Throw 'The disk is encrypted, and its decryption has stopped (status 1).'
        @(Get-StandInCalls 'sleep*') | Should -Be 'sleep 10', 'sleep 10'
    }

    It 'is none when nothing is encrypted, or Windows knows no encryption' {
        . "$PSScriptRoot/Prelude.ps1" -Release '7'
        Disable-Encryption
        Add-StandInEncryption
        $world.Wmi['Win32_EncryptableVolume'][0].Status = 0
        Disable-Encryption
        Get-StandInCalls | Should -BeNullOrEmpty
    }
}

Describe 'The boot code of a disk that was made on Linux' {
    BeforeAll {
        function Initialize-BootCode {
            # The mark of such a disk, and bootsect where Windows has it.
            param([switch]$Bootsect)
            Set-Content "$root/UnattendResources/boot-code.txt" 'GRUB'
            if ($Bootsect) { [void](New-Item -Force "$root/Windows/System32/bootsect.exe") }
        }
    }
    AfterEach { Remove-StandInWindows }

    It 'is replaced, first that of the volume, and once' {
        . "$PSScriptRoot/Prelude.ps1"
        Initialize-BootCode -Bootsect
        Restore-BootCode
        Restore-BootCode
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\bootsect.exe /nt60 SYS', 'C:\Windows\System32\bootsect.exe /nt60 SYS /mbr'
            'report BootCode: The disk starts with the boot code of Windows. (running)')
    }

    It 'stays where that of the volume cannot be written' {
        . "$PSScriptRoot/Prelude.ps1"
        Initialize-BootCode -Bootsect
        Set-StandInProgram '*bootsect.exe /nt60 SYS' -Codes 1
        Restore-BootCode
        Get-StandInCalls | Should -Be @(
            'C:\Windows\System32\bootsect.exe /nt60 SYS'
            'report BootCode(failed): bootsect.exe /nt60 SYS ended with 1; the disk starts through GRUB as before. (running)')
    }

    It 'stays where Windows has no bootsect, and is not touched on another disk' {
        . "$PSScriptRoot/Prelude.ps1"
        Restore-BootCode
        Get-StandInCalls | Should -BeNullOrEmpty
        Initialize-BootCode
        Restore-BootCode
        Get-StandInCalls | Should -Be 'report BootCode: Windows has no bootsect.exe: the disk starts through GRUB as before. (running)'
        Get-StandInDisk | Should -Not -BeLike '*boot-code.txt'
    }
}
