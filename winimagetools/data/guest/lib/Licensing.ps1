# The product key. WMI answers in one language everywhere, slmgr.vbs does not.

$windowsApplicationId = "55c92734-d682-4d71-983e-d6ec3f16059f"

function Get-WindowsLicense {
    $filter = "ApplicationID='$windowsApplicationId' AND PartialProductKey IS NOT NULL"
    return Get-WmiObject -Class SoftwareLicensingProduct -Filter $filter | Select-Object -First 1
}

function Set-WindowsLicense {
    param([string]$ProductKey)
    $license = Get-WindowsLicense
    if ($ProductKey -eq "default_kms_key") {
        Reset-KmsTrial $license
        return
    }
    $licensed = $license -and $license.LicenseStatus -eq 1
    if ($licensed -and $ProductKey.EndsWith($license.PartialProductKey)) {
        Write-Log "License" "Windows has this product key already."
        return
    }
    $service = Get-WmiObject -Class SoftwareLicensingService
    [void]$service.InstallProductKey($ProductKey)
    [void]$service.RefreshLicenseStatus()
    Write-Log "License" "The product key was installed."
}

function Reset-KmsTrial {
    # Otherwise the days this image was in use would count for every machine made from it.
    param($License)
    if (-not (Test-WindowsVersion "6.2")) {
        Write-Log "License" "This Windows needs no reset of the KMS trial period."
    } elseif ($License -and $License.Description -like "*VOLUME_KMSCLIENT*") {
        [void]$License.UninstallProductKey()
        Write-Log "License" "The KMS trial period was reset."
    }
}
