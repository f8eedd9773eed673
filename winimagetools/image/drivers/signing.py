"""What keeps a boot driver from being put into an image that would not start with it.

The rules are those of Microsoft's "Kernel-mode code signing policy" and of the code signing
requirements of its hardware dashboard. Where these disagree, or say less than one would want
to know, there is a warning instead of a refusal; none of that was tried on a machine.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from winimagetools.errors import MediaError, Problem
from winimagetools.facts.releases import (
    ONLY_SIGNED_BY_MICROSOFT,
    SHA256_SIGNATURES,
    SIGNED_BY_MICROSOFT,
    UEFI_ON_X86,
)
from winimagetools.formats.inf.target import SERVER, Target
from winimagetools.formats.pe import read_pe
from winimagetools.formats.signature import Signature, Trust, best_signature
from winimagetools.model import Architecture, WindowsVersion

_CHECKED = (Architecture.AMD64, Architecture.ARM64)
"""Windows for x86 starts with drivers whoever signed them, at least from BIOS."""
_OLD_ENOUGH = datetime.date(2015, 7, 29)
"""Drivers of makers whose certificate was issued before are still permitted."""


class Doubt(Enum):
    """Why Windows may not start with a driver, though nothing says that it will not."""

    SECURE_BOOT = "signed by its maker, with a certificate from after July 2015"
    NOT_CROSS_SIGNED = "signed with a certificate that does not lead to Microsoft"
    ATTESTED = "signed by Microsoft without tests, for a server"
    X86 = "not signed, for x86"


UEFI_ONLY = (Doubt.SECURE_BOOT, Doubt.X86)
"""These do not matter where firmware is BIOS."""


@dataclass(frozen=True)
class Verdict:
    """Whether Windows can start with a driver.

    Args:
        problem: why it cannot.
        doubt: why it may not.
        signer: who signed it; empty for nobody.
    """

    problem: Problem | None = None
    doubt: Doubt | None = None
    signer: str = ""


def check_boot_file(data: bytes, path: str, target: Target) -> Verdict:
    """Whether Windows can start with this driver binary.

    Args:
        data: the ``.sys`` file.
        path: where it is, for the message.
        target: the Windows.
    """
    file = read_pe(data)
    if file is None:
        hint = "Get the driver again."
        return Verdict(Problem(f"{path} is not a Windows driver: it has no PE header.", hint))
    if file.architecture is not target.architecture:
        kind = file.architecture or "another machine"
        return Verdict(
            Problem(
                f"{path} is a driver for {kind}, the image is for {target.architecture}.",
                "Use the package for the architecture of the image.",
            )
        )
    signature = best_signature(file.certificates)
    reason = _reason(signature, target) if target.architecture in _CHECKED else ""
    if reason:
        return Verdict(_refusal(path, reason, target))
    return Verdict(doubt=_doubt(signature, target), signer=signature.signer)


def check_catalog(data: bytes, target: Target) -> str:
    """Why Windows does not load the drivers of a catalog, completing "It ..."; empty if it does.

    A catalog is a PKCS #7 message itself. One that is none is left to Windows, which can also
    take the signatures in the files.

    Args:
        data: the ``.cat`` file.
        target: the Windows.
    """
    signature = best_signature([data])
    if target.architecture not in _CHECKED or signature.trust is Trust.UNSIGNED:
        return ""
    return _reason(signature, target)


def catalog_notes(reasons: Mapping[str, str], target: Target) -> tuple[str, ...]:
    """One sentence for each reason why drivers are not loaded; ``reasons`` by INF."""
    return tuple(
        f"Windows {target.version.major}.{target.version.minor} for {target.architecture} does not "
        f"load these drivers, whose catalog {reason}: "
        f"{', '.join(inf for inf, why in reasons.items() if why == reason)}. "
        f"{signing_advice(target.version)}"
        for reason in dict.fromkeys(filter(None, reasons.values()))
    )


def _reason(signature: Signature, target: Target) -> str:
    """Why a 64-bit Windows does not load a driver, completing "The driver ..."."""
    if signature.trust is Trust.UNSIGNED:
        return "is not signed"
    if signature.trust is Trust.SELF_SIGNED:
        return f"is signed with a certificate that its maker issued itself ({signature.signer})"
    if signature.trust is Trust.AUTHORITY and not ONLY_SIGNED_BY_MICROSOFT.is_in(target.version):
        return (
            f"is signed with a certificate that does not lead to Microsoft ({signature.signer}; "
            "its signature has no cross-certificate)"
        )
    if signature.attested and not SIGNED_BY_MICROSOFT.is_in(target.version):
        return (
            "is signed by Microsoft by attestation only, which is valid from Windows 10 and "
            "Server 2016 on"
        )
    return ""


def _refusal(path: str, reason: str, target: Target) -> Problem:
    return Problem(
        f"{path} {reason}: Windows {target.version.major}.{target.version.minor} for "
        f"{target.architecture} stops with 0xc0000428 when it has to start with it.",
        signing_advice(target.version),
    )


def _doubt(signature: Signature, target: Target) -> Doubt | None:
    if target.architecture not in _CHECKED:
        if not UEFI_ON_X86.is_in(target.version):
            return None
        if signature.trust < Trust.CROSS_SIGNED:
            return Doubt.X86
    if not ONLY_SIGNED_BY_MICROSOFT.is_in(target.version):
        return None
    if signature.trust is Trust.AUTHORITY:
        return Doubt.NOT_CROSS_SIGNED
    if signature.trust is Trust.CROSS_SIGNED:
        old = signature.issued is not None and signature.issued < _OLD_ENOUGH
        return None if old else Doubt.SECURE_BOOT
    return Doubt.ATTESTED if signature.attested and target.product_type == SERVER else None


def doubt_notes(verdicts: Mapping[str, Verdict], target: Target, *, uefi: bool) -> tuple[str, ...]:
    """One sentence for each kind of doubt about boot drivers.

    Args:
        verdicts: by path of the driver.
        target: the Windows.
        uefi: those that only matter with UEFI firmware; else all others.
    """
    return tuple(_notes(verdicts, target.version, uefi=uefi))


def _notes(
    verdicts: Mapping[str, Verdict], version: WindowsVersion, *, uefi: bool
) -> Iterator[str]:
    for doubt in Doubt:
        found = {path: item for path, item in verdicts.items() if item.doubt is doubt}
        if found and (doubt in UEFI_ONLY) is uefi:
            signers = " and ".join(dict.fromkeys(item.signer for item in found.values()))
            yield _NOTES[doubt].format(
                paths=", ".join(found), signers=signers, advice=signing_advice(version)
            )


_NOTES = {
    Doubt.SECURE_BOOT: (
        "Under Secure Boot these drivers are not permitted, since {signers} signed them and not "
        "Microsoft, with a certificate from after 28 July 2015: {paths}. Microsoft says that "
        "Windows still starts with drivers it needs to boot, but that the Program Compatibility "
        "Assistant removes them. {advice}"
    ),
    Doubt.NOT_CROSS_SIGNED: (
        "The certificate of {signers} does not lead to Microsoft, so Windows may not start with "
        "these drivers: {paths}. {advice}"
    ),
    Doubt.ATTESTED: (
        "Microsoft signed these drivers by attestation, without tests, and lists such drivers as "
        "not valid for Windows Server 2016 and later: {paths}. Servers are reported to start "
        "with them; where that is not enough use drivers that passed the tests, such as those "
        "of the virtio-win ISO that comes with RHEL."
    ),
    Doubt.X86: (
        "These drivers have no signature that leads to Microsoft: {paths}. A 32-bit Windows "
        "starts with them from BIOS; whether it does with UEFI and Secure Boot, Microsoft's "
        "pages do not agree on. {advice}"
    ),
}


def signing_advice(version: WindowsVersion) -> str:
    """Which virtio-win release to use for a Windows, by what its drivers are signed with."""
    if not SHA256_SIGNATURES.is_in(version):
        return (
            "Use virtio-win 0.1.173 for Windows Vista, 2008, 7 and 2008 R2 (0.1.185 and later "
            "need KB3033929 in the image)."
        )
    if not SIGNED_BY_MICROSOFT.is_in(version):
        return (
            "Use virtio-win 0.1.189 for Windows 8, 8.1, 2012 and 2012 R2, or the ISO that comes "
            "with RHEL: since 0.1.217 these drivers are no longer signed by Microsoft."
        )
    return (
        "Use virtio-win 0.1.208 or later for Windows 10, 2016 and later: they are signed by "
        "Microsoft since then."
    )


def refuse(boot: Sequence[Problem], unfit: Sequence[Problem], source: str) -> None:
    """Raise one MediaError for everything that is wrong with drivers; nothing when all is well.

    Args:
        boot: why the image would not start.
        unfit: which packages Windows would not take.
        source: where they are.

    Raises:
        MediaError: there is a problem.
    """
    parts = [
        (f"The image would not start with these drivers from {source}:", boot),
        (f"Windows does not take these driver packages from {source}:", unfit),
    ]
    texts = [
        heading + "".join(f"\n  - {problem.message}" for problem in problems)
        for heading, problems in parts
        if problems
    ]
    if texts:
        hints = dict.fromkeys(item.hint for item in (*boot, *unfit) if item.hint)
        raise MediaError("\n".join(texts), "\n".join(hints))
