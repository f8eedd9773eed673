"""Who signed a driver binary: the PKCS #7 messages of a PE file, read without verifying.

Windows refuses to start with a boot driver that is unsigned or signed with a certificate
nobody issued (0xc0000428). That much can be told offline from the names, the key usages and
the dates in the embedded signature (RFC 5652, ``SignedData``). Digests are left to Windows.

The few fields needed are taken out with a short DER reader: asn1crypto has had no release
since 2022, and cryptography does not tell which certificate of a PKCS #7 message signed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_NESTED_SIGNATURE = bytes.fromhex("2b060104018237020401")
"""1.3.6.1.4.1.311.2.4.1: further signatures, such as the one Microsoft adds."""
_ORGANIZATION = bytes.fromhex("55040a")
_COMMON_NAME = bytes.fromhex("550403")
_KEY_USAGES = bytes.fromhex("551d25")
"""2.5.29.37, extended key usage."""
_VERIFIED = bytes.fromhex("2b0601040182370a0305")
"""1.3.6.1.4.1.311.10.3.5, Windows Hardware Driver Verification: what passed the HLK."""
_ATTESTED = bytes.fromhex("2b0601040182370a030501")
"""1.3.6.1.4.1.311.10.3.5.1, Windows Hardware Driver Attested Verification."""
_EXTENSIONS = 0xA3
_MAX_NESTING = 4


class Trust(IntEnum):
    """How much a signature is worth to Windows; higher is better.

    ``CROSS_SIGNED`` is the maker's own signature with a certificate that leads to Microsoft
    Code Verification Root, ``MICROSOFT`` one that Microsoft made (WHQL, attestation).
    """

    UNSIGNED = 0
    SELF_SIGNED = 1
    AUTHORITY = 2
    CROSS_SIGNED = 3
    MICROSOFT = 4


@dataclass(frozen=True)
class Signature:
    """The best signature of a file.

    Args:
        trust: what it is worth.
        signer: whose name it carries; empty when unsigned.
        attested: Microsoft signed on the maker's word, without tests of the HLK.
        issued: when the certificate that signed was issued; None when that cannot be read.
    """

    trust: Trust
    signer: str = ""
    attested: bool = False
    issued: datetime.date | None = None


def best_signature(messages: Iterable[bytes]) -> Signature:
    """The best signature in PKCS #7 messages, those nested in them included."""
    unsigned = Signature(Trust.UNSIGNED)
    return max((_signature(item) for item in messages), key=_worth, default=unsigned)


def _worth(signature: Signature) -> tuple[Trust, bool, int]:
    """Trust first; then HLK before attestation, and the older certificate."""
    issued = signature.issued or datetime.date.max
    return signature.trust, not signature.attested, -issued.toordinal()


@dataclass(frozen=True)
class _Node:
    """One DER element: its tag, its content and the whole of it."""

    tag: int
    content: bytes
    whole: bytes

    def children(self) -> list[_Node]:
        return _nodes(self.content)


def _nodes(data: bytes) -> list[_Node]:
    """The elements in ``data``; reading stops at the first damaged one."""
    found: list[_Node] = []
    position = 0
    while position + 2 <= len(data):
        tag, length, header = data[position], data[position + 1], 2
        if length & 0x80:
            size = length & 0x7F
            header += size
            # Longer lengths, and the indefinite form, are not DER of a certificate.
            if not 0 < size <= 4 or position + header > len(data):
                break
            length = int.from_bytes(data[position + 2 : position + header], "big")
        end = position + header + length
        if end > len(data):
            break
        found.append(_Node(tag, data[position + header : end], data[position:end]))
        position = end
    return found


@dataclass(frozen=True)
class _Certificate:
    serial: bytes
    issuer: _Node
    subject: _Node
    issued: datetime.date | None
    usages: frozenset[bytes]


def _signature(message: bytes, depth: int = 0) -> Signature:
    """The best signature in a PKCS #7 message, those nested in it included."""
    found = [Signature(Trust.UNSIGNED)]
    for signed_data in _signed_data(message):
        certificates = list(_certificates_of(signed_data))
        for info in _signer_infos(signed_data):
            found.append(_judge(info, certificates))
            if depth < _MAX_NESTING:
                found += (_signature(item, depth + 1) for item in _nested(info))
    return max(found, key=_worth)


def _signed_data(message: bytes) -> Iterator[list[_Node]]:
    """ContentInfo ::= SEQUENCE { contentType, [0] content }, content a SignedData."""
    for info in _nodes(message)[:1]:
        parts = info.children()
        if len(parts) == 2 and parts[0].content == _SIGNED_DATA:
            yield from (node.children() for node in parts[1].children()[:1])


