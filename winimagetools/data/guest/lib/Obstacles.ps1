# What would keep sysprep from generalizing, and is taken out of its way.

$volumeEncryption = "root\CIMV2\Security\MicrosoftVolumeEncryption"
$fullyDecrypted = 0
$decrypting = 3
$decryptionBegins = 60  # seconds

function Disable-Encryption {
    # Windows may have turned device encryption on by itself, which sysprep refuses.
    $filter = "DriveLetter='$ENV:SystemDrive'"
    $volume = Get-WmiObject -Namespace $volumeEncryption -Class Win32_EncryptableVolume -Filter $filter `
        -ErrorAction SilentlyContinue
    if (-not $volume -or $volume.GetConversionStatus().ConversionStatus -eq $fullyDecrypted) {
        return
    }
    # Otherwise it would begin anew.
    Set-Number "HKLM:\SYSTEM\CurrentControlSet\Control\BitLocker" "PreventDeviceEncryption" 1
    $code = $volume.Decrypt().ReturnValue
    if ($code) {
        throw "The disk is encrypted, and Windows does not decrypt it ($code)."
    }
    Wait-Decryption $volume
    Write-Log "Encryption" "The disk was decrypted."
}

function Wait-Decryption {
    # As long as it gets on: only a number that changes is news for the host. Windows takes the
    # request and may go on telling for a while what was before it.
    param($Volume)
    $last, $waited = -1, 0
    while ($true) {
        $status = $Volume.GetConversionStatus()
        if ($status.ConversionStatus -eq $fullyDecrypted) {
            return
        }
        $begun = $status.ConversionStatus -eq $decrypting
        if (-not $begun -and $last -ge 0) {
            throw "The disk is encrypted, and its decryption has stopped (status $($status.ConversionStatus))."
        }
        if (-not $begun -and $waited -ge $decryptionBegins) {
            throw "The disk is encrypted, and Windows has not begun to decrypt it within $waited seconds (status $($status.ConversionStatus))."
        }
        if ($begun -and $status.EncryptionPercentage -ne $last) {
            $last = $status.EncryptionPercentage
            Write-Log "Encryption" "The disk is being decrypted, $last percent are left."
        }
        Start-Sleep -Seconds 10
        $waited += 10
    }
}

function Remove-UserPackages {
    # Sysprep refuses an application that a user has and new users would not get.
    if (-not (Get-Command "Get-AppxProvisionedPackage" -ErrorAction SilentlyContinue)) {
        return
    }
    try {
        $provisioned = @(Get-AppxProvisionedPackage -Online | ForEach-Object { $_.DisplayName })
        $packages = @(Get-AppxPackage -AllUsers | Where-Object { Test-UserPackage $_ $provisioned })
    } catch {
        Write-Log "Packages(failed)" "Windows does not tell its applications: $($_.Exception.Message)"
        return
    }
    foreach ($package in @($packages)) {
        try {
            Remove-UserPackage $package.PackageFullName
            Write-Log "Packages" "$($package.Name) was removed, which was there for one user only."
        } catch {
            # Sysprep says whether it minds.
            Write-Log "Packages(failed)" "$($package.Name) could not be removed: $($_.Exception.Message)"
        }
    }
}

function Test-UserPackage {
    # Whether a package is an application that users have and the image has not. Frameworks and
    # parts of Windows are no applications, and a package that is only staged has no user.
    param($Package, [string[]]$Provisioned)
    if ($Package.IsFramework -or $Package.NonRemovable -or $Package.SignatureKind -eq "System") {
        return $false
    }
    $users = @($Package.PackageUserInformation | Where-Object { $_.InstallState -eq "Installed" })
    return $users.Count -gt 0 -and $Provisioned -notcontains $Package.Name
}

function Remove-UserPackage {
    param([string]$FullName)
    # Before Windows 10 1709 it can be removed for the own user only, who is the only one here.
    $all = @{}
    if ((Get-Command "Remove-AppxPackage").Parameters.ContainsKey("AllUsers")) {
        $all["AllUsers"] = $true
    }
    Remove-AppxPackage -Package $FullName @all
}
