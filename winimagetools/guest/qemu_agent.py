r"""The QEMU guest agent: where its installer comes from, and getting it.

:func:`decide` turns the options into a :class:`Decision` without looking at anything else;
:func:`acquire` follows it and leaves ``\UnattendResources\qemu-ga.msi``. What wins:

1. ``url`` together with ``checksum``, whatever ``source`` says;
2. ``source``: ``iso`` only the virtio ISO, ``auto`` the ISO first and the network when that
   fails, ``web`` (and anything unknown) the network;
3. on the network: the default download for ``install_qemu_ga=True``, else its value as URL.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Fetcher, WindowsTree
from winimagetools.errors import BuildError, ChecksumError, MediaError, RequestError
from winimagetools.facts.architecture import NAMES
from winimagetools.guest.layout import MSI_MAGIC, RESOURCES
from winimagetools.model import AgentSource, Architecture
from winimagetools.plan import SourceTree

INSTALLER = rf"{RESOURCES}\qemu-ga.msi"
DEFAULT_URL = (
    "https://fedorapeople.org/groups/virt/virtio-win/direct-downloads/archive-qemu-ga"
    "/qemu-ga-win-100.0.0.0-3.el7ev/qemu-ga-{name}.msi"
)
"""The download the PowerShell tools use for ``install_qemu_ga=True``."""
_OTHER_DELIMITER = r"(?![a-z0-9]|[_-]64)"


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
class Decision:
    """What to try, in this order, until one works; nothing when no agent is wanted.

    Args:
        attempts: the places to take the installer from.
        warnings: what the user probably did not mean, as whole sentences.
    """

    attempts: tuple[FromIso | FromWeb, ...] = ()
    warnings: tuple[str, ...] = ()


def iso_state(path: Path | None) -> IsoState:
    """Look at ``virtio_iso_path`` from outside; None when it is not set."""
    if path is None:
        return IsoState.NOT_GIVEN
    return IsoState.PRESENT if path.is_file() else IsoState.MISSING


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

    The PowerShell tools ignore a ``url`` without ``checksum`` (and the reverse) and take an
    unknown ``source`` for ``web`` in silence; here both are said in the warnings.

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
        return Decision((FromWeb(url.strip(), _sha256(checksum)),))
    warnings = _warnings(source, url, checksum)
    kind = source.strip().casefold()
    if kind == AgentSource.ISO:
        return Decision((_from_iso(iso, iso_path, architecture),), warnings)
    if kind == AgentSource.AUTO and iso is IsoState.PRESENT:
        first = FromIso(architecture)
        if wanted.casefold() == "true" and not NAMES[architecture].guest_agent_url:
            return Decision((first,), warnings)
        return Decision((first, _from_web(wanted, architecture)), warnings)
    return Decision((_from_web(wanted, architecture),), warnings)


def _warnings(source: str, url: str, checksum: str) -> tuple[str, ...]:
    warnings = []
    if url or checksum:
        given, missing = ("url", "checksum") if url else ("checksum", "url")
        warnings.append(
            f"[virtio_qemu_guest_agent] {given} is ignored because {missing} is not set: "
            "both belong together."
        )
    if source.strip() and source.strip().casefold() not in set(AgentSource):
        warnings.append(
            f"[virtio_qemu_guest_agent] source = {source} is unknown and means web; "
            f"it should be one of {', '.join(AgentSource)}."
        )
    return tuple(warnings)


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


def _from_web(wanted: str, architecture: Architecture) -> FromWeb:
    if wanted.casefold() != "true":
        if not re.match(r"https?://", wanted, re.IGNORECASE):
            raise RequestError(
                f"{wanted!r} is neither True nor False nor a URL.",
                "A URL starts with http:// or https://.",
                "install_qemu_ga",
            )
        return FromWeb(wanted)
    name = NAMES[architecture].guest_agent_url
    if not name:
        raise RequestError(
            f"There is no default QEMU guest agent download for {architecture} Windows.",
            "Set install_qemu_ga to the URL of one, or take it from a virtio ISO that has it "
            "with source = iso.",
        )
    return FromWeb(DEFAULT_URL.format(name=name))


def check(
    install_qemu_ga: str, source: str, url: str, checksum: str, iso_path: Path | None
) -> None:
    """Refuse what no image can be made with, before its architecture is known.

    Raises:
        RequestError: as :func:`decide` does for an amd64 image.
    """
    decide(
        install_qemu_ga,
        source=source,
        url=url,
        checksum=checksum,
        iso=iso_state(iso_path),
        architecture=Architecture.AMD64,
        iso_path=str(iso_path or ""),
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


def copy_from_iso(source: SourceTree, tree: WindowsTree, architecture: Architecture) -> None:
    """Copy the installer from a virtio ISO into the image.

    Port of ``Copy-QemuGuestAgentFromISO``.

    Raises:
        MediaError: the ISO has none for this architecture, or cannot be read.
    """
    path = find_in_iso(source, architecture)
    if path is None:
        raise not_found(source.name, architecture)
    with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
        local = Path(folder, "qemu-ga.msi")
        source.copy_out(path, local)
        tree.copy_in(local, INSTALLER)
    log.info(f"QEMU guest agent: {path} from {source.name}")


def acquire(
    decision: Decision,
    tree: WindowsTree,
    fetcher: Fetcher,
    open_iso: Callable[[], AbstractContextManager[SourceTree]],
) -> None:
    """Put the installer into the image as decided; nothing happens when none is wanted.

    A checksum that does not match ends it at once: no other place is tried and nothing is
    left in the image. Port of ``Download-QemuGuestAgent``.

    Args:
        decision: from :func:`decide`.
        tree: the image.
        fetcher: the network.
        open_iso: opens the virtio ISO; only called when the decision asks for it.

    Raises:
        MediaError: the ISO cannot be used.
        DownloadError, ChecksumError: the download failed.
    """
    for warning in decision.warnings:
        log.warning(warning)
    last = len(decision.attempts) - 1
    for position, attempt in enumerate(decision.attempts):
        try:
            _try(attempt, tree, fetcher, open_iso)
            return
        except ChecksumError:
            tree.remove(INSTALLER)
            raise
        except (MediaError, BuildError) as error:
            if position == last:
                raise
            log.warning(f"{error.message} Trying the next place.")


def _try(
    attempt: FromIso | FromWeb,
    tree: WindowsTree,
    fetcher: Fetcher,
    open_iso: Callable[[], AbstractContextManager[SourceTree]],
) -> None:
    if isinstance(attempt, FromIso):
        with open_iso() as source:
            copy_from_iso(source, tree, attempt.architecture)
        return
    log.info(f"QEMU guest agent: {attempt.url}")
    local = fetcher.fetch(attempt.url, sha256=attempt.sha256, magic=(MSI_MAGIC,))
    tree.copy_in(local, INSTALLER)
