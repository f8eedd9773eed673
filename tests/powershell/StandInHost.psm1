# Hyper-V, Storage and CIM cmdlets of a Windows host, played: each has the parameters of the real
# one and no other, records its call, returns objects of the real shape and can be told to fail.
#
# Parameters: Microsoft Learn, "Hyper-V", "Storage", "CimCmdlets" and "DISM" module reference of
# Windows Server 2022, and of 2012 R2 where a parameter is newer; without those for remote
# machines, jobs and confirmation that every cmdlet has.

$signatures = @{
    'Get-WindowsOptionalFeature' = 'Online FeatureName PackageName PackagePath Path WindowsDirectory SystemDrive LogPath ScratchDirectory LogLevel'
    'Get-CimInstance' = 'ClassName Namespace Filter Query KeyOnly Property OperationTimeoutSec QueryDialect'
    'Get-CimAssociatedInstance' = 'InputObject Association ResultClassName Namespace OperationTimeoutSec KeyOnly'
    'Invoke-CimMethod' = 'InputObject ClassName Namespace MethodName Arguments Query QueryDialect OperationTimeoutSec'
    'Get-VMSwitch' = 'Name Id ResourcePoolName SwitchType'
    'Initialize-Disk' = 'Number UniqueId FriendlyName VirtualDisk PartitionStyle PassThru'
    'New-Partition' = 'DiskNumber DiskId DiskPath Size UseMaximumSize Offset Alignment DriveLetter AssignDriveLetter MbrType GptType IsHidden IsActive'
    'Format-Volume' = 'DriveLetter ObjectId FileSystemLabel Path Partition FileSystem NewFileSystemLabel AllocationUnitSize Full Force Compress ShortFileNameSupport UseLargeFRS'
    'Set-Disk' = 'Number UniqueId Path PartitionStyle IsOffline IsReadOnly Signature Guid'
    'Get-Partition' = 'DiskNumber PartitionNumber DriveLetter DiskId Offset UniqueId Disk Volume'
    'Get-Disk' = 'Number UniqueId FriendlyName SerialNumber Path Partition VirtualDisk'
    'Get-DiskImage' = 'ImagePath StorageType DevicePath Volume'
    'Get-Volume' = 'DriveLetter ObjectId UniqueId Path FileSystemLabel FriendlyName FilePath Partition DiskImage'
    'Get-PartitionSupportedSize' = 'DriveLetter DiskNumber PartitionNumber DiskId Offset'
    'Resize-Partition' = 'DriveLetter DiskNumber PartitionNumber DiskId Offset Size PassThru'
    'Optimize-Volume' = 'DriveLetter ObjectId Path FileSystemLabel ReTrim Analyze Defrag SlabConsolidate TierOptimize NormalPriority'
    'Resize-VHD' = 'Path SizeBytes ToMinimumSize Passthru'
    'Set-VHD' = 'Path ParentPath LeafPath IgnoreIdMismatch PhysicalSectorSizeBytes ResetDiskIdentifier Force Passthru'
    'Get-VHD' = 'Path VMId DiskNumber'
    'Optimize-VHD' = 'Path Mode Passthru'
    'Mount-VHD' = 'Path NoDriveLetter ReadOnly SnapshotId Passthru'
    'Dismount-VHD' = 'Path DiskNumber SnapshotId Passthru'
    'New-VM' = 'Name MemoryStartupBytes BootDevice NoVHD SwitchName NewVHDPath NewVHDSizeBytes Path Version Generation VHDPath Force'
    'Set-VMProcessor' = 'VMName VM Count CompatibilityForMigrationEnabled ExposeVirtualizationExtensions Maximum Reserve RelativeWeight Passthru'
    'Set-VMMemory' = 'VMName VM Buffer DynamicMemoryEnabled MaximumBytes StartupBytes MinimumBytes Priority Passthru'
    'Get-VM' = 'Name Id ClusterObject'
    'Set-VM' = 'Name VM AutomaticCheckpointsEnabled AutomaticStartAction AutomaticStopAction CheckpointType DynamicMemory MemoryStartupBytes Notes ProcessorCount StaticMemory Passthru'
    'Set-VMFirmware' = 'VMName VM BootOrder FirstBootDevice EnableSecureBoot SecureBootTemplate PreferredNetworkBootProtocol Passthru'
    'Start-VM' = 'Name VM Passthru'
    'Get-VMIntegrationService' = 'VMName VM Name'
    'Stop-VM' = 'Name VM Save TurnOff Force Passthru'
    'Remove-VM' = 'Name VM Force Passthru'
}
$switches = 'Online', 'UseMaximumSize', 'AssignDriveLetter', 'IsActive', 'Force', 'Full', 'ReTrim', 'Defrag', 'SlabConsolidate', 'ToMinimumSize',
'ResetDiskIdentifier', 'NoDriveLetter', 'ReadOnly', 'TurnOff', 'PassThru', 'KeyOnly', 'Analyze'
$inputs = @{ 'Get-Volume' = 'object'; 'Get-Partition' = 'object' }

$H = @{ Calls = @(); Answers = @{} }

function Reset-StandInHost {
    $H.Calls = @()
    $H.Answers = @{}
}

function Set-StandInAnswer {
    # What a cmdlet does; $args[0] are its parameters.
    param([string]$Name, [scriptblock]$Answer)
    $H.Answers[$Name] = $Answer
}

function Get-StandInHostCalls { return $H.Calls }

function Invoke-StandInCmdlet {
    param([string]$Name, [System.Collections.IDictionary]$Given)
    $words = foreach ($key in $Given.Keys | Sort-Object) {
        if ('ErrorAction', 'Confirm', 'Through' -contains $key) { continue }
        if ($Given[$key] -is [System.Management.Automation.SwitchParameter]) { "-$key" } else { "-$key $($Given[$key])" }
    }
    $H.Calls += (@($Name) + $words) -join ' '
    if ($H.Answers[$Name]) { & $H.Answers[$Name] $Given }
}

foreach ($name in $signatures.Keys) {
    $parts = @(foreach ($parameter in $signatures[$name].Split(' ')) {
            if ($switches -contains $parameter) { "[switch]`$$parameter" } else { "`$$parameter" }
        })
    if ($inputs[$name]) { $parts += '[Parameter(ValueFromPipeline = $true)]$Through' }
    $text = "[CmdletBinding(SupportsShouldProcess = `$true)] param($($parts -join ', ')) process { Invoke-StandInCmdlet '$name' `$PSBoundParameters }"
    Set-Item -Path "function:script:$name" -Value ([scriptblock]::Create($text))
}

function format.com {
    $H.Calls += "format.com $args"
    $global:LASTEXITCODE = 0
    if ($H.Answers['format.com']) { & $H.Answers['format.com'] }
}

Export-ModuleMember -Function *
