# Running other programs, trying again, restarting, and what Windows this is.

# ERROR_INSTALL_ALREADY_RUNNING: Windows Installer takes one installation at a time.
$installerBusy = 1618
$installerTries = 60
$installerInterval = 10

function Invoke-Program {
    # Waits for the program; anything but an accepted exit code is an error.
    param([string]$Path, [string]$Arguments, [int[]]$Accept = @(0))
    $code = Start-Program $Path $Arguments
    for ($attempt = 1; $code -eq $installerBusy -and $attempt -lt $installerTries; $attempt++) {
        Write-Host "Another installation is running; trying again."
        Start-Sleep -Seconds $installerInterval
        $code = Start-Program $Path $Arguments
    }
    if ($Accept -notcontains $code) {
        throw "$Path $Arguments failed with exit code $code."
    }
    return $code
}

function Start-Program {
    # Start-Process -Wait would also wait for everything the program leaves running.
    param([string]$Path, [string]$Arguments)
    $process = New-Object System.Diagnostics.Process
    $process.StartInfo.FileName = $Path
    $process.StartInfo.Arguments = $Arguments
    $process.StartInfo.UseShellExecute = $false
    $process.StartInfo.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
    [void]$process.Start()
    $process.WaitForExit()
    return $process.ExitCode
}

function Invoke-Retry {
    param([scriptblock]$Command, [int]$MaxRetryCount = 4, [int]$RetryInterval = 4)
    for ($attempt = 1; $true; $attempt++) {
        try {
            return & $Command
        } catch {
            if ($attempt -ge $MaxRetryCount) {
                throw
            }
            Write-Host "Attempt $attempt failed: $($_.Exception.Message)"
            Start-Sleep -Seconds $RetryInterval
        }
    }
}

function Add-Count {
    # Counts something that happens once between two restarts; returns how often it did.
    param([string]$Name)
    $file = "$resourcesDir\count-$Name.txt"
    Add-Content -Path $file -Value "1" -Encoding Ascii
    return @(Get-Content $file).Count
}

function Restart-Image {
    # Logon.ps1 is started again after the next automatic logon.
    param([string]$Stage, [string]$Reason)
    Write-Log $Stage "$Reason Restarting."
    & "$ENV:SystemRoot\System32\shutdown.exe" /r /f /t 0
    exit 0
}

function Stop-Image {
    param([string]$Stage, [string]$Reason, [string]$Result)
    Write-Log $Stage $Reason $Result
    Complete-Reports
    & "$ENV:SystemRoot\System32\shutdown.exe" /s /f /t 0
    exit 0
}

function Get-WindowsVersion {
    # [Environment]::OSVersion says 6.2 to a program that does not declare a later Windows.
    return [version](Get-WmiObject -Class Win32_OperatingSystem).Version
}

function Test-WindowsVersion {
    # Whether this is at least that version, such as "6.2" for Windows 8 and Server 2012.
    param([string]$Least)
    return (Get-WindowsVersion) -ge [version]$Least
}

function Test-WindowsClient {
    $key = "HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    return (Get-ItemProperty -Path $key).InstallationType -eq "Client"
}
