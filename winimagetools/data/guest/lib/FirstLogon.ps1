# What is done once, before anything else: VMware Tools from the disc the hypervisor inserts.

$firstLogonMark = "$resourcesDir\first-logon-done.txt"
$firstLogonMutex = "Global\winimagetools-first-logon"

function Invoke-FirstLogon {
    # FirstLogon.ps1 and Logon.ps1 may run at the same time: one works, the other waits.
    $mutex = New-Object System.Threading.Mutex $false, $firstLogonMutex
    try {
        [void]$mutex.WaitOne()
    } catch [System.Threading.AbandonedMutexException] {
        Write-Log "FirstLogon" "It was not finished before and begins again."
    }
    try {
        if (-not (Test-Path $firstLogonMark)) {
            Install-VMwareToolsFromDisc
            Set-Content -Path $firstLogonMark -Value "done" -Encoding Ascii
        }
    } finally {
        $mutex.ReleaseMutex()
        $mutex.Close()
    }
}

function Install-VMwareToolsFromDisc {
    $maker = (Get-WmiObject -Class Win32_ComputerSystem).Manufacturer
    Write-Log "FirstLogon" "This machine was made by $maker."
    if ($maker -notlike "VMware*") {
        return
    }
    if (@(Get-Service "VMTools" -ErrorAction SilentlyContinue).Count) {
        Write-Log "VMwareTools" "VMware Tools are installed already."
        return
    }
    foreach ($drive in @(Get-WmiObject -Class Win32_LogicalDisk -Filter "DriveType=5")) {
        $setup = "$($drive.DeviceID)\setup64.exe"
        if ($drive -and (Test-Path $setup)) {
            [void](Invoke-Program $setup "/s /v `"/qn REBOOT=R`"" @(0, 1641, 3010))
            Write-Log "VMwareTools" "VMware Tools were installed from $setup."
        }
    }
}
