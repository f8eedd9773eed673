"""What values and answer files will do in the edition that was chosen, told before it is built."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from winimagetools.errors import Problem
from winimagetools.facts.key_check import key_channel, key_problems, oem_key_problem
from winimagetools.facts.time_zone import windows_time_zone
from winimagetools.files.whole import read_whole
from winimagetools.guest import answer_file
from winimagetools.image.delivery import image_type_warning
from winimagetools.model import WimImage
from winimagetools.settings.findings import Findings


def check_values(found: Findings) -> None:
    """Values that Windows or its answer file cannot take, and words that are read as others.

    Needs neither medium nor edition.
    """
    config = found.config
    found.attempt("time_zone", partial(windows_time_zone, config.time_zone), "")
    password = config.administrator_password
    found.attempt(
        "administrator_password",
        partial(answer_file.check_text, "administrator_password", password),
        None,
    )
    _warn(found, filter(None, [image_type_warning(config.image_type)]))


def check_edition(
    found: Findings,
    edition: WimImage,
    product_key: str,
    unattend: Path | None,
    *,
    waits: bool,
    pkeyconfig: bytes = b"",
) -> None:
    """What a product key and an answer file do in an edition.

    Args:
        found: problems and warnings are put here.
        edition: of the medium.
        product_key: what goes into the answer file; empty for none.
        unattend: the user's answer file; None for the template of these tools.
        waits: the build runs the image and waits for ``Logon.ps1``, so that an answer file
            that never starts it is a problem; otherwise a warning.
        pkeyconfig: the edition's :data:`winimagetools.facts.key_check.PKEYCONFIG`, when it
            was read: tells OEM keys, with which Cloudbase-Init only starts when
            ``cloudbase_init_delayed_start`` is set.
    """
    _warn(found, key_problems(edition, product_key))
    if product_key and not found.config.cloudbase_init_delayed_start:
        oem = oem_key_problem(edition, key_channel(product_key, pkeyconfig))
        _warn(found, filter(None, [oem]))
    if unattend is not None:
        found.attempt(
            "unattend_xml_path",
            partial(_check_answers, found, edition, unattend, product_key, waits),
            None,
        )


def _check_answers(
    found: Findings, edition: WimImage, unattend: Path, product_key: str, waits: bool
) -> None:
    data, name = read_whole(unattend), str(unattend)
    _warn(found, answer_file.template_warnings(data, edition, name, product_key=product_key))
    missing = answer_file.logon_problem(data, name)
    if missing is None:
        return
    if waits:
        found.add(missing.key, missing.message, missing.hint)
    else:
        _warn(found, [missing])


def _warn(found: Findings, problems: Iterable[Problem]) -> None:
    """Warnings with the lines that the configuration knows."""
    for problem in problems:
        found.warn(problem.key, problem.message, problem.hint)
