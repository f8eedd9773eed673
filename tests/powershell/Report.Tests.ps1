Describe 'Reports' {
    AfterEach { Remove-StandInWindows }

    It 'goes to the log file, the serial port and, on Hyper-V, the data exchange' {
        . "$PSScriptRoot/Prelude.ps1" -HyperV
        Write-Log 'Stage' 'It went "well".'
        $line = Get-Content "$root/UnattendResources/image-generation-log.txt"
        $line | Should -Match '^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Stage: It went "well"\.$'
        $world.Console | Should -Be $line
        Get-StandInValue 'SOFTWARE\Microsoft\Virtual Machine\Auto' 'ImageGenerationLog-Stage' | Should -Be 'It went "well".'
        $world.Reports[0].message | Should -Be 'It went "well".'
        $world.Reports[0].result | Should -Be 'running'
        $world.PortsClosed | Should -Be 1
    }

    It 'writes no key of Hyper-V elsewhere' {
        . "$PSScriptRoot/Prelude.ps1"
        Write-Log 'Stage' 'Text'
        Get-StandInCalls 'registry*' | Should -BeNullOrEmpty
    }

    It 'goes on without a serial port' {
        . "$PSScriptRoot/Prelude.ps1"
        $world.NoSerialPort = $true
        Write-Log 'Stage' 'Text'
        $world.Console[-1] | Should -BeLike 'Nobody listens on COM2: *does not exist*'
    }

    It 'does not hang when nobody reads the serial port' {
        . "$PSScriptRoot/Prelude.ps1"
        $world.SerialPortIsFull = $true
        Write-Log 'Stage' 'Text'
        $world.Console[-1] | Should -BeLike 'Nobody listens on COM2: *timed out*'
        $world.PortsClosed | Should -Be 1
    }

    It 'does not need a folder that is gone already' {
        . "$PSScriptRoot/Prelude.ps1"
        Remove-Item -Recurse -Force $resourcesDir
        Write-Log 'Stage' 'Text'
        Get-StandInCalls | Should -Be 'report Stage: Text (running)'
        Test-Path $resourcesDir | Should -BeFalse
    }

    It 'fits into the data exchange' {
        . "$PSScriptRoot/Prelude.ps1" -HyperV
        Write-Log 'Stage' ('x' * 3000)
        (Get-StandInValue 'SOFTWARE\Microsoft\Virtual Machine\Auto' 'ImageGenerationLog-Stage').Length | Should -Be 1000
        $world.Reports[0].message.Length | Should -Be 1000
    }

    It 'is JSON of ASCII whatever is in it' {
        . "$PSScriptRoot/Prelude.ps1"
        $text = "a `"b`" \c\ $([char]0xe9)$([char]0x65e5)`t`n/"
        $json = ConvertTo-JsonText $text
        $json | Should -Match '^[\x20-\x7e]+$'
        $json | Should -BeExactly '"a \"b\" \\c\\ \u00e9\u65e5\u0009\u000a/"'
        ConvertFrom-Json $json | Should -BeExactly $text
    }

    It 'takes the reports of an earlier run away, verdicts last, and nothing else' {
        . "$PSScriptRoot/Prelude.ps1" -HyperV
        $key = [StandIn.World]::Machine.Find('SOFTWARE\Microsoft\Virtual Machine\Auto', $false)
        foreach ($name in 'ImageGenerationLog-ERROR', 'ImageGenerationLog-Updates', 'FullyQualifiedDomainName') { $key.Values[$name] = 'x' }
        Clear-Reports
        Get-StandInCalls | Should -Be @(
            'registry: remove SOFTWARE\Microsoft\Virtual Machine\Auto\ImageGenerationLog-Updates'
            'registry: remove SOFTWARE\Microsoft\Virtual Machine\Auto\ImageGenerationLog-ERROR')
        $key.GetValueNames() | Should -Be 'FullyQualifiedDomainName'
    }

    It 'does not wait where no Hyper-V listens' {
        . "$PSScriptRoot/Prelude.ps1"
        Complete-Reports
        Clear-Reports
        Get-StandInCalls | Should -BeNullOrEmpty
    }

    It 'marks, reports and powers off after a failure, and waits for it' {
        . "$PSScriptRoot/Prelude.ps1" -HyperV
        Invoke-Guest { try { throw 'It broke.' } catch { Stop-WithFailure $_ } }
        Get-StandInCalls -NotRegistry | Should -Be @(
            'report ERROR: It broke. (failed)', 'sleep 30', 'C:\Windows\System32\shutdown.exe /s /f /t 0', 'sleep 300')
        $LASTEXITCODE | Should -Be 1
        Get-Content "$root/UnattendResources/image-generation-failed.txt" -Raw | Should -BeLike 'It broke. *try.ps1*'
    }

    It 'reports a failure even when the mark cannot be written' {
        . "$PSScriptRoot/Prelude.ps1"
        [void](New-Item -ItemType Directory "$root/UnattendResources/image-generation-failed.txt")
        Invoke-Guest { try { throw 'It broke.' } catch { Stop-WithFailure $_ } }
        Get-StandInCalls | Should -Be 'report ERROR: It broke. (failed)', 'C:\Windows\System32\shutdown.exe /s /f /t 0', 'sleep 300'
    }
}
