r"""Answer files of users: what of one is for the image, what Windows has left in it.

Many are made for several architectures at once, many were taken from ``\Windows\Panther`` of
a running machine, where Windows marks the passes it has done and takes the secrets out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence

from winimagetools.errors import RequestError
from winimagetools.guest.answer_xml import WOW64, architecture_of, place, tag, text_of

Said = tuple[str, str]
"""A sentence on what was done, and one on what to do about it."""
_DELETED = "*SENSITIVE*DATA*DELETED*"
"""What Windows writes in place of a password or key once it has read it."""
_PROCESSED = "wasPassProcessed"
_REPLACED = (
    "UserAccounts/AdministratorPassword",
    "AutoLogon/Password",
)
"""Where the password of the configuration goes."""
_NONE = ("", "neutral")
"""Components whose maker forgot the architecture."""
_SIXTY_FOUR_BITS = ("amd64", "arm64", "ia64")


def keep_architecture(root: ET.Element, architecture: str) -> list[Said]:
    """Leave the components for one architecture and make them ones for the image's.

    Those of the image's architecture are kept, and those for 32-bit programs (wow64) as they
    are. A file for one architecture is taken for the image's, as the PowerShell tools take
    it; of one for several, without the image's among them, those of the commonest are.

    Args:
        root: an answer file, which is changed.
        architecture: of the image, as answer files write it.

    Returns:
        What was left out.
    """
    found = Counter(architecture_of(component) for _, component in _all(root))
    for name in (*_NONE, WOW64):
        del found[name]
    base = architecture if architecture in found or not found else found.most_common(1)[0][0]
    ours = {
        _named(*pair) for pair in _all(root) if architecture_of(pair[1]) in (base, architecture)
    }
    dropped: Counter[str] = Counter()
    for settings, component in list(_all(root)):
        own = architecture_of(component)
        if own in (base, architecture) or (
            own in _NONE and _named(settings, component) not in ours
        ):
            component.set("processorArchitecture", architecture)
        elif own != WOW64 or architecture not in _SIXTY_FOUR_BITS:
            settings.remove(component)
            dropped["none" if own in _NONE else own] += 1
    if not dropped:
        return []
    listed = ", ".join(f"{count} for {name}" for name, count in sorted(dropped.items()))
    took = "" if base in (architecture, "") else f" Those for {base} are taken for it."
    message = (
        f"Components for another architecture than {architecture} are left out: {listed}.{took}"
    )
    return [(message, "Nothing has to be done when the file is meant for several architectures.")]


def clean(root: ET.Element) -> list[Said]:
    """Take out what Windows or a form left behind and Setup stumbles over.

    Args:
        root: an answer file, which is changed.

    Returns:
        What was taken out.
    """
    said: list[Said] = []
    marked = [item for item in root.iterfind(tag("settings")) if _PROCESSED in item.attrib]
    for settings in marked:
        del settings.attrib[_PROCESSED]
    if marked:
        message = (
            "It was taken from a machine that has used it: the marks with which Windows would "
            "skip its passes are left out."
        )
        said.append((message, "Take the file that was given to Setup when there is one."))
    if _remove_keys(root):
        message = (
            "A product key in it is empty or was deleted by Windows and is left out: Setup would "
            "stop in the specialize pass."
        )
        said.append((message, "Set product_key when the image needs one."))
    return said


def check_source(root: ET.Element, name: str) -> None:
    """Refuse what nobody can mend.

    Args:
        root: the user's answer file.
        name: what messages call it.

    Raises:
        RequestError: a component stands twice, or a secret that only its author knows was
            deleted by Windows.
    """
    twice = [
        key for key, count in Counter(_identity(*pair) for pair in _all(root)).items() if count > 1
    ]
    if twice:
        settings_pass, component, architecture = twice[0]
        raise RequestError(
            f"The answer file {name} has the component {component} twice for {architecture} in "
            f"the pass {settings_pass}: Setup would stop.",
            "Put the settings of both into one.",
            "unattend_xml_path",
        )
    deleted = list(_deleted_secrets(root))
    if deleted:
        raise RequestError(
            f"The answer file {name} was taken from a machine that has used it, and Windows has "
            f"deleted what stood in {', '.join(deleted)}.",
            "Write these secrets again, or take the file that was given to Setup.",
            "unattend_xml_path",
        )


def _all(root: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Each component with the pass it stands in."""
    for settings in root.iterfind(tag("settings")):
        for component in settings.iterfind(tag("component")):
            yield settings, component


def _named(settings: ET.Element, component: ET.Element) -> tuple[str, str]:
    return settings.get("pass", ""), component.get("name", "")


def _identity(settings: ET.Element, component: ET.Element) -> tuple[str, str, str]:
    return *_named(settings, component), architecture_of(component) or "any architecture"


def _remove_keys(root: ET.Element) -> bool:
    """Take product keys out that are none; whether there were any."""
    removed = False
    for _, component in _all(root):
        for parent in (component, *component.iterfind(place("UserData"))):
            for key in parent.findall(tag("ProductKey")):
                if _is_no_key(key, in_setup=parent is not component):
                    parent.remove(key)
                    removed = True
    return removed


def _is_no_key(element: ET.Element, *, in_setup: bool) -> bool:
    """Whether a ``ProductKey`` is empty or deleted; Setup itself may be told to ask for one."""
    content = (element.text or "").strip() or text_of(element, "Key")
    return content == _DELETED or (not content and not in_setup)


def _deleted_secrets(root: ET.Element) -> Iterator[str]:
    """Names of the elements whose secrets are gone and are not given by the configuration."""
    for _, component in _all(root):
        replaced = {
            element
            for names in _REPLACED
            for found in component.iterfind(place(*names.split("/")))
            for element in found.iter()
        }
        keys = {part for key in component.iter(tag("ProductKey")) for part in key.iter()}
        for names, element in _walk(component, ()):
            if element not in replaced | keys and (element.text or "").strip() == _DELETED:
                yield "/".join((component.get("name", ""), *names))


def _walk(
    element: ET.Element, names: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], ET.Element]]:
    for child in element:
        below = (*names, child.tag.rpartition("}")[2])
        yield below, child
        yield from _walk(child, below)
