"""Whether an image is what its inputs give: it is built again and compared, byte by byte."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.checks.difference import find_difference
from winimagetools.contract import Host
from winimagetools.errors import BuildError, MediaError, RequestError, raise_problems
from winimagetools.files.fingerprint import Fingerprints
from winimagetools.host import select_host
from winimagetools.image.request import Workflow
from winimagetools.image.stamping import PLACES, VARIABLE
from winimagetools.output.report.folder import need_record
from winimagetools.plan import Delivery
from winimagetools.version import __version__
from winimagetools.workflows import reproducible
from winimagetools.workflows.build import new_windows_cloud_image
from winimagetools.workflows.prepare import Prepared, prepare
from winimagetools.workflows.report import fingerprinted

_MASKED = "***"


@dataclass(frozen=True)
class Again:
    """What is built again.

    Args:
        config: the configuration.
        overrides: what wins over it.
        epoch: the time everything in the image is from.
        checksum: the SHA-256 in the report; empty when it has none.
    """

    config: Path
    overrides: tuple[str, ...]
    epoch: int
    checksum: str


def rebuild(
    image: Path,
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    host: Host | None = None,
) -> list[str]:
    """Build an image again from what its report names, in a private folder, and compare.

    Args:
        image: made by ``New-WindowsCloudImage``, with its report beside it.
        config: the configuration it was made with; None for the options in the report.
        overrides: ``section.key=value`` texts that win over both: what a report never tells,
            and inputs that lie elsewhere now.
        folder: where the second image is made; None for beside the first one.
        host: the machine to work on; this one by default.

    Returns:
        What was found right, a sentence each.

    Raises:
        MediaError: there is no report, or an input is not the one the image was made of.
        RequestError, ConfigurationError: it cannot be built again with what is known.
        HostError: this machine lacks something.
        BuildError: the second image is another one, or could not be built.
    """
    image, host = image.absolute(), host or select_host()
    record = need_record(image)
    _refuse(image, record, host)
    with _private(folder or image.parent, image.name) as private:
        again = _again(record, config, overrides, private / image.name)
        delivery = _check(again, record, config is not None, host)
        log.info(f"{image.name} is built again in {private}")
        with _time(again.epoch):
            made = new_windows_cloud_image(
                again.config,
                overrides=again.overrides,
                host=host,
                checksum=bool(again.checksum),
                report=False,
            )
        if not made.sha256 or made.sha256 != again.checksum:
            _compare(image, made.path, delivery, private, host, record)
    return [f"Built again from the same inputs {image.name} has the same bytes."]


def _refuse(image: Path, record: Mapping[str, Any], host: Host) -> None:
    """Refuse what never gives the same bytes. Raises RequestError or HostError."""
    reproducible.refuse(image.name, record["workflow"], record["reproducible"], host)
    version = record["tools"].get("winimagetools")
    if version != __version__ or not record.get("source_date_epoch"):
        raise RequestError(
            f"{image.name} was made by winimagetools {version}, which is not {__version__}.",
            f"Install that version: pip install winimagetools=={version}",
        )


@contextmanager
def _private(folder: Path, name: str) -> Iterator[Path]:
    try:
        private = tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.rebuild-")
    except OSError as error:
        raise RequestError(
            f"No second image can be made in {folder}: {error.strerror}.",
            "Name another folder with --folder.",
        ) from error
    with private as path:
        yield Path(path)


def _again(
    record: Mapping[str, Any], config: Path | None, overrides: Sequence[str], image: Path
) -> Again:
    """The configuration, or else the options that the report says were set."""
    told: list[str] = []
    if config is None:
        config = image.with_name("config.ini")
        config.touch()
        told = [f"{item['section']}.{item['key']}={item['value']}" for item in _told(record)]
        _refuse_untold(record, overrides)
    return Again(
        config,
        (*told, *overrides, f"DEFAULT.image_path={image}"),
        record["source_date_epoch"],
        record["image"]["sha256"],
    )


def _told(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for item in record["options"] if item["explicit"]]


def _refuse_untold(record: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuse to guess what the report does not tell. Raises RequestError."""
    given = {text.partition("=")[0].casefold() for text in overrides}
    masked = [item for item in _told(record) if _MASKED in str(item["value"])]
    untold = [*record["untold"], *(f"{item['section']}.{item['key']}" for item in masked)]
    lacking = [name for name in untold if name.casefold() not in given]
    if lacking:
        raise RequestError(
            f"The report does not tell the values of {', '.join(lacking)}: they are secrets, or "
            "keys of your own.",
            "Give the configuration with --config, or each of them with --set SECTION.KEY=VALUE.",
        )


