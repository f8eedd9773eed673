# The user's scripts in CustomScripts. A script asks for more than to go on by its exit code:
#
#   1     the image cannot be finished
#   1004  stop here, without restart; this script is started again at the next logon
#   1005  restart, then begin again
#   1006  power off

function Invoke-Hook {
    param([Alias("ScriptFileName")][string]$Name)
    $path = Join-Path $customScriptsDir $Name
    if (-not (Test-Path $path)) {
        return
    }
    $stage = "CustomScripts($Name)"
    Write-Log $stage "Running."
    # What an earlier program returned must not be taken for the script's answer.
    $global:LASTEXITCODE = 0
    & $path
    $code = $LASTEXITCODE
    switch ($code) {
        1 { throw "$Name ended with exit code 1." }
        1004 {
            Write-Log $stage "It asked to stop here."
            exit 0
        }
        1005 { Restart-Image $stage "It asked for a restart." }
        1006 { Stop-Image "StatusStopped" "$Name asked to power off." "stopped" }
        default { Write-Log $stage "Done with exit code $code." }
    }
}
