r"""Which release of Windows is which, and what each one can do.

Nothing else in the package compares version numbers of Windows: a new release is one row of
:data:`RELEASES`, and whatever came with some release is one :class:`Ability`.

Sources: the build numbers of Microsoft's "Windows release information" and "Windows Server
release information"; the folders of the virtio ISOs 0.1.96 to 0.1.285; for each ability what
stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from winimagetools.model import WindowsVersion


@dataclass(frozen=True)
class Release:
    """A release, or releases that are alike in all that is asked here.

    Args:
        name: what people call it.
        server: whether it is a server; client and server of one build differ.
        first_build: builds from here on, its previews included, belong to it. Build numbers
            have grown from release to release since Vista, whatever the version before them.
        virtio: folders of a virtio ISO with drivers for it, best first.
        menu: what bcdboot calls it in the boot menu; its name when empty.
    """

    name: str
    server: bool
    first_build: int
    virtio: tuple[str, ...]
    menu: str = ""


def _server(build: int, name: str, folders: str, menu: str = "") -> Release:
    return Release(f"Windows Server {name}", True, build, tuple(folders.split()), menu)


def _client(build: int, name: str, folders: str) -> Release:
    return Release(f"Windows {name}", False, build, tuple(folders.split()))


RELEASES = (
    _client(6000, "Vista", "2k8"),
    _client(7600, "7", "w7 2k8r2"),
    _client(9200, "8", "w8 2k12"),
    _client(9600, "8.1", "w8.1 2k12r2 w8 2k12"),
    _client(10240, "10", "w10"),
    _client(22000, "11", "w11 w10"),
    _server(6000, "2008", "2k8"),
    _server(7600, "2008 R2", "2k8r2 w7"),
    _server(9200, "2012", "2k12 w8"),
    _server(9600, "2012 R2", "2k12r2 w8.1 2k12 w8"),
    _server(10240, "2016", "2k16 w10"),
    _server(16299, "1709 and 1803", "2k16 w10", menu="Windows Server"),
    _server(17763, "2019", "2k19 2k16 w10", menu="Windows Server"),
    _server(20348, "2022", "2k22 2k19 2k16 w10", menu="Windows Server"),
    _server(26000, "2025", "2k25 w11 2k22 2k19 2k16 w10", menu="Windows Server"),
)
"""Every release, the oldest first.