def _check(again: Again, record: Mapping[str, Any], own: bool, host: Host) -> Delivery:
    """Whether options and inputs are those of the image; how it is delivered."""
    with ExitStack() as opened:
        prepared = prepare(
            Workflow.CLOUD, host, again.config, again.overrides, strict=False, opened=opened
        )
        raise_problems(prepared.found.problems, str(again.config) if own else "")
        wrong = [*_other_options(prepared, record), *_other_inputs(prepared, record)]
    if wrong:
        raise MediaError(
            f"This is not what the image was made of: {'; '.join(wrong)}.",
            "Get what it was made of, and name it with --set SECTION.KEY=VALUE or --config.",
        )
    return prepared.request.delivery


def _other_options(prepared: Prepared, record: Mapping[str, Any]) -> Iterator[str]:
    for item in record["options"]:
        key, value = item["key"], item["value"]
        now = getattr(prepared.found.config, key, value)
        if now != value and not key.endswith(PLACES) and _MASKED not in str(value):
            yield f"[{item['section']}] {key} was {value!r} and is {now!r}"


def _other_inputs(prepared: Prepared, record: Mapping[str, Any]) -> Iterator[str]:
    sources = list(fingerprinted(prepared))
    with (
        log.step("Compare the inputs with the report"),
        Fingerprints([source.path for source in sources]) as fingerprints,
    ):
        found = fingerprints.results()
    now = [
        (source.option, source.path.name, mark.sha256)
        for source, mark in zip(sources, found, strict=True)
    ]
    before = [(item["role"], item["name"], item["sha256"]) for item in record["inputs"]]
    for role, name, _ in sorted({*before} - {*now}):
        same = any(other[:2] == (role, name) for other in now)
        yield f"{role} {name} {'has another content now' if same else 'is missing'}"
    for role, name, _ in sorted({*now} - {*before}):
        if not any(other[:2] == (role, name) for other in before):
            yield f"{role} {name} was not there"


@contextmanager
def _time(epoch: int) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(epoch)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _compare(
    image: Path,
    made: Path,
    delivery: Delivery,
    private: Path,
    host: Host,
    record: Mapping[str, Any],
) -> None:
    """Find out where two images differ. Raises BuildError when they do."""
    one, two = (
        _without_salt(path, delivery, private / name, host)
        for path, name in ((image, "first"), (made, "second"))
    )
    with log.step("Compare both images"):
        where = find_difference(one, two)
    if where:
        tools = ", ".join(f"{name} {version}" for name, version in record["tools"].items())
        raise BuildError(
            f"{image.name} is not what its inputs give: the first difference is in {where}.",
            f"Another version of a program may be why. It was made with {tools}.",
        )


def _without_salt(path: Path, delivery: Delivery, folder: Path, host: Host) -> Path:
    """What is in an archive with a password: its salt has to be a new one each time."""
    if not delivery.password or "zip" not in delivery.compression:
        return path
    folder.mkdir()
    outermost = max(place for place, kind in enumerate(delivery.compression) if kind == "zip")
    formats = delivery.compression[outermost:]
    return host.files.decompress(path, folder, formats, delivery.password)
