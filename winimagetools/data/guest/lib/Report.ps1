# Tells the host how far the image is. On Hyper-V each stage is a value named
# ImageGenerationLog-<stage> of the data exchange service; everywhere it is one line of JSON on
# the second serial port:
#
#   {"stage": "Updates", "message": "3 updates found", "result": "running"}
#
# "result" is "running" until the last report: "done" (stage StatusFinal), "failed" (ERROR), or
# "stopped" (StatusStopped) when a hook script wanted the power off. A machine that powers off
# without one of them has not finished its image.

$logFile = "$resourcesDir\image-generation-log.txt"
$failureMark = "$resourcesDir\image-generation-failed.txt"
$dataExchangeKey = "HKLM:\SOFTWARE\Microsoft\Virtual Machine\Auto"
# The service carries 2048 bytes, two for each character and a zero at the end.
$longestReport = 1000
$verdicts = "ImageGenerationLog-StatusFinal", "ImageGenerationLog-StatusStopped", "ImageGenerationLog-ERROR"
$secondsToBeHeard = 30

function Write-Log {
    param([string]$Stage = "Default", [string]$StageLog = "", [string]$Result = "running")
    $time = (Get-Date).ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss")
    $line = "$time ${Stage}: $StageLog"
    Write-Host $line
    try {
        if (Test-Path $resourcesDir) {
            Add-Content -Path $logFile -Value $line -Encoding UTF8
        }
    } catch {
        # A full disk, say; the host hears of it all the same.
        Write-Host "The log could not be written: $($_.Exception.Message)"
    }
    Send-Report $Stage $StageLog $Result
}

function Send-Report {
    param([string]$Stage, [string]$Message, [string]$Result)
    if ($Message.Length -gt $longestReport) {
        $Message = $Message.Substring(0, $longestReport)
    }
    if (Test-Path $dataExchangeKey) {
        Set-ItemProperty -Path $dataExchangeKey -Name "ImageGenerationLog-$Stage" `
            -Value $Message -ErrorAction SilentlyContinue
    }
    $fields = @(
        ('"stage": ' + (ConvertTo-JsonText $Stage)),
        ('"message": ' + (ConvertTo-JsonText $Message)),
        ('"result": ' + (ConvertTo-JsonText $Result))
    )
    Send-SerialLine ("{" + ($fields -join ", ") + "}")
}

function ConvertTo-JsonText {
    # ConvertTo-Json came with PowerShell 3; Windows 7 has version 2.
    param([string]$Text)
    $escaped = New-Object System.Text.StringBuilder
    foreach ($character in $Text.ToCharArray()) {
        $code = [int]$character
        if ($character -eq '"' -or $character -eq '\') {
            [void]$escaped.Append('\').Append($character)
        } elseif ($code -lt 32 -or $code -gt 126) {
            [void]$escaped.Append('\u').Append($code.ToString("x4"))
        } else {
            [void]$escaped.Append($character)
        }
    }
    return '"' + $escaped.ToString() + '"'
}

function Send-SerialLine {
    param([string]$Line)
    try {
        $port = New-Object System.IO.Ports.SerialPort "COM2", 115200
        $port.WriteTimeout = 5000
        $port.Open()
        try {
            $port.Write("$Line`n")
        } catch {
            # Otherwise closing the port waits until somebody reads what is left.
            $port.DiscardOutBuffer()
            throw
        } finally {
            $port.Close()
        }
    } catch {
        Write-Host "Nobody listens on COM2: $($_.Exception.Message)"
    }
}

function Clear-Reports {
    # The values outlive restarts and copies of the disk: what an earlier run said must not be
    # taken for the word of this one. Verdicts go last, so a host never sees a list that has
    # lost its verdict already.
    if (-not (Test-Path $dataExchangeKey)) {
        return
    }
    $names = @((Get-Item $dataExchangeKey).GetValueNames() |
        Where-Object { $_ -like "ImageGenerationLog-*" } |
        Sort-Object { $verdicts -contains $_ })
    foreach ($name in $names) {
        Remove-ItemProperty -Path $dataExchangeKey -Name $name -ErrorAction SilentlyContinue
    }
}

function Complete-Reports {
    # The service hands values over while Windows runs, when it gets to it, and the host looks
    # every few seconds: a verdict right before the power-off would not be heard.
    if (Test-Path $dataExchangeKey) {
        Start-Sleep -Seconds $secondsToBeHeard
        Clear-Reports
    }
}

function Stop-WithFailure {
    # Nobody sits in front of this machine: leave a mark, say why, power off. What Windows
    # would start after this script has to wait until the power is off.
    param($Failure)
    $text = "$($Failure.Exception.Message) $($Failure.InvocationInfo.PositionMessage)"
    try {
        Set-Content -Path $failureMark -Value $text -Encoding UTF8
    } catch {
        Write-Host "The mark could not be written: $($_.Exception.Message)"
    }
    Write-Log "ERROR" $text "failed"
    Complete-Reports
    & "$ENV:SystemRoot\System32\shutdown.exe" /s /f /t 0
    Start-Sleep -Seconds 300
    exit 1
}
