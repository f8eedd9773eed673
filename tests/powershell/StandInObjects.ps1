# The objects of the Windows that StandIn.psm1 plays: WMI, COM, serial port, accounts.

function New-StandInObject {
    # An object with properties, and methods from script blocks.
    param([hashtable]$Properties, [hashtable]$Methods = @{})
    $object = Microsoft.PowerShell.Utility\New-Object PSObject
    foreach ($name in $Properties.Keys) { $object | Add-Member NoteProperty $name $Properties[$name] }
    foreach ($name in $Methods.Keys) { $object | Add-Member ScriptMethod $name $Methods[$name] }
    return $object
}

function Initialize-Objects {
    param([switch]$VMware)
    $maker = 'QEMU'
    if ($VMware) { $maker = 'VMware, Inc.' }
    $W.Services = @{ W32Time = 'Stopped' }
    if ([version]$W.Release.Version -ge [version]'10.0') { $W.Services['InstallService'] = 'Running' }
    $computer = New-StandInObject @{ Manufacturer = $maker; AutomaticManagedPagefile = $true } @{
        Put = {
            if (-not $this.Privileges) { throw 'A required privilege is not held by the client.' }
            Add-Call "wmi Win32_ComputerSystem: AutomaticManagedPagefile = $($this.AutomaticManagedPagefile)"
        }
    }
    $drive = New-StandInObject @{ DeviceID = (Join-Path $W.Root 'cdrom'); DriveType = 5 }
    $hard = New-StandInObject @{ DeviceID = $W.Root; DriveType = 3 }
    $W.Wmi = @{
        Win32_ComputerSystem = @($computer)
        Win32_OperatingSystem = @(New-StandInObject @{ Version = $W.Release.Version })
        Win32_LogicalDisk = @($hard, $drive)
        Win32_SerialPort = @()
        Win32_PageFileSetting = @()
        Win32_UserProfile = @()
        SoftwareLicensingProduct = @()
        SoftwareLicensingService = @(New-StandInObject @{ Refuses = '' } @{
                InstallProductKey = {
                    Add-Call "wmi SoftwareLicensingService: InstallProductKey $($args[0])"
                    if ($this.Refuses) { throw $this.Refuses }
                }
                RefreshLicenseStatus = { Add-Call 'wmi SoftwareLicensingService: RefreshLicenseStatus' }
            })
    }
    Add-StandInAccount 'Administrator' 'S-1-5-21-1-2-3-500' 'Built-in account'
    Add-StandInAccount 'Guest' 'S-1-5-21-1-2-3-501' 'Built-in account'
}

# What programs do when they succeed.
$effects = @{
    '*\msiexec.exe /i *CloudbaseInit.msi*' = { Install-CloudbaseInitStandIn $env:ProgramFiles }
    '*\msiexec.exe /i *qemu-ga.msi*' = {
        $W.Services['QEMU-GA'] = 'Running'
        $W.Services['QEMU Guest Agent VSS Provider'] = 'Stopped'
    }
    '*\Sysprep.exe *' = {
        $state = [StandIn.World]::Machine.Find('SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State', $true)
        $state.Values['ImageState'] = 'IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE'
    }
}

