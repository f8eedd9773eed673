# The modules that `winimagetools powershell-modules FOLDER` writes, used as scripts of the
# PowerShell tools use them, with the real Python program behind them.

BeforeDiscovery { $unix = [IO.Path]::DirectorySeparatorChar -eq '/' }

BeforeAll {
    $repository = [IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../..'))
    $python = $env:WINIMAGETOOLS_TEST_PYTHON
    if (-not $python) { $python = @(Get-Command python3, python -CommandType Application -ErrorAction SilentlyContinue)[0].Path }
    $env:PYTHONPATH = $repository
    $here = Join-Path ([IO.Path]::GetTempPath()) ('drop-in ' + [char]0xe9 + " it's " + [guid]::NewGuid().ToString('N').Substring(0, 8))
    [void](New-Item -ItemType Directory $here)
    $modules = Join-Path $here 'my tools'
    & $python -m winimagetools powershell-modules $modules
    if ($LASTEXITCODE) { throw 'The modules could not be written.' }
    if ($env:WINIMAGETOOLS_DATA) { Copy-Item "$env:WINIMAGETOOLS_DATA/powershell/*" $modules -Recurse -Force }
    $wim = Join-Path $here 'install.wim'
    $write = 'import sys; from pathlib import Path; from tests.unit.wim_bytes import image_xml, wim_bytes; ' +
    'Path(sys.argv[1]).write_bytes(wim_bytes(*[image_xml(n, name) for n, name in enumerate(sys.argv[2:], 1)]))'
    & $python -c $write $wim 'Windows Server 2022 SERVERSTANDARD' 'Windows Server 2022 SERVERDATACENTER'
    if ($LASTEXITCODE) { throw 'The stand-in WIM could not be written.' }

    function Import-DropIn {
        # The lines that such scripts begin with.
        $scriptPath = $modules
        git -C $scriptPath submodule update --init
        if ($LASTEXITCODE) { throw 'git submodule failed.' }
        try {
            Join-Path -Path $scriptPath -ChildPath '\WinImageBuilder.psm1' | Remove-Module -ErrorAction SilentlyContinue
            Join-Path -Path $scriptPath -ChildPath '\Config.psm1' | Remove-Module -ErrorAction SilentlyContinue
            Join-Path -Path $scriptPath -ChildPath '\UnattendResources\ini.psm1' | Remove-Module -ErrorAction SilentlyContinue
        } finally {
            Join-Path -Path $scriptPath -ChildPath '\WinImageBuilder.psm1' | Import-Module -Global
            Join-Path -Path $scriptPath -ChildPath '\Config.psm1' | Import-Module -Global
            Join-Path -Path $scriptPath -ChildPath '\UnattendResources\ini.psm1' | Import-Module -Global
        }
    }

    function Remove-DropIn { Get-Module ini, Config, WinImageBuilder, WindowsImageBuilder, WindowsImageConfig | Remove-Module -Force }
}

AfterAll {
    Remove-DropIn
    Set-Location ([IO.Path]::GetTempPath())
    Remove-Item -LiteralPath $here -Recurse -Force
}

Describe 'Scripts of the PowerShell tools' {
    BeforeAll {
        $ErrorActionPreference = 'Stop'
        Import-DropIn
        $config = Join-Path $here 'config.ini'
        New-WindowsImageConfig -ConfigFilePath $config
    }

    It 'finds the editions with all they are asked for' {
        $images = Get-WimFileImagesInfo -WimFilePath $wim
        $images.Count | Should -Be 2
        $images[1].ImageName | Should -Be 'Windows Server 2022 SERVERDATACENTER'
        @($images[0].PSObject.Properties.Name) | Should -Be @(
            'ImageIndex', 'ImageName', 'ImageDescription', 'ImageFlags', 'ImageInstallationType', 'ImageEditionId', 'ImageProductType', 'ImageSize'
            'ImageArchitecture', 'ImageDefaultLanguage', 'ImageVersion', 'ImageDisplayName', 'ImageDisplayDescription')
        $images[0].ImageVersion | Should -BeOfType [version]
        $images[0].ImageSize | Should -BeOfType [uint64]
        $images[0].ImageArchitecture | Should -BeExactly 'AMD64'
        $images[0].ImageIndex | Should -BeExactly '1'
    }

    It 'sets and reads a configuration in two steps' {
        $image = (Get-WimFileImagesInfo -WimFilePath $wim)[0]
        Set-IniFileValue -Path $config -Section 'Default' -Key 'wim_file_path' -Value $wim
        Set-IniFileValue -Path $config -Section 'Default' -Key 'image_name' -Value $image.ImageName
        Set-IniFileValue -Path $config -Section 'vm' -Key 'disk_size' -Value (30GB)
        'install_updates', 'purge_updates' | Set-IniFileValue -Path $config -Section 'updates' -Value 'True'
        $options = Get-WindowsImageConfig -ConfigFilePath $config
        $options | Should -BeOfType [hashtable]
        $options.wim_file_path | Should -BeExactly $wim
        $options.image_name | Should -Be 'Windows Server 2022 SERVERSTANDARD'
        $options.disk_size | Should -BeExactly '32212254720'
        $options.purge_updates | Should -BeTrue
        $options.purge_updates | Should -BeOfType [bool]
    }

    It 'takes positional parameters, keys from the pipeline and defaults' {
        Set-IniFileValue 'a' 'own' 'x y' $config
        Get-IniFileValue 'a' 'own' 'none' $config | Should -Be 'x y'
        'a', 'b' | Get-IniFileValue -Section 'own' -Path $config -Default 'none' | Should -Be 'x y', 'none'
        Get-IniFileValue -Key 'b' -Section 'own' -Path $config | Should -BeExactly ''
        Get-IniFileValue -Key 'b' -Section 'own' -Path $config -Default $false -AsBoolean | Should -Be $false
        'a' | Remove-IniFileValue -Section 'own' -Path $config
        Get-IniFileValue 'a' 'own' 'none' $config | Should -Be 'none'
        (Get-WindowsImageConfig $config).Count | Should -BeGreaterThan 50
    }

    It 'brings <_> there and back' -ForEach @("say `"hi`", it's `$env:TEMP; [x] C:\a b\ gr$([char]0xfc)n $([char]0x65e5)", '-Path', '--json') {
        Set-IniFileValue -Key 'v' -Section 'own' -Value $_ -Path $config
        Get-IniFileValue -Key 'v' -Section 'own' -Path $config | Should -BeExactly $_
    }

    It 'starts relative paths at the location of PowerShell' {
        Push-Location -LiteralPath $here
        try {
            Set-IniFileValue -Key 'r' -Section 'own' -Value 1 -Path './config.ini'
            Get-IniFileValue -Key 'r' -Section 'own' -Path 'config.ini' | Should -Be '1'
        } finally {
            Pop-Location
        }
    }

    It 'knows ~ and the drives of PowerShell' {
        Set-IniFileValue -Key 'r' -Section 'own' -Value 2 -Path $config
        [void](New-PSDrive -Name Images -PSProvider FileSystem -Root $here -Scope Global)
        try {
            Get-IniFileValue -Key 'r' -Section 'own' -Path 'Images:\config.ini' | Should -Be '2'
            & (Get-Module ini) { Resolve-WinImageToolsPath '~/x.ini' } | Should -Be ([IO.Path]::Combine((Resolve-Path '~').ProviderPath, 'x.ini'))
            & (Get-Module ini) { Resolve-WinImageToolsPath 'https://a.example/x' } | Should -Be 'https://a.example/x'
        } finally {
            Remove-PSDrive Images -Scope Global
        }
    }

    It 'throws what Python refuses, with its words' {
        { Get-WindowsImageConfig -ConfigFilePath "$here/no.ini" } | Should -Throw '*no.ini*does not exist*'
        { New-WindowsCloudImage -ConfigFilePath "$here/no.ini" } | Should -Throw '*no.ini*'
        { "$here/no.ini" | New-WindowsCloudImage } | Should -Throw '*no.ini*'
        { New-WindowsOnlineImage -ConfigFilePath "$here/no.ini" } | Should -Throw '*no.ini*'
        { New-WindowsFromGoldenImage -ConfigFilePath "$here/no.ini" } | Should -Throw '*no.ini*'
        { Test-OfflineWindowsImage -ConfigFilePath "$here/no.ini" } | Should -Throw '*no.ini*'
        { Resize-VHDImage "$here/no.vhdx" 1GB } | Should -Throw
        $image = (Get-WimFileImagesInfo -WimFilePath $wim)[0]
        { Add-VirtIODriversFromISO -VhdDriveLetter 'E:' -Image $image -IsoPath "$here/no.iso" } | Should -Throw
    }

    It 'leaves $? false and the message in $Error' {
        $Error.Clear()
        try { Get-IniFileValue -Key a -Path "$here/no.ini" } catch { $after = $? }
        $Error[0].Exception.Message | Should -BeLike '*no.ini*'
        $PSCmdlet | Should -BeNullOrEmpty
        $after | Should -BeFalse
    }

    It 'does not let a failure be overlooked, whatever -ErrorAction says: <_>' -ForEach @('SilentlyContinue', 'Continue', 'Stop') {
        { Get-IniFileValue -Key a -Path "$here/no.ini" -ErrorAction $_ } | Should -Throw '*no.ini*'
    }

    It 'says once that a file is written anew' {
        $said = New-WindowsImageConfig -ConfigFilePath $config 3>&1
        @($said | Where-Object { "$_" -like '*exist*' }).Count | Should -BeLessOrEqual 1
        $again = New-WindowsImageConfig -ConfigFilePath (Join-Path $here 'new.ini') 3>&1
        @($again | Where-Object { "$_" -like '*exist*' }).Count | Should -Be 0
    }

    It 'is not fooled by a module of Python in the current folder' {
        $folder = Join-Path $here 'trap'
        [void](New-Item -ItemType Directory $folder)
        [IO.File]::WriteAllText("$folder/json.py", 'raise SystemExit("trapped")')
        Push-Location -LiteralPath $folder
        try { (Get-WindowsImageConfig $config).Count | Should -BeGreaterThan 50 } finally { Pop-Location }
    }
}

Describe 'Manifests' {
    BeforeAll { Remove-DropIn }

    It 'imports <Name> with its functions' -ForEach @(
        @{ Name = 'WindowsImageConfig'; Functions = 'Get-WindowsImageConfig', 'New-WindowsImageConfig' }
        @{ Name = 'WindowsImageBuilder'; Functions = 'Get-WindowsImageConfig', 'New-WindowsCloudImage', 'New-WindowsFromGoldenImage', 'New-WindowsImageConfig', 'New-WindowsOnlineImage', 'Test-OfflineWindowsImage' }
    ) {
        Import-Module (Join-Path $modules "$Name.psd1")
        @((Get-Module $Name).ExportedFunctions.Keys | Sort-Object) | Should -Be $Functions
        (Get-Command 'Get-WindowsImageConfig').Name | Should -Be 'Get-WindowsImageConfig'
        Remove-DropIn
    }
}

Describe 'Finding Python' {
    BeforeAll { . (Join-Path $modules 'Python.ps1') }
    BeforeEach { $before = $env:WINIMAGETOOLS_PYTHON, $env:PATH }
    AfterEach { $env:WINIMAGETOOLS_PYTHON, $env:PATH = $before }

    It 'takes the one that wrote the modules' {
        $env:WINIMAGETOOLS_PYTHON = $null
        (Find-WinImageToolsPython).File | Should -Be ([IO.File]::ReadAllText((Join-Path $modules 'python.txt')).Trim())
    }

    It 'takes the one the environment names first' {
        $env:WINIMAGETOOLS_PYTHON = 'C:\other\python.exe'
        (Find-WinImageToolsPython).File | Should -Be 'C:\other\python.exe'
    }

    It 'looks into PATH when that one is gone, and says what is missing' {
        $env:WINIMAGETOOLS_PYTHON = $null
        $winImageToolsFolder = Join-Path $here 'nowhere'
        $env:PATH = $winImageToolsFolder
        { Find-WinImageToolsPython } | Should -Throw 'Python was not found. Install it, or set the environment variable WINIMAGETOOLS_PYTHON to its path.'
        function Get-Command { param($Name, $CommandType, $ErrorAction) if ($Name -eq 'py') { @{ Path = 'C:\py.exe' } } }
        $found = Find-WinImageToolsPython
        "$($found.File) $($found.Before)" | Should -Be 'C:\py.exe -3 '
    }
}

Describe 'A stopped pipeline' {
    It 'ends Python and what it has started, and lets it clean up' -Skip:(-not $unix) {
        $fake = Join-Path $here 'python that sleeps'
        [IO.File]::WriteAllText($fake, @'
#!/bin/sh
cd "$(dirname "$0")"
trap 'echo cleaned > cleaned; kill $child; exit 143' TERM
sleep 60 & child=$!
echo $child > child
echo one >&2
wait
'@)
        & chmod +x $fake
        $shell = [PowerShell]::Create()
        [void]$shell.AddScript('$env:WINIMAGETOOLS_PYTHON = $args[0]; Import-Module $args[1]; New-WindowsCloudImage -ConfigFilePath x.ini').AddArgument($fake).AddArgument((Join-Path $modules 'WinImageBuilder.psm1'))
        $before = $env:WINIMAGETOOLS_PYTHON
        try {
            $running = $shell.BeginInvoke()
            foreach ($wait in 1..1000) { if (-not (Test-Path -LiteralPath "$here/child")) { [Threading.Thread]::Sleep(20) } }
            $watch = [Diagnostics.Stopwatch]::StartNew()
            $shell.Stop()
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 15
        } finally {
            $env:WINIMAGETOOLS_PYTHON = $before
        }
        Test-Path -LiteralPath "$here/cleaned" | Should -BeTrue
        $child = [int][IO.File]::ReadAllText("$here/child")
        # What has ended may wait for its parent to notice.
        & ps -o stat= -p $child | Should -BeIn $null, 'Z', 'ZN'
    }
}
