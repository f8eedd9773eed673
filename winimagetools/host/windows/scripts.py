"""The PowerShell this project runs on a Windows host; each body reads ``$v`` and answers.

Its first line says what it is to do, as a failure of it is reported.

See :mod:`winimagetools.host.windows.powershell` for how values get in and answers get out.
"""

from __future__ import annotations

IS_ADMINISTRATOR = r"""
# ask whether this is an administrator
$identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
$principal = New-Object System.Security.Principal.WindowsPrincipal $identity
$principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
"""

MACHINE = r"""
# ask what this machine is
$system = Get-CimInstance -ClassName Win32_OperatingSystem
$computer = Get-CimInstance -ClassName Win32_ComputerSystem
$switches = @()
if (Get-Command Get-VMSwitch -ErrorAction SilentlyContinue) {
    $switches = @(Get-VMSwitch -ErrorAction SilentlyContinue | ForEach-Object { [string]$_.Name })
}
@{
    system = "$($system.Caption) $($system.Version)"
    memory = [int64]$computer.TotalPhysicalMemory
    processors = [int]$computer.NumberOfLogicalProcessors
    switches = $switches
}
"""

HYPERV_STATE = r"""
# ask whether Hyper-V is turned on
$feature = Get-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V
[string]$feature.State
"""

PROCESSOR_COUNT = r"""
# count the processors
$sum = 0
foreach ($processor in @(Get-CimInstance -ClassName Win32_Processor)) {
    $sum += [int]$processor.NumberOfLogicalProcessors
}
$sum
"""

SWITCH_TYPE = r"""
# look the virtual switch up
$switch = @(Get-VMSwitch -Name $v.name -ErrorAction SilentlyContinue)
if ($switch.Count -gt 0) { [string]$switch[0].SwitchType } else { '' }
"""

PARTITION_UEFI = r"""
# partition and format the disk for UEFI
$number = [int]$v.number
Initialize-Disk -Number $number -PartitionStyle GPT | Out-Null
$system = New-Partition -DiskNumber $number -Size $v.efi_size -GptType $v.efi_type -AssignDriveLetter
if (-not $system.DriveLetter) { throw 'Windows gave the new partition no drive letter.' }
# Some versions of Format-Volume refuse an EFI system partition.
$output = & format.com "$($system.DriveLetter):" /FS:FAT32 /Q /Y
if ($LASTEXITCODE) { throw "The EFI system partition could not be formatted: $output" }
New-Partition -DiskNumber $number -Size $v.msr_size -GptType $v.msr_type | Out-Null
$windows = New-Partition -DiskNumber $number -UseMaximumSize -GptType $v.windows_type -AssignDriveLetter
if (-not $windows.DriveLetter) { throw 'Windows gave the new partition no drive letter.' }
Format-Volume -DriveLetter $windows.DriveLetter -FileSystem NTFS -NewFileSystemLabel $v.label -Force -Confirm:$false | Out-Null
@{ system = [string]$system.DriveLetter; windows = [string]$windows.DriveLetter }
"""

PARTITION_BIOS = r"""
# partition and format the disk for BIOS
$number = [int]$v.number
Initialize-Disk -Number $number -PartitionStyle MBR | Out-Null
$windows = New-Partition -DiskNumber $number -UseMaximumSize -AssignDriveLetter -IsActive
if (-not $windows.DriveLetter) { throw 'Windows gave the new partition no drive letter.' }
Format-Volume -DriveLetter $windows.DriveLetter -FileSystem NTFS -NewFileSystemLabel $v.label -Force -Confirm:$false | Out-Null
@{ system = [string]$windows.DriveLetter; windows = [string]$windows.DriveLetter }
"""

FIND_WINDOWS = r"""
# find the Windows partition of the disk
$number = [int]$v.number
Set-Disk -Number $number -IsOffline $false
$found = @(Get-Partition -DiskNumber $number | Where-Object { @('Basic', 'IFS') -contains $_.Type })
if ($found.Count -eq 0 -or -not $found[0].DriveLetter) { throw 'No Windows partition with a drive letter was found.' }
$style = [string](Get-Disk -Number $number).PartitionStyle
@{ windows = [string]$found[0].DriveLetter; partition = [int]$found[0].PartitionNumber; style = $style }
"""

ISO_LETTER = r"""
# find the drive letter of the ISO
$letter = (Get-DiskImage -DevicePath $v.device | Get-Volume).DriveLetter
# Without a letter it is the character 0, which as a text is not empty.
if (-not $letter) { throw 'Windows gave the ISO no drive letter.' }
[string]$letter
"""

EXTEND_PARTITION = r"""
# extend the Windows partition
$limits = Get-PartitionSupportedSize -DriveLetter $v.letter
$partition = Get-Partition -DriveLetter $v.letter
if ($limits.SizeMax -gt $partition.Size) { Resize-Partition -DriveLetter $v.letter -Size $limits.SizeMax }
"""

OPTIMIZE_VOLUME = r"""
# defragment and trim the volume
Optimize-Volume -DriveLetter $v.letter -Defrag -ReTrim -SlabConsolidate
"""

