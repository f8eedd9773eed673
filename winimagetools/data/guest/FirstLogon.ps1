# Runs once, before Logon.ps1 and before the desktop appears: only VMware needs something so
# early, its tools from the CD that the hypervisor inserts.

$ErrorActionPreference = "Stop"
$resourcesDir = "$ENV:SystemDrive\UnattendResources"

. "$resourcesDir\lib\Report.ps1"
try {
    . "$resourcesDir\lib\Programs.ps1"

    $maker = (Get-WmiObject -Class Win32_ComputerSystem).Manufacturer
    Write-Log "FirstLogon" "This machine was made by $maker."
    if ($maker -like "VMware*") {
        $drives = Get-WmiObject -Class Win32_LogicalDisk -Filter "DriveType=5"
        foreach ($drive in @($drives)) {
            $setup = "$($drive.DeviceID)\setup64.exe"
            if (Test-Path $setup) {
                [void](Invoke-Program $setup "/s /v `"/qn REBOOT=R`"" @(0, 1641, 3010))
                Write-Log "VMwareTools" "VMware Tools were installed from $setup."
            }
        }
    }
} catch {
    Stop-WithFailure $_
}
