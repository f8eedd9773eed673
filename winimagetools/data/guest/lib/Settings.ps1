# Options that change a setting of the finished image.

$systemPolicy = "HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
$netsh = "$ENV:SystemRoot\System32\netsh.exe"
# While it is prepared, the machine can be watched by ping.
$buildPing = "winimagetools ping"

function Set-Number {
    param([string]$Key, [string]$Name, [int]$Value)
    if (-not (Test-Path $Key)) {
        [void](New-Item -Path $Key -Force)
    }
    [void](New-ItemProperty -Path $Key -Name $Name -Value $Value -PropertyType DWord -Force)
}

function Enable-ShutdownWithoutLogon {
    Set-Number $systemPolicy "shutdownwithoutlogon" 1
    $windows = "HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Windows"
    Set-Number $windows "ShutdownWarningDialogTimeout" 1
    Write-Log "ShutdownWithoutLogon" "The logon screen offers to shut down."
}

function Disable-FirstLogonAnimation {
    if (Test-WindowsVersion "6.2") {
        Set-Number $systemPolicy "EnableFirstLogonAnimation" 0
    }
    Write-Log "FirstLogonAnimation" "The first logon shows no animation."
}

function Enable-Ping {
    foreach ($rule in @("4", "icmpv4:8,any"), @("6", "icmpv6:128,any")) {
        $name = "Answer IPv$($rule[0]) ping"
        $arguments = "advfirewall firewall add rule name=`"$name`" dir=in action=allow protocol=$($rule[1])"
        [void](Invoke-Program $netsh $arguments)
    }
    Write-Log "Ping" "Ping is answered over IPv4 and IPv6."
}

function Enable-BuildPing {
    # The firewall may not be up this early; then the machine is built without.
    & $netsh advfirewall firewall add rule "name=$buildPing" dir=in action=allow "protocol=icmpv4:8,any" | Out-Host
    Write-Log "Ping" "Ping is answered during the build (exit code $LASTEXITCODE)."
}

function Disable-BuildPing {
    # netsh returns 1 when there is no such rule.
    [void](Invoke-Program $netsh "advfirewall firewall delete rule name=`"$buildPing`"" @(0, 1))
}

function Enable-Eui64 {
    # Clouds expect the address they derive from the MAC address.
    [void](Invoke-Program $netsh "interface ipv6 set global randomizeidentifiers=disabled")
    [void](Invoke-Program $netsh "interface ipv6 set privacy state=disabled")
    Write-Log "IPv6" "IPv6 addresses are derived from MAC addresses."
}

function Enable-AlwaysActiveMode {
    $powercfg = "$ENV:SystemRoot\System32\powercfg.exe"
    $highPerformance = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
    Set-Number $systemPolicy "InactivityTimeoutSecs" 0
    # Server Core and some virtual machines do not have every power setting.
    & $powercfg /setactive $highPerformance
    foreach ($setting in "monitor-timeout-ac", "monitor-timeout-dc", "standby-timeout-ac", "standby-timeout-dc") {
        & $powercfg /change $setting 0
    }
    & $powercfg /hibernate off
    Write-Log "AlwaysActive" "The machine neither sleeps nor turns its screen off."
}

function Set-ImageTimeZone {
    param([Alias("CustomTimezone")][string]$Name)
    [void](Invoke-Program "$ENV:SystemRoot\System32\tzutil.exe" "/s `"$Name`"")
    Write-Log "Customization(1)" "The time zone is $Name."
}

function Set-TimeServers {
    param([Alias("CustomNtpServers")][string]$Servers)
    $arguments = "/config /syncfromflags:manual /manualpeerlist:`"$Servers`""
    [void](Invoke-Program "$ENV:SystemRoot\System32\w32tm.exe" $arguments)
    Set-Service "W32Time" -StartupType Automatic
    Write-Log "Customization(2)" "Time comes from $Servers."
}
