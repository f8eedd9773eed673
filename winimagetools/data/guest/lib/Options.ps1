# The options of config.ini.

Import-Module "$resourcesDir\ini.psm1"

function Get-Option {
    param([string]$Section, [string]$Key)
    return Get-IniFileValue -Path $configIniPath -Section $Section -Key $Key -Default ""
}

function Test-Option {
    # A value that is neither True nor False counts as the default, as it always did.
    param([string]$Section, [string]$Key, [bool]$Default = $false)
    try {
        return Get-IniFileValue -Path $configIniPath -Section $Section -Key $Key `
            -Default $Default -AsBoolean
    } catch [System.FormatException] {
        Write-Log "Configuration" "[$Section] $Key is neither True nor False; using $Default."
        return $Default
    }
}
