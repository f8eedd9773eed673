"""What may be asked of every function that makes an image, beside its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from winimagetools.contract import Host


class BuildOptions(TypedDict, total=False):
    """The keyword arguments; :class:`Asked` says what they mean, given or not."""

    overrides: Sequence[str]
    strict: bool
    host: Host | None
    checksum: bool | None
    mode: int | None
    report: bool
    sign_key: Path | str | None


@dataclass(frozen=True)
class Asked:
    """Those of one call.

    Args:
        overrides: ``section.key=value`` texts that win over the configuration.
        strict: refuse what otherwise only is warned about.
        host: the machine to work on; this one by default.
        checksum: compute the SHA-256 of the image; None for the usual, which is yes unless it is
            a raw image or a fixed VHD that is not wrapped.
        mode: who may read and change the image, see :func:`winimagetools.files.access.parse_mode`;
            None for those who may read and change the one it replaces, else its owner only.
        report: write the folder ``NAME.report`` beside the image.
        sign_key: a private key in PEM that signs the provenance in the report.
    """

    overrides: Sequence[str] = ()
    strict: bool = False
    host: Host | None = None
    checksum: bool | None = None
    mode: int | None = None
    report: bool = True
    sign_key: Path | str | None = None
