"""How an image was made, as SLSA provenance in a DSSE envelope, signed when there is a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from winimagetools.errors import HostError, MediaError, RequestError
from winimagetools.files.kind import read_small
from winimagetools.files.small import parse_json, read_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_NAME = "winimagetools"
_LARGEST_KEY = 1 << 20
_MISSING = HostError(
    "securesystemslib is not installed; it is needed to sign and verify provenance.",
    "Install it: pip install 'winimagetools[report]'",
)


def statement(record: dict[str, Any]) -> dict[str, Any]:
    """An in-toto statement about the image.

    Args:
        record: what :func:`winimagetools.output.report.facts.as_record` made; the SHA-256 of the
            image is in it.
    """
    image = record["image"]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": image["file"], "digest": {"sha256": image["sha256"]}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"{_NAME}/{record['workflow']}",
                "externalParameters": {
                    f"{option['section']}.{option['key']}": option["value"]
                    for option in record["options"]
                },
                "internalParameters": {"SOURCE_DATE_EPOCH": record["source_date_epoch"]},
                "resolvedDependencies": [
                    {"name": item["name"], "digest": {"sha256": item["sha256"]}}
                    for item in record["inputs"]
                ],
            },
            "runDetails": {
                "builder": {"id": _NAME, "version": record["tools"]},
                "metadata": {
                    "startedOn": record["started"],
                    "finishedOn": record["finished"],
                },
            },
        },
    }


def load_key(path: Path) -> Any:
    """A private key in PEM to sign with; ed25519, ECDSA or RSA, not encrypted.

    Raises:
        HostError: securesystemslib is not installed.
        RequestError: it is none.
    """
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
    except ImportError as error:
        raise _MISSING from error
    try:
        return CryptoSigner(load_pem_private_key(read_small(path, _LARGEST_KEY), None))
    except OSError as error:
        raise RequestError(f"The key {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:  # not PEM, of another kind, or encrypted
        raise RequestError(
            f"{path} is no private key that can be signed with.",
            "Make one with: openssl genpkey -algorithm ed25519 -out key.pem",
        ) from error


def envelope_json(record: dict[str, Any], signer: Any | None) -> str | None:
    """The provenance in its envelope.

    Args:
        record: see :func:`statement`.
        signer: what :func:`load_key` returned; None to leave it unsigned.

    Returns:
        JSON; None where securesystemslib is not installed.
    """
    try:
        from securesystemslib.dsse import Envelope
    except ImportError:
        return None
    payload = json.dumps(statement(record), sort_keys=True).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    if signer is not None:
        envelope.sign(signer)
    return json.dumps(envelope.to_dict(), indent=2) + "\n"


def read_statement(path: Path, public_key: Path | None) -> dict[str, Any]:
    """The statement in an envelope, its signature verified when there is a key.

    Args:
        path: the envelope.
        public_key: in PEM; None to take an unsigned one, or one of anybody.

    Raises:
        HostError: securesystemslib is not installed.
        MediaError: it is no provenance, or is not signed with that key.
        RequestError: the key is none.
    """
    try:
        from securesystemslib.dsse import Envelope
        from securesystemslib.exceptions import VerificationError
    except ImportError as error:
        raise _MISSING from error
    try:
        envelope = Envelope.from_dict(read_json(path))
        if public_key is not None:
            envelope.verify([_public(public_key)], 1)
        found = parse_json(envelope.payload)
        if envelope.payload_type != PAYLOAD_TYPE or found["_type"] != STATEMENT_TYPE:
            raise MediaError(f"{path} holds something else than provenance.")
    except VerificationError as error:
        raise MediaError(
            f"{path} is not signed with {public_key}, or was changed since.",
            "Do not use the image before you know where it comes from.",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MediaError(f"{path} is no provenance that can be read.") from error
    assert isinstance(found, dict)  # noqa: S101 - it has keys
    return found


def _public(path: Path) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    try:
        return SSlibKey.from_crypto(load_pem_public_key(read_small(path, _LARGEST_KEY)))
    except OSError as error:
        raise RequestError(f"The key {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"{path} is no public key in PEM.",
            "Make it of the private one: openssl pkey -in key.pem -pubout -out public.pem",
        ) from error
