"""Whose signature on a boot driver is refused, warned about or taken."""

from __future__ import annotations

import dataclasses

import pytest

from fixtures.virtio_pe import driver_binary, message
from tests.unit.fakes import MemorySource
from tests.unit.image.drivers.packages import (
    S2012R2,
    S2022,
    W7,
    W10,
    W10_1511,
    W10X86,
    package,
    source,
)
from winimagetools.errors import MediaError
from winimagetools.image.drivers.plan import plan_drivers
from winimagetools.model import Architecture
from winimagetools.plan import ImageInfo


@pytest.mark.parametrize(
    ("image", "windows", "release", "advice"),
    [
        (S2012R2, "2k12R2", "0.1.285", "Use virtio-win 0.1.189 for Windows 8"),
        (S2022, "2k12R2", "0.1.285", "Use virtio-win 0.1.208 or later"),
    ],
)
def test_self_signed_is_refused(image: ImageInfo, windows: str, release: str, advice: str) -> None:
    """Self-signed boot drivers are refused together, with the release to use instead."""
    files = source(
        package("viostor", windows, release=release), package("vioscsi", windows, release=release)
    )
    with pytest.raises(MediaError) as caught:
        plan_drivers(files, image)
    lines = caught.value.message.splitlines()
    assert lines[0] == "The image would not start with these drivers from /drivers:"
    assert lines[1].startswith(
        "  - vioscsi/vioscsi.sys is signed with a certificate that its maker issued itself "
        "(virtio-win, Red Hat Inc.): Windows "
    )
    assert lines[2].startswith("  - viostor/viostor.sys ")
    assert lines[2].endswith("amd64 stops with 0xc0000428 when it has to start with it.")
    assert caught.value.hint.startswith(advice)
    assert caught.value.hint.count("Use virtio-win") == 1


@pytest.mark.parametrize(
    ("image", "windows", "architecture", "signed", "message"),
    [
        (S2022, "2k22", "amd64", "", "viostor.sys is not signed: Windows 10.0 for amd64 stops"),
        (W7, "w7", "amd64", "", "viostor.sys is not signed: Windows 6.1 for amd64 stops"),
        (S2022, "2k22", "x86", "microsoft", "viostor.sys is a driver for x86, the image is for"),
        (W10X86, "w10", "arm64", "", "viostor.sys is a driver for arm64, the image is for x86"),
    ],
)
def test_unsigned_and_wrong_machine(
    image: ImageInfo, windows: str, architecture: str, signed: str, message: str
) -> None:
    """Unsigned drivers and drivers for another machine are refused."""
    files = package("viostor", windows, image.architecture.value)
    files["viostor/viostor.sys"] = driver_binary(architecture, signed)
    with pytest.raises(MediaError, match=message):
        plan_drivers(source(files), image)


def test_x86_takes_unsigned_drivers() -> None:
    """Windows for x86 starts with whatever it is given."""
    files = package("viostor", "w10", "x86")
    files["viostor/viostor.sys"] = driver_binary("x86")
    found = plan_drivers(source(files), W10X86)
    assert (found.notes, found.warnings) == ((), ())
    (warning,) = found.uefi_warnings
    assert warning.startswith(
        "These drivers have no signature that leads to Microsoft: viostor/viostor.sys. A 32-bit "
        "Windows starts with them from BIOS; whether it does with UEFI and Secure Boot"
    )
    seven = package("viostor", "w7", "x86") | {"viostor/viostor.sys": driver_binary("x86")}
    old = dataclasses.replace(W7, architecture=Architecture.X86)
    assert plan_drivers(source(seven), old).uefi_warnings == ()


def signed(image: ImageInfo, windows: str, *signers: str) -> MemorySource:
    """Packages of viostor for an image, each signed by somebody else."""
    content: dict[str, bytes] = {}
    for number, signer in enumerate(signers):
        name = ("viostor", "vioscsi")[number]
        content |= package(name, windows, image.architecture.value)
        content[f"{name}/{name}.sys"] = driver_binary(image.architecture.value, signer)
    return source(content)


