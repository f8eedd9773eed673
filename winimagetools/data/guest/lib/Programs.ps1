# Running other programs, trying again, restarting.

function Invoke-Program {
    # Waits for the program; anything but an accepted exit code is an error.
    param([string]$Path, [string]$Arguments, [int[]]$Accept = @(0))
    $process = Start-Process -FilePath $Path -ArgumentList $Arguments -Wait -PassThru -NoNewWindow
    $code = $process.ExitCode
    if ($Accept -notcontains $code) {
        throw "$Path $Arguments failed with exit code $code."
    }
    return $code
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
    Add-Content -Path $file -Value "1"
    return @(Get-Content $file).Count
}

# Hook scripts written for the PowerShell tools know it by this name.
Set-Alias -Name ExecRetry -Value Invoke-Retry

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

function Test-WindowsVersion {
    # Whether this is at least that version, such as "6.2" for Windows 8 and Server 2012.
    param([string]$Least)
    return [System.Environment]::OSVersion.Version -ge [version]$Least
}

function Test-WindowsClient {
    $key = "HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    $values = Get-ItemProperty -Path $key
    return $values.InstallationType -eq "Client"
}
