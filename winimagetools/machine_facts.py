"""Records of what a machine is: what was found by looking, without judging it."""

from __future__ import annotations

from dataclasses import dataclass, field

from winimagetools.errors import Problem


@dataclass(frozen=True)
class MachineFacts:
    """The machine a build would run on.

    Args:
        system: name and release of its operating system, for people.
        memory: bytes it has; 0 when it does not tell.
        processors: how many a build may use.
        bridges: switches a virtual machine can be attached to.
    """

    system: str
    memory: int = 0
    processors: int = 1
    bridges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ability:
    """Something a machine can do, or what it lacks for it.

    Args:
        name: what it is, such as ``offline images with UEFI``.
        how: in which way it is done; empty where there is only one.
        lacking: what is missing for it; empty when it can be done.
        needed: without it hardly an image can be made, so its lack is a failure.
    """

    name: str
    how: str = ""
    lacking: tuple[Problem, ...] = field(default=())
    needed: bool = False
