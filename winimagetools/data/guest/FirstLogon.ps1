# Some answer files start this at the first logon, on Windows 10 and later beside Logon.ps1,
# which does the same: whoever comes second finds it done.

$ErrorActionPreference = "Stop"
$resourcesDir = "$ENV:SystemDrive\UnattendResources"

. "$resourcesDir\lib\Report.ps1"
try {
    . "$resourcesDir\lib\Programs.ps1"
    . "$resourcesDir\lib\FirstLogon.ps1"

    Invoke-FirstLogon
} catch {
    Stop-WithFailure $_
}