function Install-CloudbaseInitStandIn {
    # Its answer file has what the scripts change.
    param([string]$Base)
    $folder = Join-Path $Base 'Cloudbase Solutions/Cloudbase-Init/conf'
    [void][IO.Directory]::CreateDirectory($folder)
    [IO.File]::WriteAllText("$folder/Unattend.xml", @'
<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <settings pass="generalize">
    <component name="Microsoft-Windows-PnpSysprep">
      <PersistAllDeviceInstalls>true</PersistAllDeviceInstalls>
    </component>
  </settings>
  <settings pass="specialize">
    <component name="Microsoft-Windows-Deployment">
      <RunSynchronous>
        <RunSynchronousCommand>
          <Order>1</Order>
          <Path>cloudbase-init.exe</Path>
        </RunSynchronousCommand>
      </RunSynchronous>
    </component>
  </settings>
</unattend>
'@)
    foreach ($name in 'cloudbase-init.conf', 'cloudbase-init-unattend.conf') { [IO.File]::WriteAllText("$folder/$name", "[DEFAULT]`n") }
}

function Add-StandInAccount {
    param([string]$Name, [string]$Sid, [string]$Description = '', [switch]$WithProfile)
    $account = New-StandInObject @{ Name = $Name; SID = $Sid; LocalAccount = $true; Description = $Description }
    $W.Wmi['Win32_UserAccount'] = @($W.Wmi['Win32_UserAccount'] | Where-Object { $_ }) + $account
    if ($WithProfile) {
        $W.Wmi['Win32_UserProfile'] += New-StandInObject @{ SID = $Sid } @{
            Delete = { Add-Call "wmi Win32_UserProfile $($this.SID): Delete" }
        }
    }
}

function Add-StandInPageFile {
    $W.Wmi['Win32_PageFileSetting'] += New-StandInObject @{ Name = 'C:\pagefile.sys' } @{
        Delete = { Add-Call "wmi Win32_PageFileSetting $($this.Name): Delete" }
    }
}

function Add-StandInLicense {
    # A key that Windows has; status 1 is licensed.
    param([string]$PartialKey, [int]$Status, [string]$Description = 'Windows(R), RETAIL channel')
    $W.Wmi['SoftwareLicensingProduct'] += New-StandInObject @{
        ApplicationID = '55c92734-d682-4d71-983e-d6ec3f16059f'; PartialProductKey = $PartialKey
        LicenseStatus = $Status; Description = $Description
    } @{ UninstallProductKey = { Add-Call 'wmi SoftwareLicensingProduct: UninstallProductKey' } }
}

function Test-WmiFilter {
    # The part of WQL that scripts use: comparisons joined by AND.
    param($Object, [string]$Filter)
    if (-not $Filter) { return $true }
    foreach ($term in $Filter -split ' AND ') {
        if ($term -match '^(\w+) IS NOT NULL$') {
            if ($null -eq $Object.($Matches[1])) { return $false }
        } elseif ($term -match "^(\w+) LIKE '(.*)'$") {
            $pattern = '^' + [regex]::Escape($Matches[2]).Replace('%', '.*') + '$'
            if ($Object.($Matches[1]) -notmatch $pattern) { return $false }
        } elseif ($term -match "^(\w+)\s*=\s*'?(.*?)'?$") {
            if ([string]$Object.($Matches[1]) -ne $Matches[2]) { return $false }
        } else {
            throw "Invalid query: $Filter"
        }
    }
    return $true
}

function Add-StandInUpdate {
    <#
    .SYNOPSIS
     Lets Windows find an update.
    .PARAMETER Codes
     Results of installing it, one for each try; 2 is success, the last one stays.
    #>
    param([string]$Title, [int[]]$Codes = @(2), [switch]$Restart, [switch]$AsksUser, [switch]$Eula, [switch]$NoDownload)
    $W.Updates += @{
        Title = $Title; Id = "id-$Title"; Codes = [Collections.ArrayList]$Codes; Installed = $false; Pending = $false
        Restart = [bool]$Restart; AsksUser = [bool]$AsksUser; Accepted = -not $Eula; Downloaded = $false; NoDownload = [bool]$NoDownload
    }
}

function Add-StandInApplications {
    # The cmdlets for applications of the Store; before 1709 one is only removed for its own user.
    $all = ''
    if ([version]$W.Release.Version -ge [version]'10.0.16299') { $all = ', [switch]$AllUsers' }
    Set-Item function:global:Get-AppxProvisionedPackage {
        param([switch]$Online)
        if (-not $Online) { throw 'Neither Online nor Path.' }
        $world = Get-StandInWorld
        if ($world.ApplicationsFail) { throw 'Class not registered' }
        $world.Provisioned | ForEach-Object { New-StandInObject @{ DisplayName = $_ } }
    }
    Set-Item function:global:Get-AppxPackage { param([switch]$AllUsers) if ($AllUsers) { (Get-StandInWorld).Packages } }
    Set-Item function:global:Remove-AppxPackage ([scriptblock]::Create("param([string]`$Package$all) Remove-StandInPackage @PSBoundParameters"))
}

function Add-StandInPackage {
    <#
    .SYNOPSIS
     An application that a user has.
    .PARAMETER More
     Properties that make it something else.
    #>
    param([string]$Name, [switch]$Provisioned, [hashtable]$More = @{}, [string]$State = 'Installed')
    $properties = @{
        Name = $Name; PackageFullName = "${Name}_1.0_x64__x"; IsFramework = $false; NonRemovable = $false; SignatureKind = 'Store'
        PackageUserInformation = @(New-StandInObject @{ UserSecurityId = 'S-1-5-21'; InstallState = $State }); Stays = $false
    }
    foreach ($key in $More.Keys) { $properties[$key] = $More[$key] }
    $W.Packages += New-StandInObject $properties
    if ($Provisioned) { $W.Provisioned += $Name }
}

function Remove-StandInPackage {
    param([string]$Package, [switch]$AllUsers)
    $who = 'the user'
    if ($AllUsers) { $who = 'all' }
    Add-Call "application ${Package}: remove for $who"
    $found = @($W.Packages | Where-Object { $_.PackageFullName -eq $Package })[0]
    if ($found.Stays) { throw 'Deployment failed with HRESULT: 0x80073CFA' }
    $W.Packages = @($W.Packages | Where-Object { $_.PackageFullName -ne $Package })
}

function Add-StandInEncryption {
    # A volume that is encrypted; each question finds less of it encrypted, the first ones after it was
    # asked to decrypt may find it as it was.
    param([int]$Percent = 100, [int]$Refuses = 0, [int]$StopsWith = 0, [int]$Status = 1, [int]$Late = 0)
    $W.Wmi['Win32_EncryptableVolume'] = @(New-StandInObject @{ DriveLetter = $W.Root; Percent = $Percent; Status = $Status; Asked = $false; Late = $Late; Refuses = $Refuses; StopsWith = $StopsWith } @{
            GetConversionStatus = {
                if ($this.Asked -and $this.Late-- -le 0) { $this.Status, $this.Asked = 3, $false }
                if ($this.Status -eq 3) {
                    $this.Percent = [Math]::Max($this.Percent - 40, 0)
                    if (-not $this.Percent) { $this.Status = 0 } elseif ($this.StopsWith -and $this.Percent -le 20) { $this.Status = $this.StopsWith }
                }
                New-StandInObject @{ ConversionStatus = $this.Status; EncryptionPercentage = $this.Percent }
            }
            Decrypt = {
                Add-Call 'wmi Win32_EncryptableVolume: Decrypt'
                $this.Asked = -not $this.Refuses
                New-StandInObject @{ ReturnValue = $this.Refuses }
            }
        })
}

function New-UpdateStandIn {
    param([hashtable]$Update)
    $object = New-StandInObject @{
        State = $Update; Title = $Update.Title; Identity = (New-StandInObject @{ UpdateID = $Update.Id })
        InstallationBehavior = (New-StandInObject @{ CanRequestUserInput = $Update.AsksUser }); EulaAccepted = $Update.Accepted
    } @{ AcceptEula = { Add-Call "update $($this.Title): accept the licence"; $this.State.Accepted = $true } }
    $object | Add-Member ScriptProperty IsDownloaded { $this.State.Downloaded }
    return $object
}

function New-ComStandIn {
    param([string]$Name)
    switch ($Name) {
        'Microsoft.Update.UpdateColl' { return , (Microsoft.PowerShell.Utility\New-Object Collections.ArrayList) }
        'Microsoft.Update.SystemInfo' { return New-StandInObject @{ RebootRequired = $W.RebootRequired } }
        'Microsoft.Update.Session' {
            return New-StandInObject @{} @{
                CreateUpdateSearcher = { New-SearcherStandIn }
                CreateUpdateDownloader = { New-DownloaderStandIn }
                CreateUpdateInstaller = { New-InstallerStandIn }
            }
        }
        default { throw "Nobody plays the COM object $Name." }
    }
}

function New-SearcherStandIn {
    return New-StandInObject @{} @{
        Search = {
            Add-Call "updates: search $($args[0])"
            if ($W.SearchFails -gt 0) {
                $W.SearchFails--
                throw 'Exception from HRESULT: 0x80072EE2'
            }
            if ($W.EndlessUpdates) { Add-StandInUpdate "Definition $($W.Updates.Count + 1)" }
            $open = @($W.Updates | Where-Object { -not $_.Installed } | ForEach-Object { New-UpdateStandIn $_ })
            New-StandInObject @{ Updates = $open }
        }
    }
}

function New-DownloaderStandIn {
    return New-StandInObject @{ Updates = $null } @{
        Download = {
            foreach ($update in $this.Updates) {
                Add-Call "update $($update.Title): download"
                if (-not $update.State.Accepted) { throw 'WU_E_EULAS_DECLINED' }
                $update.State.Downloaded = -not $update.State.NoDownload
            }
            New-StandInObject @{ ResultCode = 2 }
        }
    }
}

function New-InstallerStandIn {
    return New-StandInObject @{ Updates = $null; Results = @() } @{
        Install = {
            $this.Results = @(foreach ($update in $this.Updates) {
                    $state = $update.State
                    $code = $state.Codes[0]
                    if ($state.Codes.Count -gt 1) { $state.Codes.RemoveAt(0) }
                    Add-Call "update $($update.Title): install, result $code"
                    # A code over 5 stands for an installer that breaks down.
                    if ($code -gt 5) { throw 'Exception from HRESULT: 0x8024001E' }
                    if ($code -eq 2 -and $state.Restart) { $state.Pending = $true; $W.RebootRequired = $true }
                    if ($code -eq 2 -and -not $state.Restart) { $state.Installed = $true }
                    New-StandInObject @{ ResultCode = $code }
                })
            New-StandInObject @{ All = $this.Results } @{ GetUpdateResult = { $this.All[$args[0]] } }
        }
    }
}

function New-ProcessStandIn {
    # Has an exit code only when it was waited for.
    $start = New-StandInObject @{ FileName = ''; Arguments = ''; UseShellExecute = $true; WorkingDirectory = '' }
    $process = New-StandInObject @{ StartInfo = $start; Code = $null; Over = $false } @{
        Start = {
            if ($this.StartInfo.UseShellExecute) { throw 'A console program would open a window of its own.' }
            $W.WorkingDirectory = ConvertTo-Shown $this.StartInfo.WorkingDirectory
            $line = "$($this.StartInfo.FileName) $($this.StartInfo.Arguments)"
            $this.Code = Invoke-StandInProgram $line
            $true
        }
        WaitForExit = { $this.Over = $true }
    }
    return $process | Add-Member ScriptProperty ExitCode { if ($this.Over) { $this.Code } else { throw 'It has not ended.' } } -PassThru
}

function ConvertTo-ShownJson {
    param([string]$Line)
    $report = ConvertFrom-Json $Line
    $report.message = (ConvertTo-Shown $report.message) -replace '\r?\n', ' '
    return ConvertTo-Json $report -Compress
}

function New-SerialPortStandIn {
    # The port the host listens on; each line is a report in JSON.
    param([string]$Name)
    return New-StandInObject @{ Name = $Name; WriteTimeout = -1; IsOpen = $false; Waiting = $false } @{
        Open = {
            if ($W.NoSerialPort) { throw "The port '$($this.Name)' does not exist." }
            $this.IsOpen = $true
        }
        Write = {
            if (-not $this.IsOpen) { throw 'The port is closed.' }
            if ($W.SerialPortIsFull) {
                $this.Waiting = $true
                throw 'The write timed out.'
            }
            $line = [string]$args[0]
            if (-not $line.EndsWith("`n")) { throw 'A report has no end.' }
            $report = ConvertFrom-Json (ConvertTo-ShownJson $line)
            $W.Reports += $report
            # Where in a script, and which PowerShell, is another question.
            $message = $report.message -replace ' At [^ ]+:\d+ char:.*$' -replace '(?<=PowerShell )[\d.]+(?=\.)', 'X'
            Add-Call "report $($report.stage): $message ($($report.result))"
        }
        DiscardOutBuffer = { $this.Waiting = $false }
        Close = {
            if ($this.Waiting) { throw 'Hangs: closing waits for a reader.' }
            $this.IsOpen = $false
            $W.PortsClosed++
        }
    }
}

function New-DirectoryStandIn {
    # An object of the accounts database, as ADSI shows it.
    param([string]$Path)
    return New-StandInObject @{ Path = $Path } @{
        SetPassword = { Add-Call "account $($this.Path): password '$($args[0])'" }
        Delete = {
            Add-Call "account $($this.Path): delete $($args[0]) $($args[1])"
            $name = $args[1]
            $W.Wmi['Win32_UserAccount'] = @($W.Wmi['Win32_UserAccount'] | Where-Object { $_.Name -ne $name })
        }
    }
}

function New-StoreStandIn {
    # A store of certificates.
    param([string]$Name)
    return New-StandInObject @{ Name = $Name; Mode = '' } @{
        Open = { $this.Mode = $args[0] }
        Add = {
            if ($this.Mode -ne 'ReadWrite') { throw 'The store is open for reading only.' }
            Add-Call "certificates $($this.Name): add $($args[0].Thumbprint)"
            $W.Certificates += $args[0]
        }
        Remove = {
            Add-Call "certificates $($this.Name): remove $($args[0].Thumbprint)"
            $gone = $args[0].Thumbprint
            $W.Certificates = @($W.Certificates | Where-Object { $_.Thumbprint -ne $gone })
        }
        Close = { $this.Mode = '' }
    } | Add-Member ScriptProperty Certificates { , @($W.Certificates) } -PassThru
}
