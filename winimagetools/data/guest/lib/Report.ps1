# Tells the host how far the image is. On Hyper-V each stage is a value named
# ImageGenerationLog-<stage> of the data exchange service; elsewhere it is one line of JSON on
# the second serial port:
#
#   {"stage": "Updates", "message": "3 updates found", "result": "running"}
#
# "result" is "running" until the last report, which has "done" or "failed". A machine that
# powers off without "done" has not finished its image.

$logFile = "$resourcesDir\image-generation-log.txt"
$failureMark = "$resourcesDir\image-generation-failed.txt"
$dataExchangeKey = "HKLM:\SOFTWARE\Microsoft\Virtual Machine\Auto"
$longestReport = 2000

function Write-Log {
    param([string]$Stage = "Default", [string]$StageLog = "", [string]$Result = "running")
    $time = (Get-Date).ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss")
    $line = "$time ${Stage}: $StageLog"
    Write-Host $line
    if (Test-Path $resourcesDir) {
        Add-Content -Path $logFile -Value $line -Encoding UTF8 -ErrorAction SilentlyContinue
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
        return
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
        } finally {
            $port.Close()
        }
    } catch {
        Write-Host "Nobody listens on COM2: $($_.Exception.Message)"
    }
}

function Stop-WithFailure {
    # Nobody sits in front of this machine: leave a mark, say why, power off.
    param($Failure)
    $text = "$($Failure.Exception.Message) $($Failure.InvocationInfo.PositionMessage)"
    Set-Content -Path $failureMark -Value $text -Encoding UTF8 -ErrorAction SilentlyContinue
    Write-Log "ERROR" $text "failed"
    & "$ENV:SystemRoot\System32\shutdown.exe" /s /f /t 5
    exit 1
}