@pytest.mark.parametrize(("image", "windows"), [(S2022, "2k22"), (W10, "w10"), (W10X86, "w10")])
def test_secure_boot_warning(image: ImageInfo, windows: str) -> None:
    """Drivers not signed by Microsoft are taken, with one warning for UEFI."""
    found = plan_drivers(signed(image, windows, "cross", "cross"), image)
    assert (found.notes, found.warnings) == ((), ())
    (warning,) = found.uefi_warnings
    assert warning.startswith(
        "Under Secure Boot these drivers are not permitted, since Red Hat, Inc. signed them and "
        "not Microsoft, with a certificate from after 28 July 2015: vioscsi/vioscsi.sys, "
        "viostor/viostor.sys. Microsoft says that Windows still starts with drivers it needs to "
        "boot, but that the Program Compatibility Assistant removes them. Use virtio-win 0.1.208"
    )


@pytest.mark.parametrize(
    ("image", "windows", "signer"),
    [
        (S2022, "2k22", "old"),
        (S2022, "2k22", "microsoft"),
        (W10, "w10", "attested"),
        (W10_1511, "w10", "cross"),
        (S2012R2, "2k12R2", "cross"),
        (S2012R2, "2k12R2", "microsoft"),
        (W7, "w7", "cross"),
        (W10X86, "w10", "old"),
        (W10X86, "w10", "microsoft"),
    ],
)
def test_good_signatures(image: ImageInfo, windows: str, signer: str) -> None:
    """Nothing is said of a signature that the Windows in question permits."""
    found = plan_drivers(signed(image, windows, signer), image)
    assert (found.warnings, found.uefi_warnings) == ((), ())


@pytest.mark.parametrize(
    ("image", "windows", "signer", "reason"),
    [
        (W10_1511, "w10", "authority", "that does not lead to Microsoft (Red Hat, Inc.; its sig"),
        (W7, "w7", "authority", "that does not lead to Microsoft (Red Hat, Inc.; its signature"),
        (S2012R2, "2k12R2", "attested", "is signed by Microsoft by attestation only"),
        (W7, "w7", "attested", "which is valid from Windows 10 and Server 2016 on"),
    ],
)
def test_signatures_that_do_not_load(
    image: ImageInfo, windows: str, signer: str, reason: str
) -> None:
    """Without a cross-certificate below 1607, and attested below 10.0, a boot driver is refused."""
    with pytest.raises(MediaError) as caught:
        plan_drivers(signed(image, windows, signer), image)
    assert reason in caught.value.message


def test_attested_driver_on_a_server() -> None:
    """Attestation is warned about on servers, whatever the firmware."""
    found = plan_drivers(signed(S2022, "2k22", "attested"), S2022)
    (warning,) = found.warnings
    assert warning.startswith(
        "Microsoft signed these drivers by attestation, without tests, and lists such drivers as "
        "not valid for Windows Server 2016 and later: viostor/viostor.sys."
    )
    assert found.uefi_warnings == ()


def test_no_cross_certificate_from_1607_on() -> None:
    """From 1607 on nothing says for sure that such a driver is not loaded: a warning."""
    (warning,) = plan_drivers(signed(W10, "w10", "authority"), W10).warnings
    assert warning.startswith(
        "The certificate of Red Hat, Inc. does not lead to Microsoft, so Windows may not start "
        "with these drivers: viostor/viostor.sys. Use virtio-win 0.1.208"
    )


@pytest.mark.parametrize(
    ("image", "windows", "signer", "reason"),
    [
        (W7, "w7", "attested", "is signed by Microsoft by attestation only, which is valid from"),
        (S2012R2, "2k12R2", "self", "is signed with a certificate that its maker issued itself"),
        (W7, "w7", "authority", "is signed with a certificate that does not lead to Microsoft"),
        (W7, "w7", "cross", ""),
        (W7, "w7", "microsoft", ""),
        (S2022, "2k22", "attested", ""),
        (W7, "w7", "", ""),
    ],
)
def test_catalogs(image: ImageInfo, windows: str, signer: str, reason: str) -> None:
    """A driver that is not needed to boot and would not be loaded is a warning."""
    files = package("NetKVM", windows) | package("Balloon", windows) | package("smbus", windows)
    for name in ("NetKVM/netkvm", "Balloon/balloon", "smbus/smbus"):
        files[f"{name}.cat"] = message(signer) if signer else b"nothing of the kind"
    warnings = plan_drivers(source(files), image).warnings
    if not reason:
        assert warnings == ()
        return
    (warning,) = warnings
    assert f"does not load these drivers, whose catalog {reason}" in warning
    assert ": Balloon/balloon.inf, NetKVM/netkvm.inf. Use virtio-win " in warning
