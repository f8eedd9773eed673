"""Known causes of failures in the virtual machine: how each shows, and what to do about it.

The signs are looked for in the error, in the reports of the guest and in the logs of the run.
Sources: the issues of the PowerShell tools and of packer templates for Windows, Microsoft's
"Sysprep (Generalize) a Windows installation" and "Windows Setup Log Files".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One cause.

    Args:
        name: in a few words.
        sign: a pattern of the words it shows by, in any letter case.
        advice: what to do, in whole sentences.
    """

    name: str
    sign: str
    advice: str


CAUSES = (
    Cause(
        "the firmware does not trust the boot manager",
        r"Access Denied\. It is not|failed to load Boot\d+.*(Access Denied|Security Violation)",
        "Secure Boot is on and the keys of the firmware do not include the authority that signed "
        "the boot manager (Microsoft's of 2011 or of 2023). Use a newer ovmf, choose the other one "
        "with boot_authority, or set disable_secure_boot = True.",
    ),
    Cause(
        "nothing on the disk starts",
        r"found nothing to start on the disk|No bootable device",
        "Check that disk_layout suits the image: UEFI firmware starts GPT disks with an EFI "
        "partition, BIOS starts MBR disks with an active one. winimagetools test-image looks at "
        "both.",
    ),
    Cause(
        "Windows does not find its own disk",
        r"INACCESSIBLE_BOOT_DEVICE|0x0000007B",
        "The storage driver of the machine is missing or wrong. Set virtio_iso_path to an ISO that "
        "has drivers for this Windows, or leave it out: the machine then has a SATA disk.",
    ),
    Cause(
        "no network in the guest",
        r"0x8024402C|0x80072EE7|0x80072EFD|0x80072EE2|0x8024401C|could not be resolved"
        r"|Unable to connect to the remote server",
        "The guest needs the network for updates. On Hyper-V name an external switch; on Linux "
        "leave external_switch empty, or name a bridge that leads out. Check proxy and WSUS.",
    ),
    Cause(
        "an application that was installed for one user blocks sysprep",
        r"was installed for a user, but not provisioned|SYSPRP Package \S+"
        r"|Failed to remove apps for the current user",
        "Remove the named package for all users in a RunBeforeSysprep.ps1 hook: Get-AppxPackage "
        "-AllUsers NAME | Remove-AppxPackage -AllUsers.",
    ),
    Cause(
        "the disk is encrypted",
        r"BitLocker is on for the OS volume|BitLocker-?.*(encrypt|sysprep)|0x80310039",
        "Turn it off in a RunBeforeSysprep.ps1 hook and wait: manage-bde -off C:, until manage-bde "
        "-status says decrypted.",
    ),
    Cause(
        "updates or features wait for a restart",
        r"pending (reboot|restart|operations)|reboot is pending|Updates or features wait"
        r"|There are one or more Windows updates that require a reboot",
        "Let a RunAfterWindowsUpdates.ps1 hook end with exit code 1005, which restarts and begins "
        "again.",
    ),
    Cause(
        "the disk of the guest is full",
        r"There is not enough space on the disk|0x80070070|ERROR_DISK_FULL",
        "Give it more with disk_size.",
    ),
    Cause(
        "this machine has no room left",
        r"No room is left for the disk of the virtual machine",
        "Free some space where the image is made, or let image_path name another place.",
    ),
    Cause(
        "the product key was refused",
        r"0xC004F050|0xC004F069|0xC004E016|slmgr.*failed|product key .*(invalid|refused)",
        "The key is not one of this edition. Leave product_key empty for evaluation media, or use "
        "default_kms_key.",
    ),
    Cause(
        "an update fails",
        r"update.* failed (three|3) times|0x800F0922|0x80073712|0x800F081F",
        "Leave the update out, add it with extra_packages before the first start, or use newer "
        "media.",
    ),
    Cause(
        "a driver could not be installed",
        r"Drivers\(failed\)|pnputil.*fail|0xE000024[0-9A-F]|0x800B010[0-9A-F]",
        "Take a release of the drivers that is made for this Windows; the log names the package.",
    ),
    Cause(
        "an installer failed",
        r"msiexec.* failed with exit code|installer.* failed|CloudbaseInit.*exit code",
        "Its own log is among the files of the disk; exit codes are those of Windows Installer.",
    ),
    Cause(
        "a hook script failed",
        r"Run(Before|After)\w+\.ps1 ended with exit code 1|CustomScripts\(.*ERROR",
        "See its output in image-generation-log.txt. Exit code 1 fails the image, 1005 asks for a "
        "restart, 1006 for power off.",
    ),
    Cause(
        "a hook script powered the machine off",
        r"asked to power off|asked to stop here",
        "What is not on the disk was not done. Let the hook end with 0 so that the image is "
        "finished, or do its work in RunAfterSysprep.ps1.",
    ),
    Cause(
        "Windows restarts again and again",
        r"restarts again and again",
        "See the pictures and from-disk for a setup error. Updates that never settle and drivers "
        "that crash are usual; leave them out one by one.",
    ),
    Cause(
        "sysprep failed",
        r"Sysprep failed|not generalized",
        "setuperr.log and setupact.log of sysprep among the files of the disk say why.",
    ),
    Cause(
        "Windows waits for somebody",
        r"said nothing new for",
        "Look at the last picture: a dialog, the network page of a client, a script that asks. A "
        "long update may need more silent_minutes.",
    ),
    Cause(
        "QEMU came to an end",
        r"QEMU (ended|returned|was ended|runs and does not answer)",
        "What it said is in the message. If it was killed, this machine may be out of memory: "
        "lower ram_size.",
    ),
)
"""The surest first: of several signs that are found the first one counts."""


def find_cause(texts: Iterable[str]) -> Cause | None:
    """The likely cause of a failure; None when no sign is known.

    Args:
        texts: the error first, then logs.
    """
    everything = list(texts)
    for cause in CAUSES:
        if any(re.search(cause.sign, text, re.IGNORECASE) for text in everything):
            return cause
    return None


def troubleshooting() -> str:
    """The table as a guide."""
    lines = [
        "# When the virtual machine fails",
        "",
        "Beside the image there is then a folder `NAME.failed-TIME` with the disk, pictures of the",
        "screen, what the machine said on its serial ports and to QEMU, the reports of the guest",
        "and, in `from-disk`, the logs of Windows. The causes that are known:",
    ]
    for cause in CAUSES:
        lines += ["", f"## {cause.name[0].upper()}{cause.name[1:]}", "", cause.advice]
    return "\n".join(lines)
