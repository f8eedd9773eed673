"""Whose signature a boot manager carries."""

from __future__ import annotations

import pytest

from winimagetools.facts.boot_authority import (
    BootAuthority,
    BootManager,
    boot_authority,
    boot_manager_sentence,
)

PCA_2011 = b"\x13\x25Microsoft Windows Production PCA 2011"
CA_2023 = b"\x13\x14Windows UEFI CA 2023"


@pytest.mark.parametrize(
    ("certificates", "expected"),
    [
        ((PCA_2011,), BootAuthority.PCA_2011),
        ((CA_2023,), BootAuthority.CA_2023),
        ((PCA_2011, CA_2023), BootAuthority.CA_2023),
        (("Windows UEFI CA 2023".encode("utf-16-be"),), BootAuthority.CA_2023),
        ((b"Some other authority",), None),
        ((), None),
    ],
)
def test_the_authority(certificates: tuple[bytes, ...], expected: BootAuthority | None) -> None:
    """By the name in the message; of a file with both signatures the newer one."""
    assert boot_authority(certificates) is expected


def test_each_authority_is_explained() -> None:
    """What follows for Secure Boot is another thing for each."""
    sentences = [
        boot_manager_sentence(BootManager(authority)) for authority in (*BootAuthority, None)
    ]
    assert len(set(sentences)) == 3
    assert "revoked" in sentences[0]
    assert "does not know that one yet" in sentences[1]
    assert "Secure Boot does not start it" in sentences[2]


def test_the_security_version_is_told() -> None:
    """Firmware may demand a minimum of it."""
    assert boot_manager_sentence(BootManager(BootAuthority.CA_2023, "9.0")).startswith(
        "The boot manager is signed under Windows UEFI CA 2023 and has security version 9.0: with"
    )
