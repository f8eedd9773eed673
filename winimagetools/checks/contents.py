r"""Checks of what lies in an image: Cloudbase-Init, hooks, agent, and what must not be left."""

from __future__ import annotations

import re

from winimagetools.checks.result import Result, bad, doubtful, good, skipped
from winimagetools.checks.subject import CLOUDBASE_INIT, Subject
from winimagetools.errors import WinImageError
from winimagetools.guest import layout

ANSWER_FILES = (
    layout.UNATTEND,
    "Autounattend.xml",
    r"Windows\Panther\unattend.xml",
    r"Windows\Panther\unattend-original.xml",
    r"Windows\Panther\Unattend\unattend.xml",
    r"Windows\System32\Sysprep\unattend.xml",
    r"Windows\System32\Sysprep\Panther\unattend.xml",
)
"""Where Windows Setup and sysprep look for answer files, and where they keep copies."""
_PASSWORD = re.compile(
    r"<(?:\w+:)?(\w*Password)\b[^>]*>(.*?)</(?:\w+:)?\1\s*>", re.DOTALL | re.IGNORECASE
)
_VALUE = re.compile(r"<(?:\w+:)?Value\b[^>]*>(.*?)<", re.DOTALL | re.IGNORECASE)
_MASKED = "*SENSITIVE*DATA*DELETED*"
"""What Windows puts in the place of a password once it has used it."""
_FAILURES = (rf"{layout.RESOURCES}\image-generation-failed.txt",)
"""What the guest leaves when it gives up."""
_AGENTS = (
    r"Program Files\Qemu-ga\qemu-ga.exe",
    r"Program Files (x86)\Qemu-ga\qemu-ga.exe",
    r"Program Files\qemu-ga\qemu-ga.exe",
)


def check_cloudbase_init(subject: Subject) -> Result:
    """Cloudbase-Init, which makes an image a cloud image."""
    if any(subject.tree.exists(path) for path in CLOUDBASE_INIT):
        return good("Cloudbase-Init", "Cloudbase-Init is installed.")
    if subject.tree.exists(layout.CLOUDBASE_INIT):
        return _not_yet(subject, "Cloudbase-Init")
    text = "Cloudbase-Init is not installed in the image."
    hint = "Clouds cannot set passwords and host names without it."
    if subject.request is None:
        return doubtful("Cloudbase-Init", text, hint)
    return bad("Cloudbase-Init", text, "Look into the logs of the first start, and build it anew.")


def _not_yet(subject: Subject, name: str) -> Result:
    text = f"{name} is installed when the image first starts."
    hint = "Start the image once on its hypervisor; it powers itself off when it is finished."
    if subject.request is not None:
        return bad(name, f"{name} is not installed yet.", hint)
    return doubtful(name, text, hint)


def check_hooks(subject: Subject) -> Result | None:
    """The curtin hooks, where the configuration asks for them."""
    if subject.request is None or not subject.request.install_maas_hooks:
        return None
    if subject.tree.exists(layout.CURTIN):
        return good("curtin hooks", "The curtin hooks are there.")
    return bad(
        "curtin hooks", "The curtin hooks are not in the image.", "MAAS cannot deploy it; rebuild."
    )


def check_agent(subject: Subject) -> Result | None:
    """The QEMU guest agent, where the configuration asks for it."""
    request = subject.request
    asked = request is not None and request.agent.install.casefold() not in ("", "false")
    if any(subject.tree.exists(path) for path in _AGENTS):
        return good("guest agent", "The QEMU guest agent is installed.")
    if subject.tree.exists(layout.QEMU_AGENT):
        return _not_yet(subject, "guest agent")
    if not asked:
        return None
    return bad(
        "guest agent",
        "The QEMU guest agent is not installed in the image.",
        "Look into the logs of the first start, and build it anew.",
    )


def check_leftovers(subject: Subject) -> Result:
    """What the guest removes at its end, and leaves when it fails."""
    tree = subject.tree
    for name in _FAILURES:
        if tree.exists(name):
            return bad(
                "leftovers",
                f"The first start of the image failed; \\{name} says why.",
                "Read it with winimagetools copy-out, and build the image anew.",
            )
    if not tree.exists(layout.RESOURCES):
        return good("leftovers", f"There is no \\{layout.RESOURCES} any more.")
    if subject.waits_for_first_start and subject.request is None:
        return doubtful(
            "leftovers",
            "The image was not started yet.",
            "Start it once on its hypervisor; it powers itself off when it is finished.",
        )
    return bad(
        "leftovers",
        f"\\{layout.RESOURCES} is still there: the image was not finished.",
        "Start it once on its hypervisor, and let it power itself off.",
    )


def check_passwords(subject: Subject) -> Result:
    """Answer files with a password in them; the password itself is never shown."""
    if subject.waits_for_first_start:
        return skipped("passwords", "The image still needs its answer file.")
    found = []
    for path in ANSWER_FILES:
        if subject.tree.exists(path) and not subject.tree.is_dir(path):
            try:
                data = subject.tree.read_bytes(path)
            except WinImageError as error:
                return bad("passwords", error.message, error.hint)
            if holds_password(data):
                found.append(path)
    if found:
        return bad(
            "passwords",
            f"{' and '.join(found)} of the image still holds a password.",
            "Everybody who has the image can read it: delete the file and change the password.",
        )
    return good("passwords", "No answer file holds a password.")


def holds_password(data: bytes) -> bool:
    """Whether an answer file holds a password that Windows has not masked."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8", "replace")
    for _, content in _PASSWORD.findall(text):
        values = _VALUE.findall(content) or ([] if "<" in content else [content])
        if any(value.strip() and value.strip() != _MASKED for value in values):
            return True
    return False
