"""Checks of the Windows in an image: which one it is, and whether it was finished."""

from __future__ import annotations

import re

from winimagetools.checks.result import Result, bad, doubtful, good, skipped
from winimagetools.checks.subject import CURRENT_VERSION, Subject
from winimagetools.facts.releases import RELEASES, release_of

_STATE = r"Microsoft\Windows\CurrentVersion\Setup\State"
_READY = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
_INSTALLED = "IMAGE_STATE_COMPLETE"
_LATER_CORE = re.compile(r"a?core?$")


def edition_name(subject: Subject) -> str:
    """What a medium would call the Windows: ``Windows Server 2022 ServerStandardCore``."""
    windows, software = subject.windows, subject.software
    if windows is None or software is None:
        return ""
    release = release_of(windows.version, server=windows.is_server)
    name = release.name if release else "Windows"
    edition = software.text(CURRENT_VERSION, "EditionID")
    if windows.is_server:
        return f"{name} {edition}{'Core' if 'Core' in windows.installation_type else ''}"
    product = software.text(CURRENT_VERSION, "ProductName")
    return f"{name} {re.sub(r'^Windows [0-9.]+ ?', '', product) or edition}"


def check_edition(subject: Subject) -> Result:
    """Version and edition, against ``image_name``."""
    windows = subject.windows
    if windows is None or subject.software is None:
        return bad(
            "Windows",
            r"\Windows\System32\ntdll.dll or the hive SOFTWARE cannot be read.",
            "The image is damaged; use another copy.",
        )
    found = edition_name(subject)
    text = f"{found} {windows.version} for {windows.architecture}"
    asked = subject.request.edition.strip() if subject.request else ""
    if asked and not _same_release(asked, found):
        return bad("Windows", f"It is {text}, not {asked}.", "Set image_name, or build it anew.")
    if asked and not _same_edition(asked, found):
        return bad("Windows", f"It is {text}, not {asked}.", "Choose the edition with image_name.")
    return good("Windows", f"It is {text}.")


def _same_release(asked: str, found: str) -> bool:
    """Only names that begin with one of a known release can be told to be wrong."""
    names = sorted({row.name for row in RELEASES}, key=len, reverse=True)
    wanted = next((name for name in names if _begins(asked, name)), "")
    there = next((name for name in names if _begins(found, name)), "")
    return not wanted or not there or wanted == there


def _begins(text: str, name: str) -> bool:
    return f"{text} ".casefold().startswith(f"{name} ".casefold())


def _same_edition(asked: str, found: str) -> bool:
    wanted, there = (text.casefold().rpartition(" ")[2] for text in (asked, found))
    if not wanted.startswith("server"):
        return True
    return wanted == there or (
        _LATER_CORE.sub("", wanted) == _LATER_CORE.sub("", there)
        and wanted.endswith("cor") == there.endswith("cor")
        and ("core" in wanted) == ("core" in there)
    )


def check_state(subject: Subject) -> Result:
    """Whether sysprep was the last thing that happened (``ImageState``)."""
    if subject.software is None:
        return skipped("sysprep", "The hive SOFTWARE cannot be read.")
    if subject.waits_for_first_start:
        return good("sysprep", "The image generalizes itself when it first starts.")
    state = subject.software.text(_STATE, "ImageState")
    if state == _READY:
        return good("sysprep", "Windows is generalized.")
    if state == _INSTALLED:
        return bad(
            "sysprep",
            "Windows was not generalized: all machines made of this image will be the same one.",
            "Run sysprep /generalize /oobe /shutdown in it.",
        )
    return bad(
        "sysprep",
        f"Windows stopped in the middle of its setup ({state or 'no ImageState'}).",
        r"Look into \Windows\Panther\setuperr.log and \Windows\System32\Sysprep\Panther.",
    )


def check_hives(subject: Subject) -> Result:
    """Whether the registry was closed, so that what is read of it is all."""
    open_hives = [
        name
        for name, hive in (("SYSTEM", subject.system), ("SOFTWARE", subject.software))
        if hive is not None and hive.dirty
    ]
    if open_hives:
        return doubtful(
            "registry",
            f"{' and '.join(open_hives)} were not closed cleanly.",
            "Start that Windows once and shut it down.",
        )
    if subject.system is None or subject.software is None:
        return bad("registry", "SYSTEM or SOFTWARE cannot be read.", "Use another copy.")
    return good("registry", "SYSTEM and SOFTWARE were closed cleanly.")
