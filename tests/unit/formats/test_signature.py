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

from fixtures.virtio_pe import (
    ATTESTED,
    CHAINS,
    VERIFIED,
    driver_binary,
    message,
    nested_signature,
    sign,
    signed_data,
)
from winimagetools.formats.pe import read_pe
from winimagetools.formats.signature import Signature, Trust, best_signature

UNSIGNED = driver_binary("amd64")
NEW_YEAR = datetime.date(2015, 1, 1)
PUBLISHER = "Microsoft Corporation, Microsoft Windows Hardware Compatibility Publisher"


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
        ("self", Signature(Trust.SELF_SIGNED, "virtio-win, Red Hat Inc.", issued=NEW_YEAR)),
        ("authority", Signature(Trust.AUTHORITY, "Red Hat, Inc.", issued=NEW_YEAR)),
        (
            "cross",
            Signature(Trust.CROSS_SIGNED, "Red Hat, Inc.", issued=datetime.date(2018, 6, 1)),
        ),
        ("old", Signature(Trust.CROSS_SIGNED, "Red Hat, Inc.", issued=datetime.date(2015, 6, 1))),
        ("microsoft", Signature(Trust.MICROSOFT, PUBLISHER, issued=NEW_YEAR)),
        ("attested", Signature(Trust.MICROSOFT, PUBLISHER, attested=True, issued=NEW_YEAR)),
    ],
)
def test_chain(signed: str, expected: Signature) -> None:
    """Names, key usages and dates of the certificates tell what a signature is worth."""
    assert signature(driver_binary("amd64", signed)) == expected


def test_self_signed_as_microsoft() -> None:
    """A certificate that calls itself Microsoft but issued itself is worth nothing more."""
    name = ("Microsoft Corporation", "Microsoft Windows")
    assert trust(sign(UNSIGNED, [signed_data(((name, name),))])) is Trust.SELF_SIGNED


def test_maker_certified_by_microsoft() -> None:
    """A maker's own certificate from a Microsoft authority is not Microsoft's signature."""
    issuer = ("Microsoft Corporation", "Microsoft ID Verified CS CA")
    data = signed_data(((("Maker", "Maker"), issuer),))
    assert trust(sign(UNSIGNED, [data])) is Trust.CROSS_SIGNED


def test_nested_signature_counts() -> None:
    """Microsoft's signature added beside a self-made one is the one that counts."""
    data = signed_data(CHAINS["self"], nested_signature(signed_data(CHAINS["microsoft"])))
    assert trust(sign(UNSIGNED, [data])) is Trust.MICROSOFT


def test_several_entries() -> None:
    """The best of several entries of the certificate table counts."""
    messages = [signed_data(CHAINS[name]) for name in ("self", "cross")]
    assert trust(sign(UNSIGNED, messages)) is Trust.CROSS_SIGNED


def test_hlk_beside_attestation() -> None:
    """A file that has both of Microsoft's signatures has passed the HLK."""
    both = sign(UNSIGNED, [message("attested"), message("microsoft")])
    usages = (VERIFIED, ATTESTED)
    one = sign(UNSIGNED, [signed_data(CHAINS["microsoft"], usages=usages)])
    assert not signature(both).attested
    assert not signature(one).attested
    assert signature(sign(UNSIGNED, [message("attested")])).attested


def test_oldest_certificate_counts() -> None:
    """Of two signatures of the maker the one with the older certificate is worth more."""
    both = sign(UNSIGNED, [message("cross"), message("old")])
    assert signature(both).issued == datetime.date(2015, 6, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"150728235959Z", datetime.date(2015, 7, 28)),
        (b"991231000000Z", datetime.date(1999, 12, 31)),
        (b"159999000000Z", None),
        (b"", None),
    ],
)
def test_date_of_certificate(text: bytes, expected: datetime.date | None) -> None:
    """Two digits of a year mean 1950 to 2049; a date that is none is not known."""
    assert signature(sign(UNSIGNED, [signed_data(CHAINS["cross"], issued=text)])).issued == expected


def test_deep_nesting_ends() -> None:
    """Signatures in signatures are followed a few levels, not for ever."""
    data = signed_data(CHAINS["microsoft"])
    for _ in range(8):
        data = signed_data(CHAINS["self"], nested_signature(data))
    assert trust(sign(UNSIGNED, [data])) is Trust.SELF_SIGNED


def test_signer_without_certificate() -> None:
    """A message whose signer's certificate is missing proves nothing."""
    data = signed_data(CHAINS["cross"]).replace(b"Code Signing CA", b"Other Signing C", 1)
    assert trust(sign(UNSIGNED, [data])) is Trust.UNSIGNED


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
        *,
        attested: bool = False,
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
        if attested:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.5.1")
            builder = builder.add_extension(x509.ExtendedKeyUsage([oid]), critical=True)
        return builder.sign(signer, hashes.SHA256())

    def pkcs7_of(chain: list[x509.Certificate]) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(b"content")
        builder = builder.add_signer(chain[0], key, hashes.SHA256())
        for item in chain[1:]:
            builder = builder.add_certificate(item)
        return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])

    public = key.public_key()
    own = certificate("Home Made", "Home Made", key, public)
    leaf = certificate("Maker", "Some Root", root_key, public)
    cross = certificate("Some Root", "Microsoft Corporation", key, root_key.public_key())
    expected = Signature(Trust.SELF_SIGNED, "Home Made", issued=datetime.date(2020, 1, 1))
    assert signature(sign(UNSIGNED, [pkcs7_of([own])])) == expected
    assert trust(sign(UNSIGNED, [pkcs7_of([leaf])])) is Trust.AUTHORITY
    assert trust(sign(UNSIGNED, [pkcs7_of([leaf, cross])])) is Trust.CROSS_SIGNED
    by_attestation = certificate("A", "B", root_key, public, attested=True)
    assert signature(sign(UNSIGNED, [pkcs7_of([by_attestation])])).attested
