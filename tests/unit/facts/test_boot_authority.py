"""Whose signature a boot manager carries."""

from __future__ import annotations

import pytest

from winimagetools.facts.boot_authority import BootAuthority, authority_sentence, boot_authority

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
    sentences = [authority_sentence(authority) for authority in (*BootAuthority, None)]
    assert len(set(sentences)) == 3
    assert "revoked" in sentences[0]
    assert "does not know that one yet" in sentences[1]
    assert "Secure Boot does not start it" in sentences[2]
