"""Known causes: each is found by words that were seen, and told as a guide."""

from __future__ import annotations

import pytest

from winimagetools.checks.causes import CAUSES, find_cause, troubleshooting

SEEN = {
    "the firmware does not trust the boot manager": 'BdsDxe: failed to load Boot0001 "UEFI QEMU '
    'HARDDISK QM00001 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x0,0xFFFF,0x0): Access Denied',
    "nothing on the disk starts": "No bootable device.  Retrying in 60 seconds.",
    "Windows does not find its own disk": "Stop code: INACCESSIBLE_BOOT_DEVICE",
    "no network in the guest": "Updates: Exception from HRESULT: 0x80072EE2",
    "an application that was installed for one user blocks sysprep": "SYSPRP Package "
    "Microsoft.OneDriveSync_1.0_neutral__8wekyb3d8bbwe was installed for a user, but not "
    "provisioned for all users. This package will not function properly in the sysprep image.",
    "the disk is encrypted": "BitLocker is on for the OS volume. Turn BitLocker off to run Sysprep",
    "updates or features wait for a restart": "Updates or features wait for another restart.",
    "the disk of the guest is full": "There is not enough space on the disk.",
    "this machine has no room left": "No room is left for the disk of the virtual machine, /x.",
    "the product key was refused": "Error: 0xC004F069 On a computer running Microsoft Windows",
    "an update fails": "KB5034439 failed (0x80070643)... DISM failed: 0x800F081F",
    "a driver could not be installed": "Drivers(failed): Exit code 5: pnputil.exe -i -a x.inf",
    "an installer failed": "msiexec.exe /i CloudbaseInit.msi failed with exit code 1603.",
    "a hook script failed": "RunBeforeSysprep.ps1 ended with exit code 1.",
    "a hook script powered the machine off": "StatusStopped: RunBeforeSysprep.ps1 asked to power "
    "off.",
    "Windows restarts again and again": "The virtual machine restarts again and again: 6 times",
    "sysprep failed": "Sysprep failed (exit code 1, IMAGE_STATE_UNDEPLOYABLE): ",
    "Windows waits for somebody": "The virtual machine said nothing new for 1 min 00 s; its",
    "QEMU came to an end": "QEMU ended while the guest was running. QEMU returned -9 and said: ",
}
"""By name: what firmware, Windows and our scripts wrote."""


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_each_is_found(cause: object) -> None:
    """Every cause of the table has words that lead to it and to no other."""
    name = getattr(cause, "name", "")
    found = find_cause(["The image failed.", SEEN[name].upper()])
    assert found is cause


def test_the_table_is_whole() -> None:
    """There are no words for a cause that is not there."""
    assert set(SEEN) == {cause.name for cause in CAUSES}


def test_the_surest_counts() -> None:
    """The silence that follows from a page without network is told as what it comes from."""
    cause = find_cause(["It said nothing new for 60 s.", "WU: 0x8024402C"])
    assert cause is not None
    assert cause.name == "no network in the guest"


def test_nothing_is_known() -> None:
    """No cause is made up."""
    assert find_cause(["The virtual machine reported a failure: 42", ""]) is None


def test_guide() -> None:
    """Each cause with its advice."""
    text = troubleshooting()
    assert text.startswith("# When the virtual machine fails\n")
    for cause in CAUSES:
        assert f"{cause.name[1:]}\n\n{cause.advice}" in text
