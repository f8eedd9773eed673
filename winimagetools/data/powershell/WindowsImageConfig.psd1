# winimagetools: the manifest under which scripts of the PowerShell tools import Config.psm1.

@{
    RootModule = 'Config.psm1'
    # At least what such scripts ask for.
    ModuleVersion = '1.0'
    GUID = '94630e31-57bc-55da-99db-5add440ace48'
    Author = 'winimagetools'
    Description = 'The configuration file of an image, through Python.'
    PowerShellVersion = '4.0'
    FunctionsToExport = @(
        'Get-WindowsImageConfig',
        'New-WindowsImageConfig'
    )
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
}
