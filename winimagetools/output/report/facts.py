"""What is told of an image that was made, and how it is written as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import math
import types
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from winimagetools import log

SCHEMA = "winimagetools report 1"
"""What the first field of every ``report.json`` says."""


@dataclass(frozen=True)
class InputFile:
    """A file or folder that was read.

    Args:
        role: the option that named it.
        name: without its folders.
        size: bytes; those of all files of a folder.
        sha256: in hexadecimal; of a folder that of the lines ``sha256sum`` writes for its files,
            sorted by path.
    """

    role: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class UsedDriver:
    """A driver in the image; ``source`` is where it was taken from."""

    name: str
    version: str
    inf: str
    source: str
    boot_critical: bool


@dataclass(frozen=True)
class Agent:
    """Something that is installed in the guest, with the places it is taken from, in order."""

    name: str
    origins: tuple[str, ...]
    sha256: str = ""


@dataclass(frozen=True)
class SetOption:
    """An option of the configuration that is no secret.

    Args:
        explicit: the file or the command line set it; else it is the default.
    """

    section: str
    key: str
    value: str | int | bool
    explicit: bool


@dataclass(frozen=True)
class Part:
    """A partition; ``start`` and ``size`` in bytes."""

    name: str
    start: int
    size: int


@dataclass(frozen=True)
class ImageFacts:
    """The image file.

    Args:
        file: its name.
        size: bytes of the file.
        sha256: in hexadecimal; empty when it was not computed.
        disk_size: bytes of the disk in it.
        layout: ``BIOS`` or ``UEFI``.
    """

    file: str
    format: str
    size: int
    sha256: str
    disk_size: int
    layout: str
    partitions: tuple[Part, ...] = ()


@dataclass(frozen=True)
class WindowsFacts:
    """The Windows in it.

    Args:
        name: empty for a golden image, which does not tell its edition.
        boot_authority: what Secure Boot thinks of the boot manager, a sentence; may be empty.
        boot_certificate: what it is signed under.
        boot_security_version: such as ``7.0``; empty where it has none.
    """

    name: str
    version: str
    architecture: str
    installation_type: str
    edition: str = ""
    language: str = ""
    boot_authority: str = ""
    boot_certificate: str = ""
    boot_security_version: str = ""


@dataclass(frozen=True)
class MachineFacts:
    """The virtual machine an image starts in.

    Args:
        generation: 2 for UEFI, 1 for BIOS, as Hyper-V calls it.
        secure_boot: its boot manager has a signature of Microsoft.
        tpm: Windows wants a TPM 2.0.
        disk: how the disk is attached: ``sata``, ``virtio-blk`` or ``virtio-scsi``.
        virtio_network: there is a driver for a virtio network device.
    """

    generation: int
    secure_boot: bool
    tpm: bool
    disk: str
    virtio_network: bool


@dataclass(frozen=True)
class PictureFacts:
    """A picture of the screen at the first start, a file beside ``report.json``.

    Args:
        shows: the stage the guest had reached.
    """

    file: str
    shows: str


@dataclass(frozen=True)
class Report:
    """Everything that is told of an image.

    Args:
        workflow: name of the function that made it.
        started, finished: UTC, as in RFC 3339.
        left_to_guest: what the guest does at its first start, a line each.
        machine: what it starts in.
        untold: options and keys that were set and whose values no report tells.
        source_date_epoch: the time everything in the image is from, in seconds since 1970.
        seed: where its ids come from, in hexadecimal; containers that are made of the disk later
            have the same ones.
        reproducible: whether its disk can be made again byte by byte: ``yes``, or
            ``no, because`` and why; empty where nobody has said so.
    """

    workflow: str
    started: str
    finished: str
    tools: tuple[tuple[str, str], ...]
    image: ImageFacts
    windows: WindowsFacts
    inputs: tuple[InputFile, ...] = ()
    drivers: tuple[UsedDriver, ...] = ()
    agents: tuple[Agent, ...] = ()
    updates: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    left_to_guest: tuple[str, ...] = ()
    options: tuple[SetOption, ...] = ()
    steps: tuple[log.StepRecord, ...] = ()
    checks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    machine: MachineFacts | None = None
    pictures: tuple[PictureFacts, ...] = ()
    untold: tuple[str, ...] = ()
    source_date_epoch: int = 0
    seed: str = ""
    reproducible: str = ""


def as_record(report: Report) -> dict[str, Any]:
    """A report as it is written to ``report.json``, with no secret in any of its texts."""
    record = {"schema": SCHEMA, **dataclasses.asdict(report), "tools": dict(report.tools)}
    masked = _masked(record)
    assert isinstance(masked, dict)  # noqa: S101 - it was one
    return masked


def as_read(record: Any) -> dict[str, Any]:
    """A record as somebody's ``report.json`` says it: every field there, each of its kind.

    Fields that an older version did not write get their defaults. What is in a page or a command
    afterwards relies on this.

    Raises:
        ValueError: it is not as :func:`as_record` makes it; the message completes "because".
    """
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"it is no {SCHEMA}")
    tools = record.get("tools")
    if not isinstance(tools, dict) or not all(isinstance(text, str) for text in tools.values()):
        raise ValueError("tools is wrong")
    found: dict[str, Any] = _of_kind({**record, "tools": []}, Report, "the record")
    for name in ("started", "finished"):
        datetime.datetime.fromisoformat(found[name])
    return {**found, "tools": tools}


def _of_kind(value: Any, kind: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _of_dataclass(value, kind, name)
    if get_origin(kind) is tuple and isinstance(value, list):
        return [_of_kind(item, get_args(kind)[0], name) for item in value]
    kinds = get_args(kind) if get_origin(kind) is types.UnionType else (kind,)
    if isinstance(value, dict):
        kinds = tuple(each for each in kinds if dataclasses.is_dataclass(each))
        return _of_kind(value, kinds[0], name) if kinds else _wrong(name)
    number = float in kinds and type(value) in (int, float) and math.isfinite(value)
    return value if number or (type(value) in kinds and float not in kinds) else _wrong(name)


def _of_dataclass(value: Any, kind: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _wrong(name)
    hints, found = get_type_hints(kind), dict(value)
    for item in dataclasses.fields(kind):
        if item.name in value:
            found[item.name] = _of_kind(value[item.name], hints[item.name], item.name)
        elif item.default is dataclasses.MISSING:
            raise ValueError(f"{item.name} is missing")
        else:
            found[item.name] = _masked(item.default)
    return found


def _wrong(name: str) -> Any:
    raise ValueError(f"{name} is wrong")


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return log.mask(value)
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value
