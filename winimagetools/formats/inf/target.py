r"""Which decorated sections of an INF Windows would use: ``NTamd64.10.0...16299``.

The rules are in Microsoft's "INF Manufacturer section": a decoration applies when its
architecture is that of Windows and its version is not higher; a build number counts only
when the version is equal; product type and suite have to match when they are given. Of
those that apply the highest version wins, then the closest product type and suite.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from winimagetools.facts.releases import INF_BUILD_NUMBERS
from winimagetools.formats.inf.numbers import read_number
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo

WORKSTATION = 1
SERVER = 3


@dataclass(frozen=True)
class Target:
    """The Windows an INF is read for.

    Args:
        product_type: ``VER_NT_WORKSTATION`` (1) or ``VER_NT_SERVER`` (3).
        suite: ``VER_SUITE_...`` bits.
    """

    architecture: Architecture
    version: WindowsVersion
    product_type: int = WORKSTATION
    suite: int = 0

    @classmethod
    def of(cls, image: ImageInfo) -> Target:
        """The target that an image is; Server Core, Nano and App editions are servers."""
        product_type = SERVER if image.is_server else WORKSTATION
        return cls(image.architecture, image.version, product_type)


@dataclass(frozen=True)
class Decoration:
    """``NT[arch][.major[.minor[.product[.suite[.build]]]]]`` in parts; None is "any"."""

    text: str
    architecture: str = ""
    major: int | None = None
    minor: int | None = None
    product_type: int | None = None
    suite: int | None = None
    build: int | None = None

    @classmethod
    def parse(cls, text: str) -> Decoration | None:
        """Read a decoration; None when it is not one that Windows understands."""
        platform, *numbers = text.strip().split(".")
        if platform[:2].casefold() != "nt" or len(numbers) > 5:
            return None
        architecture = platform[2:].casefold()
        if architecture and architecture not in {item.value for item in Architecture}:
            return None
        try:
            parts = [read_number(number) if number.strip() else None for number in numbers]
        except ValueError:
            return None
        return cls(text.strip(), architecture, *parts)

    @property
    def _version(self) -> tuple[int, int]:
        return (self.major or 0, self.minor or 0)

    def applies(self, target: Target, *, any_architecture: bool = False) -> bool:
        """Whether Windows may use a section with this decoration.

        Args:
            target: the Windows in question.
            any_architecture: ``NT`` without architecture fits all of them, as in install
                sections; in models sections it means x86 since Server 2003 SP1.
        """
        allowed = {target.architecture.value}
        if any_architecture or target.architecture is Architecture.X86:
            allowed.add("")
        return self.architecture in allowed and self._fits_version(target) and self._fits(target)

    def _fits_version(self, target: Target) -> bool:
        version = target.version
        current = (version.major, version.minor)
        if self.build is not None:
            if not INF_BUILD_NUMBERS.is_in(version):
                return False
            if self._version == current and self.build > version.build:
                return False
        return self._version <= current

    def _fits(self, target: Target) -> bool:
        if self.product_type is not None and self.product_type != target.product_type:
            return False
        return self.suite is None or self.suite & target.suite == self.suite

    @property
    def rank(self) -> tuple[int, int, int, bool, bool, bool]:
        """What is compared to find the closest one; higher is closer."""
        return (
            *self._version,
            self.build or 0,
            self.product_type is not None,
            self.suite is not None,
            bool(self.architecture),
        )


UNDECORATED = Decoration("")


def choose_models(decorations: Iterable[str], target: Target) -> str | None:
    """The decoration of the models section that Windows uses; empty for the undecorated one.

    An undecorated section counts for x86 only: elsewhere Windows has wanted a decoration
    since Server 2003 SP1. None when no section is for this Windows.
    """
    parsed = [item for text in decorations if (item := Decoration.parse(text)) is not None]
    fitting = [item for item in parsed if item.applies(target)]
    if fitting:
        return max(fitting, key=lambda item: item.rank).text
    return "" if target.architecture is Architecture.X86 else None


def choose_section(name: str, sections: Iterable[str], target: Target) -> str | None:
    """The install section for ``name``: ``name.NTamd64``, ``name.NT`` or ``name`` itself.

    Args:
        name: as the models section or a directive names it.
        sections: casefolded names of the sections there are.
        target: the Windows in question.
    """
    prefix = name.casefold() + "."
    best: tuple[Decoration, str] | None = None
    for section in sections:
        if section == name.casefold():
            found: Decoration | None = UNDECORATED
        elif section.startswith(prefix):
            found = Decoration.parse(section[len(prefix) :])
        else:
            continue
        if found is None or not found.applies(target, any_architecture=True):
            continue
        if best is None or _closer(found, best[0]):
            best = (found, section)
    return best[1] if best else None


def _closer(new: Decoration, old: Decoration) -> bool:
    """Architecture first, then version; any decoration is closer than none."""
    return (bool(new.text), bool(new.architecture), new.rank) > (
        bool(old.text),
        bool(old.architecture),
        old.rank,
    )
