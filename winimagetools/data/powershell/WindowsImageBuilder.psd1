# winimagetools: the manifest under which scripts of the PowerShell tools import WinImageBuilder.psm1.

@{
    RootModule = 'WinImageBuilder.psm1'
    # At least what such scripts ask for.
    ModuleVersion = '1.1.0'
    GUID = '314d3390-24a1-5a6c-b974-56b83d5d80b5'
    Author = 'winimagetools'
    Description = 'Makes Windows images, through Python.'
    PowerShellVersion = '4.0'
    NestedModules = @('WindowsImageConfig.psd1')
    FunctionsToExport = @(
        'New-WindowsCloudImage',
        'New-WindowsOnlineImage',
        'New-WindowsFromGoldenImage',
        'Get-WindowsImageConfig',
        'New-WindowsImageConfig',
        'Test-OfflineWindowsImage'
    )
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
}
