# What Windows and the user may bring, one table for each run of a script from first line to last.
#
# Release, Options, Hooks and Prepare say what there is; Ends (the verdict the host hears, or
# none) and Starts how it ends. The calls and what is left on the disk are in scenarios/NAME.txt,
# which WINIMAGETOOLS_REWRITE=1 writes anew.

$clients = '7', '10', '11'
$all = '[DEFAULT]', 'enable_shutdown_without_logon=True', 'disable_first_logon_animation=True', 'enable_ping_requests=True',
'enable_ipv6_eui64=True', 'enable_administrator_account=True', 'enable_active_mode=True', 'install_net_3_5=True',
'product_key=AAAAA-BBBBB-CCCCC-DDDDD-EEEEE', 'vmware_tools_path=tools.exe', '[custom]', 'install_qemu_ga=True',
'time_zone=W. Europe Standard Time', 'ntp_servers=a.example b.example', '[updates]', 'install_updates=True', 'purge_updates=True',
'[sysprep]', 'persist_drivers_install=False', 'disable_swap=True', '[cloudbase_init]', 'serial_logging_port=COM1',
'cloudbase_init_use_local_system=True', 'cloudbase_init_delayed_start=True'
$points = 'RunBeforeWindowsUpdates.ps1', 'RunAfterWindowsUpdates.ps1', 'RunBeforeCloudbaseInitInstall.ps1',
'RunAfterCloudbaseInitInstall.ps1', 'RunBeforeSysprep.ps1', 'RunAfterSysprep.ps1'
$updates = '[updates]', 'install_updates=True'
$prepareAll = {
    Add-StandInPageFile
    Add-StandInLicense 'XXXXX' 0
    Add-StandInAccount 'Admin' 'S-1-5-21-1-2-3-1001' 'Local administrator' -WithProfile
    Add-StandInUpdate 'Cumulative' -Restart
    Add-StandInUpdate 'Tool' -Eula
    [void](New-Item -Force "$root/UnattendResources/zapfree.exe")
    [void](New-Item -Force "$root/UnattendResources/Servicing/Servicing.cmd")
    [void](New-Item -Force "$root/Windows/Drivers/winimagetools/a/a.inf")
    Set-StandInProgram '*Servicing.cmd*' -Codes 3010, 0
    Set-Content "$root/UnattendResources/boot-code.txt" 'GRUB'
    [void](New-Item -Force "$root/Windows/System32/bootsect.exe")
    Set-Content "$root/Windows/Panther/winimagetools-drivers.log" 'log'
    Set-Content "$root/Windows/Panther/unattend.xml" '<unattend/>'
    Set-Content "$root/Windows/Panther/unattend-original.xml" '<unattend/>'
    Add-StandInPackage 'PerUser'
    Add-StandInEncryption 30
}

function Get-Once {
    # A hook that does something the first time and nothing later.
    param([string]$Text)
    return "if (-not (Test-Path `"`$resourcesDir/seen`")) { Set-Content `"`$resourcesDir/seen`" x; $Text }"
}

function Get-EveryHook {
    param([string]$Point = '', [string]$Text = '')
    $hooks = @{}
    foreach ($name in $points) { $hooks[$name] = '' }
    if ($Point) { $hooks[$Point] = $Text }
    return $hooks
}