def _certificates_of(signed_data: list[_Node]) -> Iterator[_Certificate]:
    """The ``[0] certificates`` of a SignedData."""
    for certificate in (
        child for node in signed_data if node.tag == 0xA0 for child in node.children()
    ):
        body = certificate.children()[:1]
        fields = body[0].children() if body else []
        if fields and fields[0].tag == 0xA0:  # explicit version; absent in version 1
            fields = fields[1:]
        if len(fields) >= 5:
            yield _Certificate(
                fields[0].content, fields[2], fields[4], _issued(fields[3]), _usages(fields)
            )


def _issued(validity: _Node) -> datetime.date | None:
    """``notBefore``: a UTCTime (two digits of the year, from 1950) or a GeneralizedTime."""
    for node in validity.children()[:1]:
        text = node.content.decode("ascii", "replace")
        if node.tag == 0x17:
            text = ("19" if text >= "50" else "20") + text
        try:
            return datetime.datetime.strptime(text[:8], "%Y%m%d").date()
        except ValueError:
            return None
    return None


def _usages(fields: list[_Node]) -> frozenset[bytes]:
    """The identifiers of the extended key usage of a certificate."""
    found: set[bytes] = set()
    for extension in (
        item
        for node in fields
        if node.tag == _EXTENSIONS
        for items in node.children()
        for item in items.children()
    ):
        parts = extension.children()
        if len(parts) >= 2 and parts[0].content == _KEY_USAGES:
            found |= {usage.content for list_ in parts[-1].children() for usage in list_.children()}
    return frozenset(found)


def _signer_infos(signed_data: list[_Node]) -> list[_Node]:
    """``signerInfos`` is the last element and the second SET after the digest algorithms."""
    sets = [node for node in signed_data if node.tag == 0x31]
    return sets[-1].children() if len(sets) >= 2 else []


def _judge(info: _Node, certificates: list[_Certificate]) -> Signature:
    """Follow the issuers from the certificate that signed as far as the message goes."""
    parts = info.children()
    identity = parts[1].children() if len(parts) > 1 else []
    if len(identity) < 2:
        return Signature(Trust.UNSIGNED)
    signers = [
        item
        for item in certificates
        if (item.serial, item.issuer.whole) == (identity[1].content, identity[0].whole)
    ]
    if not signers:
        return Signature(Trust.UNSIGNED)
    signer = signers[0]
    attested = _ATTESTED in signer.usages and _VERIFIED not in signer.usages
    return Signature(
        _trust(signer, certificates), _display(signer.subject), attested, signer.issued
    )


def _trust(signer: _Certificate, certificates: list[_Certificate]) -> Trust:
    if signer.issuer.whole == signer.subject.whole:
        return Trust.SELF_SIGNED
    if _is_microsoft(signer.subject) and _is_microsoft(signer.issuer):
        return Trust.MICROSOFT
    if any(_is_microsoft(item.issuer) for item in _chain(signer, certificates)):
        return Trust.CROSS_SIGNED
    return Trust.AUTHORITY


def _chain(signer: _Certificate, certificates: list[_Certificate]) -> list[_Certificate]:
    """The signer and every certificate that may have issued one before it.

    A root can be there twice: signed by itself and cross-signed by Microsoft.
    """
    chain = [signer]
    for known in chain:
        for item in certificates:
            if item.subject.whole == known.issuer.whole and item not in chain:
                chain.append(item)
    return chain


def _nested(info: _Node) -> Iterator[bytes]:
    """Messages in the unsigned attributes ``[1]`` of a SignerInfo."""
    for attribute in (
        item for node in info.children() if node.tag == 0xA1 for item in node.children()
    ):
        parts = attribute.children()
        if len(parts) == 2 and parts[0].content == _NESTED_SIGNATURE:
            yield from (value.whole for value in parts[1].children())


def _is_microsoft(name: _Node) -> bool:
    texts = _texts(name)
    known = texts.get(_ORGANIZATION, "") or texts.get(_COMMON_NAME, "")
    return known.casefold().startswith("microsoft")


def _display(name: _Node) -> str:
    texts = _texts(name)
    parts = [texts[key] for key in (_ORGANIZATION, _COMMON_NAME) if texts.get(key)]
    return ", ".join(dict.fromkeys(parts)) or "a certificate without a name"


def _texts(name: _Node) -> dict[bytes, str]:
    """The attributes of a distinguished name by the bytes of their object identifiers."""
    found: dict[bytes, str] = {}
    for relative in name.children():
        for attribute in relative.children():
            parts = attribute.children()
            if len(parts) == 2:
                found.setdefault(parts[0].content, _text(parts[1]))
    return found


def _text(node: _Node) -> str:
    encoding = "utf-16-be" if node.tag == 0x1E else "utf-8"
    return node.content.decode(encoding, "replace")
