# Finishes the image. Windows starts this script at every automatic logon, so it begins from
# the top after each restart: whatever is done already must notice that and pass quickly.

$ErrorActionPreference = "Stop"
$resourcesDir = "$ENV:SystemDrive\UnattendResources"
$configIniPath = "$resourcesDir\config.ini"
$customScriptsDir = "$resourcesDir\CustomScripts"

. "$resourcesDir\lib\Report.ps1"
try {
    . "$resourcesDir\lib\Programs.ps1"
    . "$resourcesDir\lib\Options.ps1"
    . "$resourcesDir\lib\FirstLogon.ps1"
    . "$resourcesDir\lib\Hooks.ps1"
    . "$resourcesDir\lib\Licensing.ps1"
    . "$resourcesDir\lib\Servicing.ps1"
    . "$resourcesDir\lib\Updates.ps1"
    . "$resourcesDir\lib\Agents.ps1"
    . "$resourcesDir\lib\Accounts.ps1"
    . "$resourcesDir\lib\Settings.ps1"
    . "$resourcesDir\lib\Obstacles.ps1"
    . "$resourcesDir\lib\Sysprep.ps1"
    . "$resourcesDir\lib\HookNames.ps1"

    Clear-Reports
    Write-Log "StatusInitial" "Windows $(Get-WindowsVersion), PowerShell $($PSVersionTable.PSVersion)."
    Remove-Item -Force $failureMark -ErrorAction SilentlyContinue
    Invoke-FirstLogon
    Write-DriverResults
    Restore-BootCode

    $productKey = Get-Option "DEFAULT" "product_key"
    if ($productKey) {
        Set-WindowsLicense $productKey
    }
    if (Test-Option "custom" "install_qemu_ga") {
        Install-QemuGuestAgent
    }
    if (Test-Option "DEFAULT" "install_net_3_5") {
        Install-NetFramework35
    }
    Invoke-Servicing

    Invoke-Hook "RunBeforeWindowsUpdates.ps1"
    if (Test-Option "updates" "install_updates") {
        Install-WindowsUpdates
    }
    if (Test-Option "updates" "clean_updates_online" $true) {
        Clear-ComponentStore (Test-Option "updates" "purge_updates")
    }
    Invoke-Hook "RunAfterWindowsUpdates.ps1"

    if (Test-Option "DEFAULT" "gold_image") {
        # The automatic logon stays: what is made from a golden image goes on from here.
        Remove-StagingFolders
        Set-Location "$ENV:SystemDrive\"
        Invoke-Retry { Remove-Item -Recurse -Force $resourcesDir }
        Stop-Image "StatusFinal" "The golden image is ready." "done"
    }

    if (Get-Option "DEFAULT" "vmware_tools_path") {
        Install-VMwareTools
    }
    Invoke-Hook "RunBeforeCloudbaseInitInstall.ps1"
    $cloudbaseInitInstallDir = Install-CloudbaseInit
    Invoke-Hook "RunAfterCloudbaseInitInstall.ps1"

    Optimize-Disk
    Clear-Addresses

    $windowsClient = Test-WindowsClient
    if (Test-Option "DEFAULT" "enable_shutdown_without_logon") {
        Enable-ShutdownWithoutLogon
    }
    if ($windowsClient -and (Test-Option "DEFAULT" "disable_first_logon_animation")) {
        Disable-FirstLogonAnimation
    }
    if (Test-Option "DEFAULT" "enable_ping_requests") {
        Enable-Ping
    }
    if (Test-Option "DEFAULT" "enable_ipv6_eui64") {
        Enable-Eui64
    }
    if ($windowsClient -and (Test-Option "DEFAULT" "enable_administrator_account")) {
        Enable-AdministratorAccount
    }
    if (Test-Option "DEFAULT" "enable_active_mode") {
        Enable-AlwaysActiveMode
    }
    $timeZone = Get-Option "custom" "time_zone"
    if ($timeZone) {
        Set-ImageTimeZone $timeZone
    }
    $timeServers = Get-Option "custom" "ntp_servers"
    if ($timeServers) {
        Set-TimeServers $timeServers
    }

    $unattendedXmlPath = "$cloudbaseInitInstallDir\conf\Unattend.xml"
    Set-PersistDrivers $unattendedXmlPath (Test-Option "sysprep" "persist_drivers_install" $true)
    if (Test-Option "sysprep" "disable_swap") {
        Invoke-Retry { Disable-Swap }
        Enable-SwapAtFirstStart $unattendedXmlPath
    }
    Invoke-Hook "RunBeforeSysprep.ps1"
    Remove-BuildAccount
    Disable-BuildPing
    Disable-Encryption
    Remove-UserPackages
    Remove-StagingFolders
    Clear-FreeSpace
    Invoke-Sysprep $unattendedXmlPath
    Invoke-Hook "RunAfterSysprep.ps1"
    Remove-Traces
    Stop-Image "StatusFinal" "The image is ready." "done"
} catch {
    Stop-WithFailure $_
}
