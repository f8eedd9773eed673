# Runs as SYSTEM in the specialize pass of the first start, before anybody can log on.

$ErrorActionPreference = "Stop"
$resourcesDir = "$ENV:SystemDrive\UnattendResources"

. "$resourcesDir\lib\Report.ps1"
try {
    . "$resourcesDir\lib\Programs.ps1"
    . "$resourcesDir\lib\Settings.ps1"

    Write-Log "Specialize" "First start."
    Enable-BuildPing
    # Applications that install themselves for one user keep sysprep from generalizing.
    Set-Number "HKLM:\SOFTWARE\Policies\Microsoft\WindowsStore" "AutoDownload" 2
    Set-Number "HKLM:\SOFTWARE\Policies\Microsoft\Windows\CloudContent" "DisableWindowsConsumerFeatures" 1
    if (@(Get-Service "InstallService" -ErrorAction SilentlyContinue).Count) {
        Stop-Service -Force "InstallService" -ErrorAction SilentlyContinue
        Set-Service "InstallService" -StartupType Manual -ErrorAction SilentlyContinue
    }
    # Fast startup leaves the file system in a state that Linux does not mount.
    Set-Number "HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Power" "HiberbootEnabled" 0
    Write-Log "Specialize" "Done."
} catch {
    Stop-WithFailure $_
}
