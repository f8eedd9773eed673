# The names that hook scripts written for the PowerShell tools may use, and that have another
# one here. The others ($resourcesDir, $configIniPath, $customScriptsDir, $logFile,
# $productKey, $windowsClient, Write-Log, Disable-Swap, Install-QemuGuestAgent ...) are the
# same. tests/powershell/HookNames.Tests.ps1 has the whole list.

$cloudbaseInitInstallDir = "$ENV:ProgramFiles\Cloudbase Solutions\Cloudbase-Init"
$CloudbaseInitMsiPath = "$resourcesDir\CloudbaseInit.msi"
$CloudbaseInitMsiLog = "$resourcesDir\CloudbaseInit.log"
$CloudbaseInitConfigPath = "$resourcesDir\cloudbase-init.conf"
$CloudbaseInitUnattendedConfigPath = "$resourcesDir\cloudbase-init-unattend.conf"
$unattendedXmlPath = "$cloudbaseInitInstallDir\conf\Unattend.xml"

$goldImage = Test-Option "DEFAULT" "gold_image"
$installUpdates = Test-Option "updates" "install_updates"
$purgeUpdates = Test-Option "updates" "purge_updates"
$cleanUpdatesOnline = Test-Option "updates" "clean_updates_online" $true
$persistDrivers = Test-Option "sysprep" "persist_drivers_install" $true
$disableSwap = Test-Option "sysprep" "disable_swap"
$enableAdministrator = Test-Option "DEFAULT" "enable_administrator_account"
$enablePing = Test-Option "DEFAULT" "enable_ping_requests"
$useIpv6EUI64 = Test-Option "DEFAULT" "enable_ipv6_eui64"
$enableAlwaysActiveMode = Test-Option "DEFAULT" "enable_active_mode"
$vmwareToolsPath = Get-Option "DEFAULT" "vmware_tools_path"
$serialPortName = Get-Option "cloudbase_init" "serial_logging_port"
$customTimezone = Get-Option "custom" "time_zone"
$customNtpServers = Get-Option "custom" "ntp_servers"

Set-Alias -Name Clean-UpdateResources -Value Remove-Traces
Set-Alias -Name Clean-WindowsUpdates -Value Invoke-ComponentCleanup
Set-Alias -Name Disable-IPv6TemporaryAddress -Value Enable-Eui64
Set-Alias -Name Enable-PingFirewallRules -Value Enable-Ping
Set-Alias -Name Is-WindowsClient -Value Test-WindowsClient
Set-Alias -Name License-Windows -Value Set-WindowsLicense
Set-Alias -Name Optimize-SparseImage -Value Clear-FreeSpace
Set-Alias -Name Release-IP -Value Clear-Addresses
Set-Alias -Name Run-CustomScript -Value Invoke-Hook
Set-Alias -Name Run-Defragment -Value Optimize-Disk
Set-Alias -Name Set-CustomNtpServers -Value Set-TimeServers
Set-Alias -Name Set-CustomTimezone -Value Set-ImageTimeZone
Set-Alias -Name Set-UnattendEnableSwap -Value Enable-SwapAtFirstStart

function ExecRetry {
    # Only what is thrown counts as failed here: an error that a cmdlet reports, or a line that
    # a program writes to standard error, does not end the block.
    param($Command, $MaxRetryCount = 4, $RetryInterval = 4)
    $ErrorActionPreference = "Continue"
    return Invoke-Retry $Command $MaxRetryCount $RetryInterval
}

function Write-HostLog {
    # Tells the host only; Write-Log does that too.
    param([string]$Stage = "Default", [string]$StageLog = "")
    if ($StageLog) {
        Send-Report $Stage $StageLog "running"
    }
}
