"""The folder of a report: written in private, put in its place together with its image.

Two names cannot change at once. The report goes first and comes back when the image does not
follow; only a machine that loses power, or a process that is killed, between the two renames
leaves a report whose image is missing or older, which :func:`check` then says.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.errors import MediaError, RequestError
from winimagetools.files.hash import sha256_of
from winimagetools.files.kind import refuse_other_than_file
from winimagetools.files.small import read_json, read_text
from winimagetools.output.report import provenance, sums
from winimagetools.output.report.facts import SCHEMA, Report, as_read, as_record
from winimagetools.output.report.page import page_html
from winimagetools.output.report.sbom import sbom_json

REPORT = "report.json"
PAGE = "report.html"
SBOM = "sbom.cdx.json"
PROVENANCE = "provenance.dsse.json"
_SETS_ASIDE = "older-report"


def folder_of(image: Path) -> Path:
    """Where the report of an image is. Raises RequestError for a path that names no file."""
    if not image.name:
        raise RequestError(f"{image} is a folder, not an image.", "Give the path of an image.")
    return image.with_name(f"{image.name}.report")


def check_place(image: Path) -> None:
    """Refuse to replace something that is no report.

    Raises:
        RequestError: it has the name of the report.
    """
    folder = folder_of(image)
    if (folder.is_symlink() or folder.exists()) and not is_report(folder):
        raise RequestError(
            f"{folder} is in the way of the report: it is no report of winimagetools.",
            "Move it away, or build with --no-report.",
        )


def is_report(folder: Path) -> bool:
    """Whether a folder is a report that these tools have written."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        return bool(_read(folder / REPORT)["schema"] == SCHEMA)
    except (MediaError, KeyError, TypeError):
        return False


def write(
    folder: Path,
    report: Report,
    signer: Any | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Write everything a report consists of.

    Args:
        folder: where; it is made.
        report: what is told.
        signer: signs the provenance, see :func:`winimagetools.output.report.provenance.load_key`.
        pictures: those that the report names, by file name.
    """
    write_record(folder, as_record(report), signer, pictures)


def write_record(
    folder: Path,
    record: dict[str, Any],
    signer: Any | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Write everything a report consists of, from what its ``report.json`` says.

    Args:
        folder: where; it is made.
        record: see :func:`winimagetools.output.report.facts.as_record`.
        signer: as for :func:`write`.
        pictures: as for :func:`write`.
    """
    sbom, lacks = sbom_json(record), []
    pictures = pictures or {}
    texts = {REPORT: json.dumps(record, indent=2) + "\n", PAGE: page_html(record, pictures)}
    if sbom is not None:
        texts[SBOM] = sbom + "\n"
    else:
        lacks.append("SBOM")
    envelope = provenance.envelope_json(record, signer) if record["image"]["sha256"] else ""
    if envelope:
        texts[PROVENANCE] = envelope
    elif envelope is None:
        lacks.append("provenance")
    _write_files(folder, texts, pictures, record["image"])
    if lacks:
        log.info(f"The report has no {' and no '.join(lacks)}: pip install 'winimagetools[report]'")
    if envelope == "":
        log.info("The report has no provenance: --checksum computes the SHA-256 it needs.")


def _write_files(
    folder: Path,
    texts: Mapping[str, str],
    pictures: Mapping[str, bytes],
    image: dict[str, Any],
) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    digests = {name: sha256_of(folder / name) for name in (*texts, *pictures)}
    if image["sha256"]:
        digests[f"../{image['file']}"] = image["sha256"]
    (folder / sums.NAME).write_text(sums.sums_text(digests), encoding="utf-8", newline="\n")


@contextmanager
def placed(report: Path | None, image: Path, private: Path) -> Iterator[None]:
    """Put a report beside an image that is put there in the block; undone when that fails.

    Args:
        report: the folder; None when there is none, then that of an older image goes.
        image: where the image will be.
        private: a folder that is removed afterwards, on the same file system.
    """
    place, aside = folder_of(image), private / _SETS_ASIDE
    older = is_report(place)
    if older:
        place.rename(aside)
    try:
        if report is not None:
            report.rename(place)
        yield
    except BaseException:
        if report is not None and place.exists() and not report.exists():
            place.rename(report)
        if older:
            aside.rename(place)
        raise
    if older:
        shutil.rmtree(aside, ignore_errors=True)
        if report is None:
            log.info(f"{place} was of the image before and is gone.")


def read_record(image: Path) -> dict[str, Any] | None:
    """What the report of an image says; None when it has none.

    Raises:
        MediaError: it cannot be read.
    """
    folder = folder_of(image)
    if not is_report(folder):
        return None
    try:
        return as_read(_read(folder / REPORT))
    except ValueError as error:
        raise MediaError(
            f"{folder / REPORT} is damaged: {error}.", "Move the report away to do without it."
        ) from error


def need_record(image: Path) -> dict[str, Any]:
    """The same of an image that has to have one. Raises MediaError, or RequestError for no file."""
    refuse_other_than_file(image)
    record = read_record(image)
    if not image.is_file():
        raise MediaError(f"The image {image} does not exist.", "Give the path of a file.")
    if record is None:
        raise MediaError(
            f"{image} has no report {folder_of(image).name} beside it.",
            "A build writes one unless --no-report is given. Copy it along with the image; after "
            "shrink or extend there is none.",
        )
    return record


def check(image: Path, public_key: Path | None = None) -> list[str]:
    """Compare an image and its report with what was made.

    Args:
        image: the image.
        public_key: the provenance must be signed with its private one; None to take any.

    Returns:
        What was found right, a sentence each.

    Raises:
        MediaError: there is no report, or something is not as it was made.
        HostError: what verifies a signature is not installed.
    """
    folder, record = folder_of(image), need_record(image)
    digests = sums.read_sums(_text(folder / sums.NAME), str(folder / sums.NAME))
    name = f"../{record['image']['file']}"
    wrong = sums.differences(folder, digests, name)
    if f"../{image.name}" != name:
        wrong.append(f"The report is about {name.removeprefix('../')}.")
    if wrong:
        raise MediaError(" ".join(wrong), "Get the image and its report anew.")
    told = [f"{len(digests)} files have the SHA-256 they were made with."]
    if name not in digests:
        told.append(f"That of {image.name} was not computed when it was made.")
    return [*told, *_check_provenance(folder, image, digests.get(name, ""), public_key)]


def _check_provenance(
    folder: Path, image: Path, digest: str, public_key: Path | None
) -> Iterator[str]:
    path = folder / PROVENANCE
    if not path.is_file():
        if public_key is not None:
            raise MediaError(f"{image} has no provenance, so nothing is signed.")
        return
    subject = provenance.read_statement(path, public_key)["subject"]
    if subject != [{"name": image.name, "digest": {"sha256": digest}}]:
        raise MediaError(f"{path} is about another image.", "Get the image and its report anew.")
    signed = f"signed with {public_key}" if public_key else "not compared with a key"
    yield f"The provenance is of this image, {signed}."


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read.", "Get the image and its report anew.") from error


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read as a report.") from error
