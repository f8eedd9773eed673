# Options that change a setting of the finished image.

$systemPolicy = "HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
$netsh = "$ENV:SystemRoot\System32\netsh.exe"

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

function Enable-Eui64 {
    # Clouds expect the address they derive from the MAC address.
    [void](Invoke-Program $netsh "interface ipv6 set global randomizeidentifiers=disabled")
    [void](Invoke-Program $netsh "interface ipv6 set privacy state=disabled")
    Write-Log "IPv6" "IPv6 addresses are derived from MAC addresses."
}

function Enable-AdministratorAccount {
    # Found by its number: it has another name in other languages.
    $filter = "LocalAccount=True AND SID LIKE 'S-1-5-21-%-500'"
    $name = (Get-WmiObject -Class Win32_UserAccount -Filter $filter).Name
    $expires = "`$u = [adsi]'WinNT://./$name,user'; " +
        "`$u.UserFlags.Value = `$u.UserFlags.Value -band -bnot 65536; `$u.SetInfo()"
    $folder = "$ENV:SystemRoot\Setup\Scripts"
    [void](New-Item -Path $folder -ItemType Directory -Force)
    # Sysprep disables the account, so the first start of the finished image enables it.
    Add-Content -Path "$folder\SetupComplete.cmd" -Encoding Ascii -Value @(
        "net.exe user `"$name`" /active:yes",
        "powershell.exe -NoProfile -Command `"$expires`"",
        "net.exe user `"$name`" /logonpasswordchg:yes"
    )
    ([adsi]"WinNT://./$name,user").SetPassword("")
    Write-Log "Administrator" "The account $name will be enabled."
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
    param([string]$Name)
    [void](Invoke-Program "$ENV:SystemRoot\System32\tzutil.exe" "/s `"$Name`"")
    Write-Log "Customization(1)" "The time zone is $Name."
}

function Set-TimeServers {
    param([string]$Servers)
    $arguments = "/config /syncfromflags:manual /manualpeerlist:`"$Servers`""
    [void](Invoke-Program "$ENV:SystemRoot\System32\w32tm.exe" $arguments)
    Set-Service "W32Time" -StartupType Automatic
    Write-Log "Customization(2)" "Time comes from $Servers."
}
