"""Who signed a driver."""

from __future__ import annotations

import datetime
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.virtio_pe import CHAINS, driver_binary, nested_signature, sign, signed_data
from winimagetools.image.signature import PeFile, Signature, Trust, read_pe
from winimagetools.model import Architecture

UNSIGNED = driver_binary("amd64")


def trust(image: bytes) -> Trust:
    """The trust in a file that is a PE file."""
    file = read_pe(image)
    assert file is not None
    return file.signature.trust


@pytest.mark.parametrize("architecture", [Architecture.X86, Architecture.AMD64, Architecture.ARM64])
def test_architecture(architecture: Architecture) -> None:
    """The machine type is the architecture, in 32-bit and 64-bit files."""
    found = read_pe(driver_binary(architecture.value, "self"))
    assert found == PeFile(architecture, Signature(Trust.SELF_SIGNED, "virtio-win, Red Hat Inc."))


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        ("", Signature(Trust.UNSIGNED)),
        ("self", Signature(Trust.SELF_SIGNED, "virtio-win, Red Hat Inc.")),
        ("authority", Signature(Trust.AUTHORITY, "Red Hat, Inc.")),
        ("cross", Signature(Trust.CROSS_SIGNED, "Red Hat, Inc.")),
        (
            "microsoft",
            Signature(
                Trust.MICROSOFT,
                "Microsoft Corporation, Microsoft Windows Hardware Compatibility Publisher",
            ),
        ),
    ],
)
def test_chain(signed: str, expected: Signature) -> None:
    """The names of the chain tell what a signature is worth."""
    file = read_pe(driver_binary("amd64", signed))
    assert file is not None
    assert file.signature == expected


def test_self_signed_as_microsoft() -> None:
    """A certificate that calls itself Microsoft but issued itself is worth nothing more."""
    name = ("Microsoft Corporation", "Microsoft Windows")
    assert trust(sign(UNSIGNED, [signed_data(((name, name),))])) is Trust.SELF_SIGNED


def test_maker_certified_by_microsoft() -> None:
    """A maker's own certificate from a Microsoft authority is not Microsoft's signature."""
    issuer = ("Microsoft Corporation", "Microsoft ID Verified CS CA")
    message = signed_data(((("Maker", "Maker"), issuer),))
    assert trust(sign(UNSIGNED, [message])) is Trust.CROSS_SIGNED


def test_nested_signature_counts() -> None:
    """Microsoft's signature added beside a self-made one is the one that counts."""
    message = signed_data(CHAINS["self"], nested_signature(signed_data(CHAINS["microsoft"])))
    assert trust(sign(UNSIGNED, [message])) is Trust.MICROSOFT


def test_several_entries() -> None:
    """The best of several entries of the certificate table counts."""
    messages = [signed_data(CHAINS[name]) for name in ("self", "cross")]
    assert trust(sign(UNSIGNED, messages)) is Trust.CROSS_SIGNED


def test_deep_nesting_ends() -> None:
    """Signatures in signatures are followed a few levels, not for ever."""
    message = signed_data(CHAINS["microsoft"])
    for _ in range(8):
        message = signed_data(CHAINS["self"], nested_signature(message))
    assert trust(sign(UNSIGNED, [message])) is Trust.SELF_SIGNED


def test_signer_without_certificate() -> None:
    """A message whose signer's certificate is missing proves nothing."""
    message = signed_data(CHAINS["cross"]).replace(b"Code Signing CA", b"Other Signing C", 1)
    assert trust(sign(UNSIGNED, [message])) is Trust.UNSIGNED


def test_other_entry_kinds_are_skipped() -> None:
    """Entries that are no PKCS #7 message do not count."""
    image = bytearray(driver_binary("amd64", "self"))
    (position,) = struct.unpack_from("<I", image, _security_directory(image))
    struct.pack_into("<H", image, position + 6, 1)
    assert trust(bytes(image)) is Trust.UNSIGNED


def test_truncated_table() -> None:
    """A file cut off inside its signature counts as unsigned."""
    assert trust(driver_binary("amd64", "self")[:-64]) is Trust.UNSIGNED


def test_few_directories() -> None:
    """A file without room for the security directory is unsigned."""
    image = bytearray(driver_binary("amd64", "self"))
    struct.pack_into("<I", image, _security_directory(image) - 36, 4)
    assert trust(bytes(image)) is Trust.UNSIGNED


def _security_directory(image: bytes | bytearray) -> int:
    (header,) = struct.unpack_from("<I", image, 0x3C)
    return int(header) + 24 + 112 + 32


@pytest.mark.parametrize("data", [b"", b"MZ", b"MZ" + bytes(62), b"PE\0\0" + bytes(600)])
def test_not_pe(data: bytes) -> None:
    """What has no PE header is no PE file."""
    assert read_pe(data) is None


def test_unknown_machine() -> None:
    """A machine Windows does not run on is told as none."""
    image = bytearray(UNSIGNED)
    (header,) = struct.unpack_from("<I", image, 0x3C)
    struct.pack_into("<H", image, header + 4, 0x0EBC)
    assert read_pe(bytes(image)) == PeFile(None, Signature(Trust.UNSIGNED))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 14), st.binary(min_size=1, max_size=6), st.integers(0, 1 << 14))
def test_damage(position: int, junk: bytes, length: int) -> None:
    """A damaged file is judged without an exception, and never better than a whole one."""
    image = bytearray(driver_binary("amd64", "cross"))
    position %= len(image)
    image[position : position + len(junk)] = junk
    file = read_pe(bytes(image[: max(length, 64) % (len(image) + 1)]))
    assert file is None or file.signature.trust <= Trust.CROSS_SIGNED


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_message(data: bytes) -> None:
    """Arbitrary bytes in the certificate table are no signature."""
    assert trust(sign(UNSIGNED, [data])) is Trust.UNSIGNED


def test_message_of_another_encoder() -> None:
    """A PKCS #7 message made by an independent library is read the same way."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def certificate(
        subject: str,
        issuer: str,
        signer: ec.EllipticCurvePrivateKey,
        public: ec.EllipticCurvePublicKey,
    ) -> x509.Certificate:
        names = [
            x509.Name(
                [
                    x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "US"),
                    x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name),
                ]
            )
            for name in (subject, issuer)
        ]
        builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1])
        builder = builder.serial_number(x509.random_serial_number()).public_key(public)
        builder = builder.not_valid_before(datetime.datetime(2020, 1, 1))
        builder = builder.not_valid_after(datetime.datetime(2040, 1, 1))
        return builder.sign(signer, hashes.SHA256())

    def message(chain: list[x509.Certificate]) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(b"content")
        builder = builder.add_signer(chain[0], key, hashes.SHA256())
        for item in chain[1:]:
            builder = builder.add_certificate(item)
        return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])

    public = key.public_key()
    own = certificate("Home Made", "Home Made", key, public)
    leaf = certificate("Maker", "Some Root", root_key, public)
    cross = certificate("Some Root", "Microsoft Corporation", key, root_key.public_key())
    assert read_pe(sign(UNSIGNED, [message([own])])) == PeFile(
        Architecture.AMD64, Signature(Trust.SELF_SIGNED, "Home Made")
    )
    assert trust(sign(UNSIGNED, [message([leaf])])) is Trust.AUTHORITY
    assert trust(sign(UNSIGNED, [message([leaf, cross])])) is Trust.CROSS_SIGNED
