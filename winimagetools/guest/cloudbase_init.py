r"""Cloudbase-Init: its installer and configuration files, put into \UnattendResources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.facts.architecture import NAMES, require
from winimagetools.files.whole import read_whole
from winimagetools.guest import layout
from winimagetools.guest.installers import MSI_MAGIC
from winimagetools.model import Architecture
from winimagetools.plan import Download, FileAddition, HostPath

_LARGEST = 1024 * 1024
"""Bytes of a configuration."""
_MAGIC = (MSI_MAGIC,)
DOWNLOADS = "https://www.cloudbase.it/downloads"

_INSTEAD = "Without a network give the installer as msi_path in [cloudbase_init]."


def cloudbase_init_source(
    architecture: Architecture, *, beta: bool = False, msi_path: Path | None = None
) -> Path | str:
    """Where the installer comes from: a file of this machine, or a URL.

    Args:
        architecture: of the image.
        beta: the newest build instead of the last release.
        msi_path: the user's own installer; wins over everything else.

    Raises:
        RequestError: none is published for this architecture.
    """
    if msi_path is not None:
        return msi_path
    name = require(
        NAMES[architecture].cloudbase_init,
        architecture,
        "Cloudbase-Init installer to download",
        "Set msi_path to one of your own.",
    )
    release = "" if beta else "_Stable"
    return f"{DOWNLOADS}/CloudbaseInitSetup{release}_{name}.msi"


def cloudbase_init_files(
    architecture: Architecture,
    *,
    beta: bool = False,
    msi_path: Path | None = None,
    config_path: Path | None = None,
    unattended_config_path: Path | None = None,
) -> tuple[FileAddition, ...]:
    """The installer and the user's configuration files.

    Port of ``Download-CloudbaseInit``.

    Args:
        architecture: of the image.
        beta: see :func:`cloudbase_init_source`.
        msi_path: see :func:`cloudbase_init_source`; nothing is downloaded then.
        config_path: replaces ``cloudbase-init.conf`` of the installation.
        unattended_config_path: replaces ``cloudbase-init-unattend.conf``.

    Raises:
        RequestError: no installer is published for this architecture.
    """
    origin = cloudbase_init_source(architecture, beta=beta, msi_path=msi_path)
    configs = (
        (config_path, layout.CLOUDBASE_INIT_CONFIG),
        (unattended_config_path, layout.CLOUDBASE_INIT_UNATTENDED_CONFIG),
    )
    source = (
        HostPath(origin)
        if isinstance(origin, Path)
        else Download(origin, magic=_MAGIC, instead=_INSTEAD)
    )
    return (
        *(FileAddition(target, (HostPath(path),)) for path, target in configs if path),
        FileAddition(layout.CLOUDBASE_INIT, (source,), "Cloudbase-Init"),
    )


def check_config(path: Path, option: str) -> None:
    """Refuse a configuration file that Cloudbase-Init could not read.

    Its parser (``oslo.config``) opens the file in the code page of the guest and knows no byte
    order mark: one in UTF-16, or in UTF-8 with a mark, stops the service at every start.

    Args:
        path: a ``cloudbase-init.conf``.
        option: of the configuration, which names it.

    Raises:
        RequestError: naming the line.
    """
    data = read_whole(path, largest=_LARGEST)
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise RequestError(
            f"Cloudbase-Init cannot read {path}: it begins with a byte order mark or is UTF-16.",
            "Save it as UTF-8 without a byte order mark.",
            option,
        )
    for number, wrong in _wrong_lines(data.decode("latin-1").splitlines()):
        raise RequestError(
            f"Cloudbase-Init cannot read {path}: line {number} {wrong}.",
            "Write [section], key = value, or a comment that starts with #.",
            option,
        )


def _wrong_lines(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """What the parser of oslo.config has against lines, as the rest of a sentence."""
    section = continues = False
    for number, line in enumerate((line.rstrip() for line in lines), 1):
        if line.startswith((" ", "\t")):
            if not continues:
                yield number, "is indented but continues nothing"
            continue
        continues = False
        if line.startswith("["):
            section = True
            if not line.endswith("]") or len(line) <= 2:
                yield number, "is no [section]"
        elif line and not line.startswith(("#", ";")):
            continues = True
            yield from ((number, wrong) for wrong in _wrong_assignment(line, section))


def _wrong_assignment(line: str, section: bool) -> Iterator[str]:
    found = re.search("[:=]", line)
    if found is None:
        yield "has neither = nor :"
    elif not line[: found.start()].strip():
        yield "has no name before its ="
    elif not section:
        yield "stands before the first [section]"
