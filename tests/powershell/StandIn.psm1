# Windows, played: cmdlets, programs, WMI, services, COM objects and a registry that record
# what a script does to them and can be told to fail. The scripts under test run unchanged.
#
# Functions win over cmdlets, so those at the end of this file are what a script calls; programs
# are taken over when PowerShell looks them up. Paths are real, in a temporary folder that
# $env:SystemDrive names; what is recorded says C: for it.

if (-not ('StandIn.World' -as [type])) {
    $needs = @{}
    if ($PSVersionTable.PSVersion.Major -lt 6) { $needs['ReferencedAssemblies'] = 'System.Core' }
    $types = Add-Type -Path (Join-Path $PSScriptRoot 'StandIn.cs') -PassThru -IgnoreWarnings @needs
    Import-Module -Assembly $types[0].Assembly -Global
}
. (Join-Path $PSScriptRoot 'StandInObjects.ps1')

$releases = @{
    '2008R2' = @{ Version = '6.1.7601'; Kind = 'Server' }
    '7' = @{ Version = '6.1.7601'; Kind = 'Client' }
    '2012' = @{ Version = '6.2.9200'; Kind = 'Server' }
    '2012R2' = @{ Version = '6.3.9600'; Kind = 'Server' }
    '10' = @{ Version = '10.0.19045'; Kind = 'Client' }
    '11' = @{ Version = '10.0.26100'; Kind = 'Client' }
    '2016' = @{ Version = '10.0.14393'; Kind = 'Server' }
    '2019' = @{ Version = '10.0.17763'; Kind = 'Server' }
    '2022' = @{ Version = '10.0.20348'; Kind = 'Server' }
    '2025' = @{ Version = '10.0.26100'; Kind = 'Server Core' }
}
$environment = 'SystemDrive', 'SystemRoot', 'ProgramFiles', 'ProgramFiles(x86)'
$W = @{ Root = '' }

# Programs a script may start; any other one is an error of the script.
$known = 'bcdedit', 'bootsect', 'cmd', 'defrag', 'dism', 'ipconfig', 'msiexec', 'net', 'netsh', 'pnputil', 'powercfg',
    'reg', 'sc', 'shutdown', 'sysprep', 'tzutil', 'w32tm', 'zapfree', 'setup64', 'VMware-tools'

function Add-Call {
    param([string]$Text)
    [StandIn.World]::Calls.Add((ConvertTo-Shown $Text))
}

