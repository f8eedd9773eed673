"""Provenance: what it says, and that a change of it is noticed."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.unit.output.report.sample import DIGEST, REPORT
from winimagetools.errors import HostError, MediaError, RequestError
from winimagetools.output.report.facts import as_record
from winimagetools.output.report.provenance import envelope_json, load_key, read_statement

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def write_keys(folder: Path, key: PrivateKey | None = None) -> tuple[Path, Path]:
    """A private and a public key in PEM."""
    folder.mkdir(exist_ok=True)
    key = key or ed25519.Ed25519PrivateKey.generate()
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def sealed(folder: Path, private: Path | None) -> Path:
    """The provenance of the sample in a file."""
    text = envelope_json(as_record(REPORT), load_key(private) if private else None)
    path = folder / "provenance"
    path.write_text(text or "")
    return path


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_signed_and_verified(tmp_path: Path, key: PrivateKey) -> None:
    """With each kind of key; it tells image, options and inputs."""
    private, public = write_keys(tmp_path, key)
    found = read_statement(sealed(tmp_path, private), public)
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert found["subject"] == [{"name": "win.qcow2", "digest": {"sha256": DIGEST}}]
    definition = found["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["DEFAULT.image_type"] == "KVM"
    assert definition["resolvedDependencies"] == [
        {"name": "windows.iso", "digest": {"sha256": "cd" * 32}}
    ]
    assert found["predicate"]["runDetails"]["builder"]["version"] == {"winimagetools": "0.1.0"}


def test_another_key_or_none(tmp_path: Path) -> None:
    """Neither an unsigned one nor one of somebody else passes for signed."""
    private, _ = write_keys(tmp_path / "mine")
    _, other = write_keys(tmp_path / "other")
    for path in (sealed(tmp_path, private), sealed(tmp_path, None)):
        with pytest.raises(MediaError, match="is not signed with"):
            read_statement(path, other)


def test_a_changed_payload_is_noticed(tmp_path: Path) -> None:
    """One letter of what it says."""
    private, public = write_keys(tmp_path)
    path = sealed(tmp_path, private)
    envelope = json.loads(path.read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b'"KVM"', b'"MAAS"')
    path.write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}))
    with pytest.raises(MediaError, match="was changed since"):
        read_statement(path, public)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"payload": 1}', '{"payload": "!", "a": 1}'])
def test_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """One error, no traceback."""
    path = tmp_path / "provenance"
    path.write_text(text)
    with pytest.raises(MediaError, match=r"is no provenance|something else"):
        read_statement(path, None)


def test_keys_that_are_none(tmp_path: Path) -> None:
    """Missing, of another kind, encrypted: each is told with what to do."""
    private, public = write_keys(tmp_path)
    locked = tmp_path / "locked.pem"
    key = ed25519.Ed25519PrivateKey.generate()
    encrypted = BestAvailableEncryption(b"Sesame")
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted))
    for path, what in (
        (tmp_path / "none", "cannot be read"),
        (public, "is no private key"),
        (locked, "is no private key"),
    ):
        with pytest.raises(RequestError, match=what):
            load_key(path)
    with pytest.raises(RequestError, match="is no public key"):
        read_statement(sealed(tmp_path, private), private)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No envelope is written; a signature that is asked for is refused with what installs it."""
    private, _ = write_keys(tmp_path)
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    assert envelope_json(as_record(REPORT), None) is None
    with pytest.raises(HostError) as refused:
        load_key(private)
    assert refused.value.hint == "Install it: pip install 'winimagetools[report]'"