PARTITION_LIMITS = r"""
# ask what sizes the partition can have
$limits = Get-PartitionSupportedSize -DriveLetter $v.letter
$partition = Get-Partition -DriveLetter $v.letter
@{ minimum = [string]$limits.SizeMin; maximum = [string]$limits.SizeMax; size = [string]$partition.Size }
"""

LARGEST_VOLUME = r"""
# find the largest volume of the disk
$volumes = @(Get-Disk -Number ([int]$v.number) | Get-Partition | Get-Volume | Sort-Object -Property Size -Descending)
if ($volumes.Count -eq 0 -or -not $volumes[0].DriveLetter) { throw 'No volume with a drive letter was found.' }
[string]$volumes[0].DriveLetter
"""

RESIZE_PARTITION = r"""
# resize the partition
Resize-Partition -DriveLetter $v.letter -Size $v.size -ErrorAction Stop
"""

RESIZE_DISK = r"""
# resize the virtual disk
Resize-VHD -Path $v.path -SizeBytes $v.size
Set-VHD -Path $v.path -ResetDiskIdentifier -Force
"""

RESIZE_DISK_TO_MINIMUM = r"""
# shrink the virtual disk
$disk = Get-VHD -Path $v.path
if ($disk.MinimumSize -and $disk.Size -gt $disk.MinimumSize) { Resize-VHD -Path $v.path -ToMinimumSize }
[string](Get-VHD -Path $v.path).Size
"""

OPTIMIZE_DISK = r"""
# compact the virtual disk
# A full pass wants the disk mounted for reading only (Optimize-VHD, parameter Mode).
Mount-VHD -Path $v.path -ReadOnly -NoDriveLetter
try { Optimize-VHD -Path $v.path -Mode Full } finally { Dismount-VHD -Path $v.path }
"""

CREATE_VM = r"""
# create and start the virtual machine
$machine = @{ Name = $v.name; VHDPath = $v.disk }
if ($v.switch) { $machine['SwitchName'] = $v.switch }
New-VM @machine -MemoryStartupBytes $v.memory -Generation $v.generation | Out-Null
Set-VMProcessor -VMName $v.name -Count $v.cpu_count | Out-Null
Set-VMMemory -VMName $v.name -DynamicMemoryEnabled $false | Out-Null
$vm = Get-VM -Name $v.name
if ($vm.PSObject.Properties['AutomaticCheckpointsEnabled'] -and $vm.AutomaticCheckpointsEnabled) {
    Set-VM -Name $v.name -AutomaticCheckpointsEnabled $false
}
if ($v.disable_secure_boot -and $v.generation -eq 2) { Set-VMFirmware -VMName $v.name -EnableSecureBoot Off }
Start-VM -Name $v.name | Out-Null
"""

VM_STATUS = r"""
# ask the virtual machine how far it is
$vm = Get-VM -Name $v.name
$items = @()
$exchange = Get-VMIntegrationService -VMName $v.name | Where-Object { $_.Id -like '*2A34B1C2-FD73-4043-8A5B-DD2159BC743F' }
if ([string]$vm.State -eq 'Running' -and $exchange -and $exchange.Enabled) {
    $system = Get-CimInstance -Namespace root\virtualization\v2 -ClassName Msvm_ComputerSystem |
        Where-Object { $_.Name -eq [string]$vm.Id }
    $component = Get-CimAssociatedInstance -InputObject $system -ResultClassName Msvm_KvpExchangeComponent
    if ($component) { $items = @($component.GuestExchangeItems) + @($component.GuestIntrinsicExchangeItems) }
}
@{ state = [string]$vm.State; uptime = [double]$vm.Uptime.TotalSeconds; items = @($items | Where-Object { $_ }) }
"""

VM_SCREEN = r"""
# take a picture of the screen of the virtual machine
# 16 bits a point, RGB565 (Msvm_VirtualSystemManagementService.GetVirtualSystemThumbnailImage).
$vm = Get-VM -Name $v.name
$system = Get-CimInstance -Namespace root\virtualization\v2 -ClassName Msvm_ComputerSystem |
    Where-Object { $_.Name -eq [string]$vm.Id }
$settings = @(Get-CimAssociatedInstance -InputObject $system -ResultClassName Msvm_VirtualSystemSettingData -Association Msvm_SettingsDefineState)[0]
$service = Get-CimInstance -Namespace root\virtualization\v2 -ClassName Msvm_VirtualSystemManagementService
$size = @{ TargetSystem = $settings; WidthPixels = [uint16]$v.width; HeightPixels = [uint16]$v.height }
$answer = Invoke-CimMethod -InputObject $service -MethodName GetVirtualSystemThumbnailImage -Arguments $size
if ($answer.ReturnValue -eq 0 -and $answer.ImageData) { [Convert]::ToBase64String([byte[]]$answer.ImageData) } else { '' }
"""

REMOVE_VM = r"""
# remove the virtual machine
$vm = Get-VM -Name $v.name -ErrorAction SilentlyContinue
if ($vm) {
    if ([string]$vm.State -ne 'Off') { Stop-VM -Name $v.name -TurnOff -Force }
    Remove-VM -Name $v.name -Force -Confirm:$false
}
"""

DISM_VERSION = r"""
# ask for the version of DISM
[string](Get-Command dism.exe).FileVersionInfo.ProductVersion
"""