function ConvertTo-Shown {
    # A text as it is recorded: C: for the folder that plays it, backslashes in its paths.
    param([string]$Text)
    if (-not $W.Root -or $Text.IndexOf($W.Root) -lt 0) {
        return $Text
    }
    $pattern = [regex]::Escape($W.Root) + '((?:[\\/]+(?:Program Files|Cloudbase Solutions|[^"'' \\/]+))*[\\/]?)'
    return [regex]::Replace($Text, $pattern, { param($match) 'C:' + ($match.Groups[1].Value -replace '[\\/]+', '\') })
}

function New-StandInWindows {
    <#
    .SYNOPSIS
     Makes a Windows and puts this process into it. Returns its root folder.
    .PARAMETER Options
     Lines of config.ini.
    #>
    param([string]$Release = '2022', [string[]]$Options = @(), [switch]$HyperV, [switch]$VMware)
    [StandIn.World]::Reset()
    $root = Join-Path ([IO.Path]::GetTempPath()) ('standin-' + [guid]::NewGuid().ToString('N').Substring(0, 8))
    $script:W = @{
        Root = $root; Release = $releases[$Release]; Programs = @(); Power = ''; Starts = 0; Reports = @()
        Console = @(); Services = @{}; Wmi = @{}; Updates = @(); SearchFailures = 0; SearchFails = 0; EndlessUpdates = $false
        Packages = @(); Provisioned = @(); RebootRequired = $false; StaysPending = $false; NoSerialPort = $false; Sleeps = 0
        Before = @{}; Location = (Get-Location -PSProvider FileSystem).ProviderPath; Certificates = @(); Catalogs = @{}
    }
    foreach ($name in $environment) { $W.Before[$name] = [Environment]::GetEnvironmentVariable($name) }
    Set-StandInEnvironment
    foreach ($folder in 'Windows/System32/Sysprep/Panther', 'Windows/Panther', 'Program Files', 'UnattendResources/CustomScripts') {
        [void][IO.Directory]::CreateDirectory("$root/$folder")
    }
    $source = Join-Path (Get-StandInData) 'guest'
    Copy-Item -Path (Join-Path $source '*') -Destination "$root/UnattendResources" -Recurse
    [IO.File]::WriteAllText("$root/Unattend.xml", '<unattend/>')
    Set-StandInOptions $Options
    Initialize-Registry
    Initialize-Objects -VMware:$VMware
    if ($HyperV) { [void][StandIn.World]::Machine.Find('SOFTWARE\Microsoft\Virtual Machine\Auto', $true) }
    if ([version]$W.Release.Version -ge [version]'6.2' -and $W.Release.Kind -ne 'Server Core') { Add-StandInApplications }
    $ExecutionContext.SessionState.InvokeCommand.PreCommandLookupAction = $lookup
    return $root
}

function Get-StandInData {
    # Another folder is for the mutation run.
    if ($env:WINIMAGETOOLS_DATA) { return $env:WINIMAGETOOLS_DATA }
    return [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../../winimagetools/data'))
}

function Set-StandInEnvironment {
    $values = @($W.Root, "$($W.Root)/Windows", "$($W.Root)/Program Files", $null)
    for ($index = 0; $index -lt $environment.Count; $index++) {
        [Environment]::SetEnvironmentVariable($environment[$index], $values[$index])
    }
}

function Set-StandInOptions {
    param([string[]]$Lines)
    [IO.File]::WriteAllText("$($W.Root)/UnattendResources/config.ini", (($Lines + '') -join "`r`n"))
}

function Remove-StandInWindows {
    $ExecutionContext.SessionState.InvokeCommand.PreCommandLookupAction = $null
    Set-Location -LiteralPath $W.Location
    foreach ($name in $environment) { [Environment]::SetEnvironmentVariable($name, $W.Before[$name]) }
    Get-Module ini | Remove-Module
    foreach ($name in 'Get-AppxPackage', 'Get-AppxProvisionedPackage', 'Remove-AppxPackage') { Remove-Item "function:$name" -ErrorAction SilentlyContinue }
    if (Test-Path -LiteralPath $W.Root) { [IO.Directory]::Delete($W.Root, $true) }
}

function Initialize-Registry {
    Get-PSDrive -Name HKLM -ErrorAction SilentlyContinue | Remove-PSDrive -Force
    [void](New-PSDrive -Name HKLM -PSProvider StandInRegistry -Root '' -Scope Global)
    $machine = [StandIn.World]::Machine
    $version = $machine.Find('SOFTWARE\Microsoft\Windows NT\CurrentVersion', $true)
    $version.Values['InstallationType'] = $W.Release.Kind
    $winlogon = $version.Find('Winlogon', $true)
    $winlogon.Values['AutoAdminLogon'] = '1'
    $winlogon.Values['AutoLogonCount'] = 50
    $winlogon.Values['DefaultPassword'] = 'secret'
    [void]$version.Find('Windows', $true)
    $current = $machine.Find('SOFTWARE\Microsoft\Windows\CurrentVersion', $true)
    [void]$current.Find('Policies\System', $true)
    $current.Find('Setup\State', $true).Values['ImageState'] = 'IMAGE_STATE_COMPLETE'
    $run = $current.Find('Run', $true)
    $run.Values['Unattend0000000001{D2C4}'] = 'Logon.ps1'
    $run.Values['SecurityHealth'] = 'tray'
}

function Set-StandInProgram {
    <#
    .SYNOPSIS
     Says what a program does when its command line is like a pattern.
    .PARAMETER Codes
     Exit codes, one for each start; the last one stays.
    .PARAMETER NoEffect
     It claims success and has done nothing.
    #>
    param([string]$Like, [int[]]$Codes = @(0), [scriptblock]$Does, [string[]]$Prints, [switch]$NoEffect)
    $rule = @{ Like = $Like; Codes = [Collections.ArrayList]$Codes; Does = $Does; Prints = $Prints; NoEffect = $NoEffect }
    $W.Programs = @($rule) + $W.Programs
}

function Invoke-StandInProgram {
    # What a program does; returns its exit code.
    param([string]$Line)
    Add-Call $Line
    $shown = ConvertTo-Shown $Line
    $name = [regex]::Match($shown, '^"?(?:[^" ]|(?<=Program) (?=Files))*?([\w-]+)\.(?:exe|cmd)').Groups[1].Value
    if ($known -notcontains $name) { throw "Nobody plays the program of: $shown" }
    if ($shown -match 'shutdown\.exe /([rs]) ') {
        $W.Power = @{ r = 'restart'; s = 'off' }[$Matches[1]]
    }
    $rule = @($W.Programs | Where-Object { $shown -like $_.Like })[0]
    if ($rule -and $rule.Does) { [void](& $rule.Does $shown) }
    $code = 0
    if ($rule) {
        $code = $rule.Codes[0]
        if ($rule.Codes.Count -gt 1) { $rule.Codes.RemoveAt(0) }
    }
    foreach ($like in @($effects.Keys)) {
        if ($shown -like $like -and @(0, 1641, 3010) -contains $code -and -not ($rule -and $rule.NoEffect)) { [void](& $effects[$like]) }
    }
    return $code
}

function Get-ProgramOutput {
    param([string]$Line)
    $shown = ConvertTo-Shown $Line
    return @($W.Programs | Where-Object { $shown -like $_.Like })[0].Prints
}

$lookup = {
    param($name, $search)
    if ($name.IndexOf('/') -lt 0 -and $name.IndexOf('\') -lt 0 -or $name -notmatch '\.(exe|cmd)$') { return }
    $search.CommandScriptBlock = {
        $words = @($name) + @($args | ForEach-Object { if ("$_" -match ' ') { '"' + $_ + '"' } else { "$_" } })
        $global:LASTEXITCODE = Invoke-StandInProgram ($words -join ' ')
        Get-ProgramOutput ($words -join ' ')
    }.GetNewClosure()
    $search.StopSearch = $true
}

function Start-StandInLogon {
    <#
    .SYNOPSIS
     Runs a script of the guest as Windows does: again after each restart, until the power is
     off or nothing starts it again. Returns what power it asked for last.
    #>
    param([string]$Name = 'Logon.ps1', [int]$Maximum = 60)
    do {
        $W.Power = ''
        $W.Starts++
        if ($W.Starts -gt $Maximum) { throw "Restarted $Maximum times." }
        if ($W.Starts -gt 1) { Add-Call "--- start $($W.Starts)" }
        foreach ($update in $W.Updates) { if ($update.Pending) { $update.Installed = $true } }
        $W.RebootRequired = $W.StaysPending
        $global:LASTEXITCODE = 0
        $W.Failure = ''
        try {
            # Windows starts the scripts in a new process with none of our variables.
            & "$($W.Root)/UnattendResources/$Name" | Out-Null
        } catch {
            $W.Failure = "$_"
        }
        $W.ExitCode = $global:LASTEXITCODE
        Get-Module ini | Remove-Module
    } while ($W.Power -eq 'restart')
    return $W.Power
}

function Get-StandInCalls {
    param([string]$Like = '*', [switch]$NotRegistry)
    return @([StandIn.World]::Calls | Where-Object { $_ -like $Like -and -not ($NotRegistry -and $_ -like 'registry: *') })
}

function Clear-StandInCalls { [StandIn.World]::Calls.Clear() }

function Get-StandInWorld { return $W }

function Get-StandInValue {
    param([string]$Key, [string]$Name)
    $found = [StandIn.World]::Machine.Find($Key, $false)
    if ($found) { return $found.GetValue($Name) }
}

function Get-StandInDisk {
    # The files on the disk, without those this project ships.
    $shipped = Join-Path (Get-StandInData) 'guest'
    return @(Get-ChildItem -LiteralPath $W.Root -Recurse -Force |
            Where-Object { -not $_.PSIsContainer } |
            ForEach-Object { ConvertTo-Shown $_.FullName } |
            Where-Object {
                $own = $_ -replace '^C:\\UnattendResources\\', ''
                -not (Test-Path -LiteralPath (Join-Path $shipped ($own -replace '\\', '/')) -PathType Leaf)
            } | Sort-Object)
}

# ---- What scripts call ----

function Start-Sleep {
    param([Parameter(Position = 0)][double]$Seconds, [int]$Milliseconds)
    Add-Call "sleep $($Seconds + $Milliseconds / 1000)"
}

function Read-Host { throw 'Waits for a key.' }

function Write-Host {
    param([Parameter(Position = 0)][object]$Object, [object]$ForegroundColor)
    $W.Console += [string]$Object
}

function Out-Host {
    param([Parameter(ValueFromPipeline = $true)][object]$InputObject)
    process { $W.Console += [string]$InputObject }
}

function Get-Service {
    param([Parameter(Position = 0)][string[]]$Name)
    $found = @($W.Services.Keys | Where-Object { $service = $_; @($Name | Where-Object { $service -like $_ }).Count })
    if (-not $found.Count -and $PSBoundParameters['ErrorAction'] -ne 'SilentlyContinue') { throw "Cannot find any service with name '$Name'." }
    foreach ($service in $found) { New-StandInObject @{ Name = $service; Status = $W.Services[$service] } }
}

function Stop-Service {
    param([Parameter(Position = 0)][string]$Name, [switch]$Force)
    if (-not $W.Services.ContainsKey($Name)) {
        if ($PSBoundParameters['ErrorAction'] -eq 'SilentlyContinue') { return }
        throw "Cannot find any service with name '$Name'."
    }
    Add-Call "service ${Name}: stop"
    $W.Services[$Name] = 'Stopped'
}

function Set-Service {
    param([Parameter(Position = 0)][string]$Name, [ValidateSet('Automatic', 'Manual', 'Disabled')][string]$StartupType)
    if (-not $W.Services.ContainsKey($Name)) {
        if ($PSBoundParameters['ErrorAction'] -eq 'SilentlyContinue') { return }
        throw "Service $Name was not found on computer '.'."
    }
    Add-Call "service ${Name}: start type $StartupType"
}

function Get-WmiObject {
    param([Parameter(Mandatory = $true, Position = 0)][string]$Class, [string]$Filter, [string]$Namespace = 'root\cimv2', [switch]$EnableAllPrivileges)
    if (-not $W.Wmi.ContainsKey($Class)) {
        if ($PSBoundParameters['ErrorAction'] -eq 'SilentlyContinue') { return }
        throw "Invalid class `"$Class`""
    }
    $found = @($W.Wmi[$Class] | Where-Object { $_ -and (Test-WmiFilter $_ $Filter) })
    if ($EnableAllPrivileges) { $found | ForEach-Object { $_ | Add-Member NoteProperty Privileges $true -Force } }
    return $found
}

function Get-AuthenticodeSignature {
    param([string]$FilePath)
    return $W.Catalogs[[IO.Path]::GetFileName($FilePath)]
}

function New-Object {
    param(
        [Parameter(Position = 0)][string]$TypeName,
        [Parameter(Position = 1)][object[]]$ArgumentList,
        [string]$ComObject, [hashtable]$Property, [switch]$Strict
    )
    if ($ComObject) { return , (New-ComStandIn $ComObject) }
    switch ($TypeName) {
        'System.Diagnostics.Process' { return New-ProcessStandIn }
        'System.IO.Ports.SerialPort' { return New-SerialPortStandIn $ArgumentList[0] }
        'System.DirectoryServices.DirectoryEntry' { return New-DirectoryStandIn $ArgumentList[0] }
        'System.Security.Cryptography.X509Certificates.X509Store' { return New-StoreStandIn ($ArgumentList -join ' ') }
    }
    return , (Microsoft.PowerShell.Utility\New-Object @PSBoundParameters)
}

Export-ModuleMember -Function *-*
