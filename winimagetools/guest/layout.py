r"""Where our own files lie in an image, and the commands that start them.

The one list of these paths: what puts a file there and what starts it take them from here.
"""

from __future__ import annotations

UNATTEND = "Unattend.xml"
"""Answer file in the root of the Windows volume, where the PowerShell tools put it."""
RESOURCES = "UnattendResources"
"""Folder in the root of the Windows volume; removed by the guest at its end."""
CUSTOM_RESOURCES = rf"{RESOURCES}\CustomResources"
CUSTOM_SCRIPTS = rf"{RESOURCES}\CustomScripts"
GUEST_CONFIG = rf"{RESOURCES}\config.ini"
VMWARE_TOOLS = rf"{RESOURCES}\VMware-tools.exe"
QEMU_AGENT = rf"{RESOURCES}\qemu-ga.msi"
CLOUDBASE_INIT = rf"{RESOURCES}\CloudbaseInit.msi"
CLOUDBASE_INIT_CONFIG = rf"{RESOURCES}\cloudbase-init.conf"
CLOUDBASE_INIT_UNATTENDED_CONFIG = rf"{RESOURCES}\cloudbase-init-unattend.conf"
BOOT_CODE_MARK = rf"{RESOURCES}\boot-code.txt"
"""Tells the guest that its disk starts through GRUB."""
ZAPFREE = rf"{RESOURCES}\zapfree.exe"
CURTIN = "curtin"
"""Folder in the root of the volume where curtin looks for hooks."""
SYSTEM_DRIVERS = r"Windows\System32\drivers"

SERVICING = rf"{RESOURCES}\Servicing"
"""Packages the guest installs itself, and the script that does."""
SERVICING_SCRIPT = rf"{SERVICING}\Servicing.cmd"
SERVICING_COMMAND = rf"%SystemRoot%\System32\cmd.exe /c %SystemDrive%\{SERVICING_SCRIPT}"
"""Starts the servicing script; it goes on after a restart when it is started again."""
STAGED_DRIVERS = r"Windows\Drivers\winimagetools"
"""Driver packages the guest installs itself, and the scripts that do."""
INSTALL_SCRIPT = rf"{STAGED_DRIVERS}\install.cmd"
TRUST_SCRIPT = rf"{STAGED_DRIVERS}\trust.ps1"
INSTALL_COMMAND = r"cmd.exe /c %SystemRoot%\Drivers\winimagetools\install.cmd"
"""Installs the staged drivers."""
