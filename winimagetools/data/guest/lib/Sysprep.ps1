# Generalizing: the answer file of Cloudbase-Init, sysprep itself, and leaving nothing behind.

$unattendNamespace = "urn:schemas-microsoft-com:unattend"

function Edit-AnswerFile {
    # Runs $Change with the document and its namespaces, then saves.
    param([string]$Path, [scriptblock]$Change)
    # .NET does not know the location of PowerShell.
    $file = (Resolve-Path -LiteralPath $Path).ProviderPath
    $document = New-Object System.Xml.XmlDocument
    $document.Load($file)
    $names = New-Object System.Xml.XmlNamespaceManager $document.NameTable
    $names.AddNamespace("u", $unattendNamespace)
    [void](& $Change $document $names)
    $document.Save($file)
}

function Set-PersistDrivers {
    # Kept devices start faster on the same hardware, and may not start at all on other.
    param([string]$Path, [bool]$Persist)
    $value = $Persist.ToString().ToLower()
    Edit-AnswerFile $Path {
        param($document, $names)
        $place = "//u:settings[@pass='generalize']/u:component/u:PersistAllDeviceInstalls"
        foreach ($element in $document.SelectNodes($place, $names)) {
            $element.InnerText = $value
        }
    }
    Write-Log "Drivers" "PersistAllDeviceInstalls is $value."
}

function Disable-Swap {
    $computer = Get-WmiObject -Class Win32_ComputerSystem -EnableAllPrivileges
    if ($computer.AutomaticManagedPagefile) {
        $computer.AutomaticManagedPagefile = $false
        [void]$computer.Put()
    }
    foreach ($setting in @(Get-WmiObject -Class Win32_PageFileSetting)) {
        if ($setting) {
            $setting.Delete()
        }
    }
    Write-Log "Swap" "The page file was turned off."
}

function Enable-SwapAtFirstStart {
    # The first command of the specialize pass turns it on, when the disk has its final size.
    param([string]$Path)
    $key = "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management"
    $command = "reg.exe add `"$key`" /v PagingFiles /t REG_MULTI_SZ /d ?:\pagefile.sys /f"
    Edit-AnswerFile $Path {
        param($document, $names)
        $place = "//u:settings[@pass='specialize']/u:component/u:RunSynchronous"
        $list = $document.SelectSingleNode($place, $names)
        if (-not $list) {
            throw "$Path has no commands in its specialize pass."
        }
        foreach ($order in $list.SelectNodes("u:RunSynchronousCommand/u:Order", $names)) {
            $order.InnerText = [string]([int]$order.InnerText + 1)
        }
        $element = $document.CreateElement("RunSynchronousCommand", $unattendNamespace)
        $fields = @("Order", "1"), @("Description", "Turn the page file on"), @("Path", $command)
        foreach ($field in $fields) {
            $child = $document.CreateElement($field[0], $unattendNamespace)
            $child.InnerText = $field[1]
            $element.AppendChild($child)
        }
        $list.InsertBefore($element, $list.FirstChild)
    }
    Write-Log "Swap(1)" "The page file comes back at the first start."
}

function Invoke-Sysprep {
    # /quit instead of /shutdown: its result can be looked at before the power goes off.
    param([string]$AnswerFile)
    Write-Log "Sysprep" "Generalizing."
    $sysprep = "$ENV:SystemRoot\System32\Sysprep\Sysprep.exe"
    $code = Start-Program $sysprep "/generalize /oobe /quiet /quit /unattend:`"$AnswerFile`""
    $key = "HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State"
    $state = (Get-ItemProperty -Path $key).ImageState
    if ($state -ne "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE") {
        $errors = Get-Content "$ENV:SystemRoot\System32\Sysprep\Panther\setuperr.log" `
            -ErrorAction SilentlyContinue | Select-Object -Last 5
        throw "Sysprep failed (exit code $code, $state): $($errors -join ' / ')"
    }
    Write-Log "Sysprep" "The image is generalized."
}

function Remove-StagingFolders {
    # Packages and drivers that are installed by now.
    foreach ($folder in "$resourcesDir\Servicing", "$ENV:SystemRoot\Drivers\winimagetools") {
        if (Test-Path $folder) {
            Invoke-Retry { Remove-Item -Recurse -Force $folder }
        }
    }
    $parent = "$ENV:SystemRoot\Drivers"
    if ((Test-Path $parent) -and -not @(Get-ChildItem -Force $parent).Count) {
        Remove-Item -Force $parent
    }
}

function Remove-Traces {
    $winlogon = "HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon"
    Remove-ItemProperty -Path "HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Run" `
        -Name "Unattend*" -ErrorAction SilentlyContinue
    foreach ($name in "AutoLogonCount", "DefaultPassword") {
        Remove-ItemProperty -Path $winlogon -Name $name -ErrorAction SilentlyContinue
    }
    Set-ItemProperty -Path $winlogon -Name "AutoAdminLogon" -Value "0"
    Set-Location "$ENV:SystemDrive\"
    Remove-Item -Force "$ENV:SystemDrive\Unattend.xml" -ErrorAction SilentlyContinue
    # Not unattend.xml beside it: that is the answer file the next start goes by.
    foreach ($name in "unattend-original.xml", "winimagetools-*") {
        Remove-Item -Force "$ENV:SystemRoot\Panther\$name" -ErrorAction SilentlyContinue
    }
    Invoke-Retry { Remove-Item -Recurse -Force $resourcesDir }
}