$plain = foreach ($release in '2008R2', '7', '2012R2', '10', '11', '2016', '2019', '2022', '2025') {
    @{ Name = "plain-$release"; Release = $release }
}
$restarts = foreach ($point in $points[0..4]) {
    @{ Name = "hook-restart-$($point -replace '^Run|\.ps1$')"; Hooks = @{ $point = (Get-Once 'exit 1005') }; Starts = 2 }
}
$scenarios = @(
    $plain
    @{ Name = 'everything-2022'; Options = $all; Hooks = (Get-EveryHook); Prepare = $prepareAll; Starts = 3 }
    @{ Name = 'everything-11'; Release = '11'; Options = $all; Hooks = (Get-EveryHook); Prepare = $prepareAll; Starts = 3 }
    @{ Name = 'everything-2008R2'; Release = '2008R2'; Options = $all; Prepare = $prepareAll; Starts = 3 }
    @{ Name = 'hyper-v'; HyperV = $true; Prepare = { [StandIn.World]::Machine.Find('SOFTWARE\Microsoft\Virtual Machine\Auto', $true).Values['ImageGenerationLog-StatusFinal'] = 'old' } }
    @{ Name = 'vmware'; VMware = $true; Prepare = { [void](New-Item -Force "$root/cdrom/setup64.exe") } }
    @{ Name = 'vmware-disc-fails'; VMware = $true; Ends = 'failed'; Prepare = { [void](New-Item -Force "$root/cdrom/setup64.exe"); Set-StandInProgram '*setup64*' -Codes 1603 } }
    @{ Name = 'specialize-2008R2'; Release = '2008R2'; Script = 'Specialize.ps1'; Ends = '' }
    @{ Name = 'specialize-11'; Release = '11'; Script = 'Specialize.ps1'; Ends = '' }
    @{ Name = 'specialize-fails'; Script = 'Specialize.ps1'; Ends = 'failed'; Prepare = { [StandIn.World]::Locked = 'SOFTWARE\Policies' } }
    @{ Name = 'first-logon'; Script = 'FirstLogon.ps1'; VMware = $true; Ends = ''; Prepare = { [void](New-Item -Force "$root/cdrom/setup64.exe") } }
    @{ Name = 'first-logon-fails'; Script = 'FirstLogon.ps1'; Ends = 'failed'; Prepare = { $world.Wmi.Remove('Win32_ComputerSystem') } }

    @{ Name = 'updates-none'; Options = $updates }
    @{ Name = 'updates-many'; Options = $updates; Starts = 4; Prepare = { 1..205 | ForEach-Object { Add-StandInUpdate "U$_" } } }
    @{ Name = 'updates-one-always-fails'; Options = $updates; Starts = 4; Prepare = { Add-StandInUpdate 'Bad' -Codes 4; Add-StandInUpdate 'Good' } }
    @{ Name = 'updates-three-restarts'; Options = $updates; Starts = 4; Prepare = { Add-StandInUpdate 'Stubborn' -Codes 3, 3, 2 -Restart } }
    @{ Name = 'updates-restart-stays-pending'; Options = $updates; Starts = 4; Prepare = { $world.StaysPending = $true } }
    @{ Name = 'updates-endless'; Options = $updates; Starts = 21; Prepare = { $world.EndlessUpdates = $true } }
    @{ Name = 'updates-break-down'; Options = $updates; Starts = 3; Ends = 'failed'; Prepare = { Add-StandInUpdate 'Breaks' -Codes 6 } }
    @{ Name = 'updates-no-network'; Options = $updates; Ends = 'failed'; Prepare = { $world.SearchFails = 99 } }
    @{ Name = 'updates-ask-the-user'; Options = $updates; Prepare = { Add-StandInUpdate 'Asks' -AsksUser } }

    $restarts
    @{ Name = 'hook-stops-and-logon-comes-again'; Hooks = @{ 'RunBeforeCloudbaseInitInstall.ps1' = (Get-Once 'exit 1004') }; Starts = 2; LogsOnAgain = $true }
    @{ Name = 'hook-restarts-by-itself'; Hooks = @{ 'RunAfterWindowsUpdates.ps1' = (Get-Once '& "$env:SystemRoot\System32\shutdown.exe" /r /t 0; exit 1004') }; Starts = 2 }
    @{ Name = 'hook-powers-off'; Hooks = @{ 'RunBeforeSysprep.ps1' = 'exit 1006' }; Ends = 'stopped' }
    @{ Name = 'hook-fails'; Hooks = @{ 'RunAfterSysprep.ps1' = 'exit 1' }; Ends = 'failed' }
    @{ Name = 'hook-throws'; Hooks = @{ 'RunBeforeWindowsUpdates.ps1' = 'throw "No licence server."' }; Ends = 'failed' }
    @{ Name = 'hook-writes-to-standard-error'; Hooks = @{ 'RunBeforeSysprep.ps1' = '[Console]::Error.WriteLine("") ; ExecRetry { Write-Error "harmless" 2>$null }' } }

    @{ Name = 'msi-fails'; Ends = 'failed'; Prepare = { Set-StandInProgram '*CloudbaseInit.msi*' -Codes 1603 } }
    @{ Name = 'msi-waits-for-another'; Prepare = { Set-StandInProgram '*CloudbaseInit.msi*' -Codes 1618, 1618, 0 } }
    @{ Name = 'agent-fails'; Options = '[custom]', 'install_qemu_ga=True'; Ends = 'failed'; Prepare = { Set-StandInProgram '*qemu-ga.msi*' -Codes 1603 } }
    @{ Name = 'vmware-tools-fail'; Options = '[DEFAULT]', 'vmware_tools_path=t.exe'; Ends = 'failed'; Prepare = { Set-StandInProgram '*VMware-tools.exe*' -Codes 1603 } }
    @{ Name = 'net-3-5-fails'; Options = '[DEFAULT]', 'install_net_3_5=True'; Ends = 'failed'; Prepare = { Set-StandInProgram '*Enable-Feature*' -Codes -2146498298 } }
    @{ Name = 'feature-fails'; Ends = 'failed'; Prepare = {
            [void](New-Item -Force "$root/UnattendResources/Servicing/Servicing.cmd")
            Set-StandInProgram '*Servicing.cmd*' -Codes 87 -Does { Set-Content "$root/UnattendResources/Servicing/results.txt" 'failed 87 dism.exe /FeatureName:X' }
        }
    }
    @{ Name = 'drivers-fail'; Prepare = { Set-Content "$root/Windows/Panther/winimagetools-drivers.txt" 'done 0 "C:\a.inf"', 'failed 5 "C:\b.inf"' } }
    @{ Name = 'clean-up-fails-once'; Starts = 2; Prepare = { Set-StandInProgram '*Cleanup-Image*' -Codes 2, 2, 2, 2, 0 } }
    @{ Name = 'clean-up-always-fails'; Starts = 4; Ends = 'failed'; Prepare = { Set-StandInProgram '*Cleanup-Image*' -Codes 2 } }
    @{ Name = 'key-refused'; Options = '[DEFAULT]', 'product_key=AAAAA-BBBBB-CCCCC-DDDDD-EEEEE'; Ends = 'failed'; Prepare = { $world.Wmi['SoftwareLicensingService'][0].Refuses = '0xC004F050' } }
    @{ Name = 'sysprep-fails'; Ends = 'failed'; Prepare = {
            Set-StandInProgram '*Sysprep.exe*' -Codes 1
            Set-Content "$root/Windows/System32/Sysprep/Panther/setuperr.log" 'SYSPRP Package X was installed for a user'
        }
    }
    @{ Name = 'sysprep-missing'; Ends = 'failed'; Prepare = { Set-StandInProgram '*Sysprep.exe*' -Does { throw 'The system cannot find the file specified.' } } }
    @{ Name = 'answer-file-missing'; Ends = 'failed'; Prepare = { Set-StandInProgram '*SetSetupComplete*' -Does { Remove-Item "$env:ProgramFiles/Cloudbase Solutions/Cloudbase-Init/conf/Unattend.xml" } } }
    @{ Name = 'config-missing'; Ends = 'failed'; Prepare = { Remove-Item "$root/UnattendResources/config.ini" } }
    @{ Name = 'disk-full'; Ends = 'failed'; NoMark = $true; Prepare = {
            # Nothing can be written any more when Cloudbase-Init is being installed.
            Set-StandInProgram '*CloudbaseInit.msi*' -Codes 112 -Does {
                foreach ($name in 'image-generation-log.txt', 'image-generation-failed.txt') {
                    Remove-Item -Force "$root/UnattendResources/$name" -ErrorAction SilentlyContinue
                    [void](New-Item -ItemType Directory "$root/UnattendResources/$name")
                }
            }
        }
    }
    @{ Name = 'no-serial-port'; Prepare = { $world.NoSerialPort = $true }; Ends = '' }
    @{ Name = 'golden-image'; Options = '[DEFAULT]', 'gold_image=True'; Prepare = { [void](New-Item -Force "$root/Windows/Drivers/winimagetools/a/a.inf") } }
)
