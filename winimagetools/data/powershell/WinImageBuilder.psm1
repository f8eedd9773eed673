# winimagetools: making Windows images, through Python.

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
. (Join-Path $PSScriptRoot 'Python.ps1')
Import-Module (Join-Path $PSScriptRoot 'Config.psm1')

# What scripts that compare or print an architecture are used to.
$architectureNames = @{ x86 = 'x86'; amd64 = 'AMD64'; arm = 'ARM'; arm64 = 'ARM64'; ia64 = 'IA64' }

function Get-WimFileImagesInfo {
    <#
    .SYNOPSIS
     Lists the Windows editions in a WIM, ESD or SWM file, or in the one on an ISO.
    .PARAMETER WimFilePath
     The file.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]
        [string]$WimFilePath
    )
    process {
        $answer = ConvertFrom-Json (Invoke-WinImageTools @('Get-WimFileImagesInfo', '-WimFilePath', $WimFilePath, '--json'))
        foreach ($image in $answer) {
            # Not a PSCustomObject: before PowerShell 6.1 a single one has no element [0].
            New-Object -TypeName System.Object | Add-Member -PassThru -NotePropertyMembers ([ordered]@{
                ImageIndex = [string]$image.index
                ImageName = [string]$image.name
                ImageDescription = [string]$image.description
                ImageFlags = [string]$image.flags
                ImageInstallationType = [string]$image.installation_type
                ImageEditionId = [string]$image.edition_id
                ImageProductType = [string]$image.product_type
                ImageSize = [uint64]$image.size
                ImageArchitecture = $architectureNames[[string]$image.architecture]
                ImageDefaultLanguage = [string]$image.default_language
                ImageVersion = [version]$image.version
                ImageDisplayName = [string]$image.display_name
                ImageDisplayDescription = [string]$image.display_description
            })
        }
    }
}

function New-WindowsCloudImage {
    <#
    .SYNOPSIS
     Makes an image that finishes itself when it first starts and then powers off.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$ConfigFilePath
    )
    process {
        Write-Host (Invoke-WinImageTools @('New-WindowsCloudImage', '-ConfigFilePath', $ConfigFilePath))
    }
}

function New-WindowsOnlineImage {
    <#
    .SYNOPSIS
     Makes an image and finishes it in a virtual machine.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$ConfigFilePath
    )
    process {
        Write-Host (Invoke-WinImageTools @('New-WindowsOnlineImage', '-ConfigFilePath', $ConfigFilePath))
    }
}

function New-WindowsFromGoldenImage {
    <#
    .SYNOPSIS
     Makes an image from a copy of a golden one and finishes it in a virtual machine.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$ConfigFilePath
    )
    process {
        Write-Host (Invoke-WinImageTools @('New-WindowsFromGoldenImage', '-ConfigFilePath', $ConfigFilePath))
    }
}

function Test-OfflineWindowsImage {
    <#
    .SYNOPSIS
     Checks a finished image against its configuration without starting it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, ValueFromPipeline = $true)]
        [string]$ConfigFilePath
    )
    process {
        Invoke-WinImageTools @('Test-OfflineWindowsImage', '-ConfigFilePath', $ConfigFilePath) | Out-Null
    }
}

function Resize-VHDImage {
    <#
    .SYNOPSIS
     Makes a virtual disk and its largest volume as small as they can be.
    .PARAMETER VirtualDiskPath
     The disk.
    .PARAMETER FreeSpace
     Bytes that stay free.
    #>
    param(
        [Parameter(Mandatory = $true)]
        [string]$VirtualDiskPath,
        [Parameter(Mandatory = $false)]
        [uint64]$FreeSpace = 524288000
    )
    Invoke-WinImageTools @('Resize-VHDImage', '-VirtualDiskPath', $VirtualDiskPath, '-FreeSpace', [string]$FreeSpace) | Out-Null
}

function Add-VirtIODriversFromISO {
    <#
    .SYNOPSIS
     Adds the virtio drivers of an ISO to Windows on an attached volume.
    .PARAMETER VhdDriveLetter
     The drive letter of the volume.
    .PARAMETER Image
     What Windows it is: an object of Get-WimFileImagesInfo, or one with the same ImageVersion,
     ImageArchitecture and ImageInstallationType.
    .PARAMETER IsoPath
     The virtio ISO.
    #>
    param(
        [Parameter(Mandatory = $true)]
        [string]$VhdDriveLetter,
        [Parameter(Mandatory = $true)]
        [object]$Image,
        [Parameter(Mandatory = $true)]
        [string]$IsoPath
    )
    $version = '{0}.{1}.{2}' -f $Image.ImageVersion.Major, $Image.ImageVersion.Minor, $Image.ImageVersion.Build
    Invoke-WinImageTools @(
        'Add-VirtIODriversFromISO', '-VhdDriveLetter', $VhdDriveLetter, '-IsoPath', $IsoPath,
        ('--image-version=' + $version),
        ('--image-architecture=' + $Image.ImageArchitecture),
        ('--installation-type=' + $Image.ImageInstallationType)
    ) | Out-Null
}

Export-ModuleMember -Function @(
    'Get-WimFileImagesInfo',
    'New-WindowsCloudImage',
    'New-WindowsOnlineImage',
    'New-WindowsFromGoldenImage',
    'Test-OfflineWindowsImage',
    'Resize-VHDImage',
    'Add-VirtIODriversFromISO',
    'Get-WindowsImageConfig',
    'New-WindowsImageConfig'
)
