# The scripts that Python sends to a Windows host, each whole as it is sent.

BeforeAll {
    Import-Module "$PSScriptRoot/StandInHost.psm1" -Global -Force
    $python = $env:WINIMAGETOOLS_TEST_PYTHON
    if (-not $python) { $python = @(Get-Command python3, python -CommandType Application -ErrorAction SilentlyContinue)[0].Path }
    $env:PYTHONPATH = [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../..'))
    $dump = 'import json; from winimagetools.host.windows import powershell, scripts; ' +
    'print(json.dumps({k: powershell.whole_script(v) for k, v in vars(scripts).items() if k.isupper()}))'
    $texts = & $python -c $dump | ConvertFrom-Json
    $folder = Join-Path ([IO.Path]::GetTempPath()) ('host-' + [guid]::NewGuid().ToString('N').Substring(0, 8))
    [void](New-Item -ItemType Directory $folder)

    function Invoke-HostScript {
        # What a script answers, or its failure.
        param([string]$Name, [hashtable]$Values = @{})
        $file = Join-Path $folder "$Name.ps1"
        [IO.File]::WriteAllText($file, $texts.$Name)
        $env:WINIMAGETOOLS_VALUES = ConvertTo-Json $Values -Compress
        $console = [Console]::Out
        $writer = New-Object IO.StringWriter
        [Console]::SetOut($writer)
        try { [void](& $file) } finally { [Console]::SetOut($console) }
        $mark, $json = ([string]$writer).Trim() -split ':', 2
        if ($mark -eq '#winimagetools-failure') { return @{ Failure = ConvertFrom-Json $json } }
        $mark | Should -Be '#winimagetools-answer'
        return @{ Answer = ConvertFrom-Json $json }
    }

    function New-StandInPartition { param([int]$Number, [char]$Letter, [string]$Type = 'Basic', [uint64]$Size = 1GB) New-Object PSObject -Property @{ PartitionNumber = $Number; DriveLetter = $Letter; Type = $Type; Size = $Size } }
}

AfterAll { Remove-Item -Recurse -Force $folder }

Describe 'Scripts of the Windows host' {
    BeforeEach { Reset-StandInHost }

    It 'asks whether Hyper-V is turned on' {
        Set-StandInAnswer 'Get-WindowsOptionalFeature' { New-Object PSObject -Property @{ State = 'Enabled' } }
        (Invoke-HostScript 'HYPERV_STATE').Answer | Should -Be 'Enabled'
        Get-StandInHostCalls | Should -Be 'Get-WindowsOptionalFeature -FeatureName Microsoft-Hyper-V -Online'
    }

    It 'counts the processors of all sockets' {
        Set-StandInAnswer 'Get-CimInstance' { 8, 8 | ForEach-Object { New-Object PSObject -Property @{ NumberOfLogicalProcessors = [uint32]$_ } } }
        (Invoke-HostScript 'PROCESSOR_COUNT').Answer | Should -Be 16
    }

    It 'tells the type of a switch, or that there is none' {
        Set-StandInAnswer 'Get-VMSwitch' { if ($args[0].Name -eq 'a b') { New-Object PSObject -Property @{ SwitchType = 'External' } } }
        (Invoke-HostScript 'SWITCH_TYPE' @{ name = 'a b' }).Answer | Should -Be 'External'
        (Invoke-HostScript 'SWITCH_TYPE' @{ name = 'none' }).Answer | Should -BeExactly ''
    }

    It 'partitions for UEFI' {
        Set-StandInAnswer 'New-Partition' { New-StandInPartition 1 $(if ($args[0].UseMaximumSize) { 'F' } else { 'E' }) }
        $answer = (Invoke-HostScript 'PARTITION_UEFI' @{ number = 3; label = 'OS'; efi_size = 1; msr_size = 2; efi_type = '{e}'; msr_type = '{m}'; windows_type = '{w}' }).Answer
        "$($answer.system) $($answer.windows)" | Should -Be 'E F'
        Get-StandInHostCalls | Should -Be @(
            'Initialize-Disk -Number 3 -PartitionStyle GPT', 'New-Partition -AssignDriveLetter -DiskNumber 3 -GptType {e} -Size 1'
            'format.com E: /FS:FAT32 /Q /Y', 'New-Partition -DiskNumber 3 -GptType {m} -Size 2'
            'New-Partition -AssignDriveLetter -DiskNumber 3 -GptType {w} -UseMaximumSize'
            'Format-Volume -DriveLetter F -FileSystem NTFS -Force -NewFileSystemLabel OS')
    }

    It 'says that a new partition has no drive letter: <Name>' -ForEach @(@{ Name = 'PARTITION_UEFI' }, @{ Name = 'PARTITION_BIOS' }) {
        Set-StandInAnswer 'New-Partition' { New-StandInPartition 1 $(if ($args[0].UseMaximumSize) { [char]0 } else { 'E' }) }
        (Invoke-HostScript $Name @{ number = 3 }).Failure.message | Should -Be 'Windows gave the new partition no drive letter.'
    }

    It 'says that the EFI partition could not be formatted' {
        Set-StandInAnswer 'New-Partition' { New-StandInPartition 1 'E' }
        Set-StandInAnswer 'format.com' { $global:LASTEXITCODE = 4; 'The disk is write protected.' }
        (Invoke-HostScript 'PARTITION_UEFI' @{ number = 3 }).Failure.message | Should -Be 'The EFI system partition could not be formatted: The disk is write protected.'
    }

    It 'partitions for BIOS' {
        Set-StandInAnswer 'New-Partition' { New-StandInPartition 1 'F' }
        $answer = (Invoke-HostScript 'PARTITION_BIOS' @{ number = 3; label = 'OS' }).Answer
        "$($answer.system) $($answer.windows)" | Should -Be 'F F'
        Get-StandInHostCalls | Should -Be @(
            'Initialize-Disk -Number 3 -PartitionStyle MBR', 'New-Partition -AssignDriveLetter -DiskNumber 3 -IsActive -UseMaximumSize'
            'Format-Volume -DriveLetter F -FileSystem NTFS -Force -NewFileSystemLabel OS')
    }

    It 'finds Windows among the partitions' {
        Set-StandInAnswer 'Get-Partition' { New-StandInPartition 1 ([char]0) 'System'; New-StandInPartition 2 ([char]0) 'Reserved'; New-StandInPartition 3 'G' 'Basic' }
        Set-StandInAnswer 'Get-Disk' { New-Object PSObject -Property @{ PartitionStyle = 'GPT' } }
        $answer = (Invoke-HostScript 'FIND_WINDOWS' @{ number = 3 }).Answer
        "$($answer.windows) $($answer.partition) $($answer.style)" | Should -Be 'G 3 GPT'
        @(Get-StandInHostCalls)[0] | Should -Be 'Set-Disk -IsOffline False -Number 3'
    }

    It 'says that Windows has no drive letter yet' {
        Set-StandInAnswer 'Get-Partition' { New-StandInPartition 3 ([char]0) 'IFS' }
        (Invoke-HostScript 'FIND_WINDOWS' @{ number = 3 }).Failure.message | Should -Be 'No Windows partition with a drive letter was found.'
        Set-StandInAnswer 'Get-Partition' { }
        (Invoke-HostScript 'FIND_WINDOWS' @{ number = 3 }).Failure.message | Should -Be 'No Windows partition with a drive letter was found.'
    }

    It 'finds the letter of an ISO, or says that there is none' {
        Set-StandInAnswer 'Get-DiskImage' { New-Object PSObject }
        Set-StandInAnswer 'Get-Volume' { New-Object PSObject -Property @{ DriveLetter = [char]'D' } }
        (Invoke-HostScript 'ISO_LETTER' @{ device = '\\.\CDROM1' }).Answer | Should -Be 'D'
        Get-StandInHostCalls | Should -Be 'Get-DiskImage -DevicePath \\.\CDROM1', 'Get-Volume'
        Set-StandInAnswer 'Get-Volume' { New-Object PSObject -Property @{ DriveLetter = $null } }
        (Invoke-HostScript 'ISO_LETTER' @{ device = 'x' }).Failure.message | Should -Be 'Windows gave the ISO no drive letter.'
        Set-StandInAnswer 'Get-Volume' { New-Object PSObject -Property @{ DriveLetter = [char]0 } }
        (Invoke-HostScript 'ISO_LETTER' @{ device = 'x' }).Failure.message | Should -Be 'Windows gave the ISO no drive letter.'
    }

    It 'extends a partition only when there is room' {
        Set-StandInAnswer 'Get-Partition' { New-StandInPartition 1 'F' 'Basic' 10GB }
        Set-StandInAnswer 'Get-PartitionSupportedSize' { New-Object PSObject -Property @{ SizeMin = 1GB; SizeMax = 20GB } }
        [void](Invoke-HostScript 'EXTEND_PARTITION' @{ letter = 'F' })
        @(Get-StandInHostCalls)[-1] | Should -Be 'Resize-Partition -DriveLetter F -Size 21474836480'
        Reset-StandInHost
        Set-StandInAnswer 'Get-Partition' { New-StandInPartition 1 'F' 'Basic' 20GB }
        Set-StandInAnswer 'Get-PartitionSupportedSize' { New-Object PSObject -Property @{ SizeMin = 1GB; SizeMax = 20GB } }
        [void](Invoke-HostScript 'EXTEND_PARTITION' @{ letter = 'F' })
        Get-StandInHostCalls | Should -Not -BeLike 'Resize*'
    }

    It 'asks for the limits of a partition and resizes it' {
        Set-StandInAnswer 'Get-Partition' { New-StandInPartition 1 'F' 'Basic' 20GB }
        Set-StandInAnswer 'Get-PartitionSupportedSize' { New-Object PSObject -Property @{ SizeMin = [uint64]5000000000; SizeMax = [uint64]20GB } }
        $answer = (Invoke-HostScript 'PARTITION_LIMITS' @{ letter = 'F' }).Answer
        "$($answer.minimum) $($answer.maximum) $($answer.size)" | Should -BeExactly '5000000000 21474836480 21474836480'
        [void](Invoke-HostScript 'RESIZE_PARTITION' @{ letter = 'F'; size = 6GB })
        [void](Invoke-HostScript 'OPTIMIZE_VOLUME' @{ letter = 'F' })
        @(Get-StandInHostCalls)[-2, -1] | Should -Be 'Resize-Partition -DriveLetter F -Size 6442450944', 'Optimize-Volume -Defrag -DriveLetter F -ReTrim -SlabConsolidate'
    }

    It 'finds the largest volume' {
        Set-StandInAnswer 'Get-Disk' { 1 }
        Set-StandInAnswer 'Get-Partition' { 1 }
        Set-StandInAnswer 'Get-Volume' { foreach ($v in @('E', 1GB), @('F', 30GB)) { New-Object PSObject -Property @{ DriveLetter = [char]$v[0]; Size = $v[1] } } }
        (Invoke-HostScript 'LARGEST_VOLUME' @{ number = 3 }).Answer | Should -Be 'F'
        Set-StandInAnswer 'Get-Volume' { }
        (Invoke-HostScript 'LARGEST_VOLUME' @{ number = 3 }).Failure.message | Should -Be 'No volume with a drive letter was found.'
    }

    It 'resizes a virtual disk and gives it an identity of its own' {
        [void](Invoke-HostScript 'RESIZE_DISK' @{ path = "C:\a b\x'y.vhdx"; size = 40GB })
        Get-StandInHostCalls | Should -Be "Resize-VHD -Path C:\a b\x'y.vhdx -SizeBytes 42949672960", "Set-VHD -Force -Path C:\a b\x'y.vhdx -ResetDiskIdentifier"
    }

    It 'shrinks a disk when it can be smaller' {
        Set-StandInAnswer 'Get-VHD' { New-Object PSObject -Property @{ MinimumSize = 10GB; Size = 40GB } }
        (Invoke-HostScript 'RESIZE_DISK_TO_MINIMUM' @{ path = 'x' }).Answer | Should -Be '42949672960'
        Get-StandInHostCalls | Should -Contain 'Resize-VHD -Path x -ToMinimumSize'
        Reset-StandInHost
        Set-StandInAnswer 'Get-VHD' { New-Object PSObject -Property @{ MinimumSize = $null; Size = 40GB } }
        [void](Invoke-HostScript 'RESIZE_DISK_TO_MINIMUM' @{ path = 'x' })
        Get-StandInHostCalls | Should -Not -Contain 'Resize-VHD -Path x -ToMinimumSize'
    }

    It 'compacts a disk mounted for reading only, and dismounts it whatever happens' {
        [void](Invoke-HostScript 'OPTIMIZE_DISK' @{ path = 'x' })
        $calls = 'Mount-VHD -NoDriveLetter -Path x -ReadOnly', 'Optimize-VHD -Mode Full -Path x', 'Dismount-VHD -Path x'
        Get-StandInHostCalls | Should -Be $calls
        Reset-StandInHost
        Set-StandInAnswer 'Optimize-VHD' { throw 'busy' }
        (Invoke-HostScript 'OPTIMIZE_DISK' @{ path = 'x' }).Failure.message | Should -Be 'busy'
        Get-StandInHostCalls | Should -Be $calls
    }

    It 'creates a machine of generation <Generation>, switch "<Switch>"' -ForEach @(
        @{ Generation = 2; Switch = 'external'; Network = ' -SwitchName external'; Firmware = @('Set-VMFirmware -EnableSecureBoot Off -VMName v') }
        @{ Generation = 1; Switch = ''; Network = ''; Firmware = @() }
    ) {
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ AutomaticCheckpointsEnabled = $true } }
        [void](Invoke-HostScript 'CREATE_VM' @{ name = 'v'; memory = 4GB; switch = $Switch; disk = 'C:\x.vhdx'; generation = $Generation; cpu_count = 4; disable_secure_boot = $true })
        Get-StandInHostCalls | Should -Be (@(
                "New-VM -Generation $Generation -MemoryStartupBytes 4294967296 -Name v$Network -VHDPath C:\x.vhdx"
                'Set-VMProcessor -Count 4 -VMName v', 'Set-VMMemory -DynamicMemoryEnabled False -VMName v', 'Get-VM -Name v'
                'Set-VM -AutomaticCheckpointsEnabled False -Name v') + $Firmware + 'Start-VM -Name v')
    }

    It 'leaves checkpoints alone where Windows has none by itself, and Secure Boot where it is wanted' {
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ Name = 'v' } }
        [void](Invoke-HostScript 'CREATE_VM' @{ name = 'v'; memory = 1; switch = 's'; disk = 'd'; generation = 2; cpu_count = 1; disable_secure_boot = $false })
        Get-StandInHostCalls | Should -Not -BeLike 'Set-VM -*'
        Get-StandInHostCalls | Should -Not -BeLike 'Set-VMFirmware*'
    }

    It 'reads state and reports of a machine' {
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ State = 'Running'; Id = [guid]'11111111-1111-1111-1111-111111111111' } }
        Set-StandInAnswer 'Get-VMIntegrationService' {
            New-Object PSObject -Property @{ Id = 'Microsoft:1\OTHER'; Enabled = $true }
            New-Object PSObject -Property @{ Id = 'Microsoft:1\2A34B1C2-FD73-4043-8A5B-DD2159BC743F'; Enabled = $true }
        }
        Set-StandInAnswer 'Get-CimInstance' { foreach ($name in 'HOST', '11111111-1111-1111-1111-111111111111') { New-Object PSObject -Property @{ Name = $name } } }
        Set-StandInAnswer 'Get-CimAssociatedInstance' { if ($args[0].InputObject.Name -like '1111*') { New-Object PSObject -Property @{ GuestExchangeItems = @('<a/>', '<b/>'); GuestIntrinsicExchangeItems = $null } } }
        $answer = (Invoke-HostScript 'VM_STATUS' @{ name = 'v' }).Answer
        $answer.state | Should -Be 'Running'
        $answer.items | Should -Be '<a/>', '<b/>'
    }

    It 'reads no reports from a machine that is off or has the exchange turned off' {
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ State = 'Off' } }
        Set-StandInAnswer 'Get-VMIntegrationService' { New-Object PSObject -Property @{ Id = 'Microsoft:1\2A34B1C2-FD73-4043-8A5B-DD2159BC743F'; Enabled = $true } }
        (Invoke-HostScript 'VM_STATUS' @{ name = 'v' }).Answer.items | Should -BeNullOrEmpty
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ State = 'Running' } }
        Set-StandInAnswer 'Get-VMIntegrationService' { New-Object PSObject -Property @{ Id = 'Microsoft:1\2A34B1C2-FD73-4043-8A5B-DD2159BC743F'; Enabled = $false } }
        (Invoke-HostScript 'VM_STATUS' @{ name = 'v' }).Answer.state | Should -Be 'Running'
        Get-StandInHostCalls | Should -Not -BeLike 'Get-Cim*'
    }

    It 'takes a picture of the screen' {
        Set-StandInAnswer 'Get-VM' { New-Object PSObject -Property @{ Id = [guid]'11111111-2222-3333-4444-555555555555' } }
        Set-StandInAnswer 'Get-CimInstance' {
            if ($args[0].ClassName -like '*Service') { 'service' }
            else { 'other', '11111111-2222-3333-4444-555555555555' | ForEach-Object { New-Object PSObject -Property @{ Name = $_ } } }
        }
        Set-StandInAnswer 'Get-CimAssociatedInstance' { "settings of $($args[0].InputObject.Name)" }
        $global:standInArguments = $null
        Set-StandInAnswer 'Invoke-CimMethod' {
            $global:standInArguments = $args[0]
            New-Object PSObject -Property @{ ReturnValue = [uint32]0; ImageData = [byte[]](1, 2, 255) }
        }
        (Invoke-HostScript 'VM_SCREEN' @{ name = 'v'; width = 800; height = 600 }).Answer | Should -Be 'AQL/'
        $given = $global:standInArguments
        "$($given.InputObject) $($given.MethodName)" | Should -Be 'service GetVirtualSystemThumbnailImage'
        $given.Arguments.TargetSystem | Should -Be 'settings of 11111111-2222-3333-4444-555555555555'
        $given.Arguments.WidthPixels | Should -BeOfType [uint16]
        "$($given.Arguments.WidthPixels) $($given.Arguments.HeightPixels)" | Should -Be '800 600'
        Set-StandInAnswer 'Invoke-CimMethod' { New-Object PSObject -Property @{ ReturnValue = [uint32]32775; ImageData = $null } }
        (Invoke-HostScript 'VM_SCREEN' @{ name = 'v'; width = 800; height = 600 }).Answer | Should -BeExactly ''
    }

    It 'removes a machine that is <State>' -ForEach @(
        @{ State = 'Running'; Calls = 'Get-VM -Name v', 'Stop-VM -Force -Name v -TurnOff', 'Remove-VM -Force -Name v' }
        @{ State = 'Off'; Calls = 'Get-VM -Name v', 'Remove-VM -Force -Name v' }
        @{ State = ''; Calls = @('Get-VM -Name v') }
    ) {
        $global:standInState = $State
        Set-StandInAnswer 'Get-VM' { if ($global:standInState) { New-Object PSObject -Property @{ State = $global:standInState } } }
        [void](Invoke-HostScript 'REMOVE_VM' @{ name = 'v' })
        Get-StandInHostCalls | Should -Be $Calls
    }

    It 'reads the version of DISM' {
        function Get-Command { param($Name) New-Object PSObject -Property @{ FileVersionInfo = (New-Object PSObject -Property @{ ProductVersion = "10.0.20348.1 of $Name" }) } }
        (Invoke-HostScript 'DISM_VERSION').Answer | Should -Be '10.0.20348.1 of dism.exe'
    }

    It 'asks for administrator rights' -Skip:([IO.Path]::DirectorySeparatorChar -eq '/') {
        (Invoke-HostScript 'IS_ADMINISTRATOR').Answer | Should -BeOfType [bool]
    }

    It 'can be run by Windows PowerShell 4.0' {
        Import-Module "$PSScriptRoot/OldPowerShell.psm1" -Force
        foreach ($name in $texts.PSObject.Properties.Name) {
            Find-NewPowerShell -Text $texts.$name -Target '4.0' | Should -BeNullOrEmpty -Because $name
        }
        Find-NewPowerShell -Text ($texts.HYPERV_STATE + '; Get-LocalUser') -Target '4.0' | Should -BeLike '*Get-LocalUser came with 5.1'
    }

    It 'answers a failure as data, with its line' {
        Set-StandInAnswer 'Get-WindowsOptionalFeature' { throw (New-Object UnauthorizedAccessException 'Der Zugriff wurde verweigert.') }
        $failure = (Invoke-HostScript 'HYPERV_STATE').Failure
        $failure.message | Should -Be 'Der Zugriff wurde verweigert.'
        $failure.category | Should -Be 'OperationStopped'
        $failure.line | Should -BeOfType [long]
        # A misspelt name is found where it stands: in the first line of the body behind its title.
        $texts.HYPERV_STATE = $texts.HYPERV_STATE -replace '-FeatureName', '-FeatureNme'
        $failure = (Invoke-HostScript 'HYPERV_STATE').Failure
        $failure.message | Should -BeLike '*FeatureNme*'
        ($texts.HYPERV_STATE -split "`n")[$failure.line - 1] | Should -BeLike '$feature = *'
    }
}
