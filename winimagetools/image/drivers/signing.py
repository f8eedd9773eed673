"""What keeps a boot driver from being put into an image that would not start with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from winimagetools.errors import MediaError, Problem
from winimagetools.facts.releases import (
    ONLY_SIGNED_BY_MICROSOFT,
    SHA256_SIGNATURES,
    SIGNED_BY_MICROSOFT,
)
from winimagetools.formats.inf.target import Target
from winimagetools.formats.pe import read_pe
from winimagetools.formats.signature import Signature, Trust, best_signature
from winimagetools.model import Architecture, WindowsVersion

_CHECKED = (Architecture.AMD64, Architecture.ARM64)
"""Windows for x86 starts with drivers whoever signed them."""


@dataclass(frozen=True)
class Verdict:
    """Whether Windows can start with a driver.

    Args:
        problem: why it cannot.
        foreign_signer: who signed it, when Secure Boot would want Microsoft instead.
    """

    problem: Problem | None = None
    foreign_signer: str = ""


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
    if target.architecture not in _CHECKED:
        return Verdict()
    return _judge(best_signature(file.certificates), path, target)


def _judge(signature: Signature, path: str, target: Target) -> Verdict:
    if signature.trust is Trust.SELF_SIGNED:
        why = f"is signed with a certificate that its maker issued itself ({signature.signer})"
    elif signature.trust is Trust.UNSIGNED:
        why = "is not signed"
    elif signature.trust < Trust.MICROSOFT and ONLY_SIGNED_BY_MICROSOFT.is_in(target.version):
        return Verdict(foreign_signer=signature.signer)
    else:
        return Verdict()
    return Verdict(
        Problem(
            f"{path} {why}: Windows {target.version.major}.{target.version.minor} for "
            f"{target.architecture} stops with 0xc0000428 when it has to start with it.",
            signing_advice(target.version),
        )
    )


def secure_boot_note(signers: Mapping[str, str], version: WindowsVersion) -> str:
    """About all boot drivers that Secure Boot would refuse; ``signers`` is ``{path: name}``."""
    names = " and ".join(dict.fromkeys(signers.values()))
    return (
        f"Under Secure Boot the image does not start with these drivers, signed by {names} and "
        f"not by Microsoft: {', '.join(signers)}. {signing_advice(version)}"
    )


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


def refuse(problems: list[Problem], source: str) -> None:
    """Raise MediaError with all problems in one message when there are any."""
    if not problems:
        return
    lines = "".join(f"\n  - {problem.message}" for problem in problems)
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    raise MediaError(
        f"The image would not start with these drivers from {source}:{lines}", "\n".join(hints)
    )
