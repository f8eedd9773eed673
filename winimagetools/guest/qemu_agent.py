r"""The QEMU guest agent: where its installer comes from.

:func:`decide` turns the options into a :class:`Decision` without looking at anything else;
:func:`installer` finds the places and makes it ``\UnattendResources\qemu-ga.msi``. What wins:

1. ``url`` together with ``checksum``, whatever ``source`` says;
2. ``source``: ``iso`` only the virtio ISO, ``auto`` the ISO first and the network when that
   fails, ``web`` (and anything unknown) the network;
3. on the network: the default download for ``install_qemu_ga=True``, else its value as URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from winimagetools.errors import ChecksumError, MediaError, RequestError
from winimagetools.facts.architecture import NAMES
from winimagetools.files.hash import sha256_of
from winimagetools.guest.installers import MSI_MAGIC, check_msi
from winimagetools.guest.layout import QEMU_AGENT
from winimagetools.model import AgentSource, Architecture
from winimagetools.plan import Download, FileAddition, FileSource, HostPath, Member, SourceTree

DEFAULT_URL = (
    "https://fedorapeople.org/groups/virt/virtio-win/direct-downloads/archive-qemu-ga"
    "/qemu-ga-win-100.0.0.0-3.el7ev/qemu-ga-{name}.msi"
)
"""The download the PowerShell tools use for ``install_qemu_ga=True``."""
_OTHER_DELIMITER = r"(?![a-z0-9]|[_-]64)"
_INSTEAD = (
    "Without a network set source = iso in [virtio_qemu_guest_agent] and give virtio_iso_path."
)


class IsoState(Enum):
    """What is known of ``virtio_iso_path`` before a decision."""

    NOT_GIVEN = "not given"
    MISSING = "no such file"
    WITHOUT_MSI = "holds no installer for this architecture"
    PRESENT = "present"


@dataclass(frozen=True)
class FromIso:
    """Take the installer for ``architecture`` from the virtio ISO."""

    architecture: Architecture


@dataclass(frozen=True)
class FromWeb:
    """Download ``url``; compare with ``sha256`` (hexadecimal) unless that is empty."""

    url: str
    sha256: str = ""


@dataclass(frozen=True)
class FromFile:
    """Take the installer that lies at ``path`` of this machine; it has to have ``sha256``."""

    path: str
    sha256: str = ""


Attempt = FromIso | FromWeb | FromFile


@dataclass(frozen=True)
class Decision:
    """What to try, in this order, until one works; nothing when no agent is wanted.

    Args:
        attempts: the places to take the installer from.
    """

    attempts: tuple[Attempt, ...] = ()


def iso_state(given: str, found: Path | None) -> IsoState:
    """What is known of the virtio ISO: the option as it stands, and the path it led to."""
    if not given:
        return IsoState.NOT_GIVEN
    return IsoState.PRESENT if found is not None else IsoState.MISSING


def decide(
    install_qemu_ga: str,
    *,
    source: str,
    url: str,
    checksum: str,
    iso: IsoState,
    architecture: Architecture,
    iso_path: str = "",
) -> Decision:
    """Choose where the installer comes from; the same arguments give the same decision.

    A ``url`` without ``checksum`` (and the reverse) is ignored and an unknown ``source`` means
    ``web``, as in the PowerShell tools; reading the configuration has warned about both.

    Args:
        install_qemu_ga: ``True``, ``False`` or a URL, as written in the configuration.
        source: ``web``, ``iso`` or ``auto`` in any letter case.
        url: download that is used only together with ``checksum``.
        checksum: SHA-256 of it in hexadecimal.
        iso: what is known of the virtio ISO.
        architecture: of the image.
        iso_path: the ISO as messages should name it.

    Raises:
        RequestError: the options cannot be followed.
    """
    wanted = install_qemu_ga.strip()
    if wanted.casefold() in ("", "false"):
        return Decision()
    if url and checksum:
        return Decision((_from_place(url.strip(), _sha256(checksum)),))
    kind = source.strip().casefold()
    if kind == AgentSource.ISO:
        return Decision((_from_iso(iso, iso_path, architecture),))
    if kind == AgentSource.AUTO and iso is IsoState.PRESENT:
        first = FromIso(architecture)
        if wanted.casefold() == "true" and not NAMES[architecture].guest_agent_url:
            return Decision((first,))
        return Decision((first, _from_web(wanted, architecture)))
    return Decision((_from_web(wanted, architecture),))


def _sha256(checksum: str) -> str:
    text = checksum.strip().casefold()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise RequestError(
            f"[virtio_qemu_guest_agent] checksum is not a SHA-256: {checksum}",
            "It has to be 64 hexadecimal digits.",
            "checksum",
        )
    return text


def _from_iso(iso: IsoState, iso_path: str, architecture: Architecture) -> FromIso:
    if iso in (IsoState.NOT_GIVEN, IsoState.MISSING):
        state = f"does not exist: {iso_path}" if iso is IsoState.MISSING else "is not set."
        raise RequestError(
            f"The QEMU guest agent has source = iso, but virtio_iso_path {state}",
            "Set virtio_iso_path to a virtio-win ISO, or use source = auto or web.",
            "source",
        )
    if iso is IsoState.WITHOUT_MSI:
        raise not_found(iso_path, architecture)
    return FromIso(architecture)


def _from_web(wanted: str, architecture: Architecture) -> FromWeb | FromFile:
    if wanted.casefold() != "true":
        return _from_place(wanted)
    name = NAMES[architecture].guest_agent_url
    if not name:
        raise RequestError(
            f"There is no default QEMU guest agent download for {architecture} Windows.",
            "Set install_qemu_ga to the URL of one, or take it from a virtio ISO that has it "
            "with source = iso.",
        )
    return FromWeb(DEFAULT_URL.format(name=name))


def _from_place(place: str, sha256: str = "") -> FromWeb | FromFile:
    """An address of the network, or a file: as ``file:`` URL or path, as WebClient takes both."""
    if re.match(r"https?://", place, re.IGNORECASE):
        return FromWeb(place, sha256)
    if re.match(r"file:", place, re.IGNORECASE):
        path = unquote(urlsplit(place).path)
        return FromFile(re.sub(r"^/(?=[A-Za-z]:)", "", path), sha256)
    if place.casefold().endswith(".msi") and "://" not in place:
        return FromFile(place, sha256)
    raise RequestError(
        f"{place!r} is neither True nor False, nor a URL, nor the path of an MSI file.",
        "A URL starts with http:// or https://.",
        "install_qemu_ga",
    )


def places(architecture: Architecture) -> tuple[str, ...]:
    """Where on a virtio ISO the installer is looked for first, ``/``-separated."""
    names = NAMES[architecture].guest_agent
    if not names:
        return ()
    name = names[0]
    return (
        *(f"guest-agent/qemu-ga-{spelling}.msi" for spelling in names),
        f"guest-agent/qemu-ga-{name}/qemu-ga-{name}.msi",
        f"guest-agent/{name}/qemu-ga-{name}.msi",
        f"qemu-ga/qemu-ga-{name}.msi",
        f"qemu-ga-{name}.msi",
        f"{name}/qemu-ga-{name}.msi",
    )


def architectures_in(file_name: str) -> set[Architecture]:
    """The architectures a file name mentions: ``qemu-ga-x86_64.msi`` is amd64, never x86."""
    return {
        architecture
        for architecture, names in NAMES.items()
        for name in names.guest_agent
        if re.search(rf"(?<![a-z0-9]){name}{_OTHER_DELIMITER}", file_name.casefold())
    }


def find_in_iso(source: SourceTree, architecture: Architecture) -> str | None:
    """Path of the installer on a virtio ISO: the known places, then every folder."""
    for place in places(architecture):
        found = source.find(place)
        if found is not None:
            return found
    for path in source.files():
        file_name = path.rpartition("/")[2].casefold()
        is_installer = "qemu-ga" in file_name and file_name.endswith(".msi")
        if is_installer and architectures_in(file_name) == {architecture}:
            return path
    return None


def not_found(iso_name: str, architecture: Architecture) -> MediaError:
    """The error for an ISO without an installer for ``architecture``."""
    spellings = " or ".join(f"*qemu-ga*{name}*.msi" for name in NAMES[architecture].guest_agent)
    searched = ", ".join(places(architecture))
    where = f" Searched: {searched}, and all folders for {spellings}." if searched else ""
    return MediaError(
        f"The virtio ISO {iso_name} holds no QEMU guest agent for {architecture} Windows.{where}",
        "Use another virtio-win ISO, or source = auto or web.",
    )


def from_iso(isos: Sequence[SourceTree], architecture: Architecture) -> Member:
    """The installer on the first virtio ISO, or copy of one in a folder, that has it.

    Port of ``Copy-QemuGuestAgentFromISO``.

    Raises:
        MediaError: none has one for this architecture.
    """
    for iso in isos:
        path = find_in_iso(iso, architecture)
        if path is not None:
            return Member(iso, path)
    raise not_found(" and ".join(iso.name for iso in isos), architecture)


def installer(
    decision: Decision, isos: Sequence[SourceTree], find: Callable[[str], Path] = Path
) -> tuple[FileAddition, tuple[str, ...]]:
    """The installer as decided, and what speaks against a place that is passed over.

    The places are tried in their order when the image is made, so that an ISO that cannot be
    read in the middle of its installer still ends in the download. A checksum that does not
    match ends it at once. Port of ``Download-QemuGuestAgent``.

    Args:
        decision: from :func:`decide`, with at least one attempt.
        isos: the opened virtio ISOs and folders; needed when the decision asks for one.
        find: makes an absolute path of one that stands in the configuration.

    Raises:
        MediaError: the only place is the ISO, and it cannot be used.
        RequestError: there is no such file, or it is no MSI.
        ChecksumError: the file has another SHA-256.
    """
    sources: list[FileSource] = []
    passed: list[str] = []
    for attempt in decision.attempts:
        try:
            sources.append(_source(attempt, isos, find))
        except MediaError as error:
            if attempt is decision.attempts[-1]:
                raise
            passed.append(f"{error.message} Trying the next place.")
    return FileAddition(QEMU_AGENT, tuple(sources), "QEMU guest agent"), tuple(passed)


def _source(
    attempt: Attempt, isos: Sequence[SourceTree], find: Callable[[str], Path]
) -> FileSource:
    match attempt:
        case FromWeb(url, sha256):
            return Download(url, sha256, (MSI_MAGIC,), instead=_INSTEAD)
        case FromFile(path, sha256):
            return HostPath(_checked(find(path), sha256))
        case FromIso(architecture):
            return from_iso(isos, architecture)


def _checked(path: Path, sha256: str) -> Path:
    check_msi(path, "install_qemu_ga")
    if sha256 and sha256_of(path) != sha256:
        raise ChecksumError(
            f"{path} does not have the SHA-256 {sha256}.", "Correct url or checksum."
        )
    return path
