"""Whether an image can be made again byte by byte, and what is said where it cannot."""

from __future__ import annotations

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.errors import HostError, RequestError
from winimagetools.image.request import Workflow

BY_WINDOWS = "a running Windows had a part in it"
_NO = "no, because "


def told(workflow: Workflow, host: Host) -> str:
    """What a report says of it.

    Args:
        workflow: how the image is made.
        host: the machine that makes it.
    """
    if workflow is not Workflow.CLOUD or host.offline is not None:
        return _NO + BY_WINDOWS
    why = host.checks.machine().not_reproducible
    return _NO + why if why else "yes"


def warn(host: Host) -> None:
    """Say before a build that its image could be reproducible and is not."""
    why = host.checks.machine().not_reproducible
    if why and host.offline is None:
        log.warning(
            f"The image is not reproducible: {why}. Windows does not mind, but whoever builds it "
            "again gets other bytes, and verify --rebuild refuses it."
        )


def refuse(name: str, workflow: str, said: str, host: Host) -> None:
    """Refuse to make an image again that cannot become the same.

    Args:
        name: of the image.
        workflow: how its report says it was made.
        said: what its report says of it; may be empty.
        host: the machine that would make it.

    Raises:
        RequestError: no machine can do it.
        HostError: this machine cannot.
    """
    why = said.removeprefix(_NO) if said.startswith(_NO) else ""
    if workflow != Workflow.CLOUD.value or host.offline is not None:
        why = BY_WINDOWS
    if why:
        raise RequestError(
            f"{name} cannot be made again byte by byte: {why}.",
            "Only images that cloud-image made on Linux can, where the report calls them so.",
        )
    here = host.checks.machine().not_reproducible
    if here:
        raise HostError(
            f"{name} cannot be made again byte by byte on this machine: {here}.",
            "Verify it on another machine.",
        )
