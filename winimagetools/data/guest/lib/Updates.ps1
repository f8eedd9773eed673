# Windows updates through the Windows Update Agent. Every round ends with a restart; Logon.ps1
# begins again after it, until nothing is left. An update that did not install in three rounds
# is left out, so that one bad update cannot keep the image from being finished. When three
# whole rounds fail, the image fails: nobody wants one without updates unknowingly. Some updates
# come anew while others are installed, so the rounds end at some time.

$attemptsFile = "$resourcesDir\update-attempts.txt"
$maximumAttempts = 3
$maximumUpdates = 100
$maximumRounds = 20
$updateInstalled = 2

function Install-WindowsUpdates {
    $session = New-Object -ComObject Microsoft.Update.Session
    $updates = Find-Updates $session
    if ($updates.Count -eq 0) {
        $pending = (New-Object -ComObject Microsoft.Update.SystemInfo).RebootRequired
        # Some Windows never stop asking.
        if ($pending -and (Add-Count "update-restarts") -le $maximumRestarts) {
            Restart-Image "Updates(reboot)" "Installed updates need it."
        }
        Write-Log "Updates" "No update is left to install."
        return
    }
    if ((Add-Count "update-rounds") -gt $maximumRounds) {
        Write-Log "Updates(failed)" "After $maximumRounds rounds $($updates.Count) updates are left."
        return
    }
    Write-Log "Updates" "Installing $($updates.Count) updates."
    try {
        Install-Updates $session $updates
    } catch {
        # The next round finds what is missing.
        Write-Log "Updates" "This round failed: $($_.Exception.Message)"
        if ((Add-Count "failed-update-rounds") -ge $maximumAttempts) {
            throw
        }
    }
    Restart-Image "Updates($($updates.Count))" "One round is done."
}

function Find-Updates {
    param($Session)
    $searcher = $Session.CreateUpdateSearcher()
    $criteria = "IsInstalled=0 and IsHidden=0 and Type='Software'"
    $result = Invoke-Retry { $searcher.Search($criteria) } 30 10
    $attempts = @(Get-Content $attemptsFile -ErrorAction SilentlyContinue)
    $wanted = New-Object -ComObject Microsoft.Update.UpdateColl
    foreach ($update in $result.Updates) {
        $id = $update.Identity.UpdateID
        $count = @($attempts | Where-Object { $_ -eq $id }).Count
        if ($count -ge $maximumAttempts) {
            Write-Log "Updates(skipped)" "$($update.Title) failed $count times."
        } elseif ($update.InstallationBehavior.CanRequestUserInput) {
            Write-Log "Updates(skipped)" "$($update.Title) may ask questions, and nobody is there."
        } elseif ($wanted.Count -lt $maximumUpdates) {
            [void]$wanted.Add($update)
        }
    }
    return , $wanted
}

function Install-Updates {
    param($Session, $Updates)
    foreach ($update in $Updates) {
        if (-not $update.EulaAccepted) {
            $update.AcceptEula()
        }
    }
    $downloader = $Session.CreateUpdateDownloader()
    $downloader.Updates = $Updates
    [void]$downloader.Download()
    $ready = New-Object -ComObject Microsoft.Update.UpdateColl
    foreach ($update in $Updates) {
        Add-Content -Path $attemptsFile -Value $update.Identity.UpdateID -Encoding Ascii
        if ($update.IsDownloaded) {
            [void]$ready.Add($update)
        } else {
            Write-Log "Updates(failed)" "$($update.Title) could not be downloaded."
        }
    }
    if ($ready.Count -gt 0) {
        Install-Downloaded $Session $ready
    }
}

function Install-Downloaded {
    param($Session, $Updates)
    $installer = $Session.CreateUpdateInstaller()
    $installer.Updates = $Updates
    $result = $installer.Install()
    for ($index = 0; $index -lt $Updates.Count; $index++) {
        $code = $result.GetUpdateResult($index).ResultCode
        if ($code -ne $updateInstalled) {
            Write-Log "Updates(failed)" "$($Updates.Item($index).Title): result $code."
        }
    }
}
