"""Who signed a driver."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.virtio_pe import CHAINS, driver_binary, nested_signature, sign, signed_data
from winimagetools.formats.pe import read_pe
from winimagetools.formats.signature import Signature, Trust, best_signature

UNSIGNED = driver_binary("amd64")


def signature(image: bytes) -> Signature:
    """The best signature of a file that is a PE file."""
    file = read_pe(image)
    assert file is not None
    return best_signature(file.certificates)


def trust(image: bytes) -> Trust:
    """The trust in a file that is a PE file."""
    return signature(image).trust


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
    assert signature(driver_binary("amd64", signed)) == expected


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


def test_truncated_table() -> None:
    """A file cut off inside its signature counts as unsigned."""
    assert trust(driver_binary("amd64", "self")[:-64]) is Trust.UNSIGNED


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 14), st.binary(min_size=1, max_size=6), st.integers(0, 1 << 14))
def test_damage(position: int, junk: bytes, length: int) -> None:
    """A damaged file is judged without an exception, and never better than a whole one."""
    image = bytearray(driver_binary("amd64", "cross"))
    position %= len(image)
    image[position : position + len(junk)] = junk
    file = read_pe(bytes(image[: max(length, 64) % (len(image) + 1)]))
    assert file is None or best_signature(file.certificates).trust <= Trust.CROSS_SIGNED


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
    assert signature(sign(UNSIGNED, [message([own])])) == Signature(Trust.SELF_SIGNED, "Home Made")
    assert trust(sign(UNSIGNED, [message([leaf])])) is Trust.AUTHORITY
    assert trust(sign(UNSIGNED, [message([leaf, cross])])) is Trust.CROSS_SIGNED
