"""The PowerShell this project runs on a Windows host; each body reads ``$v`` and answers.

See :mod:`winimagetools.host.windows.powershell` for how values get in and answers get out.
"""

from __future__ import annotations

IS_ADMINISTRATOR = r"""
$identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
$principal = New-Object System.Security.Principal.WindowsPrincipal $identity
$principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
"""

HYPERV_STATE = r"""
$feature = Get-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V
[string]$feature.State
"""

PROCESSOR_COUNT = r"""
$sum = 0
foreach ($processor in @(Get-CimInstance -ClassName Win32_Processor)) {
    $sum += [int]$processor.NumberOfLogicalProcessors
}
$sum
"""

SWITCH_TYPE = r"""
$switch = @(Get-VMSwitch -Name $v.name -ErrorAction SilentlyContinue)
if ($switch.Count -gt 0) { [string]$switch[0].SwitchType } else { '' }
"""

PARTITION_UEFI = r"""
$number = [int]$v.number
Initialize-Disk -Number $number -PartitionStyle GPT | Out-Null
$system = New-Partition -DiskNumber $number -Size $v.efi_size -GptType $v.efi_type -AssignDriveLetter
# Some versions of Format-Volume refuse an EFI system partition.
$output = & format.com "$($system.DriveLetter):" /FS:FAT32 /Q /Y
if ($LASTEXITCODE) { throw "The EFI system partition could not be formatted: $output" }
New-Partition -DiskNumber $number -Size $v.msr_size -GptType $v.msr_type | Out-Null
$windows = New-Partition -DiskNumber $number -UseMaximumSize -GptType $v.windows_type -AssignDriveLetter
Format-Volume -DriveLetter $windows.DriveLetter -FileSystem NTFS -NewFileSystemLabel $v.label -Force -Confirm:$false | Out-Null
@{ system = [string]$system.DriveLetter; windows = [string]$windows.DriveLetter }
"""

PARTITION_BIOS = r"""
$number = [int]$v.number
Initialize-Disk -Number $number -PartitionStyle MBR | Out-Null
$windows = New-Partition -DiskNumber $number -UseMaximumSize -AssignDriveLetter -IsActive
Format-Volume -DriveLetter $windows.DriveLetter -FileSystem NTFS -NewFileSystemLabel $v.label -Force -Confirm:$false | Out-Null
@{ system = [string]$windows.DriveLetter; windows = [string]$windows.DriveLetter }
"""

FIND_WINDOWS = r"""
$number = [int]$v.number
Set-Disk -Number $number -IsOffline $false
$found = @(Get-Partition -DiskNumber $number | Where-Object { @('Basic', 'IFS') -contains $_.Type })
if ($found.Count -eq 0 -or -not $found[0].DriveLetter) { throw 'No Windows partition with a drive letter was found.' }
$style = [string](Get-Disk -Number $number).PartitionStyle
@{ windows = [string]$found[0].DriveLetter; partition = [int]$found[0].PartitionNumber; style = $style }
"""

ISO_LETTER = r"""
$letter = [string](Get-DiskImage -DevicePath $v.device | Get-Volume).DriveLetter
if (-not $letter) { throw 'Windows gave the ISO no drive letter.' }
$letter
"""

EXTEND_PARTITION = r"""
$limits = Get-PartitionSupportedSize -DriveLetter $v.letter
$partition = Get-Partition -DriveLetter $v.letter
if ($limits.SizeMax -gt $partition.Size) { Resize-Partition -DriveLetter $v.letter -Size $limits.SizeMax }
"""

OPTIMIZE_VOLUME = r"""
Optimize-Volume -DriveLetter $v.letter -Defrag -ReTrim -SlabConsolidate
"""

PARTITION_LIMITS = r"""
$limits = Get-PartitionSupportedSize -DriveLetter $v.letter
$partition = Get-Partition -DriveLetter $v.letter
@{ minimum = [string]$limits.SizeMin; maximum = [string]$limits.SizeMax; size = [string]$partition.Size }
"""

LARGEST_VOLUME = r"""
$volumes = @(Get-Disk -Number ([int]$v.number) | Get-Partition | Get-Volume | Sort-Object -Property Size -Descending)
if ($volumes.Count -eq 0 -or -not $volumes[0].DriveLetter) { throw 'No volume with a drive letter was found.' }
[string]$volumes[0].DriveLetter
"""

RESIZE_PARTITION = r"""
Resize-Partition -DriveLetter $v.letter -Size $v.size -ErrorAction Stop
"""

RESIZE_DISK = r"""
Resize-VHD -Path $v.path -SizeBytes $v.size
Set-VHD -Path $v.path -ResetDiskIdentifier -Force
"""

RESIZE_DISK_TO_MINIMUM = r"""
$disk = Get-VHD -Path $v.path
if ($disk.MinimumSize -and $disk.Size -gt $disk.MinimumSize) { Resize-VHD -Path $v.path -ToMinimumSize }
[string](Get-VHD -Path $v.path).Size
"""

OPTIMIZE_DISK = r"""
Optimize-VHD -Path $v.path -Mode Full
"""

CREATE_VM = r"""
New-VM -Name $v.name -MemoryStartupBytes $v.memory -SwitchName $v.switch -VHDPath $v.disk -Generation $v.generation | Out-Null
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
$vm = Get-VM -Name $v.name
$items = @()
$exchange = Get-VMIntegrationService -VMName $v.name | Where-Object { $_.Id -like '*2A34B1C2-FD73-4043-8A5B-DD2159BC743F' }
if ([string]$vm.State -eq 'Running' -and $exchange -and $exchange.Enabled) {
    $system = Get-CimInstance -Namespace root\virtualization\v2 -ClassName Msvm_ComputerSystem |
        Where-Object { $_.Name -eq [string]$vm.Id }
    $component = Get-CimAssociatedInstance -InputObject $system -ResultClassName Msvm_KvpExchangeComponent
    if ($component) { $items = @($component.GuestExchangeItems) + @($component.GuestIntrinsicExchangeItems) }
}
@{ state = [string]$vm.State; items = @($items | Where-Object { $_ }) }
"""

REMOVE_VM = r"""
$vm = Get-VM -Name $v.name -ErrorAction SilentlyContinue
if ($vm) {
    if ([string]$vm.State -ne 'Off') { Stop-VM -Name $v.name -TurnOff -Force }
    Remove-VM -Name $v.name -Force -Confirm:$false
}
"""

DISM_VERSION = r"""
[string](Get-Command dism.exe).FileVersionInfo.ProductVersion
"""
