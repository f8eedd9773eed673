"""Whether a Linux machine has what a request needs: every program and library, all at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from winimagetools.errors import HostError, Problem
from winimagetools.found import MachineFacts
from winimagetools.host.linux import (
    computer,
    esp,
    frozen_clock,
    grub,
    hivex,
    libntfs,
    libwim,
    ntfs,
    versions,
    volume,
)
from winimagetools.host.linux.disks import SFDISK
from winimagetools.host.linux.resize import NTFSFIX, NTFSRESIZE
from winimagetools.model import DiskLayout
from winimagetools.output.convert import QEMU_IMG
from winimagetools.plan import Requirements

Look = Callable[[], object]
"""Looks for one thing; raises HostError when it cannot be used."""


def wanted(requirements: Requirements) -> Iterator[Look]:
    """What a request needs, each as a function that looks for it."""
    if requirements.formats:
        yield QEMU_IMG.find
    if requirements.existing_disk:
        yield ntfs.find_library
        if requirements.vm:  # it is changed, not only looked at
            yield from (hivex.find_library, NTFSRESIZE.find, NTFSFIX.find, volume.NTFSINFO.find)
    elif not requirements.form_only:
        yield from _for_new_disk(requirements.layout)


def _for_new_disk(layout: DiskLayout) -> Iterator[Look]:
    yield from (libwim.load, ntfs.find_library, hivex.find_library)
    yield from (volume.MKNTFS.find, volume.NTFSINFO.find, SFDISK.find)
    if layout is DiskLayout.UEFI:
        yield from (esp.MFORMAT.find, esp.MMD.find, esp.MCOPY.find)
    else:
        yield from (grub.check_installed,)


class LinuxChecks:
    """Implements :class:`winimagetools.contract.Checks`."""

    def check(self, requirements: Requirements) -> Sequence[Problem]:
        """Every program and library that is missing, with its package."""
        problems = []
        for look in wanted(requirements):
            try:
                look()
            except HostError as error:
                problems.append(computer.as_problem(error))
        return problems

    def versions(self, requirements: Requirements) -> Sequence[tuple[str, str]]:
        """Programs and libraries a request is done with; those that do not tell are left out."""
        return versions.versions(requirements)

    def machine(self) -> MachineFacts:
        """This machine."""
        return dataclasses.replace(computer.look(), not_reproducible=_not_reproducible())


def _not_reproducible() -> str:
    try:
        return frozen_clock.obstacle(libntfs.load())
    except HostError:
        return ""  # without the library nothing is built at all
