# Accounts of the finished image.

# What the answer file calls the account without which a client edition asks for one.
$buildAccountName = "Admin"
$buildAccountDescription = "Local administrator"

function Get-AdministratorAccount {
    # Found by its number: it has another name in other languages.
    $filter = "LocalAccount=True AND SID LIKE 'S-1-5-21-%-500'"
    return (Get-WmiObject -Class Win32_UserAccount -Filter $filter).Name
}

function Enable-AdministratorAccount {
    $name = Get-AdministratorAccount
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
    $account = New-Object System.DirectoryServices.DirectoryEntry "WinNT://./$name,user"
    $account.SetPassword("")
    Write-Log "Administrator" "The account $name will be enabled."
}

function Remove-BuildAccount {
    # It is an administrator without a password. An account of the user has another description.
    $filter = "LocalAccount=True AND Name='$buildAccountName' AND Description='$buildAccountDescription'"
    foreach ($account in @(Get-WmiObject -Class Win32_UserAccount -Filter $filter)) {
        if ($account) {
            foreach ($folder in @(Get-WmiObject -Class Win32_UserProfile -Filter "SID='$($account.SID)'")) {
                if ($folder) {
                    $folder.Delete()
                }
            }
            $accounts = New-Object System.DirectoryServices.DirectoryEntry "WinNT://."
            $accounts.Delete("user", $buildAccountName)
            Write-Log "BuildAccount" "The account $buildAccountName was removed."
        }
    }
}
