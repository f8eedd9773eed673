# Lies beside the driver packages and runs before and after they are installed. Without it
# pnputil asks whether to trust a publisher other than Microsoft, and in the specialize pass
# there is nobody to answer. Packages in the driver store need no trusted publisher any more,
# so what was only trusted for the installation is taken away again.

param([switch]$Remove)

$ErrorActionPreference = "Stop"
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$record = Join-Path $here "trusted.txt"

function Add-Publishers {
    # Only of catalogs whose own signature leads to a root that is trusted already.
    param($Store)
    $known = @($Store.Certificates | ForEach-Object { $_.Thumbprint })
    foreach ($catalog in @(Get-ChildItem $here -Recurse -Filter "*.cat")) {
        $signature = Get-AuthenticodeSignature -FilePath $catalog.FullName
        $publisher = $signature.SignerCertificate
        if ($signature.Status -eq "Valid" -and $known -notcontains $publisher.Thumbprint) {
            $Store.Add($publisher)
            Add-Content -Path $record -Value $publisher.Thumbprint -Encoding Ascii
            $known += $publisher.Thumbprint
        }
    }
}

function Remove-Publishers {
    param($Store)
    $added = @(Get-Content $record -ErrorAction SilentlyContinue)
    foreach ($publisher in @($Store.Certificates)) {
        if ($added -contains $publisher.Thumbprint) {
            $Store.Remove($publisher)
        }
    }
    Remove-Item -Force $record -ErrorAction SilentlyContinue
}

$kind = "System.Security.Cryptography.X509Certificates.X509Store"
$store = New-Object $kind "TrustedPublisher", "LocalMachine"
$store.Open("ReadWrite")
try {
    if ($Remove) {
        Remove-Publishers $store
    } else {
        Add-Publishers $store
    }
} finally {
    $store.Close()
}
