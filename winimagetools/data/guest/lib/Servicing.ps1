# Features, packages and components of Windows, and its disk.

$restartRequired = 3010
$maximumRestarts = 3

function Invoke-Servicing {
    # What the host could not do offline, written down as a command script.
    $script = "$resourcesDir\Servicing\Servicing.cmd"
    if (-not (Test-Path $script)) {
        return
    }
    Write-Log "Servicing" "Adding features and packages."
    try {
        $code = Invoke-Program "$ENV:SystemRoot\System32\cmd.exe" "/c `"$script`"" @(0, $restartRequired)
    } finally {
        Write-StepResults "Servicing" "$resourcesDir\Servicing\results.txt"
    }
    if ($code -eq $restartRequired) {
        Restart-Image "Servicing" "Features or packages need it."
    }
    Write-Log "Servicing" "Features and packages were added."
}

function Write-DriverResults {
    # The driver packages that were installed in the specialize pass.
    Write-StepResults "Drivers" "$ENV:SystemRoot\Panther\winimagetools-drivers.txt"
}

function Restore-BootCode {
    # A disk for BIOS that was made on Linux starts through GRUB until Windows has started once.
    $mark = "$resourcesDir\boot-code.txt"
    if (-not (Test-Path $mark)) {
        return
    }
    Remove-Item -Force $mark
    $bootsect = "$ENV:SystemRoot\System32\bootsect.exe"
    if (-not (Test-Path $bootsect)) {
        Write-Log "BootCode" "Windows has no bootsect.exe: the disk starts through GRUB as before."
        return
    }
    # GRUB does without the boot code of the volume, so that comes first: whatever fails, the
    # disk starts.
    foreach ($arguments in "/nt60 SYS", "/nt60 SYS /mbr") {
        $code = Start-Program $bootsect $arguments
        if ($code) {
            Write-Log "BootCode(failed)" "bootsect.exe $arguments ended with $code; the disk starts through GRUB as before."
            return
        }
    }
    Write-Log "BootCode" "The disk starts with the boot code of Windows."
}

function Write-StepResults {
    # A command script leaves one line for each step: "done" or "failed", exit code, command.
    param([string]$Stage, [string]$Path)
    $lines = @(Get-Content $Path -ErrorAction SilentlyContinue)
    if ($lines.Count -eq 0) {
        return
    }
    Remove-Item -Force $Path
    # In one report: of several with the same name Hyper-V shows the last.
    $failed = @($lines | Where-Object { $_ -like "failed *" })
    $text = "$($failed.Count) of $($lines.Count) failed"
    if ($failed.Count) {
        Write-Log "$Stage(failed)" "${text}: $($failed -join '; ')"
    } else {
        Write-Log "$Stage(results)" "$text."
    }
}

function Install-NetFramework35 {
    $arguments = "/Online /Enable-Feature /FeatureName:NetFx3 /NoRestart"
    if (Test-WindowsVersion "6.2") {
        $arguments += " /All"
    }
    [void](Invoke-Program "$ENV:SystemRoot\System32\Dism.exe" $arguments @(0, $restartRequired))
    Write-Log "NetFramework35" ".NET Framework 3.5 was installed."
}

function Clear-ComponentStore {
    param([bool]$Purge)
    if (-not (Test-WindowsVersion "6.2")) {
        return
    }
    try {
        Invoke-Retry { Invoke-ComponentCleanup $Purge }
    } catch {
        # A restart often helps, but not for ever.
        if ((Add-Count "cleanup-restarts") -gt $maximumRestarts) {
            throw
        }
        Restart-Image "DISM" "The component store could not be cleaned."
    }
}

function Invoke-ComponentCleanup {
    param([Alias("PurgeUpdates")]$Purge)
    $arguments = "/Online /Cleanup-Image /StartComponentCleanup"
    # Windows 8 and Server 2012 do not know /ResetBase.
    if ($Purge -and (Test-WindowsVersion "6.3")) {
        $arguments += " /ResetBase"
    }
    [void](Invoke-Program "$ENV:SystemRoot\System32\Dism.exe" $arguments @(0, $restartRequired))
    Write-Log "Cleanup" "The component store was cleaned."
}

function Optimize-Disk {
    [void](Invoke-Program "$ENV:SystemRoot\System32\defrag.exe" "/C /H /V")
    Write-Log "Defragment" "The disk was defragmented."
}

function Clear-FreeSpace {
    $zapfree = "$resourcesDir\zapfree.exe"
    if (Test-Path $zapfree) {
        Write-Log "ZapFree" "Overwriting unused clusters with zeros."
        # It takes "C:" for the current folder of that drive and wants that to be the root.
        Set-Location "$ENV:SystemDrive\"
        $code = Invoke-Program $zapfree "-z $ENV:SystemDrive" @(0, 1)
        if ($code) {
            # The image is larger than it could be, and good otherwise.
            Write-Log "ZapFree" "Unused clusters could not be overwritten."
        } else {
            Write-Log "ZapFree" "Unused clusters are zero."
        }
    }
}

function Clear-Addresses {
    # ipconfig fails when no adapter has a lease; then there is nothing to release.
    & "$ENV:SystemRoot\System32\ipconfig.exe" /release | Out-Host
    Write-Log "Ipconfig" "Addresses were released (exit code $LASTEXITCODE)."
}
