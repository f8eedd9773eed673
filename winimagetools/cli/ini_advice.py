"""What to say about a key of an ini file that is not what it was probably meant to be."""

from __future__ import annotations

import difflib

from winimagetools.formats.ini_document import IniFile
from winimagetools.settings.options import SECTION_OF


def doubt(document: IniFile, section: str, key: str) -> tuple[str, str]:
    """Why a build would not read a key that is to be set, and what to write; empty when it would.

    Args:
        document: the file as it was. A file with keys but no option of a build is something
            else, such as a configuration of Cloudbase-Init, and nothing is said about it.
        section: where the key is to be set.
        key: its name.
    """
    right = SECTION_OF.get(key.lower())
    if (right or "").lower() == section.lower() or not _may_be_ours(document):
        return "", ""
    if right:
        return (
            f"A build reads {key} from [{right}], not from [{section}].",
            f"Add --section {right}, and remove what was set now with: ini remove.",
        )
    near = difflib.get_close_matches(key.lower(), SECTION_OF, n=1)
    hint = f"Did you mean {near[0]} in [{SECTION_OF[near[0]]}]?" if near else ""
    return (
        f"A build has no option {key}; only scripts of your own in the image can read it.",
        hint or "show-config lists the options.",
    )


def _may_be_ours(document: IniFile) -> bool:
    keys = {entry.key.lower() for entry in document.entries()}
    return not keys or any(key in SECTION_OF for key in keys)


def where_it_is(document: IniFile, key: str) -> str:
    """What to ask for instead of a key that is not there."""
    entries = [entry for entry in document.entries() if entry.section is not None]
    for entry in entries:
        if entry.section is not None and entry.key.lower() == key.lower():
            return f"[{entry.section.name}] has it: add --section {entry.section.name}."
    names = {entry.key.lower(): entry for entry in entries}
    near = difflib.get_close_matches(key.lower(), names, n=1)
    if near and (found := names[near[0]].section) is not None:
        return f"Did you mean {names[near[0]].key} in [{found.name}]?"
    return "Give what to print instead with --default."