The Windows 10 build of a virtio driver is the same file in w10, 2k16, 2k19 and 2k22, the
Windows 11 one in w11 and 2k25; Vista never had a folder of its own, and before 2015 Windows
8.1 had none. For ARM64 there are w10, w11 and 2k25 only, so every row since Windows 10 ends
in w10.
"""


def release_of(version: WindowsVersion, *, server: bool) -> Release | None:
    """The release a Windows belongs to; None before Vista.

    Args:
        version: its build decides.
        server: whether it is a server edition.
    """
    fitting = [row for row in RELEASES if row.server == server and version.build >= row.first_build]
    return fitting[-1] if fitting else None


def menu_name(version: WindowsVersion, *, server: bool) -> str:
    """What bcdboot calls an installation in the boot menu: ``Windows 11``, ``Windows Server``."""
    release = release_of(version, server=server)
    if release is None:
        return "Windows Server" if server else "Windows"
    return release.menu or release.name


WINDOWS_8 = WindowsVersion(6, 2)
"""Windows 8 and Server 2012."""
WINDOWS_8_1 = WindowsVersion(6, 3, 9600)
"""Windows 8.1 and Server 2012 R2."""
WINDOWS_10 = WindowsVersion(10, 0)
"""Windows 10 and Server 2016."""
WINDOWS_10_1607 = WindowsVersion(10, 0, 14393)
"""Windows 10 1607 and the Server 2016 that was sold."""
WINDOWS_11 = WindowsVersion(10, 0, 22000)
"""Windows 11 as it came out."""
WINDOWS_11_24H2 = WindowsVersion(10, 0, 26100)
"""Windows 11 24H2 and Server 2025."""


@dataclass(frozen=True)
class Ability:
    """Something Windows has or does from a version on.

    Args:
        since: the first version with it.
    """

    since: WindowsVersion

    def is_in(self, version: WindowsVersion) -> bool:
        """Whether a Windows of that version has it."""
        return version >= self.since


DRIVER_DATABASE = Ability(WINDOWS_8)
"""``DriverDatabase`` in SYSTEM, in place of ``CriticalDeviceDatabase``; as in real hives."""
UEFI_ON_X86 = Ability(WINDOWS_8)
"""Starting a 32-bit Windows from UEFI ("Boot and UEFI", Microsoft)."""
BOOT_FILES_BY_FIRMWARE = Ability(WINDOWS_8)
"""``bcdboot /f``, which firmware to place boot files for ("BCDBoot Command-Line Options")."""
BCD_OF_WINDOWS_8 = Ability(WINDOWS_8)
"""The elements of BCD stores for isolated context, settings allowed in memory and the choice
between the text menu and the graphical one; as in real stores."""
GRAPHICAL_MENU_ON_SERVERS = Ability(WINDOWS_10)
"""The graphical boot menu as the default of servers too; clients have it since Windows 8
("BCDEdit /set", Microsoft)."""
FIRST_START_SCREENS = Ability(WINDOWS_8)
"""Answers to the screens for local and online accounts and wireless networks ("OOBE", Microsoft,
Unattended Windows Setup Reference); older ones refuse an answer file with them."""
WITHOUT_OLD_SETTINGS = Ability(WINDOWS_10)
"""Doing without ``VisualEffects/FontSmoothing``, which answer files have no more since 1709, and
without ``NetworkLocation``, which is deprecated ("Changed answer file settings", Microsoft)."""
POWERSHELL_IN_SERVER_CORE = Ability(WINDOWS_8)
"""PowerShell turned on in Server Core as installed."""
SHA256_SIGNATURES = Ability(WINDOWS_8)
"""Drivers signed with SHA-256 as installed; Windows 7 and 2008 R2 need KB3033929."""
COMPONENT_CLEAN_UP = Ability(WINDOWS_8)
"""``dism /StartComponentCleanup`` ("Clean Up the WinSxS Folder", Microsoft)."""
RESET_BASE = Ability(WINDOWS_8_1)
"""``/ResetBase`` with it (the same page)."""
SIGNED_BY_MICROSOFT = Ability(WINDOWS_10)
"""Drivers that Microsoft signs for this Windows alone (attestation signing)."""
ONLY_SIGNED_BY_MICROSOFT = Ability(WINDOWS_10_1607)
"""Under Secure Boot only drivers that Microsoft itself has signed are permitted, or whose
maker's certificate is from before 29 July 2015; boot drivers are not blocked but removed
("Kernel-mode code signing policy", Microsoft)."""
INF_BUILD_NUMBERS = Ability(WindowsVersion(10, 0, 14310))
"""A build number in the decoration of an INF; older ones ignore the whole decoration ("INF
Manufacturer Section", Microsoft)."""
PNPUTIL_ADD_DRIVER = Ability(WINDOWS_10_1607)
"""``pnputil /add-driver``; before there was only ``-i -a``, which newer ones still know."""
BOOT_MANAGER_OF_2023 = Ability(WindowsVersion(10, 0, 26200))
"""Deployment takes the boot manager signed under "Windows UEFI CA 2023" where there is one."""
NETWORK_PAGE = Ability(WINDOWS_11)
"""Clients ask for a network at their first start and may not go on without one."""
NEEDS_UEFI = Ability(WINDOWS_11)
"""Clients are supported with UEFI firmware only ("Windows 11 requirements", Microsoft)."""
DEVICE_ENCRYPTION = Ability(WINDOWS_11_24H2)
"""Device encryption turns itself on at the first start, and sysprep then refuses to generalize
("BitLocker overview: device encryption", Microsoft)."""


_FIRST_WITH_TPM = {False: 22000, True: 26000}
"""First build of a client and of a server whose hardware requirements list a TPM 2.0 ("Windows
11 requirements", Microsoft); Server 2025 uses one where it is there."""


def wants_tpm(version: WindowsVersion, *, server: bool) -> bool:
    """Whether a Windows expects a TPM 2.0: Windows 11, Server 2025 and later."""
    return version.build >= _FIRST_WITH_TPM[server]
