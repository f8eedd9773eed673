# Programs of others: QEMU guest agent, VMware Tools, Cloudbase-Init.

$msiexec = "$ENV:SystemRoot\System32\msiexec.exe"
$msiAccepted = @(0, 1641, 3010)

function Install-QemuGuestAgent {
    if (@(Get-Service "QEMU-GA" -ErrorAction SilentlyContinue).Count) {
        Write-Log "QemuGa" "The QEMU guest agent is installed already."
        return
    }
    $installer = "$resourcesDir\qemu-ga.msi"
    $arguments = "/i `"$installer`" /qn /norestart /l*v `"$resourcesDir\qemu-ga.log`""
    [void](Invoke-Program $msiexec $arguments $msiAccepted)
    foreach ($service in "QEMU-GA", "QEMU Guest Agent VSS Provider") {
        if (-not @(Get-Service $service -ErrorAction SilentlyContinue).Count) {
            throw "The QEMU guest agent was installed but has no service $service."
        }
    }
    Write-Log "QemuGa" "The QEMU guest agent was installed."
}

function Install-VMwareTools {
    $arguments = "/s /v `"/qn REBOOT=R /l*v $resourcesDir\vmware-tools.log`""
    [void](Invoke-Program "$resourcesDir\VMware-tools.exe" $arguments $msiAccepted)
    Write-Log "VMwareTools" "VMware Tools were installed."
}

function Install-CloudbaseInit {
    # Returns the folder it is installed in.
    $arguments = "/i `"$resourcesDir\CloudbaseInit.msi`" /qn /norestart /l*v `"$resourcesDir\CloudbaseInit.log`""
    $port = Get-LoggingPort
    if ($port) {
        $arguments += " LOGGINGSERIALPORTNAME=$port"
    }
    $user = "cloudbase-init"
    if (Test-Option "cloudbase_init" "cloudbase_init_use_local_system") {
        $arguments += " RUN_SERVICE_AS_LOCAL_SYSTEM=1"
        $user = "LocalSystem"
    }
    [void](Invoke-Program $msiexec $arguments $msiAccepted)
    $folder = Find-CloudbaseInit
    Copy-CloudbaseInitConfig $folder
    Set-CloudbaseInitStart $folder
    Write-Log "Cloudbase-Init" "Cloudbase-Init was installed; its service runs as $user."
    return $folder
}

function Get-LoggingPort {
    $port = Get-Option "cloudbase_init" "serial_logging_port"
    if (-not $port) {
        $first = Get-WmiObject -Class Win32_SerialPort | Select-Object -First 1
        if ($first) {
            $port = $first.DeviceID
        }
    }
    return $port
}

function Find-CloudbaseInit {
    # The 32-bit program on 64-bit Windows lies in the other folder.
    foreach ($base in $ENV:ProgramFiles, ${ENV:ProgramFiles(x86)}) {
        if ($base) {
            $folder = Join-Path $base "Cloudbase Solutions\Cloudbase-Init"
            if (Test-Path "$folder\conf") {
                return $folder
            }
        }
    }
    throw "Cloudbase-Init was installed, but its folder is nowhere below Program Files."
}

function Copy-CloudbaseInitConfig {
    param([string]$Folder)
    foreach ($name in "cloudbase-init.conf", "cloudbase-init-unattend.conf") {
        if (Test-Path "$resourcesDir\$name") {
            Copy-Item -Force "$resourcesDir\$name" "$Folder\conf\$name"
            Write-Log "CloudbaseInitConfig" "$name of the user is used."
        }
    }
}

function Set-CloudbaseInitStart {
    param([string]$Folder)
    if (Test-Option "cloudbase_init" "cloudbase_init_delayed_start") {
        $arguments = "config cloudbase-init start= delayed-auto"
        [void](Invoke-Program "$ENV:SystemRoot\System32\sc.exe" $arguments)
        Write-Log "Cloudbase-InitDelayedStart" "The service starts delayed."
    } else {
        $command = "/c `"`"$Folder\bin\SetSetupComplete.cmd`"`""
        [void](Invoke-Program "$ENV:SystemRoot\System32\cmd.exe" $command)
        Write-Log "Cloudbase-InitSetupComplete" "The service is started by SetupComplete.cmd."
    }
}
